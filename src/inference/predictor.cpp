#include "inference/predictor.h"

#include <algorithm>
#include <cmath>
#include <mutex>
#include <numeric>

#include "base/parallel.h"
#include "imaging/resize.h"
#include "inference/axis_map.h"
#include "inference/executor.h"
#include "inference/global_context.h"
#include "inference/logits_renderer.h"
#include "inference/network_input.h"
#include "inference/package_graph.h"
#include "inference/tiling.h"

namespace terrapin::inference {
namespace {

using imaging::Image;
using imaging::Size;

class GraphPredictor final : public Predictor {
 public:
  GraphPredictor(artifacts::ModelSpec spec, std::shared_ptr<const networks::Graph> graph,
                 std::unique_ptr<Executor> executor, const PredictorOptions& options, int threads)
      : spec_(std::move(spec)),
        graph_(std::move(graph)),
        executor_(std::move(executor)),
        options_(options),
        threads_(threads),
        tail_(split_tail(*graph_)),
        context_(find_global_context(*graph_)) {
    if (options_.long_side) spec_.preprocessing.long_side = *options_.long_side;
  }

  const artifacts::ModelSpec& spec() const override { return spec_; }
  std::string backend() const override { return executor_->name(); }

  Result<Prediction> predict(const Image& photo, bool with_probabilities) override {
    if (photo.empty()) return fail(ErrorCode::kInvalidArgument, "the photo has no pixels");
    const Size input = artifacts::network_input_size(spec_.preprocessing, photo.size());
    if (input.area() <= options_.max_tile_pixels || !can_tile()) {
      return std::move(predict_whole({&photo}, input, with_probabilities).front());
    }
    return predict_tiled(photo, input, with_probabilities);
  }

  std::vector<Result<Prediction>> predict_batch(const std::vector<const Image*>& photos,
                                                bool with_probabilities) override {
    std::vector<Result<Prediction>> answers(photos.size(), fail(ErrorCode::kInternal, "not predicted"));
    std::vector<bool> done(photos.size(), false);
    for (std::size_t i = 0; i < photos.size(); ++i) {
      if (done[i]) continue;
      if (photos[i]->empty()) {
        answers[i] = predict(*photos[i], with_probabilities);
        continue;
      }
      const Size input = artifacts::network_input_size(spec_.preprocessing, photos[i]->size());
      std::vector<std::size_t> members{i};
      std::vector<const Image*> batch{photos[i]};
      const std::int64_t most = std::max<std::int64_t>(1, options_.max_tile_pixels / input.area());
      for (std::size_t j = i + 1; j < photos.size() && static_cast<std::int64_t>(batch.size()) < most; ++j) {
        if (done[j] || photos[j]->empty()) continue;
        if (artifacts::network_input_size(spec_.preprocessing, photos[j]->size()) != input) continue;
        members.push_back(j);
        batch.push_back(photos[j]);
      }
      if (batch.size() == 1) {
        answers[i] = predict(*photos[i], with_probabilities);
      } else {
        auto results = predict_whole(batch, input, with_probabilities);
        for (std::size_t k = 0; k < members.size(); ++k) answers[members[k]] = std::move(results[k]);
      }
      for (const std::size_t member : members) done[member] = true;
    }
    return answers;
  }

 private:
  // Rows of the answer as they become known.
  class Canvas {
   public:
    Canvas(Size photo, int classes, bool with_probabilities, int threads) : threads_(threads) {
      prediction_.mask = imaging::Mask(photo);
      if (with_probabilities) {
        Probabilities probabilities{classes, photo, {}};
        probabilities.values.resize(static_cast<std::size_t>(classes) *
                                    static_cast<std::size_t>(photo.area()));
        prediction_.probabilities = std::move(probabilities);
      }
    }
    void render(const std::vector<LogitsLayer>& layers, const AxisMap& rows, std::int64_t begin,
                std::int64_t end) {
      if (begin >= end) return;
      render_labels(layers, rows, begin, end, threads_, prediction_.mask);
      if (prediction_.probabilities) {
        render_probabilities(layers, rows, begin, end, threads_, prediction_.probabilities->values.data());
      }
    }
    Prediction take() { return std::move(prediction_); }

