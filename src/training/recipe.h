// Training from end to end, free of torch: what can be chosen, what is reported, and the one call that
// trains.
//
// The AWS words (hyperparameters, channels) become TrainingOptions in hyperparameters.h and container.h;
// nothing below this header knows them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "artifacts/channels.h"
#include "artifacts/class_list.h"
#include "artifacts/model_package.h"
#include "base/result.h"
#include "metrics/confusion.h"

namespace terrapin::training {

class ProcessGroup;

enum class OptimizerKind { kSgd, kNag, kAdam, kAdamW, kAdagrad, kRmsprop, kAdadelta };
enum class ScheduleKind { kPoly, kStep, kCosine };
enum class LossKind { kCrossEntropy, kCrossEntropyDice };
enum class ClassWeighting { kNone, kSqrtInverseFrequency };
enum class DeviceChoice { kAuto, kCpu, kCuda };  // auto: CUDA where there is a device
enum class WeightSource {
  kNone,        // random start
  kStarter,     // the encoder that ships with the program
  kPretrained,  // the file networks::find_pretrained names for this network
  kFile,        // `path`: a safetensors file in a layout networks::import_weights knows
  kPackage,     // `path`: a model package; backbone, algorithm, crop_size and num_classes must agree
};

struct OptimizerOptions {
  OptimizerKind kind = OptimizerKind::kAdamW;
  double learning_rate = 1e-3;
  double momentum = 0.9;  // sgd, nag
  double weight_decay =
      1e-2;  // sgd, nag, adam, adamw; not applied to biases and norm parameters where `decay_norms` is off
  bool decay_norms = false;
  double gamma1 = 0.9, gamma2 = 0.9;  // rmsprop: decay of the square average, momentum
  double beta1 = 0.9, beta2 = 0.999;  // adam, adamw
  double encoder_rate_factor = 0.2;   // learning rate of the pretrained part, as a factor
  double decoder_rate_factor = 1.0;
  double clip_norm = 5.0;  // gradients are scaled down to this L2 norm; 0 = off
};

struct ScheduleOptions {
  ScheduleKind kind = ScheduleKind::kCosine;
  double poly_power = 0.9;
  double step_factor = 0.1;
  std::vector<int>
      step_epochs;             // after these epochs (1-based count of finished epochs) the rate is multiplied
  double warmup_epochs = 0.5;  // the rate rises linearly from warmup_start x rate
  double warmup_start = 0.05;
  double final_fraction = 0.01;  // cosine ends at this fraction of the rate
};

struct LossOptions {
  LossKind kind = LossKind::kCrossEntropyDice;
  double cross_entropy_weight = 1.0, dice_weight = 1.0;
  ClassWeighting class_weighting = ClassWeighting::kNone;
  double auxiliary_weight = 0.4;  // of the auxiliary head's cross-entropy, where the network has one
};

struct AugmentOptions {
  double scale_low = 0.5, scale_high = 2.0;  // the long side becomes base_size x U(low, high)
  double mirror_probability = 0.5;
  // The crop is placed around a random pixel of a random class present in the photo (background excluded).
  double foreground_probability = 0.5;
  // Factors drawn from U(1 - x, 1 + x); 0 = off.
  double brightness = 0.25, contrast = 0.25, saturation = 0.25;
  double color_balance = 0.05;  // per-channel factor
  double color_probability = 0.8;
  double blur_probability = 0.1;                          // 3x3 binomial
  double noise_probability = 0.1, noise_deviation = 6.0;  // grey levels
};

struct EarlyStopping {
  bool enabled = false;
  int min_epochs = 5;
  int patience = 4;        // epochs without an mIoU better than the best by more than `tolerance`
  double tolerance = 0.0;  // [0, 1]
};

struct TrainingOptions {
  artifacts::NetworkSpec network;  // num_classes included
  std::int64_t base_size = 520;  // long side of validation and prediction; the centre of the training scales
  std::int64_t crop_size = 240;  // training crops are square; rounded up to a multiple of 8
  // Training inputs are crop_size + crop_offset pixels a side; -1: the network's own preprocessing offset (1
  // for aligned grids).
  std::int64_t crop_offset = -1;
  int batch_size = 16;  // of all processes together
  int validation_batch_size = 16;
  int epochs = 10;
  // Crops taken from each photo per epoch (epochs over small sets are short; validation then costs relatively
  // less).
  int crops_per_photo = 1;
  int validate_every = 1;  // epochs between validations; the last epoch is always validated

  OptimizerOptions optimizer;
  ScheduleOptions schedule;
  LossOptions loss;
  AugmentOptions augment;
  EarlyStopping early_stopping;
  double ema_decay = 0.99;  // moving average of the weights, validated and packaged in their place; 0 = off
  // Several processes: batch norm learns from the whole batch, not from each process's part of it. One
  // process: the part is the whole.
  bool syncbn = false;
  // Trains with the network in evaluation mode: batch norm keeps its running statistics (small batches on
  // pretrained weights), dropout and the auxiliary head are off.
  bool freeze_norms = false;

  WeightSource weights = WeightSource::kStarter;
  std::filesystem::path weights_path;  // kFile, kPackage
  bool keep_head = false;  // kFile: a classifier of another class count is an error instead of left fresh

  std::uint64_t seed = 0;
  int threads = 0;         // 0: all available cores
  int loader_threads = 0;  // 0: chosen; results do not depend on it
  DeviceChoice device = DeviceChoice::kAuto;
  bool mixed_precision = true;  // CUDA only
  std::int64_t cache_bytes =
      -1;  // decoded photos kept in memory; -1: a quarter of the memory available; 0: none

