// Probabilities as a NumPy .npy file (format 1.0): numpy.load reads it. Format page:
// docs/formats/probabilities.md.
#pragma once

#include <filesystem>

#include "base/result.h"
#include "inference/predictor.h"

namespace terrapin::inference {

enum class NpyType { kFloat16, kFloat32 };

// [classes][height][width], little-endian, row-major. Atomic.
Status write_npy(const std::filesystem::path& path, const Probabilities& probabilities, NpyType type);

}  // namespace terrapin::inference
