// Axis maps, renderer and tiling against what they stand for.
#include <gtest/gtest.h>

#include <cmath>

#include "imaging/image.h"
#include "inference/axis_map.h"
#include "inference/logits_renderer.h"
#include "inference/network_input.h"
#include "inference/tiling.h"
#include "unit/inference/graph_maker.h"
#include "unit/inference/naive_graph.h"
#include "unit/inference/package_maker.h"

namespace terrapin::inference {
namespace {

double applied(const AxisMap& map, std::int64_t i, const std::vector<double>& source) {
  double sum = 0;
  for (int k = 0; k < map.taps; ++k) {
    sum += static_cast<double>(map.weights[static_cast<std::size_t>(i * map.taps + k)]) *
           source[static_cast<std::size_t>(map.first[static_cast<std::size_t>(i)] + k)];
  }
  return sum;
}

TEST(AxisMap, ComposedMapsEqualTwoSteps) {
  Random random(1);
  for (std::int64_t source = 1; source < 9; ++source) {
    for (const std::int64_t middle : {1, 3, 8, 17, 33}) {
      for (const std::int64_t target : {1, 2, 13, 40, 100}) {
        std::vector<double> values, between;
        for (std::int64_t i = 0; i < source; ++i) values.push_back(random.uniform(-1, 1));
        const AxisMap first = middle % 2 ? stride_axis(source, 4, middle) : half_pixel_axis(source, middle);
        const AxisMap second = half_pixel_axis(middle, target), both = compose(first, second);
        for (std::int64_t i = 0; i < middle; ++i) between.push_back(applied(first, i, values));
        for (std::int64_t i = 0; i < target; ++i) {
          EXPECT_NEAR(applied(both, i, values), applied(second, i, between), 1e-5);
          EXPECT_NEAR(applied(mirrored(both), i, values), applied(both, target - 1 - i, values), 1e-12);
          EXPECT_LE(both.first[static_cast<std::size_t>(i)] + both.taps, source);
        }
      }
    }
  }
}

// The naive way: carry out the graph's enlargements, then the last step to the photo's size, then argmax.
TEST(Renderer, EqualsEnlargingTheLogitsStepByStep) {
  for (const auto photo :
       {imaging::Size{61, 47}, imaging::Size{1300, 90}, imaging::Size{20, 16}, imaging::Size{1, 1}}) {
    testing::GraphMaker make(3);
    const int small = make.convolution(0, {6, 3, 4});
    const networks::Graph graph = make.finish(make.resize_like(make.upsample(small, 2, small), 0), 4);
    const Tensor input = testing::random_input({1, 3, 33, 41}, 4);
    const Tail tail = split_tail(graph);
    ASSERT_EQ(tail.trunk, small);
    const Tensor logits = testing::run_naively(graph, input, small),
                 large = testing::run_naively(graph, input, graph.output);
    const auto shapes = infer_shapes(graph, input.shape);
    ASSERT_TRUE(shapes);
    const AxisMaps maps = maps_to_photo(graph, tail, *shapes, photo.height, photo.width);
    const LogitsBand band{6, 0, logits.shape.h, logits.shape.w, logits.values.get()};
    imaging::Mask mask(photo);
    std::vector<float> probabilities(static_cast<std::size_t>(6 * photo.area()));
    for (std::int64_t y = 0; y < photo.height; y += 10) {
      const std::int64_t end = std::min(photo.height, y + 10);
      render_labels({{&band, &maps.columns}}, maps.rows, y, end, 2, mask);
      render_probabilities({{&band, &maps.columns}}, maps.rows, y, end, 1, probabilities.data());
    }
    const AxisMap rows = half_pixel_axis(33, photo.height), columns = half_pixel_axis(41, photo.width);
    for (std::int64_t y = 0; y < photo.height; ++y) {
      for (std::int64_t x = 0; x < photo.width; ++x) {
        std::vector<double> values, sorted;
        for (int c = 0; c < 6; ++c) {
          std::vector<double> column;
          for (std::int64_t sy = 0; sy < 33; ++sy) {
            const float* row = large.plane(0, c) + sy * 41;
            column.push_back(applied(columns, x, std::vector<double>(row, row + 41)));
          }
          values.push_back(applied(rows, y, column));
        }
        double sum = 0;
        for (const double value : values) sum += std::exp(value);
        const int label = mask.at(x, y);
        for (int c = 0; c < 6; ++c) {
          EXPECT_LE(values[static_cast<std::size_t>(c)], values[static_cast<std::size_t>(label)] + 1e-5);
          const float probability =
              probabilities[static_cast<std::size_t>((c * photo.height + y) * photo.width + x)];
          EXPECT_NEAR(probability, std::exp(values[static_cast<std::size_t>(c)]) / sum, 1e-5);
        }
      }
    }
  }
}

TEST(Renderer, TiesGoToTheLowestClass) {
  const std::vector<float> values(4 * 6, 1.0F);
  const LogitsBand band{4, 0, 2, 3, values.data()};
  const AxisMap rows = half_pixel_axis(2, 9), columns = half_pixel_axis(3, 9);
  imaging::Mask mask({9, 9}, 7);
  render_labels({{&band, &columns}}, rows, 0, 9, 1, mask);
  EXPECT_EQ(mask, imaging::Mask({9, 9}, 0));
}

TEST(Tiling, CoversEveryCellWithWeightsThatSumToOne) {
  Random random(5);
  for (int round = 0; round < 500; ++round) {
    TileAxisOptions options;
    options.alignment = 8 << random.below(2);
    options.size_offset = random.below(2);
    options.cell_stride = options.alignment >> random.below(3);
    options.tile = options.alignment * (4 + random.below(20)) + options.size_offset;
    options.overlap = random.below(400);
    options.total =
        options.size_offset == 1 ? options.alignment * (1 + random.below(100)) + 1 : 1 + random.below(2000);
    options.total_cells = (options.total + options.cell_stride - 1) / options.cell_stride;
    const auto spans = cut_axis(options);
    std::vector<double> sums(static_cast<std::size_t>(options.total_cells), 0.0);
    for (const TileSpan& span : spans) {
      EXPECT_EQ(span.origin % options.alignment, 0);
      EXPECT_LE(span.size, options.tile);
      EXPECT_LE(span.origin + span.size, options.total);
      EXPECT_EQ(span.cells, (span.size + options.cell_stride - 1) / options.cell_stride);
      for (std::int64_t i = 0; i < span.cells; ++i) {
        sums[static_cast<std::size_t>(span.first_cell + i)] += span.weights[static_cast<std::size_t>(i)];
      }
    }
    for (const double sum : sums) ASSERT_NEAR(sum, 1.0, 1e-5);
  }
}

TEST(Tiling, TilesStayWithinTheirPixels) {
  for (const auto total :
       {imaging::Size{10'000, 10'000}, imaging::Size{200, 90'000}, imaging::Size{90'000, 130}}) {
    const imaging::Size tile = tile_size(total, 1'000'000, 16, 1);
    EXPECT_LE(tile.area(), 1'000'000);
    EXPECT_GE(tile.area(), 500'000);
  }
}

}  // namespace
}  // namespace terrapin::inference
