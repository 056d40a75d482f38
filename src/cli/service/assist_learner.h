// The thread that lets assistance learn from labeling jobs: it looks which of them have new masks enough, and
// has the control plane try. docs/decisions/0015-assist-learning.md.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/repeating_thread.h"
#include "base/result.h"
#include "cli/service/assistance.h"
#include "control/assist_learnings.h"
#include "labeling/jobs/job_service.h"

namespace terrapin::cli {

struct AssistLearnerOptions {
  bool wanted = false;  // of jobs that do not say: their tag decides (labeling::kAssistLearningTag)
  std::int64_t first_photos = 40;  // with a mask, at the first try
  std::int64_t steps = 200;        // of a try
  // Of a try. Lower, a model learns too slowly for a few hundred steps; higher, it forgets what it knew.
  double rate = 2e-4;
  int retain_days = 0;  // models of jobs that ended longer ago are removed; 0: never
  std::chrono::milliseconds look_interval = std::chrono::seconds(2);
};

// Everything given outlives it.
class AssistLearner {
 public:
  using MayRead = std::function<Result<bool>(const std::string& owner, const std::string& bucket)>;
  // Without a network in `assistance` nothing is ever learned.
  AssistLearner(const Assistance& assistance, labeling::JobService& jobs, control::AssistLearnings& learnings,
                const Clock& clock, MayRead may_read, AssistLearnerOptions options);
  AssistLearner(const AssistLearner&) = delete;
  AssistLearner& operator=(const AssistLearner&) = delete;

  void start() { looks_.start(); }
  void stop() { looks_.stop(); }
  // One look at every labeling job, as the thread does it again and again: the first error; it holds up no
  // other job.
  Status look();

  // What answers questions of the labeling job with this id; null: it has nothing of its own. Thread-safe.
  std::shared_ptr<const assist::Assistant> assistant_of(const std::string& job_id);

 private:
  Status consider(const labeling::JobRecord& job);
  Status forget_old();
  void look_and_tell();

  const Assistance& assistance_;
  labeling::JobService& jobs_;
  control::AssistLearnings& learnings_;
  const Clock& clock_;
  const MayRead may_read_;
  const AssistLearnerOptions options_;
  std::string said_;  // of who looks
  RepeatingThread looks_;
};

}  // namespace terrapin::cli
