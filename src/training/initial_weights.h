// The weights a training starts from.
#pragma once

#include <functional>
#include <string>

#include "networks/network.h"
#include "training/recipe.h"

namespace terrapin::training {

// Loads what `options.weights` names into `network`; `message` hears what was loaded and what starts at
// random. kNotFound says which file is missing and where to get it; kInvalidArgument for an earlier package
// whose backbone, algorithm, crop_size or num_classes differ, naming both values.
Status load_initial_weights(networks::SegmentationNetwork& network, const TrainingOptions& options,
                            const std::function<void(const std::string&)>& message);

}  // namespace terrapin::training
