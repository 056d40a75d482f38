// What a batch transform was asked to do, and what has become of it; free of the words of the service that
// asked.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "control/batch_status.h"
#include "control/process/phases.h"
#include "control/training_spec.h"
#include "jobs/job_store.h"
#include "storage/object_store.h"

namespace terrapin::control {

inline constexpr int kMostConcurrentTransforms = 256;

struct TransformSpec {
  std::string name;
  std::string model;      // its name
  std::string model_uri;  // of its model.tar.gz, when the transform was made
  // The model's and the transform's own; as ModelContainer has it, only some names mean something.
  std::map<std::string, std::string> environment;
  DataSource source;                // a prefix or a manifest
  std::string content_type;         // of the photos; "": told by themselves
  std::string accept;               // of the answers; "": image/png
  bool join_lines = false;          // a line end after each answer
  std::string output_uri;           // "s3://bucket/prefix"
  int max_concurrent = 0;           // requests at a time; 0: as the model server says
  std::int64_t max_payload_mb = 0;  // of one photo; 0: as the model server says
  std::int64_t timeout_s = 600;     // of one request
  int retries = 3;                  // of one photo
  std::string instance_type;
  int instance_count = 1;
  std::vector<std::string> allowed_buckets;  // as TrainingJobSpec
  std::vector<std::string> notes;            // said at the start of the job's log
  std::string kept;                          // JSON object of the edge's, given back as it is
};

// kInvalidArgument naming the member and what is allowed.
Status check_transform_spec(const TransformSpec& spec);

// Version 1, docs/formats/control.md. The same text is the task of the job's process.
std::string transform_spec_text(const TransformSpec& spec);
Result<TransformSpec> parse_transform_spec(const std::string& text);

// <output_uri>/<file>.out
std::string transform_output_uri(const TransformSpec& spec, const std::string& file);
// Whether the object is named as an answer of this transform: where its output lies below its input, such
// objects come up in the listing while it runs, and lie there when it is run again.
bool is_transform_output(const TransformSpec& spec, const storage::ObjectName& object);

struct TransformState {
  BatchStatus status = BatchStatus::kInProgress;
  std::string failure_reason;               // begins with whose fault it is: "ClientError: ..."
  std::optional<Timestamp> started, ended;  // of the process
  std::int64_t done = 0, failed = 0;        // objects, once it has ended
};

// Facts of the phase that ends a transform's work.
inline constexpr const char *kDoneFact = "done", *kFailedFact = "failed";

// The same answer for the same rows and files, whoever asks and however often.
TransformState derive_transform_state(const jobs::JobRecord& job, const std::vector<jobs::JobChange>& changes,
                                      const std::vector<Phase>& phases);

// Version 1, docs/formats/control.md.
std::string transform_state_text(const TransformState& state);
Result<TransformState> parse_transform_state(const std::string& text);

}  // namespace terrapin::control
