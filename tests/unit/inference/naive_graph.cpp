#include "unit/inference/naive_graph.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace terrapin::inference::testing {
namespace {

using networks::Activation;
using networks::Op;
using networks::OpKind;

struct Block {
  Shape shape;
  std::vector<double> values;
  explicit Block(const Shape& of) : shape(of), values(static_cast<std::size_t>(of.count())) {}
  double& at(std::int64_t n, std::int64_t c, std::int64_t y, std::int64_t x) {
    return values[static_cast<std::size_t>(((n * shape.c + c) * shape.h + y) * shape.w + x)];
  }
  double at(std::int64_t n, std::int64_t c, std::int64_t y, std::int64_t x) const {
    return const_cast<Block*>(this)->at(n, c, y, x);
  }
};

template <class Function>
Block filled(const Shape& shape, Function value) {
  Block block(shape);
  for (std::int64_t n = 0; n < shape.n; ++n)
    for (std::int64_t c = 0; c < shape.c; ++c)
      for (std::int64_t y = 0; y < shape.h; ++y)
        for (std::int64_t x = 0; x < shape.w; ++x) block.at(n, c, y, x) = value(n, c, y, x);
  return block;
}

double activated(double value, Activation activation) {
  if (activation == Activation::kRelu) return std::max(0.0, value);
  if (activation == Activation::kRelu6) return std::clamp(value, 0.0, 6.0);
  return value;
}

Shape windowed(const Shape& in, const Op& op, int dilation) {
  const std::int64_t reach = (op.kernel - 1) * dilation + 1;
  return {in.n, op.channels, (in.h + 2 * op.padding - reach) / op.stride + 1,
          (in.w + 2 * op.padding - reach) / op.stride + 1};
}

Block convolve(const Block& in, const Op& op) {
  const std::int64_t in_group = in.shape.c / op.groups, out_group = op.channels / op.groups;
  return filled(windowed(in.shape, op, op.dilation), [&](auto n, auto c, auto y, auto x) {
    double sum = op.bias[static_cast<std::size_t>(c)];
    for (std::int64_t i = 0; i < in_group; ++i)
      for (int ky = 0; ky < op.kernel; ++ky)
        for (int kx = 0; kx < op.kernel; ++kx) {
          const std::int64_t sy = y * op.stride - op.padding + ky * op.dilation;
          const std::int64_t sx = x * op.stride - op.padding + kx * op.dilation;
          if (sy < 0 || sx < 0 || sy >= in.shape.h || sx >= in.shape.w) continue;
          const std::size_t w =
              static_cast<std::size_t>(((c * in_group + i) * op.kernel + ky) * op.kernel + kx);
          sum += op.weight[w] * in.at(n, c / out_group * in_group + i, sy, sx);
        }
    return activated(sum, op.activation);
  });
}

Block max_pool(const Block& in, const Op& op) {
  return filled(windowed(in.shape, op, 1), [&](auto n, auto c, auto y, auto x) {
    double best = -std::numeric_limits<double>::infinity();
    for (int ky = 0; ky < op.kernel; ++ky)
      for (int kx = 0; kx < op.kernel; ++kx) {
        const std::int64_t sy = y * op.stride - op.padding + ky, sx = x * op.stride - op.padding + kx;
        if (sy >= 0 && sx >= 0 && sy < in.shape.h && sx < in.shape.w)
          best = std::max(best, in.at(n, c, sy, sx));
      }
    return best;
  });
}

Block adaptive_pool(const Block& in, const Op& op) {
  const std::int64_t p = op.pool_size;
  return filled({in.shape.n, in.shape.c, p, p}, [&](auto n, auto c, auto y, auto x) {
    double sum = 0;
    std::int64_t count = 0;
    for (std::int64_t sy = y * in.shape.h / p; sy < ((y + 1) * in.shape.h + p - 1) / p; ++sy)
      for (std::int64_t sx = x * in.shape.w / p; sx < ((x + 1) * in.shape.w + p - 1) / p; ++sx, ++count)
        sum += in.at(n, c, sy, sx);
    return sum / static_cast<double>(count);
  });
}

Block resized(const Block& in, const Shape& like, int stride) {
  const auto position = [&](std::int64_t i, std::int64_t source, std::int64_t target) {
    const double at = stride > 0 ? static_cast<double>(i) / stride
                                 : (static_cast<double>(i) + 0.5) * static_cast<double>(source) /
                                           static_cast<double>(target) -
                                       0.5;
    return std::clamp(at, 0.0, static_cast<double>(source - 1));
  };
  return filled({in.shape.n, in.shape.c, like.h, like.w}, [&](auto n, auto c, auto y, auto x) {
    const double fy = position(y, in.shape.h, like.h), fx = position(x, in.shape.w, like.w);
    const auto y0 = static_cast<std::int64_t>(fy), x0 = static_cast<std::int64_t>(fx);
    const std::int64_t y1 = std::min(y0 + 1, in.shape.h - 1), x1 = std::min(x0 + 1, in.shape.w - 1);
    const double wy = fy - static_cast<double>(y0), wx = fx - static_cast<double>(x0);
    return (1 - wy) * ((1 - wx) * in.at(n, c, y0, x0) + wx * in.at(n, c, y0, x1)) +
           wy * ((1 - wx) * in.at(n, c, y1, x0) + wx * in.at(n, c, y1, x1));
  });
}

}  // namespace

