#include "training/loader.h"

#include <algorithm>
#include <numeric>

namespace terrapin::training {
namespace {

constexpr std::size_t kBatchesAhead = 3;
// Streams of one epoch: crops use their position, the order of photos a number no position reaches.
constexpr std::uint64_t kOrderStream = std::uint64_t{1} << 62;

}  // namespace

std::vector<std::int64_t> epoch_order(std::int64_t photos, int crops_per_photo, int batch_size,
                                      std::uint64_t seed, int epoch) {
  std::vector<std::int64_t> order;
  if (photos <= 0) return order;
  const std::int64_t wanted = photos * crops_per_photo;
  const std::int64_t rounded = (wanted + batch_size - 1) / batch_size * batch_size;
  std::vector<std::int64_t> permutation(static_cast<std::size_t>(photos));
  for (std::uint64_t pass = 0; static_cast<std::int64_t>(order.size()) < rounded; ++pass) {
    std::iota(permutation.begin(), permutation.end(), 0);
    Random random = random_for(seed, static_cast<std::uint64_t>(epoch), kOrderStream + pass);
    shuffle(permutation, random);
    order.insert(order.end(), permutation.begin(), permutation.end());
  }
  order.resize(static_cast<std::size_t>(rounded));
  return order;
}

Status load_crop(const LabeledPhotos& photos, const std::vector<std::vector<ClassPoints>>& foreground,
                 const LoaderOptions& options, int epoch, std::int64_t position, std::int64_t photo,
                 float* pixels, std::uint8_t* labels) {
  TERRAPIN_TRY(const auto sample, photos.get(photo));
  Random random =
      random_for(options.seed, static_cast<std::uint64_t>(epoch), static_cast<std::uint64_t>(position));
  std::span<const ClassPoints> present;
  if (!foreground.empty()) present = foreground[static_cast<std::size_t>(photo)];
  const AugmentPlan plan = plan_augmentation(options.augment, options.base_size, options.crop_side,
                                             sample->photo.size(), present, random);
  augment_photo(sample->photo, plan, options.normalization, pixels);
  augment_mask(sample->mask, plan, labels);
  return {};
}

Loader::Loader(std::shared_ptr<const LabeledPhotos> photos, std::vector<std::vector<ClassPoints>> foreground,
               LoaderOptions options, int threads)
    : photos_(std::move(photos)), foreground_(std::move(foreground)), options_(std::move(options)) {
  for (int i = 0; i < std::max(1, threads); ++i) threads_.emplace_back([this] { work(); });
}

Loader::~Loader() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_ready_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

std::int64_t Loader::steps_per_epoch() const {
  const std::int64_t wanted = photos_->size() * options_.crops_per_photo;
  return (wanted + options_.batch_size - 1) / options_.batch_size;
}

void Loader::start(int epoch, std::int64_t first_step) {
  {
    const std::lock_guard lock(mutex_);
    slots_.clear();  // a thread that is making a crop keeps its slot alive until it is done
    order_ =
        epoch_order(photos_->size(), options_.crops_per_photo, options_.batch_size, options_.seed, epoch);
    epoch_ = epoch;
    next_step_ = first_step;
    add_slots();
  }
  work_ready_.notify_all();
}

void Loader::add_slots() {
  const std::int64_t steps = static_cast<std::int64_t>(order_.size()) / options_.batch_size;
  while (slots_.size() < kBatchesAhead && next_step_ < steps) {
    auto slot = std::make_shared<Slot>();
    if (spare_.empty()) {
      slot->batch = std::make_unique<Batch>();
      slot->batch->count = crops();
      slot->batch->side = options_.crop_side;
      const auto values = static_cast<std::size_t>(crops() * options_.crop_side * options_.crop_side);
      slot->batch->pixels.resize(values * 3);
      slot->batch->labels.resize(values);
    } else {
      slot->batch = std::move(spare_.back());
      spare_.pop_back();
    }
    slot->step = next_step_++;
    slots_.push_back(std::move(slot));
  }
}

bool Loader::work_once(std::unique_lock<std::mutex>& lock) {
  std::shared_ptr<Slot> slot;
  for (const auto& candidate : slots_) {
    if (candidate->taken < crops()) {
      slot = candidate;
      break;
    }
  }
  if (!slot) return false;
  const std::int64_t within = slot->taken++;
  const std::int64_t position = slot->step * options_.batch_size + options_.part_first + within;
  const std::int64_t photo = order_[static_cast<std::size_t>(position)];
  const int epoch = epoch_;
  Batch& batch = *slot->batch;
  lock.unlock();
  const std::int64_t area = batch.side * batch.side;
  const Status status =
      load_crop(*photos_, foreground_, options_, epoch, position, photo,
                batch.pixels.data() + within * area * 3, batch.labels.data() + within * area);
  lock.lock();
  if (!status && !slot->error) slot->error = status.error();
  if (++slot->finished == crops()) batch_ready_.notify_all();
  return true;
}

void Loader::work() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (!work_once(lock)) work_ready_.wait(lock);
  }
}

Result<std::unique_ptr<Batch>> Loader::next() {
  std::unique_lock lock(mutex_);
  if (slots_.empty()) return nullptr;
  const std::shared_ptr<Slot> slot = slots_.front();
  while (slot->finished < crops()) {
    if (slot->taken < crops()) {
      work_once(lock);
    } else {
      batch_ready_.wait(lock);
    }
  }
  slots_.pop_front();
  add_slots();
  lock.unlock();
  work_ready_.notify_all();
  if (slot->error) return tl::unexpected<Error>(*slot->error);
  return std::move(slot->batch);
}

void Loader::recycle(std::unique_ptr<Batch> batch) {
  const std::lock_guard lock(mutex_);
  spare_.push_back(std::move(batch));
}

}  // namespace terrapin::training
