// The process by which assistance learns from a labeling job: photos and masks, a tuned model, and whether it
// is the better one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "storage/object_store.h"

namespace terrapin::control {

inline constexpr const char* kOutcomeFile = "outcome.json";  // assist_learning_outcome_text()

struct AssistLearningWork {
  std::string program;                                   // absolute path of terrapin itself
  std::filesystem::path folder = ".";                    // the job's work folder, in which the task lies
  std::int64_t max_photo_bytes = std::int64_t{2} << 30;  // fetched, all together: the newest photos
  // Runs terrapin with these arguments in the work folder and gives what it printed; kCancelled once the
  // process was told to stop. Empty: as its child.
  std::function<Result<std::string>(const std::vector<std::string>& arguments)> run = {};
};

// Fetches photos and masks, holds back the newest fifth, measures the job's model there (`terrapin
// evaluate-assist`), tunes it on the others (`terrapin train-assist`), measures the tuned one alike, and
// stores it as the job's own if it is better (is_better). 0 whatever the verdict, which is in kOutcomeFile; 1
// with the failure file written; told to stop (base/interrupt.h), 128 + the signal. The model that serves is
// touched by nothing but a better one. What was fetched and made is removed from the folder.
int run_assist_learning_work(storage::ObjectStore& objects, const Clock& clock,
                             const AssistLearningWork& work);

}  // namespace terrapin::control
