#include "networks/input.h"

#include <algorithm>
#include <cmath>

#include "imaging/resize.h"

namespace terrapin::networks {

torch::Tensor image_to_tensor(const imaging::Image& image, const artifacts::Preprocessing& preprocessing) {
  // Pixels are interleaved already: the tensor is channels-last and filled in one pass.
  torch::Tensor tensor =
      torch::empty({1, 3, image.height(), image.width()},
                   torch::TensorOptions().memory_format(torch::MemoryFormat::ChannelsLast));
  float table[3][256];
  for (std::size_t c = 0; c < 3; ++c) {
    for (int v = 0; v < 256; ++v) {
      table[c][v] = static_cast<float>((v / 255.0 - preprocessing.mean[c]) / preprocessing.std[c]);
    }
  }
  float* out = tensor.data_ptr<float>();
  const std::uint8_t* in = image.bytes().data();
  const std::int64_t pixels = image.size().area();
  for (std::int64_t i = 0; i < pixels; ++i, in += 3, out += 3) {
    out[0] = table[0][in[0]];
    out[1] = table[1][in[1]];
    out[2] = table[2][in[2]];
  }
  return tensor;
}

torch::Tensor photo_to_input(const imaging::Image& photo, const artifacts::Preprocessing& preprocessing) {
  const imaging::Size target = artifacts::network_input_size(preprocessing, photo.size());
  if (target == photo.size()) return image_to_tensor(photo, preprocessing);
  return image_to_tensor(imaging::resize(photo, target), preprocessing);
}

namespace {

// Half-pixel centres: output pixel i lies between source pixels low and low + step, edges clamped.
struct Tap {
  std::int64_t low = 0, high = 0;
  float weight = 0;  // of `high`
};

std::vector<Tap> taps(std::int64_t source, std::int64_t target) {
  std::vector<Tap> result(static_cast<std::size_t>(target));
  const double scale = static_cast<double>(source) / static_cast<double>(target);
  for (std::int64_t i = 0; i < target; ++i) {
    const double x = std::max(0.0, (static_cast<double>(i) + 0.5) * scale - 0.5);
    Tap& tap = result[static_cast<std::size_t>(i)];
    tap.low = std::min(static_cast<std::int64_t>(x), source - 1);
    tap.high = std::min(tap.low + 1, source - 1);
    tap.weight = static_cast<float>(x - static_cast<double>(tap.low));
  }
  return result;
}

}  // namespace

imaging::Mask logits_to_mask(const torch::Tensor& logits, imaging::Size photo) {
  TORCH_CHECK(logits.dim() == 4 && logits.size(0) == 1 && logits.size(1) <= 256,
              "logits are 1 x C x h x w, not ", logits.sizes());
  const torch::Tensor plain = logits.detach().to(torch::kCPU, torch::kFloat32).contiguous();
  const std::int64_t classes = plain.size(1), height = plain.size(2), width = plain.size(3);
  const float* data = plain.data_ptr<float>();
  const std::vector<Tap> columns = taps(width, photo.width), rows = taps(height, photo.height);
  imaging::Mask mask(photo);
  // Row by row: the enlarged logits of a large photo would not fit in memory.
  at::parallel_for(0, photo.height, 16, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> blended(static_cast<std::size_t>(width)), best(static_cast<std::size_t>(photo.width));
    for (std::int64_t y = begin; y < end; ++y) {
      const Tap& row = rows[static_cast<std::size_t>(y)];
      std::uint8_t* labels = mask.row(y);
      for (std::int64_t c = 0; c < classes; ++c) {
        const float* upper = data + (c * height + row.low) * width;
        const float* lower = data + (c * height + row.high) * width;
        for (std::int64_t x = 0; x < width; ++x) {
          blended[static_cast<std::size_t>(x)] = upper[x] + row.weight * (lower[x] - upper[x]);
        }
        for (std::int64_t x = 0; x < photo.width; ++x) {
          const Tap& column = columns[static_cast<std::size_t>(x)];
          const float left = blended[static_cast<std::size_t>(column.low)];
          const float right = blended[static_cast<std::size_t>(column.high)];
          const float value = left + column.weight * (right - left);
          float& record = best[static_cast<std::size_t>(x)];
          if (c == 0 || value > record) {
            record = value;
            labels[x] = static_cast<std::uint8_t>(c);
          }
        }
      }
    }
  });
  return mask;
}

}  // namespace terrapin::networks