Tensor run_naively(const networks::Graph& graph, const Tensor& input, int output) {
  std::vector<Block> values;
  for (const Op& op : graph.ops) {
    const auto in = [&](std::size_t k) -> const Block& {
      return values[static_cast<std::size_t>(op.inputs[k])];
    };
    switch (op.kind) {
      case OpKind::kInput: {
        Block block(input.shape);
        std::copy_n(input.values.get(), input.shape.count(), block.values.begin());
        values.push_back(std::move(block));
        break;
      }
      case OpKind::kConv:
        values.push_back(convolve(in(0), op));
        break;
      case OpKind::kAdd:
        values.push_back(filled(in(0).shape, [&](auto n, auto c, auto y, auto x) {
          return activated(in(0).at(n, c, y, x) + in(1).at(n, c, y, x), op.activation);
        }));
        break;
      case OpKind::kConcat: {
        Shape shape = in(0).shape;
        shape.c = op.channels;
        values.push_back(filled(shape, [&](auto n, auto c, auto y, auto x) {
          std::size_t part = 0;
          while (c >= in(part).shape.c) c -= in(part++).shape.c;
          return in(part).at(n, c, y, x);
        }));
        break;
      }
      case OpKind::kMaxPool:
        values.push_back(max_pool(in(0), op));
        break;
      case OpKind::kAdaptiveAvgPool:
        values.push_back(adaptive_pool(in(0), op));
        break;
      case OpKind::kResizeLike:
        values.push_back(resized(in(0), in(1).shape, 0));
        break;
      case OpKind::kUpsampleStride:
        values.push_back(resized(in(0), in(1).shape, op.stride));
        break;
    }
  }
  const Block& block = values[static_cast<std::size_t>(output)];
  Tensor result(block.shape);
  std::copy(block.values.begin(), block.values.end(), result.values.get());
  return result;
}

double relative_difference(const Tensor& expected, const Tensor& actual) {
  if (expected.shape != actual.shape) return std::numeric_limits<double>::infinity();
  double worst = 0, largest = 1;
  for (std::int64_t i = 0; i < expected.shape.count(); ++i) {
    const double e = expected.values[static_cast<std::size_t>(i)],
                 a = actual.values[static_cast<std::size_t>(i)];
    if (!std::isfinite(a)) return std::numeric_limits<double>::infinity();
    worst = std::max(worst, std::abs(e - a));
    largest = std::max(largest, std::abs(e));
  }
  return worst / largest;
}

}  // namespace terrapin::inference::testing
