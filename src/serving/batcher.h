// Gathers the photos of concurrent requests into batches for one predictor.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <future>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/result.h"
#include "imaging/image.h"
#include "inference/predictor.h"

namespace terrapin::serving {

struct BatchingOptions {
  int max_batch = 8;
  // How long a photo may wait for others that are being decoded at this moment. A request alone never waits.
  int max_wait_ms = 2;
  // Photos of one batch together hold at most this many pixels (one photo may hold more): memory stays
  // bounded.
  std::int64_t max_batch_pixels = 16'000'000;
};

// One engine thread runs the predictor: the libraries below keep a team of threads per calling thread, so
// calls from many threads would crowd the cores. While it is busy, requests gather; it then takes the oldest
// photo and others of the same network input size and kind, so no request is overtaken for ever. Thread-safe.
class Batcher {
 public:
  Batcher(std::shared_ptr<inference::Predictor> predictor, const BatchingOptions& options);
  ~Batcher();  // finishes what waits
  Batcher(const Batcher&) = delete;
  Batcher& operator=(const Batcher&) = delete;

  // Says that a photo is on its way: while one exists, others may wait for it. Ends when predicted or
  // destroyed.
  class Announcement {
   public:
    explicit Announcement(Batcher& batcher);
    ~Announcement() { withdraw(); }
    Announcement(const Announcement&) = delete;
    Announcement& operator=(const Announcement&) = delete;

   private:
    friend class Batcher;
    void withdraw();
    Batcher* batcher_;
  };

  // Blocks until the photo's batch is done. kCancelled without computing if `abandoned` is true when its turn
  // comes. Exceptions of the predictor are rethrown here.
  Result<inference::Prediction> predict(Announcement& announcement, const imaging::Image& photo,
                                        bool with_probabilities,
                                        std::shared_ptr<const std::atomic<bool>> abandoned = nullptr);

  // Photos that wait for the engine at this moment.
  std::size_t waiting() const;
  inference::Predictor& predictor() { return *predictor_; }

 private:
  struct Job {
    const imaging::Image* photo = nullptr;  // the waiting caller keeps it
    imaging::Size input_size;
    bool with_probabilities = false;
    std::shared_ptr<const std::atomic<bool>> abandoned;
    std::chrono::steady_clock::time_point arrived;
    std::promise<Result<inference::Prediction>> promise;
  };
  void work();
  std::vector<Job> take_batch();
  void run(std::vector<Job> batch);

  const std::shared_ptr<inference::Predictor> predictor_;
  const BatchingOptions options_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> queue_;  // guarded by mutex_
  int announced_ = 0;      // guarded by mutex_
  bool stopping_ = false;  // guarded by mutex_
  std::thread engine_;
};

}  // namespace terrapin::serving
