// Augmented batches, made ahead of the training step by threads of their own.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/result.h"
#include "training/augment.h"
#include "training/samples.h"

namespace terrapin::training {

// N crops as the network takes them. Memory belongs to the batch; a batch handed back to the loader is used
// again.
struct Batch {
  std::int64_t count = 0, side = 0;
  std::vector<float> pixels;         // [count][side][side][3], normalised
  std::vector<std::uint8_t> labels;  // [count][side][side], 255 = ignore
};

struct LoaderOptions {
  AugmentOptions augment;
  std::int64_t base_size = 520;
  std::int64_t crop_side = 240;
  int batch_size = 16;
  // The part of each batch that is made: crops first, first + 1, ...; count 0: all. A crop is the same
  // whoever makes it.
  std::int64_t part_first = 0, part_count = 0;
  int crops_per_photo = 1;
  std::uint64_t seed = 0;
  Normalization normalization;
};

// Which photos an epoch shows, batch after batch: `crops_per_photo` random permutations one after the other,
// and, to fill the last batch, the beginning of a further one. A pure function: epochs can be replayed in
// part.
std::vector<std::int64_t> epoch_order(std::int64_t photos, int crops_per_photo, int batch_size,
                                      std::uint64_t seed, int epoch);

// Crop number `position` of an epoch, into `pixels` (side * side * 3) and `labels` (side * side).
Status load_crop(const LabeledPhotos& photos, const std::vector<std::vector<ClassPoints>>& foreground,
                 const LoaderOptions& options, int epoch, std::int64_t position, std::int64_t photo,
                 float* pixels, std::uint8_t* labels);

// Fills batches in order, up to a few ahead. The content of every batch depends on (options, epoch, position)
// only, never on the number of threads. Used from one thread; destroying it stops the threads.
class Loader {
 public:
  // `foreground` as in DataSummary; may be empty. `threads` >= 1.
  Loader(std::shared_ptr<const LabeledPhotos> photos, std::vector<std::vector<ClassPoints>> foreground,
         LoaderOptions options, int threads);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  std::int64_t steps_per_epoch() const;
  // Begins with batch `first_step` (0-based) of `epoch` and goes on to its end; what was being made is
  // dropped.
  void start(int epoch, std::int64_t first_step);
  // The next batch, or nullptr after the epoch's last one. The caller's thread helps while it would wait.
  Result<std::unique_ptr<Batch>> next();
  void recycle(std::unique_ptr<Batch> batch);

 private:
  struct Slot {
    std::unique_ptr<Batch> batch;
    std::int64_t step = 0;
    std::int64_t taken = 0, finished = 0;  // crops
    std::optional<Error> error;
  };
  void work();
  bool work_once(
      std::unique_lock<std::mutex>& lock);  // one crop, unlocked meanwhile; false if there is none to take
  void add_slots();
  std::int64_t crops() const { return options_.part_count > 0 ? options_.part_count : options_.batch_size; }

  const std::shared_ptr<const LabeledPhotos> photos_;
  const std::vector<std::vector<ClassPoints>> foreground_;
  const LoaderOptions options_;

  std::mutex mutex_;
  std::condition_variable work_ready_, batch_ready_;
  std::deque<std::shared_ptr<Slot>> slots_;  // in step order; this and the rest guarded by mutex_
  std::vector<std::unique_ptr<Batch>> spare_;
  std::vector<std::int64_t> order_;
  int epoch_ = 0;
  std::int64_t next_step_ = 0;
  bool stopping_ = false;

  std::vector<std::thread> threads_;
};

}  // namespace terrapin::training
