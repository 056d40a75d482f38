// Scores of a model on labelled photos.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "artifacts/channels.h"
#include "base/result.h"
#include "inference/predictor.h"
#include "metrics/confusion.h"

namespace terrapin::inference {

struct PhotoScore {
  std::string name;
  double mean_iou = 0;
  std::size_t index_number = 0, sample = 0;  // where it came from: index, then sample in it
};

struct Scores {
  metrics::ConfusionMatrix confusion;
  std::vector<std::optional<double>> boundary_f1;  // by class; mean over photos where the class occurs
  double mean_boundary_f1 = 0;                     // over classes that occur
  std::vector<PhotoScore> photos;                  // in the order of the data
};

// Predicts every photo at its own size and compares with its mask. `workers` photos at a time; the result
// does not depend on their number. The first unreadable sample, or a label that the model does not know, ends
// it with an error that names the file. `progress` is called with the number done, from one thread at a time.
// kCancelled after SIGINT or SIGTERM.
Result<Scores> score(Predictor& predictor, const std::vector<artifacts::SampleIndex>& data, int workers,
                     const std::function<void(std::int64_t)>& progress);

}  // namespace terrapin::inference
