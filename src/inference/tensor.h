// A plain N x C x H x W float32 block, so that executors share a currency without torch in their headers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace terrapin::inference {

struct Shape {
  std::int64_t n = 1, c = 0, h = 0, w = 0;
  std::int64_t count() const { return n * c * h * w; }
  friend bool operator==(const Shape&, const Shape&) = default;
  friend auto operator<=>(const Shape&, const Shape&) = default;
};

// Row-major NCHW. Move-only; fresh tensors are not cleared.
struct Tensor {
  Shape shape;
  std::unique_ptr<float[]> values;

  Tensor() = default;
  explicit Tensor(const Shape& of)
      : shape(of), values(std::make_unique_for_overwrite<float[]>(static_cast<std::size_t>(of.count()))) {}
  float* plane(std::int64_t n, std::int64_t c) {
    return values.get() + static_cast<std::size_t>((n * shape.c + c) * shape.h * shape.w);
  }
  const float* plane(std::int64_t n, std::int64_t c) const {
    return values.get() + static_cast<std::size_t>((n * shape.c + c) * shape.h * shape.w);
  }
};

}  // namespace terrapin::inference
