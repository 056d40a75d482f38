// Training of the assistance network from end to end. Free of torch.
#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "networks/assist_model.h"
#include "training/assist/samples.h"
#include "training/recipe.h"

namespace terrapin::training {

struct AssistTrainingOptions {
  networks::AssistSpec network;
  double learning_rate = 1e-3, encoder_rate_factor = 0.4, weight_decay = 1e-2, clip_norm = 5;
  double final_rate_fraction = 0.01;  // the rate falls along a cosine to this
  double ema_decay = 0.998;
  int batch_size = 16;
  // How long: `steps`, or what fits into `minutes` at the speed of the first steps. Exactly one is not 0.
  std::int64_t steps = 0;
  double minutes = 0;
  // Refinement is learned on this share of the batches: 1..max_clicks corrective clicks on the network's own
  // answer, which it also sees.
  double click_probability = 0.5;
  int max_clicks = 3;
  // After a click, a pixel that the answer before it had wrong counts 1 + this in the cross-entropy: what the
  // click is about, where most pixels are right already.
  double error_weight = 2;
  AssistAugment augment;
  std::int64_t watch_every = 500;  // steps between scores, checkpoints and the model file
  int watch_objects = 192;
  std::uint64_t seed = 0;
  int threads = 0, loader_threads = 0;  // 0: chosen; the result depends on `threads` only in rounding
  DeviceChoice device = DeviceChoice::kAuto;
  std::filesystem::path weights;  // any MobileNetV2 file, or an assistance model to go on from
  std::filesystem::path output;   // assist.safetensors, checkpoint.safetensors, metrics.jsonl
  bool resume = true;
};

struct AssistTrainingData {
  std::vector<std::shared_ptr<const ObjectSource>> learn, watch;  // neither empty
  // Scores say less then: they are of objects that are also learned from.
  bool watch_is_learned() const { return !watch.empty() && watch.front() == learn.front(); }
};

struct AssistStepReport {
  std::int64_t step = 0, steps = 0;  // 1-based; steps 0: not known yet
  double loss = 0, mean_loss = 0;    // of this step; since the last scores
  double crops_per_second = 0;
};

struct AssistWatchReport {
  std::int64_t step = 0, steps = 0;
  double loss = 0, cross_entropy = 0, dice = 0;  // means since the report before
  double learning_rate = 0, crops_per_second = 0, elapsed_seconds = 0;
  double iou = 0;               // mean over the watched objects, from four clicks 3 px off, in crop pixels
  std::vector<double> clicked;  // the same after 1, 2, 3 corrective clicks
  bool best = false;            // the best mean of `iou` and the first of `clicked` so far
};
nlohmann::ordered_json to_json(const AssistWatchReport& report);

// Called from the thread that trains.
class AssistObserver {
 public:
  virtual ~AssistObserver() = default;
  virtual void on_message(const std::string& /*text*/) {}
  // False: stop here, with a checkpoint.
  virtual bool on_step(const AssistStepReport&) { return true; }
  virtual void on_watch(const AssistWatchReport&) {}
};

struct AssistOutcome {
  networks::AssistModel model;  // the best watched weights, float16
  std::vector<AssistWatchReport> history;
  double seconds = 0;
};

// kInvalidArgument names the option and what is allowed.
Status validate_options(const AssistTrainingOptions& options);

// Deterministic on a CPU: the same options with `steps`, data and threads give the same weights bit for bit,
// also when stopped and started again. kCancelled when the observer stops it (a checkpoint is written).
Result<AssistOutcome> train_assist(const AssistTrainingOptions& options, const AssistTrainingData& data,
                                   AssistObserver& observer);

}  // namespace terrapin::training
