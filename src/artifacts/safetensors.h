// The safetensors container (github.com/huggingface/safetensors), without torch: 8-byte little-endian header
// length, JSON header, raw little-endian data.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/result.h"

namespace terrapin::artifacts {

enum class DType { kF64, kF32, kF16, kBF16, kI64, kI32, kI16, kI8, kU8, kBool };
const char* dtype_name(DType type);  // "F32", ...
std::int64_t dtype_size(DType type);

struct TensorData {
  DType dtype = DType::kF32;
  std::vector<std::int64_t> shape;
  Bytes data;  // row-major, little-endian, product(shape) * dtype_size bytes
};

struct TensorFile {
  std::map<std::string, TensorData> tensors;
  std::map<std::string, std::string> metadata;
};

// What a file says of its tensors, without their values.
struct TensorInfo {
  DType dtype = DType::kF32;
  std::vector<std::int64_t> shape;
  std::int64_t begin = 0, end = 0;  // bytes of the data
};
struct TensorHeader {
  std::map<std::string, TensorInfo> tensors;
  std::map<std::string, std::string> metadata;
};
// Reads the header only, and checks it against the length of the file as read_safetensors does. kNotFound,
// kIo, kCorrupt, naming the file.
Result<TensorHeader> read_safetensors_header(const std::filesystem::path& path);

// kCorrupt for a header that lies (overlap, out of range, wrong byte count, not JSON), naming the tensor.
Result<TensorFile> parse_safetensors(std::span<const std::uint8_t> bytes);
Result<TensorFile> read_safetensors(const std::filesystem::path& path);
// Deterministic: the same input gives the same bytes. Wider element types first, then name order, as the
// reference implementation lays them out: readers that view the data in place need each tensor aligned.
// The tensors must pass check_tensors.
Bytes serialize_safetensors(const TensorFile& file);
// kInvalidArgument naming the first tensor whose bytes do not fill its shape.
Status check_tensors(const TensorFile& file);
Status write_safetensors(const std::filesystem::path& path, const TensorFile& file);

// Values as float32 whatever the stored float type (F64, F32, F16, BF16); kInvalidArgument for integers.
Result<std::vector<float>> to_float32(const TensorData& tensor);
// To integer types: rounded to nearest, clamped to the type's range.
TensorData from_float32(std::span<const float> values, std::vector<std::int64_t> shape,
                        DType stored_as = DType::kF32);

}  // namespace terrapin::artifacts
