// Small logits to labels or probabilities at the photo's size, a few rows at a time: the enlarged logits
// never exist as a whole.
#pragma once

#include <vector>

#include "imaging/image.h"
#include "inference/axis_map.h"

namespace terrapin::inference {

// Rows [first_row, first_row + rows) of logits of `height` rows in all; [classes][rows][width].
struct LogitsBand {
  int classes = 0;
  std::int64_t first_row = 0, rows = 0, width = 0;
  const float* values = nullptr;  // not owned
};

// One reading of the photo: the mean of several (a mirrored one) is taken.
struct LogitsLayer {
  const LogitsBand* band = nullptr;
  const AxisMap* columns = nullptr;
};

// Labels of the photo's rows [begin, end): the class of the largest mean logit, the lowest index on ties. The
// band must hold every row that `rows` asks for. Uses up to `threads` OpenMP threads.
void render_labels(const std::vector<LogitsLayer>& layers, const AxisMap& rows, std::int64_t begin,
                   std::int64_t end, int threads, imaging::Mask& mask);

// The same rows as softmax probabilities, into [classes][photo height][photo width].
void render_probabilities(const std::vector<LogitsLayer>& layers, const AxisMap& rows, std::int64_t begin,
                          std::int64_t end, int threads, float* values);

}  // namespace terrapin::inference
