// A job that was asked to stop still hands over the best model so far.
#include "networks/network.h"
#include "training/checkpoint.h"
#include "training/container.h"

namespace terrapin::training {

Result<TrainingOutcome> outcome_of_checkpoint(const TrainingOptions& options,
                                              const artifacts::ClassList& classes) {
  TERRAPIN_TRY(std::optional<Checkpoint> checkpoint, read_checkpoint(options.checkpoint_folder));
  TrainingOutcome outcome;
  if (checkpoint) {
    for (const EpochReport& report : checkpoint->history) {
      if (report.best) outcome.best = report;
    }
  }
  if (outcome.best.epoch == 0) {
    return fail(ErrorCode::kNotFound, "{}: no epoch was finished and validated yet",
                options.checkpoint_folder.string());
  }
  // Right after the best epoch the checkpoint holds its weights once, as the validated ones.
  artifacts::TensorFile weights = with_prefix_removed(checkpoint->tensors, "best.");
  if (weights.tensors.empty()) {
    weights = with_prefix_removed(checkpoint->tensors, options.ema_decay > 0 ? "average." : "weights.");
  }
  artifacts::ModelSpec& spec = outcome.package.spec;
  spec.network = options.network;
  spec.network.auxiliary_head = false;
  spec.classes = classes;
  spec.hyperparameters = options.hyperparameters;
  spec.training = checkpoint->run;
  spec.training["best_epoch"] = outcome.best.epoch;
  spec.training["finished_epochs"] = checkpoint->finished_epochs;
  spec.training["mean_iou"] = outcome.best.mean_iou;
  spec.training["pixel_accuracy"] = outcome.best.pixel_accuracy;
  spec.training["seconds"] = checkpoint->elapsed_seconds;
  spec.training["stopped"] = true;
  TERRAPIN_TRY(const auto network, networks::build_network(spec.network));
  spec.preprocessing = network->preprocessing();
  spec.preprocessing.long_side = options.base_size;
  for (const auto& [name, unused] : networks::save_weights(*network).tensors) {
    const auto found = weights.tensors.find(name);
    if (found == weights.tensors.end()) {
      return fail(ErrorCode::kCorrupt, "{}: the best epoch's weights lack {}",
                  checkpoint_path(options.checkpoint_folder).string(), name);
    }
    outcome.package.weights.tensors.emplace(name, found->second);
  }
  outcome.best_epoch = outcome.best.epoch;
  outcome.finished_epochs = checkpoint->finished_epochs;
  outcome.history = std::move(checkpoint->history);
  outcome.seconds = checkpoint->elapsed_seconds;
  return outcome;
}

}  // namespace terrapin::training
