#include "api/sagemaker/operations/training_checks.h"

#include "api/sagemaker/operations/answers.h"
#include "storage/object_store.h"

namespace terrapin::api {
namespace {

using control::DataChannel;
using control::DataSource;
using control::TrainingJobSpec;

// As AWS, a channel must hold something before a job is made; whether it is what the algorithm wants is told
// by the job itself.
AwsResult<void> check_channel(const OperationContext& context, const TrainingJobSpec& spec,
                              const DataSource& source) {
  TERRAPIN_AWS_TRY(const storage::ObjectName name, told(context, storage::parse_s3_uri(source.uri)));
  bool found = false;
  storage::ObjectStore& objects = context.control.objects();
  if (source.kind == DataSource::Kind::kPrefix) {
    storage::ListQuery query;
    query.prefix = name.key;
    query.max_keys = 1;
    const auto page = objects.list(name.bucket, query);
    if (!page && page.error().code != ErrorCode::kNotFound)
      return tl::unexpected<AwsError>(error_told(context, page.error()));
    found = page && !page->objects.empty();
  } else {
    const auto manifest = objects.head(name);
    if (!manifest && manifest.error().code != ErrorCode::kNotFound)
      return tl::unexpected<AwsError>(error_told(context, manifest.error()));
    found = manifest.has_value();
  }
  if (found) return {};
  return invalid(
      "No S3 objects found under S3 URL \"{}\" given in input data source. Please ensure that the bucket "
      "exists in the "
      "selected region ({}), that objects exist under that S3 prefix, and that the role \"{}\" has "
      "\"s3:ListBucket\" "
      "permissions on bucket \"{}\".",
      source.uri, context.place.region, spec.role, name.bucket);
}

}  // namespace

AwsResult<void> check_training_buckets(const OperationContext& context, const TrainingJobSpec& spec) {
  TERRAPIN_AWS_TRY_STATUS(check_bucket(context, spec.output_uri));
  TERRAPIN_AWS_TRY_STATUS(check_bucket(context, spec.checkpoint_uri));
  for (const DataChannel& channel : spec.channels) {
    TERRAPIN_AWS_TRY_STATUS(check_bucket(context, channel.source.uri));
  }
  return {};
}

AwsResult<void> check_output_bucket(const OperationContext& context, const std::string& uri,
                                    const char* member) {
  if (uri.empty()) return {};
  TERRAPIN_AWS_TRY(const storage::ObjectName name, told(context, storage::parse_s3_uri(uri)));
  const auto bucket = context.control.objects().head_bucket(name.bucket);
  if (!bucket && bucket.error().code == ErrorCode::kNotFound)
    return invalid("The bucket \"{}\" of {} does not exist; create it first.", name.bucket, member);
  TERRAPIN_AWS_TRY_STATUS(told(context, bucket));
  return {};
}

AwsResult<void> check_training_places(const OperationContext& context, const TrainingJobSpec& spec) {
  TERRAPIN_AWS_TRY_STATUS(check_output_bucket(context, spec.output_uri, "OutputDataConfig.S3OutputPath"));
  TERRAPIN_AWS_TRY_STATUS(check_output_bucket(context, spec.checkpoint_uri, "CheckpointConfig.S3Uri"));
  for (const DataChannel& channel : spec.channels) {
    TERRAPIN_AWS_TRY_STATUS(check_channel(context, spec, channel.source));
  }
  return {};
}

}  // namespace terrapin::api
