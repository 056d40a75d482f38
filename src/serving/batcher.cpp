#include "serving/batcher.h"

#include <algorithm>

#include "artifacts/model_package.h"

namespace terrapin::serving {

Batcher::Announcement::Announcement(Batcher& batcher) : batcher_(&batcher) {
  const std::lock_guard lock(batcher_->mutex_);
  ++batcher_->announced_;
}

void Batcher::Announcement::withdraw() {
  if (!batcher_) return;
  {
    const std::lock_guard lock(batcher_->mutex_);
    --batcher_->announced_;
  }
  batcher_->changed_.notify_one();
  batcher_ = nullptr;
}

Batcher::Batcher(std::shared_ptr<inference::Predictor> predictor, const BatchingOptions& options)
    : predictor_(std::move(predictor)), options_(options), engine_([this] { work(); }) {}

Batcher::~Batcher() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  engine_.join();
}

Result<inference::Prediction> Batcher::predict(Announcement& announcement, const imaging::Image& photo,
                                               bool with_probabilities,
                                               std::shared_ptr<const std::atomic<bool>> abandoned) {
  Job job;
  job.photo = &photo;
  job.input_size = artifacts::network_input_size(predictor_->spec().preprocessing, photo.size());
  job.with_probabilities = with_probabilities;
  job.abandoned = std::move(abandoned);
  job.arrived = std::chrono::steady_clock::now();
  auto answer = job.promise.get_future();
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(job));
  }
  announcement.withdraw();  // wakes the engine
  return answer.get();
}

std::size_t Batcher::waiting() const {
  const std::lock_guard lock(mutex_);
  return queue_.size();
}

void Batcher::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    const auto enough = [&] {
      return stopping_ || announced_ == 0 || queue_.size() >= static_cast<std::size_t>(options_.max_batch);
    };
    changed_.wait_until(lock, queue_.front().arrived + std::chrono::milliseconds(options_.max_wait_ms),
                        enough);
    std::vector<Job> batch = take_batch();
    lock.unlock();
    run(std::move(batch));
    lock.lock();
  }
}

std::vector<Batcher::Job> Batcher::take_batch() {
  std::vector<Job> batch;
  batch.push_back(std::move(queue_.front()));
  queue_.pop_front();
  std::int64_t pixels = batch.front().photo->size().area();
  for (auto job = queue_.begin();
       job != queue_.end() && batch.size() < static_cast<std::size_t>(options_.max_batch);) {
    const std::int64_t area = job->photo->size().area();
    if (job->input_size == batch.front().input_size &&
        job->with_probabilities == batch.front().with_probabilities &&
        pixels + area <= options_.max_batch_pixels) {
      pixels += area;
      batch.push_back(std::move(*job));
      job = queue_.erase(job);
    } else {
      ++job;
    }
  }
  return batch;
}

void Batcher::run(std::vector<Job> batch) {
  const auto left = std::partition(batch.begin(), batch.end(), [](const Job& job) {
    return !job.abandoned || !job.abandoned->load(std::memory_order_relaxed);
  });
  for (auto job = left; job != batch.end(); ++job) {
    job->promise.set_value(fail(ErrorCode::kCancelled, "the client closed the connection"));
  }
  batch.erase(left, batch.end());
  if (batch.empty()) return;
  try {
    std::vector<Result<inference::Prediction>> answers;
    if (batch.size() == 1) {
      answers.push_back(predictor_->predict(*batch.front().photo, batch.front().with_probabilities));
    } else {
      std::vector<const imaging::Image*> photos;
      photos.reserve(batch.size());
      for (const Job& job : batch) photos.push_back(job.photo);
      answers = predictor_->predict_batch(photos, batch.front().with_probabilities);
    }
    if (answers.size() != batch.size()) {
      answers.assign(batch.size(), fail(ErrorCode::kInternal, "the predictor answered {} of {} photos",
                                        answers.size(), batch.size()));
    }
    for (std::size_t i = 0; i < batch.size(); ++i) batch[i].promise.set_value(std::move(answers[i]));
  } catch (...) {  // carried to the callers: the engine thread must go on
    for (Job& job : batch) job.promise.set_exception(std::current_exception());
  }
}

}  // namespace terrapin::serving