  std::filesystem::path checkpoint_folder;  // empty: no checkpoints, no resume
  bool resume = true;                       // go on from checkpoint_folder where it holds one of the same run
  std::filesystem::path package_path;       // model.tar.gz to write; empty: none
  nlohmann::json hyperparameters =
      nlohmann::json::object();  // as given, stored in the package and compared on resume
};

// The default: pretrained start, AdamW + cosine + warm-up, cross-entropy + Dice, foreground-aware crops, EMA.
TrainingOptions terrapin_recipe(const artifacts::NetworkSpec& network);
// The AWS algorithm: plain cross-entropy, SGD momentum 0.9 decay 1e-4, poly, scale + crop + mirror only, no
// EMA, no clipping, one learning rate, batch 16, base 520, crop 240; an auxiliary head (weight 0.5) on
// ResNets; weights kPretrained.
TrainingOptions aws_recipe(const artifacts::NetworkSpec& network);

// Every option that the trained weights depend on, weights and paths left out: kept in the package, compared
// on resume.
nlohmann::json to_json(const TrainingOptions& options);

// Where WeightSource::kStarter looks: the encoder that ships with the program.
std::filesystem::path starter_weights_path();

// kInvalidArgument naming the field, its value and what is allowed.
Status validate_options(const TrainingOptions& options);

struct TrainingData {
  artifacts::SampleIndex train, validation;
  artifacts::ClassList classes;
};

struct StepReport {
  int epoch = 0, epochs = 0;         // 1-based
  std::int64_t step = 0, steps = 0;  // within the epoch, 1-based
  double loss = 0;                   // of this step
  double mean_loss = 0;              // of the epoch so far
  double learning_rate = 0;
  double images_per_second = 0;  // of the epoch so far
};

struct PhotoScore {
  std::string name;
  double mean_iou = 0;  // of this photo alone
};

struct EpochReport {
  int epoch = 0, epochs = 0;                                    // 1-based
  double loss = 0, cross_entropy = 0, dice = 0, auxiliary = 0;  // means over the epoch's steps
  double learning_rate = 0;                                     // of the epoch's last step
  double train_seconds = 0, train_images_per_second = 0;
  double loading_wait_seconds = 0;  // the part of train_seconds in which the loop waited for a batch
  bool validated = false;           // the fields below hold values
  double validation_seconds = 0, validation_images_per_second = 0;
  metrics::ConfusionMatrix confusion{1};  // over all validation photos at their own size
  double mean_iou = 0, pixel_accuracy = 0, frequency_weighted_iou = 0;
  std::vector<PhotoScore> photos;  // in validation order
  bool best = false;               // the best mean_iou so far
  double elapsed_seconds = 0;      // since training began, earlier runs of a resumed training included
};
nlohmann::json to_json(const EpochReport& report);
Result<EpochReport> epoch_report_from_json(const nlohmann::json& json);

enum class MessageLevel { kInfo, kWarning };

// Called from the thread that called train(), never concurrently. Every callback may be left out.
class TrainingObserver {
 public:
  virtual ~TrainingObserver() = default;
  virtual void on_message(MessageLevel, const std::string& /*text*/) {}
  // A stage outside the step loop ("checking masks", "validating"): done == total ends it.
  virtual void on_progress(const std::string& /*stage*/, std::int64_t /*done*/, std::int64_t /*total*/) {}
  // Once, before the first step. `finished_epochs` > 0 on resume; their reports are in `history`.
  virtual void on_start(std::int64_t /*steps_per_epoch*/, int /*finished_epochs*/,
                        const std::vector<EpochReport>& /*history*/) {}
  virtual void on_step(const StepReport&) {}
  // Each photo of a validation, before its epoch is reported. `index`: its place among the validation
  // samples.
  virtual void on_prediction(int /*epoch*/, std::int64_t /*index*/, const artifacts::LabeledPhoto& /*photo*/,
                             const imaging::Mask& /*prediction*/) {}
  virtual void on_epoch(const EpochReport&) {}
};

struct TrainingOutcome {
  int finished_epochs = 0;
  bool stopped_early = false;
  int best_epoch = 0;  // 1-based
  EpochReport best;    // its report
  std::vector<EpochReport> history;
  std::filesystem::path package_path;  // empty if none was asked for
  artifacts::ModelPackage package;     // weights of the best epoch (EMA where on)
  double seconds = 0;
};

// Checks the data (every mask's labels, nothing empty), builds the network, trains, validates, keeps the best
// epoch and writes the package. Deterministic on CPU: the same options, data and thread count give the same
// weights bit for bit, also when interrupted and resumed. Errors: bad options or data (kInvalidArgument,
// naming file and value), weights missing (kNotFound), kCancelled when base/interrupt.h says so (a checkpoint
// is on disk if a folder was given), kIo.
//
// With `processes`, every one of them calls this with the same options and data, and all train one network,
// each on its part of every batch; docs/decisions/0012 says what is equal to one process. All return the same
// outcome or all an error; rank 0 alone reads and writes checkpoints and the package.
Result<TrainingOutcome> train(const TrainingOptions& options, const TrainingData& data,
                              TrainingObserver& observer, std::shared_ptr<ProcessGroup> processes = nullptr);

// Masks that a package predicts for samples[indices], at the photos' own sizes (for reports).
Result<std::vector<imaging::Mask>> predict_samples(const artifacts::ModelPackage& package,
                                                   const artifacts::SampleIndex& samples,
                                                   const std::vector<std::int64_t>& indices);

}  // namespace terrapin::training
