// Batches of assistance samples, made ahead by threads of their own.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "training/assist/samples.h"

namespace terrapin::training {

struct AssistLoaderOptions {
  AssistAugment augment;
  networks::FrameOptions frame;
  int batch_size = 16, threads = 1;
  std::uint64_t seed = 0;
};

// The content of batch s depends on the options and s only. Used from one thread; destroying it stops the
// threads.
class AssistLoader {
 public:
  AssistLoader(std::vector<std::shared_ptr<const ObjectSource>> sources, AssistLoaderOptions options,
               std::int64_t first_step);
  ~AssistLoader();
  AssistLoader(const AssistLoader&) = delete;
  AssistLoader& operator=(const AssistLoader&) = delete;

  Result<std::vector<AssistSample>> next();

 private:
  void work();
  Result<std::vector<AssistSample>> make(std::int64_t step) const;

  const std::vector<std::shared_ptr<const ObjectSource>> sources_;
  const AssistLoaderOptions options_;

  std::mutex mutex_;
  std::condition_variable room_, ready_;
  std::int64_t next_to_make_, next_to_give_;                            // guarded by mutex_
  std::map<std::int64_t, Result<std::vector<AssistSample>>> finished_;  // guarded by mutex_
  bool stopping_ = false;                                               // guarded by mutex_
  std::vector<std::thread> threads_;
};

}  // namespace terrapin::training
