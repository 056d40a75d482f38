// The process of a training job: its data, the training itself, its results.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "storage/object_store.h"

namespace terrapin::control {

inline constexpr const char* kTaskFile = "task.json";   // training_spec_text()
inline constexpr const char* kFailureFile = "failure";  // why it failed, as Work::failure_file
// Pictures of validation photos (docs/formats/overlays.md): where the training writes them, and where they
// lie once it has ended.
inline constexpr const char* kOverlaysFolder = "output/data/overlays";
inline constexpr const char* kKeptOverlays = "overlays";
inline constexpr const char* kTrainingKind = "training";  // of the job, and what `job-work` is called with

struct TrainingWork {
  std::string program;                 // absolute path of terrapin itself
  std::filesystem::path folder = ".";  // the job's work folder, in which the task lies
  int processes = 0;  // that train together; 0: as many as `terrapin train` starts by itself, one per GPU
  // How often checkpoints are carried to their bucket.
  std::chrono::milliseconds checkpoint_interval = std::chrono::seconds(5);
  // Says what is wrong with hyperparameters before any data is fetched; may be empty.
  std::function<Status(const std::map<std::string, std::string>&)> check_hyperparameters;
};

// Fetches the channels, runs `terrapin train --container` on them, carries its checkpoints, and stores
// model.tar.gz and output.tar.gz: 0 only once they lie in the bucket. Told to stop (base/interrupt.h), it
// tells the training, and stores the model of the epochs that are done. Otherwise the exit code of the
// training, or 1 with the failure file written; if a signal ended the training, this process ends by it, too.
// What was fetched and made is removed from the folder; logs, phases.jsonl and the overlays stay.
int run_training_work(storage::ObjectStore& objects, const Clock& clock, const TrainingWork& work);

}  // namespace terrapin::control
