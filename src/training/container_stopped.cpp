// A job that was asked to stop still hands over the best model so far.
#include "training/checkpoint.h"
#include "training/container.h"
#include "training/package.h"

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
  PackageFacts facts{checkpoint->run, outcome.best, checkpoint->finished_epochs, checkpoint->elapsed_seconds};
  facts.run["stopped"] = true;
  auto package = assemble_package(options, classes, facts, weights);
  if (!package) {
    return with_context(package.error(), checkpoint_path(options.checkpoint_folder).string());
  }
  outcome.package = std::move(*package);
  outcome.best_epoch = outcome.best.epoch;
  outcome.finished_epochs = checkpoint->finished_epochs;
  outcome.history = std::move(checkpoint->history);
  outcome.seconds = checkpoint->elapsed_seconds;
  return outcome;
}

}  // namespace terrapin::training
