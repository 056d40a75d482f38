#include "imaging/jpeg.h"

namespace terrapin::imaging {

int exif_orientation(std::span<const std::uint8_t> tiff) {
  constexpr std::uint32_t kOrientationTag = 0x0112, kShort = 3;
  if (tiff.size() < 8) return 1;
  const bool little = tiff[0] == 'I' && tiff[1] == 'I';
  if (!little && !(tiff[0] == 'M' && tiff[1] == 'M')) return 1;
  const auto read16 = [&](std::size_t at) -> std::uint32_t {
    return little ? tiff[at] | tiff[at + 1] << 8 : tiff[at] << 8 | tiff[at + 1];
  };
  const auto read32 = [&](std::size_t at) -> std::uint32_t {
    return little ? read16(at) | read16(at + 2) << 16U : read16(at) << 16U | read16(at + 2);
  };
  if (read16(2) != 42) return 1;
  const std::size_t directory = read32(4);
  if (directory > tiff.size() - 2) return 1;
  const std::size_t entries = read16(directory);
  for (std::size_t i = 0; i < entries; ++i) {
    const std::size_t entry = directory + 2 + 12 * i;
    if (entry + 12 > tiff.size()) return 1;
    if (read16(entry) != kOrientationTag) continue;
    if (read16(entry + 2) != kShort) return 1;
    const std::uint32_t value = read16(entry + 8);
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

}  // namespace terrapin::imaging