   private:
    const int threads_;
    Prediction prediction_;
  };

  Result<std::vector<Tensor>> execute(const Tensor& input, const std::vector<int>& outputs,
                                      const Overrides& overrides = {}) {
    // A CUDA device takes one call at a time; the CPU engines run side by side.
    std::unique_lock lock(device_mutex_, std::defer_lock);
    if (executor_->name() == "cuda") lock.lock();
    return executor_->run(input, outputs, overrides);
  }

  std::vector<Result<Prediction>> predict_whole(const std::vector<const Image*>& photos, Size input,
                                                bool with_probabilities) {
    const auto failed = [&](const Error& error) {
      return std::vector<Result<Prediction>>(photos.size(), tl::unexpected<Error>(error));
    };
    const auto count = static_cast<std::int64_t>(photos.size());
    const std::int64_t readings = options_.flip ? 2 : 1;
    Tensor batch(Shape{count * readings, 3, input.height, input.width});
    for (std::int64_t n = 0; n < count; ++n) {
      const Image& photo = *photos[static_cast<std::size_t>(n)];
      const Image scaled = photo.size() == input ? Image() : imaging::resize(photo, input);
      for (std::int64_t reading = 0; reading < readings; ++reading) {
        write_input(scaled.empty() ? photo : scaled, spec_.preprocessing, reading == 1, threads_, batch,
                    n * readings + reading);
      }
    }
    const auto shapes = infer_shapes(*graph_, {1, 3, input.height, input.width});
    if (!shapes) return failed(shapes.error());
    const auto logits = execute(batch, {tail_.trunk});
    if (!logits) return failed(logits.error());

    const Tensor& small = logits->front();
    std::vector<Result<Prediction>> answers;
    for (std::int64_t n = 0; n < count; ++n) {
      const Size photo = photos[static_cast<std::size_t>(n)]->size();
      const AxisMaps maps = maps_to_photo(*graph_, tail_, *shapes, photo.height, photo.width);
      const AxisMap flipped = readings > 1 ? mirrored(maps.columns) : AxisMap();
      std::vector<LogitsBand> bands;
      for (std::int64_t reading = 0; reading < readings; ++reading) {
        bands.push_back({static_cast<int>(small.shape.c), 0, small.shape.h, small.shape.w,
                         small.plane(n * readings + reading, 0)});
      }
      std::vector<LogitsLayer> layers{{&bands[0], &maps.columns}};
      if (readings > 1) layers.push_back({&bands[1], &flipped});
      Canvas canvas(photo, static_cast<int>(small.shape.c), with_probabilities, threads_);
      canvas.render(layers, maps.rows, 0, photo.height);
      answers.push_back(canvas.take());
    }
    return answers;
  }

  // --- tiles ---

  const networks::Op& op_at(int op) const { return graph_->ops[static_cast<std::size_t>(op)]; }

  struct Grid {
    std::vector<TileSpan> rows, columns;
    std::vector<Shape> shapes;  // of the whole
  };

  std::int64_t alignment() const {
    return std::lcm<std::int64_t>(std::max(1, graph_->output_stride),
                                  std::max<std::int64_t>(1, spec_.preprocessing.size_multiple));
  }

  // Input pixels between two places of an operation's value; 0 if places do not lie on a regular grid.
  std::int64_t cell_stride(int op) const {
    const std::int64_t align = alignment(), offset = spec_.preprocessing.size_offset;
    const auto cells = [&](std::int64_t side) {
      const auto shapes = infer_shapes(*graph_, {1, 3, side, side});
      return shapes ? (*shapes)[static_cast<std::size_t>(op)].w : 0;
    };
    const std::int64_t span = 16 * align, more = cells(2 * span + offset) - cells(span + offset);
    if (more <= 0 || span % more != 0) return 0;
    const std::int64_t stride = span / more;
    return stride > 0 && align % stride == 0 ? stride : 0;
  }

