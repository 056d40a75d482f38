// Probabilities as `terrapin host` answers them, read back by a second reader; and that reader on any bytes.
#include <cstring>

#include "fuzz/fuzz_target.h"
#include "serving/record.h"
#include "serving/record.pb.h"
#include "unit/serving/record_reader.h"

using namespace terrapin;

namespace {

void encode(fuzz::Input input) {
  inference::Probabilities given;
  given.classes = fuzz::take_byte(input) % 9;
  given.size = {fuzz::take_byte(input) % 9, fuzz::take_byte(input) % 9};
  given.values.resize(static_cast<std::size_t>(given.classes * given.size.area()));
  const std::size_t bytes = std::min(input.size(), given.values.size() * sizeof(float));
  if (bytes > 0) std::memcpy(given.values.data(), input.data(), bytes);
  const auto encoded = serving::encode_probabilities(given);
  fuzz::require(encoded.has_value(), "small probabilities fit a record");
  const auto frames = terrapin::testing::read_frames(fuzz::text_of(*encoded));
  fuzz::require(frames.size() == 1, "one frame");
  // A second reader knows neither empty tensors nor missing fields.
  if (given.values.empty()) return;
  const auto read = terrapin::testing::read_record(frames[0]);
  fuzz::require(
      read.shape == std::vector<std::int32_t>{1, given.classes, static_cast<std::int32_t>(given.size.height),
                                              static_cast<std::int32_t>(given.size.width)},
      "the shape arrives");
  fuzz::require(
      read.target.size() == given.values.size() &&
          std::memcmp(read.target.data(), given.values.data(), read.target.size() * sizeof(float)) == 0,
      "the values arrive, bit for bit");
}

void decode(fuzz::Input input) {
  try {
    for (const std::string& frame : terrapin::testing::read_frames(fuzz::text_of(input))) {
      aialgs::data::Record record;
      if (!record.ParseFromString(frame)) continue;
      const std::string again = record.SerializeAsString();
      aialgs::data::Record second;
      fuzz::require(second.ParseFromString(again), "a record that was read can be written");
    }
  } catch (const std::runtime_error&) {  // no whole frames
  }
}

}  // namespace

TERRAPIN_FUZZ_TARGET(recordio) {
  if (take_byte(input) % 2 == 0) {
    encode(input);
  } else {
    decode(input);
  }
}
