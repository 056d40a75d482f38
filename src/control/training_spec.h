// What a training job was asked to do, free of the words of the service that asked.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"

namespace terrapin::control {

// Objects that a job reads.
struct DataSource {
  enum class Kind {
    kPrefix,             // all objects below `uri`
    kManifest,           // those that the JSON list `uri` names
    kAugmentedManifest,  // the JSON lines `uri` and the objects that their `attributes` name
  };
  Kind kind = Kind::kPrefix;
  std::string uri;                      // "s3://bucket/key"
  std::vector<std::string> attributes;  // of an augmented manifest
};
const char* data_source_kind_name(DataSource::Kind kind);  // "augmented-manifest"

// What the edge gives back as it was written has no meaning here: input_mode "File", distribution
// "FullyReplicated".
struct DataChannel {
  std::string name;  // "train_annotation"
  DataSource source;
  std::string content_type, input_mode, distribution, record_wrapper, compression;
  std::int64_t shuffle_seed = -1;  // -1: none was given
};

struct TrainingJobSpec {
  std::string name;
  std::string image;                // as it was written
  std::string input_mode = "File";  // of channels that say nothing else
  std::string role;                 // as it was written
  std::map<std::string, std::string>
      hyperparameters;                             // of the algorithm, unchecked: the job itself does that
  std::map<std::string, std::string> environment;  // of the training process
  std::vector<DataChannel> channels;
  std::string output_uri;      // "s3://bucket/prefix"
  std::string checkpoint_uri;  // "": they end with the job
  std::string instance_type;
  int instance_count = 1;
  std::int64_t volume_gb = 1;
  std::int64_t max_run_s = 86'400;
  // The only buckets that the job may use; empty: all. What a manifest names is held to it, too.
  std::vector<std::string> allowed_buckets;
  std::vector<std::string> notes;  // said at the start of the job's log
  std::string kept;                // JSON object of the edge's, given back as it is
};

// Version 1, docs/formats/control.md. The same text is the task of the job's process.
std::string training_spec_text(const TrainingJobSpec& spec);
Result<TrainingJobSpec> parse_training_spec(const std::string& text);

// <output_uri>/<name>/output/<file>
std::string training_output_uri(const TrainingJobSpec& spec, const std::string& file);

}  // namespace terrapin::control
