// What jobs, tasks and the engine share. Inside labeling only.
#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>

#include "base/clock.h"
#include "imaging/image.h"
#include "labeling/labeling_service.h"
#include "storage/database.h"
#include "storage/object_store.h"

namespace terrapin::labeling {

// Sizes of photos by URI, read from their headers once. Thread-safe.
class PhotoSizes {
 public:
  explicit PhotoSizes(storage::ObjectStore& store) : store_(store) {}
  // kNotFound, kCorrupt, kUnsupported naming the photo.
  Result<imaging::Size> of(const std::string& uri);

 private:
  storage::ObjectStore& store_;
  std::mutex mutex_;
  std::map<std::string, std::pair<std::string, imaging::Size>>
      sizes_;  // guarded by mutex_; URI -> ETag, size
};

// Pixels being decoded at once over the whole program. Thread-safe.
class PixelBudget {
 public:
  explicit PixelBudget(std::int64_t pixels) : all_(pixels), free_(pixels) {}
  class Lease {
   public:
    Lease(PixelBudget& budget, std::int64_t pixels) : budget_(budget), pixels_(pixels) {}
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    ~Lease() { budget_.give_back(pixels_); }

   private:
    PixelBudget& budget_;
    std::int64_t pixels_;
  };
  // Waits until that many are free; more than there are at all counts as all.
  std::unique_ptr<Lease> take(std::int64_t pixels);

 private:
  void give_back(std::int64_t pixels);
  const std::int64_t all_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::int64_t free_;  // guarded by mutex_
};

struct Core {
  storage::Database& state;
  storage::ObjectStore& store;
  const Clock& clock;
  const LabelingOptions options;
  Collaborators collaborators;
  PhotoSizes photo_sizes{store};
  PixelBudget pixels{options.max_decoded_pixels};
  std::function<void(const std::string& job_id)> wake{};  // the engine has work for this job

  // Held alone while a manifest and the counters that speak of it change, shared by who reports the counters:
  // both are seen old or both new.
  std::shared_mutex& manifest_lock(const std::string& job_id) {
    return manifest_locks_[std::hash<std::string>{}(job_id) % manifest_locks_.size()];
  }
  std::array<std::shared_mutex, 64> manifest_locks_{};

  // Reads a small text object. The message begins with `what` and names the URI.
  Result<std::string> read_text(const std::string& uri, const std::string& what, std::int64_t limit_bytes);
  // False also where no function can be registered; errors as FunctionCaller::knows.
  Result<bool> knows_function(const std::string& name);
  Result<bool> may_read(const std::string& owner, const std::string& bucket) const;
  // kDenied naming the bucket if the job's owner may not read it.
  Status check_readable(const std::string& owner, const std::string& uri, const std::string& what);
};

}  // namespace terrapin::labeling
