#include "training/package.h"

#include "networks/network.h"

namespace terrapin::training {

Result<artifacts::ModelPackage> assemble_package(const TrainingOptions& options,
                                                 const artifacts::ClassList& classes,
                                                 const PackageFacts& facts,
                                                 const artifacts::TensorFile& weights) {
  artifacts::ModelPackage package;
  artifacts::ModelSpec& spec = package.spec;
  spec.network = options.network;
  spec.network.auxiliary_head = false;
  spec.classes = classes;
  spec.hyperparameters = options.hyperparameters;
  spec.training = facts.run;
  spec.training["best_epoch"] = facts.best.epoch;
  spec.training["finished_epochs"] = facts.finished_epochs;
  spec.training["mean_iou"] = facts.best.mean_iou;
  spec.training["pixel_accuracy"] = facts.best.pixel_accuracy;
  spec.training["seconds"] = facts.seconds;
  TERRAPIN_TRY(const auto network, networks::build_network(spec.network));
  spec.preprocessing = network->preprocessing();
  spec.preprocessing.long_side = options.base_size;
  for (const auto& [name, unused] : networks::save_weights(*network).tensors) {
    const auto found = weights.tensors.find(name);
    if (found == weights.tensors.end())
      return fail(ErrorCode::kCorrupt, "the best epoch's weights lack {}", name);
    package.weights.tensors.emplace(name, found->second);
  }
  return package;
}

}  // namespace terrapin::training
