#include "training/assist/loader.h"

#include <algorithm>
#include <exception>

namespace terrapin::training {

AssistLoader::AssistLoader(std::vector<std::shared_ptr<const ObjectSource>> sources,
                           AssistLoaderOptions options, std::int64_t first_step)
    : sources_(std::move(sources)),
      options_(std::move(options)),
      next_to_make_(first_step),
      next_to_give_(first_step) {
  for (int i = 0; i < std::max(1, options_.threads); ++i) threads_.emplace_back([this] { work(); });
}

AssistLoader::~AssistLoader() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  room_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

Result<std::vector<AssistSample>> AssistLoader::make(std::int64_t step) const {
  std::vector<AssistSample> batch;
  for (int i = 0; i < options_.batch_size; ++i) {
    Random random =
        random_for(options_.seed, static_cast<std::uint64_t>(step), static_cast<std::uint64_t>(i));
    TERRAPIN_TRY(AssistSample sample, make_assist_sample(sources_, options_.augment, options_.frame, random));
    batch.push_back(std::move(sample));
  }
  return batch;
}

void AssistLoader::work() {
  const std::int64_t ahead = options_.threads + 1;
  std::unique_lock lock(mutex_);
  for (;;) {
    room_.wait(lock, [&] { return stopping_ || next_to_make_ < next_to_give_ + ahead; });
    if (stopping_) return;
    const std::int64_t step = next_to_make_++;
    lock.unlock();
    auto batch = [&]() -> Result<std::vector<AssistSample>> {
      try {
        return make(step);
      } catch (const std::exception& error) {
        return fail(ErrorCode::kInternal, "batch {}: {}", step, error.what());
      }
    }();
    lock.lock();
    finished_.emplace(step, std::move(batch));
    ready_.notify_all();
  }
}

Result<std::vector<AssistSample>> AssistLoader::next() {
  std::unique_lock lock(mutex_);
  ready_.wait(lock, [&] { return finished_.contains(next_to_give_); });
  auto found = finished_.extract(next_to_give_++);
  room_.notify_all();
  return std::move(found.mapped());
}

}  // namespace terrapin::training
