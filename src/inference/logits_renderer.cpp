#include "inference/logits_renderer.h"

#include <algorithm>
#include <cmath>

#include "inference/vectorise.h"

namespace terrapin::inference {
namespace {

// Columns are worked on in strips: the enlarged source rows of a strip stay in the processor's cache.
constexpr std::int64_t kStrip = 512;
constexpr std::int64_t kRowsPerTask = 32;

TERRAPIN_VECTOR_CLONES
void add_scaled(const float* from, float weight, std::int64_t count, float* to) {
  for (std::int64_t i = 0; i < count; ++i) to[i] += weight * from[i];
}

TERRAPIN_VECTOR_CLONES
void keep_larger(const float* candidate, std::int32_t label, std::int64_t count, float* best,
                 std::int32_t* labels) {
  for (std::int64_t i = 0; i < count; ++i) {
    const bool larger = candidate[i] > best[i];
    best[i] = larger ? candidate[i] : best[i];
    labels[i] = larger ? label : labels[i];
  }
}

// A source row, enlarged to the strip's columns, summed over the layers.
void enlarge_row(const std::vector<LogitsLayer>& layers, int label, std::int64_t row, std::int64_t left,
                 std::int64_t count, float* out) {
  std::fill_n(out, count, 0.0F);
  const float share = 1.0F / static_cast<float>(layers.size());
  for (const LogitsLayer& layer : layers) {
    const LogitsBand& band = *layer.band;
    const AxisMap& map = *layer.columns;
    const float* source = band.values + (label * band.rows + row - band.first_row) * band.width;
    const std::int32_t* first = map.first.data() + left;
    const float* weights = map.weights.data() + left * map.taps;
    for (std::int64_t x = 0; x < count; ++x) {
      float sum = 0;
      for (int k = 0; k < map.taps; ++k) sum += weights[x * map.taps + k] * source[first[x] + k];
      out[x] += share * sum;
    }
  }
}

// Enlarged source rows of one strip, kept as the photo's rows pass: ring[row % taps].
class StripRows {
 public:
  StripRows(const std::vector<LogitsLayer>& layers, const AxisMap& rows, std::int64_t left,
            std::int64_t count)
      : layers_(layers),
        rows_(rows),
        left_(left),
        count_(count),
        classes_(layers[0].band->classes),
        held_(static_cast<std::size_t>(rows.taps), -1),
        values_(static_cast<std::size_t>(rows.taps) * static_cast<std::size_t>(classes_ * count)) {}

  // Logits of the photo's row y for one class. Classes are asked for in ascending order, 0 first.
  void row(std::int64_t y, int label, float* out) {
    const std::int64_t first = rows_.first[static_cast<std::size_t>(y)];
    if (label == 0) hold(first);
    std::fill_n(out, count_, 0.0F);
    for (int k = 0; k < rows_.taps; ++k) {
      const float weight = rows_.weights[static_cast<std::size_t>(y * rows_.taps + k)];
      if (weight != 0.0F) add_scaled(slot(first + k, label), weight, count_, out);
    }
  }

 private:
  float* slot(std::int64_t row, int label) {
    return values_.data() + ((row % rows_.taps) * classes_ + label) * count_;
  }
  void hold(std::int64_t first) {
    for (std::int64_t row = first; row < first + rows_.taps; ++row) {
      std::int64_t& held = held_[static_cast<std::size_t>(row % rows_.taps)];
      // Rows that only zero weights name may lie outside the band.
      const LogitsBand& band = *layers_[0].band;
      if (held == row || row >= band.first_row + band.rows || row < band.first_row) continue;
      for (int label = 0; label < classes_; ++label)
        enlarge_row(layers_, label, row, left_, count_, slot(row, label));
      held = row;
    }
  }