  bool can_tile() const {
    bool possible = cell_stride(tail_.trunk) > 0;
    for (const ContextPoint& point : context_) {
      possible = possible && cell_stride(op_at(point.pool).inputs[0]) > 0;
      possible = possible && (!point.spread || cell_stride(point.op) > 0);
    }
    return possible;
  }

  // Tiles of the input, in places of the value of `op`.
  Result<Grid> plan_grid(Size input, int op) const {
    Grid grid;
    TERRAPIN_TRY(grid.shapes, infer_shapes(*graph_, {1, 3, input.height, input.width}));
    const Shape& cells = grid.shapes[static_cast<std::size_t>(op)];
    const Size tile =
        tile_size(input, options_.max_tile_pixels, alignment(), spec_.preprocessing.size_offset);
    TileAxisOptions axis;
    axis.alignment = alignment();
    axis.size_offset = spec_.preprocessing.size_offset;
    axis.cell_stride = cell_stride(op);
    axis.overlap = kOverlapPixels;
    axis.total = input.height, axis.tile = tile.height, axis.total_cells = cells.h;
    grid.rows = cut_axis(axis);
    axis.total = input.width, axis.tile = tile.width, axis.total_cells = cells.w;
    grid.columns = cut_axis(axis);
    return grid;
  }

  // The whole photo's pools, from its tiles: a first pass over them. The downscaled whole would be cheaper,
  // but its features differ enough to move the mean IoU by far more than tiles may.
  Result<std::vector<Tensor>> read_context(const Image& photo, Size input, const Grid& grid, bool mirror) {
    if (context_.empty()) return std::vector<Tensor>();
    std::vector<int> features;
    std::vector<ContextSum> sums;
    std::vector<Grid> grids;
    for (const ContextPoint& point : context_) {
      const networks::Op& pool = op_at(point.pool);
      features.push_back(pool.inputs[0]);
      sums.emplace_back(grid.shapes[static_cast<std::size_t>(pool.inputs[0])], pool.pool_size);
      TERRAPIN_TRY(auto cells, plan_grid(input, pool.inputs[0]));
      grids.push_back(std::move(cells));
    }
    for (std::size_t r = 0; r < grid.rows.size(); ++r) {
      for (std::size_t c = 0; c < grid.columns.size(); ++c) {
        const Tensor tensor = tile_input(photo, input, grid.rows[r], grid.columns[c], mirror);
        TERRAPIN_TRY(const auto values, execute(tensor, features));
        for (std::size_t k = 0; k < sums.size(); ++k)
          sums[k].add(values[k], grids[k].rows[r], grids[k].columns[c]);
      }
    }
    // What the network computes from the pools alone does not depend on the input, which may be small.
    const std::int64_t side = 4 * alignment() + spec_.preprocessing.size_offset;
    Tensor small(Shape{1, 3, side, side});
    std::fill_n(small.values.get(), small.shape.count(), 0.0F);
    Overrides pools;
    std::vector<int> sources;
    for (std::size_t k = 0; k < context_.size(); ++k) {
      pools.emplace(context_[k].pool, sums[k].mean());
      sources.push_back(context_[k].source);
    }
    return execute(small, sources, pools);
  }

  Tensor tile_input(const Image& photo, Size input, const TileSpan& row, const TileSpan& column,
                    bool mirror) const {
    const imaging::Box region{column.origin, row.origin, column.size, row.size};
    Tensor tensor(Shape{1, 3, row.size, column.size});
    write_input(imaging::resize_region(photo, input, region, {}, mirror), spec_.preprocessing, false,
                threads_, tensor, 0);
    return tensor;
  }

