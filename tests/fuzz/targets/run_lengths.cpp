// A mask as lengths of runs. One sequence of bytes for one mask: what is decoded gives the same bytes again.
#include "imaging/run_lengths.h"

#include <numeric>

#include "fuzz/fuzz_target.h"

using namespace terrapin;

TERRAPIN_FUZZ_TARGET(run_lengths) {
  const std::int64_t shift = take_byte(input) % 54;
  const std::int64_t width = take_byte(input), height = take_byte(input);
  const Bytes code(input.begin(), input.end());

  // Of sizes that no memory holds: the numbers alone.
  const std::int64_t pixels = (width << shift) + height;
  if (const auto lengths = imaging::read_run_lengths(code, pixels)) {
    require(std::accumulate(lengths->begin(), lengths->end(), std::int64_t{0}) == pixels,
            "all pixels, no more");
    require(imaging::write_run_lengths(*lengths) == code, "one spelling");
  }
  const auto mask = imaging::decode_runs(code, {width, height}, 255 * 255);
  if (!mask) return;
  require(mask->size() == imaging::Size{width, height}, "the size that was asked for");
  const auto again = imaging::encode_runs(*mask, static_cast<std::int64_t>(code.size()));
  require(again.has_value() && *again == code, "our own code of the mask is the same");
  const std::int64_t area = width * height;
  require(area == 0 || !imaging::decode_runs(code, {width, height}, area - 1), "the limit holds");
}
