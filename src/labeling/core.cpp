#include "labeling/core.h"

#include <algorithm>

#include "imaging/codecs.h"

namespace terrapin::labeling {

Result<imaging::Size> PhotoSizes::of(const std::string& uri) {
  TERRAPIN_TRY(const storage::ObjectName name, storage::parse_s3_uri(uri));
  {
    const std::lock_guard lock(mutex_);
    if (const auto known = sizes_.find(uri); known != sizes_.end()) {
      // A photo that was replaced meanwhile must not keep its old size.
      const auto info = store_.head(name);
      if (info && info->etag == known->second.first) return known->second.second;
    }
  }
  auto object = store_.get(name);
  if (!object) return with_context(std::move(object.error()), "the photo");
  // The header lies in the first bytes, unless a large EXIF or colour profile comes first.
  const std::int64_t all = object->content->size();
  for (std::int64_t count = std::int64_t{64} << 10;; count *= 16) {
    Bytes head(static_cast<std::size_t>(std::min(count, all)));
    TERRAPIN_TRY_STATUS(object->content->read(0, head));
    auto info = imaging::read_photo_info(head);
    if (info) {
      const std::lock_guard lock(mutex_);
      if (sizes_.size() > 100'000) sizes_.clear();
      sizes_[uri] = {object->info.etag, info->size};
      return info->size;
    }
    if (count >= all) return with_context(std::move(info.error()), uri);
  }
}

std::unique_ptr<PixelBudget::Lease> PixelBudget::take(std::int64_t pixels) {
  pixels = std::min(pixels, all_);
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [&] { return free_ >= pixels; });
  free_ -= pixels;
  return std::make_unique<Lease>(*this, pixels);
}

void PixelBudget::give_back(std::int64_t pixels) {
  const std::lock_guard lock(mutex_);
  free_ += pixels;
  wake_.notify_all();
}

Result<std::string> Core::read_text(const std::string& uri, const std::string& what,
                                    std::int64_t limit_bytes) {
  auto name = storage::parse_s3_uri(uri);
  if (!name) return with_context(std::move(name.error()), what);
  auto object = store.get(*name);
  if (!object) {
    if (object.error().code == ErrorCode::kNotFound)
      return fail(ErrorCode::kInvalidArgument, "{}: there is no object {}", what, uri);
    return with_context(std::move(object.error()), what);
  }
  auto text = read_all_text(*object->content, limit_bytes);
  if (!text) return with_context(std::move(text.error()), fmt::format("{} {}", what, uri));
  return std::move(*text);
}

Result<bool> Core::knows_function(const std::string& name) {
  if (collaborators.functions == nullptr) return false;
  return collaborators.functions->knows(name);
}

Result<bool> Core::may_read(const std::string& owner, const std::string& bucket) const {
  if (!collaborators.may_read) return true;
  const auto may = collaborators.may_read(owner, bucket);
  if (may) return *may;
  // Not known is not "no": what waits for it is tried again.
  return fail(ErrorCode::kIo, "whether {} may use bucket {} cannot be told now: {}", owner, bucket,
              may.error().message);
}

Status Core::check_readable(const std::string& owner, const std::string& uri, const std::string& what) {
  auto name = storage::parse_s3_uri(uri);
  if (!name) return with_context(std::move(name.error()), what);
  TERRAPIN_TRY(const bool may, may_read(owner, name->bucket));
  if (!may) return fail(ErrorCode::kDenied, "{}: {} may not use bucket {}", what, owner, name->bucket);
  return {};
}

}  // namespace terrapin::labeling