  // Adds one tile's logits, weighted, to the rows [first_row, ...) of `values` ([classes][rows][width]).
  Status add_tile(const Image& photo, Size input, const Grid& grid, const TileSpan& row,
                  const TileSpan& column, bool mirror, const std::vector<Tensor>& context,
                  std::int64_t first_row, std::int64_t rows, std::vector<float>& values) {
    const Tensor tensor = tile_input(photo, input, row, column, mirror);
    Overrides overrides;
    if (!context_.empty()) {
      TERRAPIN_TRY(const auto shapes, infer_shapes(*graph_, tensor.shape));
      for (std::size_t k = 0; k < context_.size(); ++k) {
        const ContextPoint& point = context_[k];
        const std::int64_t stride = point.spread ? cell_stride(point.op) : 1;
        overrides.emplace(point.op,
                          context_for_tile(context[k], point, grid.shapes[static_cast<std::size_t>(point.op)],
                                           shapes[static_cast<std::size_t>(point.op)], row.origin / stride,
                                           column.origin / stride));
      }
    }
    TERRAPIN_TRY(const auto results, execute(tensor, {tail_.trunk}, overrides));
    const Tensor& logits = results.front();
    if (logits.shape.h != row.cells || logits.shape.w != column.cells) {
      return fail(ErrorCode::kInternal, "a tile of {} x {} pixels gave {} x {} logits, expected {} x {}",
                  column.size, row.size, logits.shape.w, logits.shape.h, column.cells, row.cells);
    }
    const std::int64_t width = grid.shapes[static_cast<std::size_t>(tail_.trunk)].w;
    for (std::int64_t c = 0; c < logits.shape.c; ++c) {
      for (std::int64_t y = 0; y < row.cells; ++y) {
        const float* from = logits.plane(0, c) + y * column.cells;
        float* to = values.data() + (c * rows + row.first_cell + y - first_row) * width + column.first_cell;
        const float vertical = row.weights[static_cast<std::size_t>(y)];
        if (vertical == 0.0F) continue;
        for (std::int64_t x = 0; x < column.cells; ++x)
          to[x] += vertical * column.weights[static_cast<std::size_t>(x)] * from[x];
      }
    }
    return {};
  }

  Result<Prediction> predict_tiled(const Image& photo, Size input, bool with_probabilities) {
    TERRAPIN_TRY(const Grid grid, plan_grid(input, tail_.trunk));
    const Shape& cells = grid.shapes[static_cast<std::size_t>(tail_.trunk)];
    const auto classes = static_cast<int>(cells.c);
    const AxisMaps maps = maps_to_photo(*graph_, tail_, grid.shapes, photo.height(), photo.width());
    const AxisMap flipped = mirrored(maps.columns);
    const std::size_t readings = options_.flip ? 2 : 1;
    std::vector<std::vector<Tensor>> contexts;
    for (std::size_t reading = 0; reading < readings; ++reading) {
      TERRAPIN_TRY(auto context, read_context(photo, input, grid, reading == 1));
      contexts.push_back(std::move(context));
    }

    Canvas canvas(photo.size(), classes, with_probabilities, threads_);
    // Only the rows of logits that photo rows still wait for are kept: [first_row, first_row + rows).
    std::vector<std::vector<float>> values(readings);
    std::int64_t first_row = 0, rows = 0, rendered = 0;
    for (std::size_t r = 0; r < grid.rows.size(); ++r) {
      const TileSpan& row = grid.rows[r];
      const std::int64_t keep_from =
          std::min<std::int64_t>(maps.rows.first[static_cast<std::size_t>(rendered)], row.first_cell);
      const std::int64_t new_rows = row.first_cell + row.cells - keep_from;
      for (std::size_t reading = 0; reading < readings; ++reading) {
        std::vector<float> next(
            static_cast<std::size_t>(classes) * static_cast<std::size_t>(new_rows * cells.w), 0.0F);
        const std::int64_t kept = std::max<std::int64_t>(0, first_row + rows - keep_from);
        for (std::int64_t c = 0; c < classes && kept > 0; ++c) {
          std::copy_n(values[reading].begin() + (c * rows + keep_from - first_row) * cells.w, kept * cells.w,
                      next.begin() + c * new_rows * cells.w);
        }
        values[reading] = std::move(next);
        for (const TileSpan& column : grid.columns) {
          TERRAPIN_TRY_STATUS(add_tile(photo, input, grid, row, column, reading == 1, contexts[reading],
                                       keep_from, new_rows, values[reading]));
        }
      }
      first_row = keep_from, rows = new_rows;
      const std::int64_t settled = r + 1 < grid.rows.size() ? grid.rows[r + 1].first_cell : cells.h;
      std::int64_t end = rendered;
      while (end < photo.height() &&
             maps.rows.first[static_cast<std::size_t>(end)] + maps.rows.taps <= settled)
        ++end;
      std::vector<LogitsBand> bands;
      bands.reserve(values.size());
      for (const auto& band : values) bands.push_back({classes, first_row, rows, cells.w, band.data()});
      std::vector<LogitsLayer> layers{{&bands[0], &maps.columns}};
      if (readings > 1) layers.push_back({&bands[1], &flipped});
      canvas.render(layers, maps.rows, rendered, end);
      rendered = end;
    }
    return canvas.take();
  }