  const std::vector<LogitsLayer>& layers_;
  const AxisMap& rows_;
  const std::int64_t left_, count_;
  const int classes_;
  std::vector<std::int64_t> held_;
  std::vector<float> values_;
};

// Calls work(strip rows, first column, columns, first row, last row) for every strip of every group of rows.
template <class Work>
void for_each_strip(const std::vector<LogitsLayer>& layers, const AxisMap& rows, std::int64_t begin,
                    std::int64_t end, [[maybe_unused]] int threads, const Work& work) {
  const std::int64_t width = layers[0].columns->size;
  const std::int64_t strips = (width + kStrip - 1) / kStrip,
                     groups = (end - begin + kRowsPerTask - 1) / kRowsPerTask;
#pragma omp parallel for num_threads(threads) if (threads > 1) schedule(static)
  for (std::int64_t task = 0; task < strips * groups; ++task) {
    const std::int64_t left = task % strips * kStrip, top = begin + task / strips * kRowsPerTask;
    const std::int64_t count = std::min(kStrip, width - left);
    StripRows strip(layers, rows, left, count);
    work(strip, left, count, top, std::min(end, top + kRowsPerTask));
  }
}

}  // namespace

void render_labels(const std::vector<LogitsLayer>& layers, const AxisMap& rows, std::int64_t begin,
                   std::int64_t end, int threads, imaging::Mask& mask) {
  const int classes = layers[0].band->classes;
  for_each_strip(
      layers, rows, begin, end, threads,
      [&](StripRows& strip, std::int64_t left, std::int64_t count, std::int64_t top, std::int64_t bottom) {
        std::vector<float> best(static_cast<std::size_t>(count)), value(best.size());
        std::vector<std::int32_t> labels(best.size());
        for (std::int64_t y = top; y < bottom; ++y) {
          strip.row(y, 0, best.data());
          std::fill(labels.begin(), labels.end(), 0);
          for (int label = 1; label < classes; ++label) {
            strip.row(y, label, value.data());
            keep_larger(value.data(), label, count, best.data(), labels.data());
          }
          std::copy(labels.begin(), labels.end(), mask.row(y) + left);
        }
      });
}

void render_probabilities(const std::vector<LogitsLayer>& layers, const AxisMap& rows, std::int64_t begin,
                          std::int64_t end, int threads, float* values) {
  const int classes = layers[0].band->classes;
  const std::int64_t width = layers[0].columns->size, plane = width * rows.size;
  for_each_strip(
      layers, rows, begin, end, threads,
      [&](StripRows& strip, std::int64_t left, std::int64_t count, std::int64_t top, std::int64_t bottom) {
        std::vector<float> best(static_cast<std::size_t>(count)), sum(best.size());
        std::vector<std::int32_t> labels(best.size());
        for (std::int64_t y = top; y < bottom; ++y) {
          float* out = values + y * width + left;
          std::fill(best.begin(), best.end(), -INFINITY);
          std::fill(sum.begin(), sum.end(), 0.0F);
          std::fill(labels.begin(), labels.end(), 0);
          for (int label = 0; label < classes; ++label) {
            strip.row(y, label, out + label * plane);
            keep_larger(out + label * plane, label, count, best.data(), labels.data());
          }
          for (int label = 0; label < classes; ++label) {
            float* logits = out + label * plane;
            for (std::int64_t x = 0; x < count; ++x) {
              logits[x] = std::exp(logits[x] - best[static_cast<std::size_t>(x)]);
              sum[static_cast<std::size_t>(x)] += logits[x];
            }
          }
          for (int label = 0; label < classes; ++label) {
            float* logits = out + label * plane;
            for (std::int64_t x = 0; x < count; ++x) logits[x] /= sum[static_cast<std::size_t>(x)];
          }
          // Rounding can make logits that differ equal probabilities: their argmax must still be the mask.
          for (std::int64_t x = 0; x < count; ++x) {
            const std::int32_t winner = labels[static_cast<std::size_t>(x)];
            const float below = std::nextafter(out[winner * plane + x], 0.0F);
            for (std::int32_t label = 0; label < winner; ++label) {
              out[label * plane + x] = std::min(out[label * plane + x], below);
            }
          }
        }
      });
}

}  // namespace terrapin::inference
