// Training jobs in the console: their list, curves, logs and pictures; making, stopping and deploying them.
#include <charconv>

#include "artifacts/label_categories.h"
#include "artifacts/manifest_split.h"
#include "jobs/local_runner.h"
#include "portal/control_json.h"
#include "portal/fields.h"
#include "portal/implementation.h"
#include "portal/new_training.h"

namespace terrapin::portal {
namespace {

using control::DataChannel;
using control::DataSource;
using control::ResourceFilter;
using control::TrainingJob;
using control::TrainingJobSpec;

constexpr std::int64_t kMaxManifestBytes = std::int64_t{256} << 20;
constexpr std::int64_t kLogBytes = 256 << 10, kMostLogBytes = 4 << 20;
constexpr const char* kNoBackbone = "mobilenet-v2";  // trains in bearable time without a GPU

Result<ResourceFilter::SortBy> parse_resource_sort(const std::string& text) {
  if (text == "name") return ResourceFilter::SortBy::kName;
  if (text == "created") return ResourceFilter::SortBy::kCreationTime;
  if (text == "status") return ResourceFilter::SortBy::kStatus;
  return fail(ErrorCode::kInvalidArgument, "'sort' is '{}': allowed are name, created, status", text);
}

DataChannel manifest_channel(const char* name, const std::string& uri, const std::string& attribute) {
  DataChannel channel;
  channel.name = name;
  channel.source = {DataSource::Kind::kAugmentedManifest, uri, {"source-ref", attribute}};
  channel.record_wrapper = "RecordIO";
  channel.input_mode = "Pipe";
  return channel;
}

}  // namespace

Result<control::ControlPlane*> Portal::Implementation::control() const {
  if (context_.control != nullptr) return context_.control;
  return fail(ErrorCode::kUnsupported, "this server neither trains nor serves models");
}

Result<bool> Portal::Implementation::may_use(const Call& call, const std::string& uri) const {
  const auto name = storage::parse_s3_uri(uri);
  if (!name) return call.account().has(identity::Role::kAdmin);
  return context_.may_read(identity::principal_of(call.account()), name->bucket);
}

Result<control::TrainingJob> Portal::Implementation::training_job_of(const Call& call) const {
  TERRAPIN_TRY(control::ControlPlane* const plane, control());
  const std::string name = call.parameter("name");
  TERRAPIN_TRY(TrainingJob job, plane->training_jobs().describe(name));
  TERRAPIN_TRY(const bool may, may_use(call, job.spec.output_uri));
  if (may) return job;
  return fail(ErrorCode::kNotFound, "there is no training job '{}'", name);
}

Result<std::vector<std::string>> Portal::Implementation::usable_buckets(const Call& call) const {
  TERRAPIN_TRY(const auto all, context_.objects.list_buckets());
  std::vector<std::string> usable;
  for (const storage::BucketInfo& bucket : all) {
    TERRAPIN_TRY(const bool may, context_.may_read(identity::principal_of(call.account()), bucket.name));
    if (may) usable.push_back(bucket.name);
  }
  return usable;
}

Portal::Implementation::Handled Portal::Implementation::training_options(Call&) {
  TERRAPIN_TRY(control::ControlPlane* const plane, control());
  const std::size_t gpus = jobs::local_gpus().size();
  json types = json::array(), rows = json::array();
  for (const auto& [name, slot] : plane->slots().by_type) types.push_back(name);
  for (const Hyperparameter& row : context_.hyperparameters)
    rows.push_back(json{
        {"name", row.name}, {"allowed", row.allowed}, {"default", row.standard}, {"meaning", row.meaning}});
  return json_answer(200, json{{"gpus", gpus},
                               {"cores", plane->slots().whole.cores},
                               {"backbone", gpus > 0 ? "resnet-50" : kNoBackbone},
                               {"algorithm", gpus > 0 ? "deeplab" : "lite"},
                               {"instance_types", std::move(types)},
                               {"hyperparameters", std::move(rows)}});
}

Portal::Implementation::Handled Portal::Implementation::training_draft(Call& call) {
  TERRAPIN_TRY(control::ControlPlane* const plane, control());
  TERRAPIN_TRY(const labeling::JobRecord record, context_.jobs.describe(call.parameter("name")));
  TERRAPIN_TRY(const artifacts::LabelCategories categories, context_.jobs.categories(record.spec.name));
  json labels = json::array();
  for (std::size_t i = 1; i < categories.classes.classes.size(); ++i)
    labels.push_back(json{{"label", categories.classes.classes[i].name},
                          {"color", imaging::to_hex(categories.classes.classes[i].color)}});
  TERRAPIN_TRY(const std::string name, free_name(record.spec.name, [&](const std::string& one) {
                 return plane->training_jobs().describe(one).map([](const TrainingJob&) {});
               }));
  TERRAPIN_TRY(const storage::ObjectName output, storage::parse_s3_uri(record.spec.output_uri));
  return json_answer(200, json{{"labeling_job", record.spec.name},
                               {"name", name},
                               {"photos", record.counters.total_labeled},
                               {"labels", std::move(labels)},
                               {"num_classes", categories.classes.size()},
                               {"label_attribute", record.spec.label_attribute},
                               {"validation_percent", kValidationPercent},
                               {"output_uri", fmt::format("s3://{}/training", output.bucket)}});
}

Portal::Implementation::Handled Portal::Implementation::training_jobs(Call& call) {
  TERRAPIN_TRY(control::ControlPlane* const plane, control());
  QueryFields query(call.request);
  ResourceFilter filter;
  filter.name_contains = query.text("name_contains").value_or("");
  const std::string status = query.text("status").value_or("");
  const std::string sort = query.text("sort").value_or("created");
  filter.descending = query.flag_or("descending", true);
  std::int64_t left_out = query.integer_or("offset", 0, 0, 1'000'000);
  const auto limit = static_cast<std::size_t>(query.integer_or("limit", 100, 1, 1000));
  TERRAPIN_TRY_STATUS(query.finish());
  TERRAPIN_TRY(filter.sort_by, parse_resource_sort(sort));
  if (!status.empty()) {
    if (const auto known = control::parse_batch_status(status); !known)
      return fail(ErrorCode::kInvalidArgument,
                  "'status' is '{}': allowed are InProgress, Stopping, Completed, Failed, Stopped", status);
    filter.statuses = {status};
  }
  // What lies in buckets of others is passed over as if it were not there.
  json list = json::array();
  bool more = false;
  for (bool pages = true; pages && !more; filter.offset += filter.limit) {
    TERRAPIN_TRY(const control::TrainingJobPage page, plane->training_jobs().list(filter));
    for (const TrainingJob& job : page.jobs) {
      TERRAPIN_TRY(const bool may, may_use(call, job.spec.output_uri));
      if (!may || left_out-- > 0) continue;
      if (list.size() == limit) {
        more = true;
        break;
      }
      list.push_back(training_summary_json(job));
    }
    pages = page.more;
  }
  return json_answer(200, json{{"jobs", std::move(list)}, {"more", more}});
}

Portal::Implementation::Handled Portal::Implementation::training_job(Call& call) {
  TERRAPIN_TRY(const TrainingJob job, training_job_of(call));
  return json_answer(200, json{{"job", training_json(job)}});
}

Portal::Implementation::Handled Portal::Implementation::training_metrics(Call& call) {
  TERRAPIN_TRY(const TrainingJob job, training_job_of(call));
  TERRAPIN_TRY(control::ControlPlane* const plane, control());
  TERRAPIN_TRY(const auto values, plane->training_jobs().metrics(job.spec.name));
  return json_answer(200, json{{"series", series_json(values)}});
}

Portal::Implementation::Handled Portal::Implementation::training_log(Call& call) {
  TERRAPIN_TRY(const TrainingJob job, training_job_of(call));
  TERRAPIN_TRY(control::ControlPlane* const plane, control());
  QueryFields query(call.request);
  const std::int64_t offset = query.integer_or("offset", 0, 0, std::int64_t{1} << 50);
  const std::int64_t bytes = query.integer_or("bytes", kLogBytes, 1, kMostLogBytes);
  TERRAPIN_TRY_STATUS(query.finish());
  TERRAPIN_TRY(const jobs::OutputPage page, plane->training_jobs().logs(job.spec.name, offset, bytes));
  json lines = json::array();
  for (const jobs::OutputLine& line : page.lines)
    lines.push_back(json{{"time", time_text(line.time)}, {"stream", line.stream}, {"text", line.text}});
  return json_answer(200, json{{"lines", std::move(lines)}, {"next", page.next_offset}});
}

Portal::Implementation::Handled Portal::Implementation::training_overlays(Call& call) {
  TERRAPIN_TRY(const TrainingJob job, training_job_of(call));
  TERRAPIN_TRY(control::ControlPlane* const plane, control());
  TERRAPIN_TRY(const auto index, plane->training_jobs().overlays(job.spec.name));
  return json_answer(200, json{{"photos", index ? index->photos : std::vector<std::string>()},
                               {"epochs", index ? index->epochs : std::vector<int>()}});
}

Portal::Implementation::Handled Portal::Implementation::training_overlay(Call& call) {
  TERRAPIN_TRY(const TrainingJob job, training_job_of(call));
  TERRAPIN_TRY(control::ControlPlane* const plane, control());
  const auto number = [&](const char* name) -> Result<int> {
    const std::string text = call.parameter(name);
    int value = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (problem != std::errc() || end != text.data() + text.size() || value < 0)
      return fail(ErrorCode::kNotFound, "there is no picture '{}'", text);
    return value;
  };
  TERRAPIN_TRY(const int epoch, number("epoch"));
  TERRAPIN_TRY(const int photo, number("photo"));
  TERRAPIN_TRY(const std::string jpeg, plane->training_jobs().overlay(job.spec.name, epoch, photo));
  http::Response response = http::Response::text(200, "image/jpeg", jpeg);
  response.headers.set("Content-Disposition", "inline");
  // A picture never changes, but a job's name may be another job's one day.
  response.headers.set("Cache-Control", "private, max-age=3600");
  return response;
}

Portal::Implementation::Handled Portal::Implementation::stop_training_job(Call& call) {
  TERRAPIN_TRY(const TrainingJob job, training_job_of(call));
  TERRAPIN_TRY(control::ControlPlane* const plane, control());
  TERRAPIN_TRY(const TrainingJob stopped, plane->training_jobs().stop(job.spec.name));
  return json_answer(200, json{{"job", training_json(stopped)}});
}

Result<std::map<std::string, std::string>> Portal::Implementation::take_labeled(const Call& call,
                                                                                const NewTraining& training,
                                                                                TrainingJobSpec& spec) {
  const auto refuse = [](const std::string& message) {
    return fail(ErrorCode::kInvalidArgument, "'labeling_job': {}", message);
  };
  const auto record = context_.jobs.describe(training.labeling_job);
  if (!record && record.error().code != ErrorCode::kNotFound) return tl::unexpected<Error>(record.error());
  if (!record) return refuse(record.error().message);
  TERRAPIN_TRY(const bool may, may_use(call, record->spec.output_uri));
  if (!may) return refuse(fmt::format("there is no labeling job '{}'", training.labeling_job));
  if (record->output_dataset_uri.empty())
    return refuse(fmt::format("'{}' has no output manifest; label photos first", training.labeling_job));
  TERRAPIN_TRY(const storage::OpenObject manifest, open_object(call, record->output_dataset_uri));
  TERRAPIN_TRY(const std::string text, read_all_text(*manifest.content, kMaxManifestBytes));
  const std::string& attribute = record->spec.label_attribute;
  const auto split = artifacts::split_manifest(text, attribute, training.validation_percent / 100);
  if (!split && split.error().code == ErrorCode::kInvalidArgument) return refuse(split.error().message);
  if (!split) return tl::unexpected<Error>(split.error());
  TERRAPIN_TRY(const artifacts::LabelCategories categories, context_.jobs.categories(training.labeling_job));
  TERRAPIN_TRY(const storage::ObjectName output, storage::parse_s3_uri(spec.output_uri));
  std::string folder = output.key;
  while (folder.ends_with('/')) folder.pop_back();
  if (!folder.empty()) folder += '/';
  std::map<std::string, std::string> files;
  for (const auto& [channel, lines] :
       {std::pair("train", &split->train), std::pair("validation", &split->validation)}) {
    const std::string uri =
        storage::s3_uri({output.bucket, fmt::format("{}{}/input/{}.manifest", folder, spec.name, channel)});
    files[uri] = *lines;
    spec.channels.push_back(manifest_channel(channel, uri, attribute));
  }
  spec.hyperparameters.try_emplace("num_classes", std::to_string(categories.classes.size()));
  spec.hyperparameters["num_training_samples"] = std::to_string(split->train_photos);
  return files;
}

// What AWS, too, looks at before a job is made.
Status Portal::Implementation::check_channels(const Call& call, const control::TrainingJobSpec& spec) {
  for (const DataChannel& channel : spec.channels) {
    TERRAPIN_TRY(const storage::ObjectName name, storage::parse_s3_uri(channel.source.uri));
    TERRAPIN_TRY_STATUS(require_bucket(call, name.bucket));
    bool found = false;
    if (channel.source.kind == DataSource::Kind::kPrefix) {
      storage::ListQuery query;
      query.prefix = name.key;
      query.max_keys = 1;
      const auto page = context_.objects.list(name.bucket, query);
      if (!page && page.error().code != ErrorCode::kNotFound) return tl::unexpected<Error>(page.error());
      found = page && !page->objects.empty();
    } else {
      const auto manifest = context_.objects.head(name);
      if (!manifest && manifest.error().code != ErrorCode::kNotFound)
        return tl::unexpected<Error>(manifest.error());
      found = manifest.has_value();
    }
    if (!found)
      return fail(ErrorCode::kInvalidArgument, "'channels': there is nothing at {} for the channel '{}'",
                  channel.source.uri, channel.name);
  }
  return {};
}

Portal::Implementation::Handled Portal::Implementation::create_training_job(Call& call) {
  TERRAPIN_TRY(control::ControlPlane* const plane, control());
  TERRAPIN_TRY(NewTraining training, new_training_of(call.body));
  TrainingJobSpec& spec = training.spec;
  if (plane->training_jobs().describe(spec.name))
    return fail(ErrorCode::kAlreadyExists, "'name': there is a training job '{}'", spec.name);
  for (const std::string* uri : {&spec.output_uri, &spec.checkpoint_uri}) {
    if (uri->empty()) continue;
    TERRAPIN_TRY(const storage::ObjectName place, storage::parse_s3_uri(*uri));
    TERRAPIN_TRY_STATUS(require_bucket(call, place.bucket));
    storage::ListQuery any;
    any.max_keys = 1;
    const auto bucket = context_.objects.list(place.bucket, any);
    if (!bucket && bucket.error().code == ErrorCode::kNotFound)
      return fail(ErrorCode::kInvalidArgument, "'{}': there is no bucket '{}'",
                  uri == &spec.output_uri ? "output_uri" : "checkpoint_uri", place.bucket);
    if (!bucket) return tl::unexpected<Error>(bucket.error());
  }
  TERRAPIN_TRY_STATUS(check_channels(call, spec));
  const labeling::WorkforcesOptions& place = context_.workforces.options();
  spec.role = fmt::format("arn:aws:iam::{}:role/terrapin-console", place.account_id);
  // What a manifest names must not reach further than the one who asks.
  TERRAPIN_TRY(spec.allowed_buckets, usable_buckets(call));
  std::map<std::string, std::string> files, tags;
  if (!training.labeling_job.empty()) {
    TERRAPIN_TRY(files, take_labeled(call, training, spec));
    tags["labeling-job"] = training.labeling_job;
  }
  if (context_.check_hyperparameters) {
    const Status good = context_.check_hyperparameters(spec.hyperparameters);
    if (!good) return fail(ErrorCode::kInvalidArgument, "'hyperparameters': {}", good.error().message);
  }
  for (const auto& [uri, text] : files) {
    TERRAPIN_TRY(const storage::ObjectName name, storage::parse_s3_uri(uri));
    const auto stored = context_.objects.put(name, *bytes_source(text), "application/jsonlines");
    if (!stored) return tl::unexpected<Error>(stored.error());
  }
  TERRAPIN_TRY(const TrainingJob job,
               plane->training_jobs().create(spec, identity::principal_of(call.account()), tags));
  return json_answer(201, json{{"job", training_json(job)}});
}

}  // namespace terrapin::portal