  // Measured, not derived: the theoretical radius of these networks is several times the distance at which a
  // pixel still changes an answer. the tiling test holds the difference that is left.
  static constexpr std::int64_t kOverlapPixels = 512;

  artifacts::ModelSpec spec_;
  const std::shared_ptr<const networks::Graph> graph_;
  const std::unique_ptr<Executor> executor_;  // synchronises itself
  const PredictorOptions options_;
  const int threads_;
  const Tail tail_;
  const std::vector<ContextPoint> context_;
  std::mutex device_mutex_;
};

Result<std::unique_ptr<Executor>> make_executor(const std::string& backend,
                                                const std::shared_ptr<const networks::Graph>& graph,
                                                const ExecutorOptions& options) {
  if (backend == "onednn") return make_onednn_executor(graph, options);
  if (backend == "torch") return make_torch_executor(graph, options, false);
  if (backend == "cuda") return make_torch_executor(graph, options, true);
  if (backend != "auto") {
    return fail(ErrorCode::kInvalidArgument,
                "backend \"{}\" is unknown; allowed are auto, onednn, torch, cuda", backend);
  }
  if (cuda_available()) return make_torch_executor(graph, options, true);
  return onednn_available() ? make_onednn_executor(graph, options)
                            : make_torch_executor(graph, options, false);
}

}  // namespace

Result<std::shared_ptr<Predictor>> Predictor::load(const std::filesystem::path& package,
                                                   const PredictorOptions& options) {
  TERRAPIN_TRY(auto read, artifacts::read_model_package(package));
  return create(std::move(read), options);
}

Result<std::shared_ptr<Predictor>> Predictor::create(artifacts::ModelPackage package,
                                                     const PredictorOptions& options) {
  if (options.max_tile_pixels < 1) {
    return fail(ErrorCode::kInvalidArgument, "tile pixels {} must be at least 1", options.max_tile_pixels);
  }
  if (options.long_side && *options.long_side < 0) {
    return fail(ErrorCode::kInvalidArgument, "long side {} must be 0 (the photo's own size) or more",
                *options.long_side);
  }
  TERRAPIN_TRY(auto folded, graph_of(package));
  const auto graph = std::make_shared<const networks::Graph>(std::move(folded));
  const int threads = options.threads > 0 ? options.threads : available_cores();
  TERRAPIN_TRY(auto executor, make_executor(options.backend, graph, {.threads = threads}));
  return std::make_shared<GraphPredictor>(std::move(package.spec), graph, std::move(executor), options,
                                          threads);
}

}  // namespace terrapin::inference
