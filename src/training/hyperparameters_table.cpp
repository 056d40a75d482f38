#include "training/hyperparameters_table.h"

#include <fmt/ranges.h>

#include <array>

namespace terrapin::training::table {
namespace {

constexpr std::int64_t kLargestCount = 1'000'000'000;
constexpr std::int64_t kLargestSide = 65'536;  // a crop of more would not fit any memory

constexpr std::array<std::string_view, 7> kOptimizers{"sgd",     "nag",     "adam",    "adamw",
                                                      "adagrad", "rmsprop", "adadelta"};
constexpr std::array<std::string_view, 3> kSchedules{"poly", "step", "cosine"};
constexpr std::array<std::string_view, 2> kLosses{"cross_entropy", "ce_dice"};
constexpr std::array<std::string_view, 2> kWeightings{"none", "sqrt_inverse_frequency"};
constexpr std::array<std::string_view, 3> kDevices{"auto", "cpu", "cuda"};

std::string show_bool(bool value) {
  return value ? "True" : "False";
}
std::string show_number(double value) {
  return fmt::format("{}", value);
}

template <class T>
std::string show_count(T value) {
  return fmt::format("{}", value);
}

// Reads with `read` and stores into `target`.
template <class Target, class Source>
Status store(Target& target, Result<Source> value) {
  if (!value) return tl::unexpected<Error>(std::move(value.error()));
  target = static_cast<Target>(*value);
  return {};
}

constexpr Range kZeroToOne{0, 1};
constexpr Range kAboveZeroToOne{0, 1, true};

// Reads top to bottom in the order of AWS's own page, then ours.
#define SET [](const Value& value, [[maybe_unused]] Hyperparameters& result) -> Status
#define SHOW [](const TrainingOptions& options) -> std::string
const Row kRows[] = {{"backbone", "resnet-50, resnet-101, mobilenet-v2",
                      "the encoder; mobilenet-v2 (ours) is the one for CPUs", true, Stage::kFirst,
                      SET{auto index = value.choice(kBackbones);
if (index) result.options.network.backbone = kBackbones[*index];
return index.map([](auto) {});
}  // namespace
, SHOW {
  return options.network.backbone;
}
}  // namespace terrapin::training::table
, {"use_pretrained_model", "True, False", "start from pretrained weights; False is a random start", true,
   Stage::kSecond, SET{auto pretrained = value.boolean();
if (!pretrained) return tl::unexpected<Error>(pretrained.error());
const bool shipped = result.options.network.backbone == "mobilenet-v2";
result.options.weights = !*pretrained ? WeightSource::kNone
                         : shipped    ? WeightSource::kStarter
                                      : WeightSource::kPretrained;
return {};
}
, SHOW {
  return show_bool(options.weights != WeightSource::kNone);
}
}
, {"algorithm", "fcn, psp, deeplab with a ResNet; lite with mobilenet-v2", "the decoder; lite is ours", true,
   Stage::kFirst, SET{auto index = value.choice(kAlgorithms);
if (index) result.options.network.algorithm = kAlgorithms[*index];
return index.map([](auto) {});
}
, SHOW {
  return options.network.algorithm;
}
}
, {"num_classes", "a whole number, 2 to 254", "classes of the masks, background included", true,
   Stage::kFirst, SET{return store(result.options.network.num_classes, value.integer(2, 254));
}
, SHOW {
  return show_count(options.network.num_classes);
}
, "required", "what the data says; required in a container"
}
, {"num_training_samples", "a whole number above 0", "training photos; the photos found are counted and used",
   true, Stage::kSecond, SET{return store(result.num_training_samples, value.integer(1, kLargestCount));
}
, nullptr, "required", "counted; required in a container"
}
, {"base_size", "a whole number above 16",
   "a photo's long side is scaled to base_size x U(0.5, 2.0) before the crop, and to base_size when "
   "predicting",
   true, Stage::kSecond, SET{return store(result.options.base_size, value.integer(17, kLargestSide));
}
, SHOW {
  return show_count(options.base_size);
}
}
, {"crop_size", "a whole number above 16; rounded up to a multiple of 8", "side of the square training crops",
   true, Stage::kSecond, SET{auto side = value.integer(17, kLargestSide);
if (!side) return tl::unexpected<Error>(side.error());
result.options.crop_size = (*side + 7) / 8 * 8;
if (result.options.crop_size != *side) {
  result.notes.push_back(
      fmt::format("crop_size={} was rounded up to {}, a multiple of 8", *side, result.options.crop_size));
}
return {};
}
, SHOW {
  return show_count(options.crop_size);
}
}
, {"epochs", "a whole number above 0", "passes over the training photos", true, Stage::kSecond,
   SET{return store(result.options.epochs, value.integer(1, 1'000'000));
}
, SHOW {
  return show_count(options.epochs);
}
}
, {"learning_rate", "a number above 0, at most 1", "initial learning rate", true, Stage::kSecond,
   SET{return store(result.options.optimizer.learning_rate, value.number(kAboveZeroToOne));
}
, SHOW {
  return show_number(options.optimizer.learning_rate);
}
}
, {"lr_scheduler", "poly, step, cosine", "how the learning rate falls", true, Stage::kSecond,
   SET{return store(result.options.schedule.kind, value.choice(kSchedules));
}
, SHOW {
  return std::string(kSchedules[static_cast<std::size_t>(options.schedule.kind)]);
}
}
, {"lr_scheduler_factor", "a number from 0 to 1", "step: the rate is multiplied by it", true, Stage::kSecond,
   SET{return store(result.options.schedule.step_factor, value.number(kZeroToOne));
}
, SHOW {
  return show_number(options.schedule.step_factor);
}
}
, {"lr_scheduler_step", "epochs in rising order, such as \"10, 20\"",
   "step: after these epochs the rate falls", true, Stage::kSecond, SET{auto steps = value.integers();
if (!steps) return tl::unexpected<Error>(steps.error());
std::int64_t previous = 0;
result.options.schedule.step_epochs.clear();
for (const std::int64_t epoch : *steps) {
  if (epoch <= previous || epoch > 1'000'000) return tl::unexpected<Error>(value.error());
  result.options.schedule.step_epochs.push_back(static_cast<int>(epoch));
  previous = epoch;
}
return {};
}
, SHOW {
  return fmt::format("{}", fmt::join(options.schedule.step_epochs, ", "));
}
, "required with step", "required with step"
}
, {"optimizer", "sgd, nag, adam, adamw, adagrad, rmsprop, adadelta",
   "adamw and adadelta are not in AWS's table", true, Stage::kSecond,
   SET{return store(result.options.optimizer.kind, value.choice(kOptimizers));
}
, SHOW {
  return std::string(kOptimizers[static_cast<std::size_t>(options.optimizer.kind)]);
}
}
, {"momentum", "a number above 0, at most 1", "sgd and nag", true, Stage::kSecond,
   SET{return store(result.options.optimizer.momentum, value.number(kAboveZeroToOne));
}
, SHOW {
  return show_number(options.optimizer.momentum);
}
}
, {"weight_decay", "a number above 0, below 1", "sgd, nag and adamw; with adam only when given", true,
   Stage::kSecond, SET{return store(result.options.optimizer.weight_decay, value.number({0, 1, true, true}));
}
, SHOW {
  return show_number(options.optimizer.weight_decay);
}
}
, {"gamma1", "a number above 0, below 1", "rmsprop: decay of the average of squared gradients", true,
   Stage::kSecond, SET{return store(result.options.optimizer.gamma1, value.number({0, 1, true, true}));
}
, SHOW {
  return show_number(options.optimizer.gamma1);
}
}
, {"gamma2", "a number from 0, below 1", "rmsprop: momentum", true, Stage::kSecond,
   SET{return store(result.options.optimizer.gamma2, value.number({0, 1, false, true}));
}
, SHOW {
  return show_number(options.optimizer.gamma2);
}
}
, {"mini_batch_size", "a whole number above 0", "training crops a step", true, Stage::kSecond,
   SET{return store(result.options.batch_size, value.integer(1, 65'536));
}
, SHOW {
  return show_count(options.batch_size);
}
}
, {"validation_mini_batch_size", "a whole number above 0",
   "photos a step when validating; scores do not depend on it", true, Stage::kSecond,
   SET{return store(result.options.validation_batch_size, value.integer(1, 65'536));
}
, SHOW {
  return show_count(options.validation_batch_size);
}
}
, {"early_stopping", "True, False", "stop when the validation mIoU no longer rises", true, Stage::kSecond,
   SET{return store(result.options.early_stopping.enabled, value.boolean());
}
, SHOW {
  return show_bool(options.early_stopping.enabled);
}
}
, {"early_stopping_min_epochs", "a whole number from 0", "never stop before this many epochs", true,
   Stage::kSecond, SET{return store(result.options.early_stopping.min_epochs, value.integer(0, 1'000'000));
}
, SHOW {
  return show_count(options.early_stopping.min_epochs);
}
}
, {"early_stopping_patience", "a whole number above 0", "epochs without a better mIoU before stopping", true,
   Stage::kSecond, SET{return store(result.options.early_stopping.patience, value.integer(1, 1'000'000));
}
, SHOW {
  return show_count(options.early_stopping.patience);
}
}
, {"early_stopping_tolerance", "a number from 0 to 1", "a gain in mIoU up to this does not count as better",
   true, Stage::kSecond, SET{return store(result.options.early_stopping.tolerance, value.number(kZeroToOne));
}
, SHOW {
  return show_number(options.early_stopping.tolerance);
}
}
, {"syncbn", "True, False", "accepted; one process trains, so its batch statistics are already whole", true,
   Stage::kSecond, SET{return store(result.options.syncbn, value.boolean());
}
, SHOW {
  return show_bool(options.syncbn);
}
}
,

    {"recipe", "terrapin, aws",
     "whose values fill what is not given: ours, made for small and unbalanced sets, or the AWS algorithm's",
     false, Stage::kFirst, SET{return value.choice(kRecipes).map([](auto) {});
}
, nullptr, "", "terrapin"
}
, {"seed", "a whole number from 0", "same seed, threads and machine type: same weights on a CPU", false,
   Stage::kSecond, SET{return store(result.options.seed, value.integer(0));
}
, SHOW {
  return show_count(options.seed);
}
}
, {"threads", "a whole number from 0 to 1024; 0 is all cores", "threads of the network's arithmetic", false,
   Stage::kSecond, SET{return store(result.options.threads, value.integer(0, 1024));
}
, SHOW {
  return show_count(options.threads);
}
}
, {"device", "auto, cpu, cuda", "auto is CUDA where there is a device", false, Stage::kSecond,
   SET{return store(result.options.device, value.choice(kDevices));
}
, SHOW {
  return std::string(kDevices[static_cast<std::size_t>(options.device)]);
}
}
, {"mixed_precision", "True, False", "half precision where it is safe; CUDA only", false, Stage::kSecond,
   SET{return store(result.options.mixed_precision, value.boolean());
}
, SHOW {
  return show_bool(options.mixed_precision);
}
}
, {"loss", "cross_entropy, ce_dice", "ce_dice adds the Dice loss, which does not drown rare classes", false,
   Stage::kSecond, SET{return store(result.options.loss.kind, value.choice(kLosses));
}
, SHOW {
  return std::string(kLosses[static_cast<std::size_t>(options.loss.kind)]);
}
}
, {"class_weights", "none, sqrt_inverse_frequency", "weights of the classes in the cross-entropy", false,
   Stage::kSecond, SET{return store(result.options.loss.class_weighting, value.choice(kWeightings));
}
, SHOW {
  return std::string(kWeightings[static_cast<std::size_t>(options.loss.class_weighting)]);
}
}
, {"encoder_learning_rate_factor", "a number from 0 to 1",
   "learning rate of the pretrained part, as a factor", false, Stage::kSecond,
   SET{return store(result.options.optimizer.encoder_rate_factor, value.number(kZeroToOne));
}
, SHOW {
  return show_number(options.optimizer.encoder_rate_factor);
}
}
, {"warmup_epochs", "a number from 0 to 1000", "the rate rises to its full value over this many epochs",
   false, Stage::kSecond, SET{return store(result.options.schedule.warmup_epochs, value.number({0, 1000}));
}
, SHOW {
  return show_number(options.schedule.warmup_epochs);
}
}
, {"gradient_clip_norm", "a number from 0 to 1000000; 0 is off", "gradients are scaled down to this length",
   false, Stage::kSecond, SET{return store(result.options.optimizer.clip_norm, value.number({0, 1e6}));
}
, SHOW {
  return show_number(options.optimizer.clip_norm);
}
}
, {"ema_decay", "a number from 0, below 1; 0 is off",
   "moving average of the weights, validated and packaged in their place", false, Stage::kSecond,
   SET{return store(result.options.ema_decay, value.number({0, 1, false, true}));
}
, SHOW {
  return show_number(options.ema_decay);
}
}
, {"foreground_crop_probability", "a number from 0 to 1",
   "share of the crops placed around a pixel of a class other than background", false, Stage::kSecond,
   SET{return store(result.options.augment.foreground_probability, value.number(kZeroToOne));
}
, SHOW {
  return show_number(options.augment.foreground_probability);
}
}
, {"crops_per_photo", "a whole number from 1 to 1000", "crops taken from each photo in an epoch", false,
   Stage::kSecond, SET{return store(result.options.crops_per_photo, value.integer(1, 1000));
}
, SHOW {
  return show_count(options.crops_per_photo);
}
}
, {"freeze_batch_norm", "True, False", "batch norm keeps the statistics of the pretrained weights", false,
   Stage::kSecond, SET{return store(result.options.freeze_norms, value.boolean());
}
, SHOW {
  return show_bool(options.freeze_norms);
}
}
, {"skip_channels", "a whole number from 0 to 512; 0 is none",
   "lite: channels of the stride-4 and stride-8 skip connections", false, Stage::kFirst,
   SET{return store(result.options.network.skip_channels, value.integer(0, 512));
}
, SHOW {
  return show_count(options.network.skip_channels);
}
}
, {"validate_every", "a whole number above 0", "epochs between validations; the last is always validated",
   false, Stage::kSecond, SET{return store(result.options.validate_every, value.integer(1, 1'000'000));
}
, SHOW {
  return show_count(options.validate_every);
}
}
, {"resume_from_checkpoint", "True, False",
   "container: go on from the checkpoint of the same job; on the command line use --resume", false,
   Stage::kSecond, SET{return store(result.options.resume, value.boolean());
}
, SHOW {
  return show_bool(options.resume);
}
}
,
}
;
#undef SET
#undef SHOW

}  // namespace

std::span<const Row> rows() {
  return kRows;
}

const Row* find(std::string_view name) {
  for (const Row& row : kRows) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

}  // namespace terrapin::training::table
