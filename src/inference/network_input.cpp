#include "inference/network_input.h"

namespace terrapin::inference {

void write_input(const imaging::Image& image, const artifacts::Preprocessing& preprocessing, bool mirror,
                 [[maybe_unused]] int threads, Tensor& input, std::int64_t n) {
  float table[3][256];
  for (std::size_t c = 0; c < 3; ++c) {
    for (int v = 0; v < 256; ++v) {
      table[c][v] = static_cast<float>((v / 255.0 - preprocessing.mean[c]) / preprocessing.std[c]);
    }
  }
  const std::int64_t width = image.width(), height = image.height();
#pragma omp parallel for num_threads(threads) if (threads > 1) schedule(static)
  for (std::int64_t y = 0; y < height; ++y) {
    const std::uint8_t* row = image.row(y);
    for (int c = 0; c < 3; ++c) {
      float* out = input.plane(n, c) + y * width;
      const float* values = table[c];
      if (mirror) {
        for (std::int64_t x = 0; x < width; ++x) out[width - 1 - x] = values[row[x * 3 + c]];
      } else {
        for (std::int64_t x = 0; x < width; ++x) out[x] = values[row[x * 3 + c]];
      }
    }
  }
}

}  // namespace terrapin::inference
