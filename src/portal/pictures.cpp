#include "portal/pictures.h"

#include <algorithm>
#include <array>

#include "imaging/codecs.h"
#include "imaging/resize.h"

namespace terrapin::portal {
namespace {

constexpr int kJpegQuality = 85;
// Of what is decoded whole: up to 480 MiB of colours.
constexpr imaging::DecodeLimits kWhole{kMaxWholePixels};
// Of what is reduced while it is decoded.
constexpr imaging::DecodeLimits kScaled{1'000'000'000, std::int64_t{512} << 20};

}  // namespace

std::optional<Picture> PictureCache::find(const std::string& key) {
  const std::lock_guard lock(mutex_);
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return std::nullopt;
  kept_.splice(kept_.begin(), kept_, found->second);
  return found->second->picture;
}

void PictureCache::keep(const std::string& key, const Picture& picture) {
  const std::lock_guard lock(mutex_);
  if (picture.content->size() > max_bytes_ || by_key_.contains(key)) return;
  kept_.push_front({key, picture});
  by_key_[key] = kept_.begin();
  bytes_ += picture.content->size();
  while (bytes_ > max_bytes_) {
    bytes_ -= kept_.back().picture.content->size();
    by_key_.erase(kept_.back().key);
    kept_.pop_back();
  }
}

std::int64_t PictureCache::bytes() {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

DecodeSlots::Slot::~Slot() {
  if (slots_ == nullptr) return;
  const std::lock_guard lock(slots_->mutex_);
  ++slots_->free_;
  slots_->freed_.notify_one();
}

Result<DecodeSlots::Slot> DecodeSlots::take(std::chrono::milliseconds patience,
                                            const std::function<bool()>& given_up) {
  constexpr auto kLook = std::chrono::milliseconds(100);
  const auto busy = [] { return fail(ErrorCode::kCancelled, "too many pictures are asked for at once"); };
  const auto end = std::chrono::steady_clock::now() + patience;
  std::unique_lock lock(mutex_);
  if (free_ == 0 && waiting_ >= most_waiting_) return busy();
  ++waiting_;
  while (free_ == 0) {
    freed_.wait_for(lock, kLook);
    if (free_ > 0) break;
    lock.unlock();
    const bool gone = given_up();
    lock.lock();
    if (gone || std::chrono::steady_clock::now() >= end) {
      --waiting_;
      if (gone) return fail(ErrorCode::kCancelled, "the client is gone");
      return busy();
    }
  }
  --waiting_;
  --free_;
  return Slot(*this);
}

Result<Picture> reduced_photo(std::span<const std::uint8_t> file, std::int64_t width) {
  TERRAPIN_TRY(const imaging::PhotoInfo info, imaging::read_photo_info(file));
  TERRAPIN_TRY(
      const imaging::Image image,
      imaging::decode_photo_reduced(file, width, info.type == imaging::FileType::kJpeg ? kScaled : kWhole));
  Picture picture;
  picture.orientation = info.exif_orientation;
  const bool png = info.type == imaging::FileType::kPng;
  picture.type = png ? "image/png" : "image/jpeg";
  TERRAPIN_TRY(Bytes bytes, png ? imaging::encode_png(image) : imaging::encode_jpeg(image, kJpegQuality));
  picture.content = bytes_source(std::move(bytes));
  return picture;
}

Result<Picture> reduced_mask(std::span<const std::uint8_t> file, std::int64_t width) {
  TERRAPIN_TRY(const imaging::MaskFile mask, imaging::decode_mask(file, kWhole));
  if (!mask.labels) return fail(ErrorCode::kUnsupported, "the mask is no PNG of class indices");
  const imaging::Size size = imaging::reduced_size(mask.labels->size(), width);
  TERRAPIN_TRY(Bytes bytes,
               imaging::encode_indexed_png(imaging::resize_nearest(*mask.labels, size), mask.palette));
  return Picture{"image/png", bytes_source(std::move(bytes)), 1};
}

imaging::Mask disagreement_of(const std::vector<imaging::Mask>& masks) {
  imaging::Mask result(masks.front().size());
  const auto answers = static_cast<int>(masks.size());
  std::array<std::uint8_t, 256> votes{};
  for (std::size_t i = 0; i < result.bytes().size(); ++i) {
    int most = 0;
    for (const imaging::Mask& mask : masks) most = std::max<int>(most, ++votes[mask.bytes()[i]]);
    for (const imaging::Mask& mask : masks) votes[mask.bytes()[i]] = 0;
    result.bytes()[i] = static_cast<std::uint8_t>((255 * (answers - most) + answers / 2) / answers);
  }
  return result;
}

}  // namespace terrapin::portal
