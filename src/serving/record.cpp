#include "serving/record.h"

#include <google/protobuf/arena.h>

#include <algorithm>
#include <limits>

#include "serving/record.pb.h"

namespace terrapin::serving {
namespace {

constexpr std::uint32_t kMagic = 0xced7230a;
constexpr std::int64_t kFrameBytes = 8;
constexpr std::int64_t kOverheadBytes = 256;  // names, tags and lengths around the values: far less

void put_u32(std::uint8_t* to, std::uint32_t value) {
  for (int i = 0; i < 4; ++i) to[i] = static_cast<std::uint8_t>(value >> (8 * i));
}

}  // namespace

Status check_record_size(int classes, imaging::Size size) {
  const std::int64_t limit = (kMaxRecordBytes - kOverheadBytes) / 4 / std::max(classes, 1);
  if (size.width > std::numeric_limits<std::int32_t>::max() || size.area() > limit) {
    return fail(ErrorCode::kTooLarge,
                "the probabilities of {} classes for {} x {} pixels do not fit one record of {} bytes: at "
                "most {} pixels "
                "do; send a smaller photo or ask for image/png",
                classes, size.width, size.height, kMaxRecordBytes, limit);
  }
  return {};
}

Result<Bytes> encode_probabilities(const inference::Probabilities& probabilities) {
  TERRAPIN_TRY_STATUS(check_record_size(probabilities.classes, probabilities.size));
  google::protobuf::Arena arena;
  auto* record = google::protobuf::Arena::CreateMessage<aialgs::data::Record>(&arena);
  auto& features = *record->mutable_features();
  auto& shape = *features["shape"].mutable_int32_tensor()->mutable_values();
  shape.Add(1);
  shape.Add(probabilities.classes);
  shape.Add(static_cast<std::int32_t>(probabilities.size.height));
  shape.Add(static_cast<std::int32_t>(probabilities.size.width));
  auto& values = *features["target"].mutable_float32_tensor()->mutable_values();
  values.Add(probabilities.values.begin(), probabilities.values.end());

  const std::size_t length = record->ByteSizeLong();
  Bytes result(static_cast<std::size_t>(kFrameBytes) + (length + 3) / 4 * 4);
  put_u32(result.data(), kMagic);
  put_u32(result.data() + 4, static_cast<std::uint32_t>(length));
  record->SerializeWithCachedSizesToArray(result.data() + kFrameBytes);
  return result;
}

}  // namespace terrapin::serving
