// Scoring a network on whole photos, as prediction will see them.
#pragma once

#include <torch/torch.h>

#include <functional>
#include <vector>

#include "networks/network.h"
#include "training/recipe.h"
#include "training/samples.h"

namespace terrapin::training {

struct ValidationScores {
  metrics::ConfusionMatrix confusion{1};
  std::vector<PhotoScore> photos;  // those that were asked for, in order
  double seconds = 0;
};

// Runs `network` in evaluation mode on every photo: resized by `preprocessing`, logits brought back to the
// photo's own size, one confusion matrix over all. The next photo is prepared by a second thread meanwhile.
// Of several processes each takes photos `first`, `first` + `stride`, ...
// kCancelled on interruption. `progress(done, total)` may be empty, and so may `predicted`, which is told
// each photo, by its place among all, with the mask that the network gives it.
using Predicted =
    std::function<void(std::int64_t index, const artifacts::LabeledPhoto& photo, const imaging::Mask& mask)>;
Result<ValidationScores> validate(networks::SegmentationNetwork& network,
                                  const artifacts::Preprocessing& preprocessing, const LabeledPhotos& photos,
                                  int num_classes, torch::Device device, int batch_size,
                                  const std::function<void(std::int64_t, std::int64_t)>& progress,
                                  std::int64_t first = 0, std::int64_t stride = 1,
                                  const Predicted& predicted = {});

}  // namespace terrapin::training
