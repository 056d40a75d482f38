#include "portal/dataset_tar.h"

#include <algorithm>
#include <cstring>

namespace terrapin::portal {

using artifacts::kTarBlock;

namespace {

std::int64_t padded(std::int64_t size) {
  return (size + kTarBlock - 1) / kTarBlock * kTarBlock;
}

}  // namespace

TarSource::TarSource(std::vector<TarFile> files) : files_(std::move(files)) {
  for (const TarFile& file : files_) {
    starts_.push_back(size_);
    size_ += kTarBlock + padded(file.size);
  }
  size_ += 2 * kTarBlock;  // the end: two blocks of zeros
}

Result<ByteSourcePtr> TarSource::content_of(std::size_t index) const {
  const std::lock_guard lock(mutex_);
  if (opened_ == index) return content_;
  auto content = files_[index].open();
  if (!content) return with_context(std::move(content.error()), files_[index].name);
  if ((*content)->size() != files_[index].size)
    return fail(ErrorCode::kConflict, "{} has {} bytes instead of {}: it changed during the download",
                files_[index].name, (*content)->size(), files_[index].size);
  opened_ = index;
  content_ = *content;
  return content_;
}

Status TarSource::read(std::int64_t offset, std::span<std::uint8_t> out) const {
  if (offset < 0 || offset + static_cast<std::int64_t>(out.size()) > size_)
    return fail(ErrorCode::kInvalidArgument, "the archive has {} bytes", size_);
  while (!out.empty()) {
    const auto after = std::upper_bound(starts_.begin(), starts_.end(), offset);
    std::size_t count = out.size();
    if (after == starts_.begin() ||
        offset >= starts_[static_cast<std::size_t>(after - starts_.begin() - 1)] + kTarBlock +
                      padded(files_[static_cast<std::size_t>(after - starts_.begin() - 1)].size)) {
      std::fill(out.begin(), out.end(), std::uint8_t{0});  // the end
      return {};
    }
    const auto index = static_cast<std::size_t>(after - starts_.begin() - 1);
    const TarFile& file = files_[index];
    const std::int64_t within = offset - starts_[index];
    if (within < kTarBlock) {
      const artifacts::TarBlock header = artifacts::format_tar_header({file.name, file.size, '0'});
      count = std::min(count, static_cast<std::size_t>(kTarBlock - within));
      std::memcpy(out.data(), header.data() + within, count);
    } else if (within < kTarBlock + file.size) {
      TERRAPIN_TRY(const ByteSourcePtr content, content_of(index));
      count = std::min(count, static_cast<std::size_t>(kTarBlock + file.size - within));
      TERRAPIN_TRY_STATUS(content->read(within - kTarBlock, out.first(count)));
    } else {
      count = std::min(count, static_cast<std::size_t>(kTarBlock + padded(file.size) - within));
      std::fill_n(out.begin(), count, std::uint8_t{0});
    }
    offset += static_cast<std::int64_t>(count);
    out = out.subspan(count);
  }
  return {};
}

}  // namespace terrapin::portal
