#include "inference/npy.h"

#include <cstring>

#include "artifacts/safetensors.h"
#include "base/files.h"

namespace terrapin::inference {

Status write_npy(const std::filesystem::path& path, const Probabilities& probabilities, NpyType type) {
  const std::int64_t width = probabilities.size.width, height = probabilities.size.height;
  std::string header =
      fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}, {}, {}), }}",
                  type == NpyType::kFloat16 ? "<f2" : "<f4", probabilities.classes, height, width);
  // Magic, version, length and header together fill a multiple of 64 bytes; the header ends with a newline.
  constexpr std::size_t kPrefix = 10;
  header.append(63 - (kPrefix + header.size()) % 64, ' ');
  header.push_back('\n');
  std::string start("\x93NUMPY\x01\x00", 8);
  start.push_back(static_cast<char>(header.size() & 0xFF));
  start.push_back(static_cast<char>(header.size() >> 8));

  TERRAPIN_TRY(AtomicFileWriter writer, AtomicFileWriter::open(path));
  TERRAPIN_TRY_STATUS(writer.write(start + header));
  const std::span<const float> values(probabilities.values);
  constexpr std::size_t kChunk = 1 << 20;
  for (std::size_t at = 0; at < values.size(); at += kChunk) {
    const auto part = values.subspan(at, std::min(kChunk, values.size() - at));
    const artifacts::TensorData bytes =
        artifacts::from_float32(part, {static_cast<std::int64_t>(part.size())},
                                type == NpyType::kFloat16 ? artifacts::DType::kF16 : artifacts::DType::kF32);
    TERRAPIN_TRY_STATUS(writer.write(std::span<const std::uint8_t>(bytes.data)));
  }
  return writer.commit();
}

}  // namespace terrapin::inference
