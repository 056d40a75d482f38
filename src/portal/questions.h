// Who is asking about photos.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <utility>

#include "base/result.h"

namespace terrapin::portal {

// Who may ask at once, and that the newest question about a task is the one that counts. Thread-safe.
class Questions {
 private:
  // How a question ends before its answer.
  struct End {
    std::stop_source stop;
    std::atomic<bool> superseded{false};
  };

 public:
  // `most` of all, `most_of_one` of a worker: each holds a thread of the server.
  Questions(int most, int most_of_one) : most_(most), most_of_one_(most_of_one) {}

  class Place {
   public:
    Place(Place&& other) noexcept
        : questions_(std::exchange(other.questions_, nullptr)),
          worker_(std::move(other.worker_)),
          task_(std::move(other.task_)),
          end_(std::move(other.end_)) {}
    Place& operator=(Place&&) = delete;
    ~Place();
    std::stop_token stop() const { return end_->stop.get_token(); }
    bool superseded() const { return end_->superseded; }
    // For whoever else may find that the answer is not wanted any more.
    std::stop_source stopper() const { return end_->stop; }

   private:
    friend class Questions;
    Place(Questions& questions, std::string worker, std::string task, std::shared_ptr<End> end)
        : questions_(&questions), worker_(std::move(worker)), task_(std::move(task)), end_(std::move(end)) {}
    Questions* questions_;
    std::string worker_, task_;
    std::shared_ptr<End> end_;
  };

  // A question about a task: once this one has a place, the one before about that task is asked to stop.
  // `task` empty: this is about none. kCancelled if there are as many as may be.
  Result<Place> begin(const std::string& worker, const std::string& task);
  int under_way();

 private:
  const int most_, most_of_one_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<End>> newest_;  // by task; these three guarded by mutex_
  std::map<std::string, int> of_worker_;
  int under_way_ = 0;
};

}  // namespace terrapin::portal
