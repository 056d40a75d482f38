// What a training hands over: the best epoch's weights and what the reader of a model package must know.
#pragma once

#include <nlohmann/json.hpp>

#include "artifacts/model_package.h"
#include "artifacts/safetensors.h"
#include "training/recipe.h"

namespace terrapin::training {

struct PackageFacts {
  nlohmann::json run;  // options and data, as a checkpoint keeps them
  EpochReport best;
  int finished_epochs = 0;
  double seconds = 0;
};

// The package of options.network without its auxiliary head, which serves training only. `weights` may hold
// more tensors than the served network has; kCorrupt names the first that it lacks.
Result<artifacts::ModelPackage> assemble_package(const TrainingOptions& options,
                                                 const artifacts::ClassList& classes,
                                                 const PackageFacts& facts,
                                                 const artifacts::TensorFile& weights);

}  // namespace terrapin::training
