// A mask of one object as lengths of runs. docs/formats/worker-http.md, section Assistance, tells the code.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/files.h"
#include "base/result.h"
#include "imaging/image.h"

namespace terrapin::imaging {

// Lengths of runs that alternate background, object, background, ... in reading order. Only the first may be
// 0; `pixels` = 0 has no runs.
//
// One sequence of bytes for one mask: kInvalidArgument, with the byte where it is wrong, for a number that is
// cut off or longer than it need be, for a run of 0 that is not the first, and for runs that do not add up to
// `pixels`. Memory follows the number of bytes.
Result<std::vector<std::int64_t>> read_run_lengths(std::span<const std::uint8_t> code, std::int64_t pixels);
Bytes write_run_lengths(std::span<const std::int64_t> lengths);

// 1 = object, 0 = not. kTooLarge, before any pixel is held, for a size above `max_pixels`; kInvalidArgument
// for a negative one.
Result<Mask> decode_runs(std::span<const std::uint8_t> code, Size size, std::int64_t max_pixels);
// Every label but 0 is the object. kTooLarge as soon as there are more than `max_bytes`.
Result<Bytes> encode_runs(const Mask& mask, std::int64_t max_bytes);

}  // namespace terrapin::imaging
