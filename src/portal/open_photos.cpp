#include "portal/open_photos.h"

#include <algorithm>
#include <utility>

namespace terrapin::portal {
namespace {

// Of one that is held, however small: its names and what is beside its pixels.
constexpr std::int64_t kLeastBytes = std::int64_t{16} << 10;

tl::unexpected<Error> stopped() {
  return fail(ErrorCode::kCancelled, "a newer question took this one's place");
}

double mib(std::int64_t bytes) {
  return static_cast<double>(bytes) / (1 << 20);
}

}  // namespace

OpenPhotos::Use::~Use() {
  if (photos_ == nullptr) return;
  const std::lock_guard lock(photos_->mutex_);
  --entry_->uses;
  photos_->changed_.notify_all();
}

const assist::OpenPhoto& OpenPhotos::Use::operator*() const {
  return *entry_->photo;
}

// The lock is held, here and in make_room.
OpenPhotos::Use OpenPhotos::use(Entry& entry) {
  ++entry.uses;
  entry.last_used = ++turn_;
  return Use(*this, entry);
}

bool OpenPhotos::make_room(std::int64_t bytes) {
  const auto idle = [](const Entry& entry) { return entry.photo && entry.uses == 0; };
  std::int64_t held = bytes_;
  for (const auto& [key, entry] : entries_) held -= idle(entry) ? entry.bytes : 0;
  // None goes in vain: who waits asks again whenever a photo becomes idle.
  if (held + bytes > max_bytes_) return false;
  while (bytes_ + bytes > max_bytes_) {
    auto oldest = entries_.end();
    for (auto at = entries_.begin(); at != entries_.end(); ++at) {
      if (!idle(at->second)) continue;
      if (oldest == entries_.end() || at->second.last_used < oldest->second.last_used) oldest = at;
    }
    bytes_ -= oldest->second.bytes;
    entries_.erase(oldest);
  }
  return true;
}

Status OpenPhotos::reserve(Entry& entry, std::int64_t asked, const std::stop_token& stop) {
  const std::int64_t bytes = std::max(asked, kLeastBytes);
  if (bytes > max_bytes_)
    return fail(ErrorCode::kTooLarge,
                "the photo takes {:.0f} MiB of memory; assistance may use {:.0f} MiB for all photos",
                mib(bytes), mib(max_bytes_));
  std::unique_lock lock(mutex_);
  const std::int64_t more = bytes - entry.bytes;
  ++waiting_;
  const bool room = changed_.wait_for(lock, stop, patience_, [&] { return make_room(more); });
  --waiting_;
  if (!room) {
    if (stop.stop_requested()) return stopped();
    return fail(ErrorCode::kCancelled, "there is no room for another photo now: others are asked about");
  }
  bytes_ += more;
  entry.bytes = bytes;
  return {};
}

Result<OpenPhotos::Use> OpenPhotos::get(const std::string& key, const std::stop_token& stop,
                                        const Open& open) {
  std::unique_lock lock(mutex_);
  for (auto found = entries_.find(key); found != entries_.end(); found = entries_.find(key)) {
    if (found->second.photo) return use(found->second);
    const std::shared_ptr<const Attempt> attempt = found->second.attempt;
    ++waiting_;
    const bool done = changed_.wait(lock, stop, [&] { return attempt->done; });
    --waiting_;
    if (!done) return stopped();
    // One who was told to stop says nothing about the photo.
    if (attempt->error && attempt->error->code != ErrorCode::kCancelled)
      return tl::unexpected<Error>(*attempt->error);
  }
  const auto attempt = std::make_shared<Attempt>();
  Entry& entry = entries_[key];
  entry.attempt = attempt;
  lock.unlock();

  // Also where `open` throws, for want of memory: whoever waits goes on.
  struct Finish {
    OpenPhotos& photos;
    const std::string& key;
    Attempt& attempt;
    ~Finish() {
      const std::lock_guard last(photos.mutex_);
      const auto at = photos.entries_.find(key);
      if (!at->second.photo) {
        photos.bytes_ -= at->second.bytes;
        photos.entries_.erase(at);
        if (!attempt.error) attempt.error = Error{ErrorCode::kCancelled, "the photo could not be opened"};
      }
      attempt.done = true;
      photos.changed_.notify_all();
    }
  } finish{*this, key, *attempt};
  auto photo = open([&](std::int64_t bytes) { return reserve(entry, bytes, stop); });
  if (!photo) {
    attempt->error = photo.error();
    return tl::unexpected<Error>(std::move(photo.error()));
  }
  lock.lock();
  entry.photo = std::move(*photo);
  const std::int64_t taken = std::max(entry.photo->memory_bytes(), kLeastBytes);
  bytes_ += taken - entry.bytes;
  entry.bytes = taken;
  ++opened_;
  Use result = use(entry);
  lock.unlock();
  return result;
}

std::int64_t OpenPhotos::bytes() {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

std::int64_t OpenPhotos::opened() {
  const std::lock_guard lock(mutex_);
  return opened_;
}

int OpenPhotos::waiting() {
  const std::lock_guard lock(mutex_);
  return waiting_;
}

Questions::Place::~Place() {
  if (questions_ == nullptr) return;
  const std::lock_guard lock(questions_->mutex_);
  --questions_->under_way_;
  const auto mine = questions_->of_worker_.find(worker_);
  if (--mine->second == 0) questions_->of_worker_.erase(mine);
  const auto newest = questions_->newest_.find(task_);
  if (newest != questions_->newest_.end() && newest->second == end_) questions_->newest_.erase(newest);
}

Result<Questions::Place> Questions::begin(const std::string& worker, const std::string& task) {
  const auto end = std::make_shared<End>();
  std::shared_ptr<End> before;
  const auto enter = [&]() -> Status {
    const std::lock_guard lock(mutex_);
    const auto mine = of_worker_.find(worker);
    if (mine != of_worker_.end() && mine->second >= most_of_one_)
      return fail(ErrorCode::kCancelled, "{} of your questions are under way: at most {} may be",
                  mine->second, most_of_one_);
    if (under_way_ >= most_)
      return fail(ErrorCode::kCancelled, "too many questions are asked at once: try again in a moment");
    ++under_way_;
    ++of_worker_[worker];
    if (!task.empty()) before = std::exchange(newest_[task], end);
    return {};
  };
  const Status entered = enter();
  if (before) {
    before->superseded = true;
    before->stop.request_stop();  // not under the lock: it wakes those who wait
  }
  if (!entered) return tl::unexpected<Error>(entered.error());
  return Place(*this, worker, task, end);
}

int Questions::under_way() {
  const std::lock_guard lock(mutex_);
  return under_way_;
}

}  // namespace terrapin::portal
