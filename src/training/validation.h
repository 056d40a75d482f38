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
  std::vector<PhotoScore> photos;  // in order
  double seconds = 0;
};

// Runs `network` in evaluation mode on every photo: resized by `preprocessing`, logits brought back to the
// photo's own size, one confusion matrix over all. The next photo is prepared by a second thread meanwhile.
// kCancelled on interruption. `progress(done, total)` may be empty.
Result<ValidationScores> validate(networks::SegmentationNetwork& network,
                                  const artifacts::Preprocessing& preprocessing, const LabeledPhotos& photos,
                                  int num_classes, torch::Device device, int batch_size,
                                  const std::function<void(std::int64_t, std::int64_t)>& progress);

}  // namespace terrapin::training
