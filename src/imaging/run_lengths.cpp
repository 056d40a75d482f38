#include "imaging/run_lengths.h"

#include <algorithm>

namespace terrapin::imaging {
namespace {

// Numbers of base 128, lowest seven bits first; the high bit says that more follow.
constexpr std::uint8_t kMore = 0x80, kDigit = 0x7f;

void append_number(Bytes& code, std::int64_t number) {
  auto rest = static_cast<std::uint64_t>(number);
  for (; rest > kDigit; rest >>= 7) code.push_back(static_cast<std::uint8_t>(rest & kDigit) | kMore);
  code.push_back(static_cast<std::uint8_t>(rest));
}

// The number at `at`, which moves behind it; at most `most`.
Result<std::int64_t> take_number(std::span<const std::uint8_t> code, std::size_t& at, std::int64_t most) {
  const std::size_t begin = at;
  std::uint64_t number = 0;
  for (int shift = 0;; shift += 7) {
    if (at == code.size())
      return fail(ErrorCode::kInvalidArgument, "the run at byte {} is cut off after {} bytes", begin,
                  code.size() - begin);
    const std::uint8_t byte = code[at++];
    // What is left of 63 bits: a digit further up would be lost.
    if (shift > 56 ||
        (static_cast<std::uint64_t>(byte & kDigit) << shift) > static_cast<std::uint64_t>(most) - number)
      return fail(ErrorCode::kInvalidArgument, "the run at byte {} passes the end: {} pixels are left", begin,
                  most);
    number |= static_cast<std::uint64_t>(byte & kDigit) << shift;
    if ((byte & kMore) != 0) continue;
    if (byte == 0 && at - begin > 1)
      return fail(ErrorCode::kInvalidArgument, "the run at byte {} is longer than it need be", begin);
    return static_cast<std::int64_t>(number);
  }
}

}  // namespace

Result<std::vector<std::int64_t>> read_run_lengths(std::span<const std::uint8_t> code, std::int64_t pixels) {
  std::vector<std::int64_t> lengths;
  std::int64_t left = pixels;
  for (std::size_t at = 0; at < code.size();) {
    const std::size_t begin = at;
    if (left == 0)
      return fail(ErrorCode::kInvalidArgument, "the runs go on at byte {} after all {} pixels", begin,
                  pixels);
    TERRAPIN_TRY(const std::int64_t length, take_number(code, at, left));
    if (length == 0 && !lengths.empty())
      return fail(ErrorCode::kInvalidArgument, "the run at byte {} is empty: only the first may be", begin);
    lengths.push_back(length);
    left -= length;
  }
  if (left > 0)
    return fail(ErrorCode::kInvalidArgument, "the runs have {} pixels, expected {}", pixels - left, pixels);
  return lengths;
}

Bytes write_run_lengths(std::span<const std::int64_t> lengths) {
  Bytes code;
  for (const std::int64_t length : lengths) append_number(code, length);
  return code;
}

Result<Mask> decode_runs(std::span<const std::uint8_t> code, Size size, std::int64_t max_pixels) {
  if (size.width < 0 || size.height < 0)
    return fail(ErrorCode::kInvalidArgument, "a mask of {} x {} pixels: sides are 0 or more", size.width,
                size.height);
  if (size.height > 0 && size.width > max_pixels / size.height)
    return fail(ErrorCode::kTooLarge, "a mask of {} x {} pixels: at most {} are allowed", size.width,
                size.height, max_pixels);
  TERRAPIN_TRY(const std::vector<std::int64_t> lengths, read_run_lengths(code, size.area()));
  Mask mask(size);
  std::uint8_t* at = mask.bytes().data();
  for (std::size_t i = 0; i < lengths.size(); at += lengths[i++])
    if (i % 2 == 1) std::fill_n(at, lengths[i], std::uint8_t{1});
  return mask;
}

Result<Bytes> encode_runs(const Mask& mask, std::int64_t max_bytes) {
  Bytes code;
  const auto& labels = mask.bytes();
  bool object = false;
  for (auto at = labels.begin(); at != labels.end(); object = !object) {
    const auto end =
        std::find_if(at, labels.end(), [&](std::uint8_t label) { return (label != 0) != object; });
    append_number(code, end - at);
    at = end;
    if (static_cast<std::int64_t>(code.size()) > max_bytes)
      return fail(ErrorCode::kTooLarge, "the mask's runs have more than {} bytes", max_bytes);
  }
  return code;
}

}  // namespace terrapin::imaging
