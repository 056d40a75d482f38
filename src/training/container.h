// SageMaker's training container: what lies under /opt/ml, and what is left there. Source: "Run Your Training
// Algorithm", Amazon SageMaker Developer Guide. Format page: docs/formats/container.md.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "artifacts/manifest.h"
#include "artifacts/model_package.h"
#include "base/result.h"
#include "training/hyperparameters.h"

namespace terrapin::training {

struct ContainerChannel {
  std::string content_type, input_mode;      // as written; empty if absent
  std::vector<std::string> attribute_names;  // ours: names of an augmented manifest's attributes, if written
};

struct ContainerJob {
  std::filesystem::path root;  // usually /opt/ml
  HyperparameterValues hyperparameters;
  std::map<std::string, ContainerChannel> channels;
  std::vector<std::string> hosts;  // sorted, this one among them; empty: one machine
  std::string current_host, network_interface_name;

  std::filesystem::path channel_folder(const std::string& channel) const;
  std::filesystem::path model_folder() const { return root / "model"; }
  std::filesystem::path checkpoint_folder() const { return root / "checkpoints"; }
  std::filesystem::path output_data_folder() const { return root / "output" / "data"; }
};

// Reads input/config. Channels that inputdataconfig.json does not name but that lie under input/data count
// too. Errors name the file and the field.
Result<ContainerJob> read_container_job(const std::filesystem::path& root);

// A folder of its own under the system's temporary folder, removed with its content at the end.
class ScratchFolder {
 public:
  static Result<std::unique_ptr<ScratchFolder>> make();
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  explicit ScratchFolder(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

struct ContainerData {
  artifacts::SampleIndex train, validation;
  artifacts::ClassList classes;                // empty: the data does not say
  std::optional<std::filesystem::path> model;  // incremental training
  std::vector<std::string> notes;
};

// The channels as samples. Each of train and validation is a folder of photos (with <channel>_annotation), a
// folder that holds one augmented manifest, RecordIO files, or a Pipe-mode FIFO <channel>_0; records
// alternate photo, label and are kept in `scratch`, because every epoch reads them. Errors name the channel
// and what is allowed.
Result<ContainerData> open_container_data(const ContainerJob& job, const artifacts::S3Roots& roots,
                                          const std::filesystem::path& scratch);

// "bucket=dir;bucket2=dir2", the environment variable TERRAPIN_S3_ROOTS; empty parts are skipped.
Status add_s3_roots(const std::string& specification, artifacts::S3Roots& roots);

// What a stopped training can already hand over, from options.checkpoint_folder: the package of the best
// epoch so far. kNotFound if no epoch was validated before the stop.
Result<TrainingOutcome> outcome_of_checkpoint(const TrainingOptions& options,
                                              const artifacts::ClassList& classes);

// The package's files, unpacked, in the model folder (SageMaker packs that folder itself).
Status write_container_model(const ContainerJob& job, const artifacts::ModelPackage& package,
                             const std::filesystem::path& scratch);

// output/failure: the first 1,024 characters become DescribeTrainingJob's FailureReason. Starts with
// "ClientError: " where the user can mend it, else "AlgorithmError: ".
std::string failure_text(const Error& error);
Status write_failure(const std::filesystem::path& root, const Error& error);

}  // namespace terrapin::training
