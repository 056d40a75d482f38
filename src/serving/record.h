// Class probabilities as one RecordIO-framed aialgs.data.Record. Format page:
// docs/formats/recordio-protobuf.md.
#pragma once

#include <cstdint>

#include "base/files.h"
#include "base/result.h"
#include "imaging/image.h"
#include "inference/predictor.h"

namespace terrapin::serving {

// The length field of a RecordIO frame has 29 bits.
inline constexpr std::int64_t kMaxRecordBytes = (std::int64_t{1} << 29) - 1;

// kTooLarge if probabilities of this shape do not fit one record; asked before they are computed.
Status check_record_size(int classes, imaging::Size size);

// One frame (magic 0xced7230a, length, record, zeros up to a multiple of four; little-endian) holding one
// record: feature "target", float32, [class][row][column]; feature "shape", int32, [1, classes, height,
// width].
Result<Bytes> encode_probabilities(const inference::Probabilities& probabilities);

}  // namespace terrapin::serving
