// Photos and masks made smaller for people who look at many of them.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/byte_source.h"
#include "base/result.h"
#include "imaging/image.h"

namespace terrapin::portal {

struct Picture {
  std::string type;  // "image/jpeg"
  ByteSourcePtr content;
  int orientation = 1;  // EXIF's, of the photo it was made from; never applied
};

// The pictures used last, up to a number of bytes. Thread-safe.
class PictureCache {
 public:
  explicit PictureCache(std::int64_t max_bytes) : max_bytes_(max_bytes) {}
  std::optional<Picture> find(const std::string& key);
  // One that is larger than all there is room for is not kept.
  void keep(const std::string& key, const Picture& picture);
  std::int64_t bytes();

 private:
  struct Kept {
    std::string key;
    Picture picture;
  };
  const std::int64_t max_bytes_;
  std::mutex mutex_;
  std::list<Kept> kept_;                                               // guarded by mutex_; last used first
  std::unordered_map<std::string, std::list<Kept>::iterator> by_key_;  // guarded by mutex_
  std::int64_t bytes_ = 0;                                             // guarded by mutex_
};

// How many pictures may be decoded at once, whoever asks, and how many requests may wait for that: those who
// wait hold a thread each. Thread-safe.
class DecodeSlots {
 public:
  // How long a request waits for one.
  static constexpr std::chrono::seconds kPatience{20};
  DecodeSlots(int count, int most_waiting) : free_(count), most_waiting_(most_waiting) {}
  class Slot {
   public:
    explicit Slot(DecodeSlots& slots) : slots_(&slots) {}
    Slot(Slot&& other) noexcept : slots_(other.slots_) { other.slots_ = nullptr; }
    Slot& operator=(Slot&&) = delete;
    ~Slot();

   private:
    DecodeSlots* slots_;
  };
  // kCancelled: at once if too many wait already, after `patience` if none is free, and once `given_up`.
  Result<Slot> take(std::chrono::milliseconds patience, const std::function<bool()>& given_up);

 private:
  std::mutex mutex_;
  std::condition_variable freed_;
  int free_;         // guarded by mutex_
  int waiting_ = 0;  // guarded by mutex_
  const int most_waiting_;
};

// A file of at most this many bytes is read for a picture.
inline constexpr std::int64_t kMaxPictureFileBytes = std::int64_t{512} << 20;
// Pixels of a picture that cannot be reduced while it is decoded: PNG and WebP.
inline constexpr std::int64_t kMaxWholePixels = std::int64_t{160} << 20;
// Pixels of all answers together that a map of disagreement holds at once.
inline constexpr std::int64_t kMaxDisagreementPixels = std::int64_t{256} << 20;

// What is wrong with a stored file is no fault of the request.
template <class T>
Result<T> of_stored(Result<T> result, const std::string& what) {
  if (result) return result;
  Error error = std::move(result.error());
  if (error.code == ErrorCode::kCorrupt || error.code == ErrorCode::kInvalidArgument ||
      error.code == ErrorCode::kUnsupported)
    error.code = ErrorCode::kConflict;
  return with_context(std::move(error), what);
}

// A JPEG of the stored pixels, at most `width` wide; a PNG of a PNG. Errors as imaging::decode_photo_reduced.
Result<Picture> reduced_photo(std::span<const std::uint8_t> file, std::int64_t width);

// An indexed PNG with the file's palette, nearest pixels. kUnsupported for what is no mask of indices.
Result<Picture> reduced_mask(std::span<const std::uint8_t> file, std::int64_t width);

// 255 x (1 - share of the most frequent class) at each pixel of masks of one size; at least one.
imaging::Mask disagreement_of(const std::vector<imaging::Mask>& masks);

}  // namespace terrapin::portal
