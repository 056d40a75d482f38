// Label maps of the training channels: how an annotation's pixel values become class indices.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/result.h"
#include "imaging/image.h"

namespace terrapin::artifacts {

// {"scale": "3"} divides (floor); {"map": {"0": 5, "1": 0}} reads "class index: encoded pixel value". 255
// stays 255 unless mapped. A pixel value that no entry of "map" names is an error of that file (see apply).
class LabelMap {
 public:
  static LabelMap identity();
  static Result<LabelMap> from_json(const nlohmann::json& json);
  static Result<LabelMap> read(const std::filesystem::path& path);
  nlohmann::json to_json() const;
  // In place. Fails with kInvalidArgument naming the pixel value that the map does not know.
  Status apply(imaging::Mask& mask) const;
  // The lowest pixel value of the mask that the map does not know.
  std::optional<std::uint8_t> first_unknown(const imaging::Mask& mask) const;
  bool is_identity() const;

 private:
  std::array<std::int16_t, 256> table_{};  // -1: unknown value
  nlohmann::json json_;
};

}  // namespace terrapin::artifacts
