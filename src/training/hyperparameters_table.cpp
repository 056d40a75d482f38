#include "training/hyperparameters_table.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <type_traits>

namespace terrapin::training::table {
namespace {

using artifacts::NetworkSpec;
using Rows = std::vector<Row>;
using Options = TrainingOptions;

// What a value may be, in words and as a check: read() gives the value to store, show() turns it back.

struct Whole {
  std::string_view words;
  std::int64_t low, high = std::numeric_limits<std::int64_t>::max();

  Result<std::int64_t> read(const Value& value) const { return value.integer(low, high); }
  std::string show(auto number) const { return fmt::format("{}", number); }
};

struct Number {
  std::string_view words;
  Range range;

  Result<double> read(const Value& value) const { return value.number(range); }
  std::string show(double number) const { return fmt::format("{}", number); }
};

struct Switch {
  std::string_view words = "True, False";

  Result<bool> read(const Value& value) const { return value.boolean(); }
  std::string show(bool on) const { return on ? "True" : "False"; }
};

// One of `names`, stored as an enumerator: both are in the same order.
struct Choice {
  std::string_view words;
  std::span<const std::string_view> names;

  Result<std::size_t> read(const Value& value) const { return value.choice(names); }
  std::string show(auto kind) const { return std::string(names[static_cast<std::size_t>(kind)]); }
};

// One of `names`, stored as it is written there.
struct Word {
  std::string_view words;
  std::span<const std::string_view> names;

  Result<std::string_view> read(const Value& value) const {
    return value.choice(names).map([this](std::size_t index) { return names[index]; });
  }
  std::string show(const std::string& word) const { return word; }
};

// The field of `object` at the end of a path of member pointers.
template <class Object, class Member>
auto& field(Object& object, Member member) {
  return object.*member;
}
template <class Object, class Member, class... Path>
auto& field(Object& object, Member member, Path... path) {
  return field(object.*member, path...);
}

// A hyperparameter that is one field of TrainingOptions, no more.
template <class Allowed, class... Path>
Row row(std::string_view name, const Allowed& allowed, std::string_view meaning, Path... path) {
  const auto set = [=](const Value& value, Hyperparameters& result) -> Status {
    auto read = allowed.read(value);
    if (!read) return tl::unexpected<Error>(std::move(read.error()));
    auto& target = field(result.options, path...);
    target = static_cast<std::remove_reference_t<decltype(target)>>(*read);
    return {};
  };
  const auto show = [=](const Options& options) { return allowed.show(field(options, path...)); };
  return {name, allowed.words, meaning, set, show};
}

Row first_stage(Row row) {
  row.stage = Stage::kFirst;
  return row;
}

Row with_defaults(Row row, std::string_view aws, std::string_view terrapin) {
  row.aws_default = aws;
  row.terrapin_default = terrapin;
  return row;
}

// Hyperparameters that are more than one field.

Status set_use_pretrained_model(const Value& value, Hyperparameters& result) {
  auto pretrained = value.boolean();
  if (!pretrained) return tl::unexpected<Error>(pretrained.error());
  const bool shipped = result.options.network.backbone == "mobilenet-v2";
  const WeightSource source = shipped ? WeightSource::kStarter : WeightSource::kPretrained;
  result.options.weights = *pretrained ? source : WeightSource::kNone;
  return {};
}

std::string show_use_pretrained_model(const Options& options) {
  return Switch{}.show(options.weights != WeightSource::kNone);
}

constexpr std::int64_t kSmallestSide = 17;
constexpr std::int64_t kLargestSide = 65'536;  // a crop of more would not fit any memory

Status set_crop_size(const Value& value, Hyperparameters& result) {
  auto side = value.integer(kSmallestSide, kLargestSide);
  if (!side) return tl::unexpected<Error>(side.error());
  const std::int64_t rounded = (*side + 7) / 8 * 8;
  result.options.crop_size = rounded;
  if (rounded != *side) {
    result.notes.push_back(fmt::format("crop_size={} was rounded up to {}, a multiple of 8", *side, rounded));
  }
  return {};
}

std::string show_crop_size(const Options& options) {
  return fmt::format("{}", options.crop_size);
}

constexpr std::int64_t kMostEpochs = 1'000'000;

Status set_lr_scheduler_step(const Value& value, Hyperparameters& result) {
  auto steps = value.integers();
  if (!steps) return tl::unexpected<Error>(steps.error());
  std::int64_t previous = 0;
  result.options.schedule.step_epochs.clear();
  for (const std::int64_t epoch : *steps) {
    if (epoch <= previous || epoch > kMostEpochs) return tl::unexpected<Error>(value.error());
    result.options.schedule.step_epochs.push_back(static_cast<int>(epoch));
    previous = epoch;
  }
  return {};
}

std::string show_lr_scheduler_step(const Options& options) {
  return fmt::format("{}", fmt::join(options.schedule.step_epochs, ", "));
}

Status set_num_training_samples(const Value& value, Hyperparameters& result) {
  auto count = value.integer(1, 1'000'000'000);
  if (!count) return tl::unexpected<Error>(count.error());
  result.num_training_samples = *count;
  return {};
}

// Only checked here: the parser looks up by itself which recipe it is.
Status check_recipe(const Value& value, Hyperparameters& /*result*/) {
  return value.choice(kRecipes).map([](std::size_t) {});
}

// What several rows allow.

constexpr Switch kSwitch;
constexpr Number kZeroToOne{"a number from 0 to 1", {0, 1}};
constexpr Number kAboveZeroToOne{"a number above 0, at most 1", {0, 1, true}};
constexpr Number kAboveZeroBelowOne{"a number above 0, below 1", {0, 1, true, true}};
constexpr Whole kEpochs{"a whole number above 0", 1, kMostEpochs};
constexpr Whole kBatch{"a whole number above 0", 1, 65'536};

constexpr std::string_view kSchedules[] = {"poly", "step", "cosine"};
constexpr std::string_view kOptimizers[] = {"sgd", "nag", "adam", "adamw", "adagrad", "rmsprop", "adadelta"};
constexpr std::string_view kLosses[] = {"cross_entropy", "ce_dice"};
constexpr std::string_view kWeightings[] = {"none", "sqrt_inverse_frequency"};
constexpr std::string_view kDevices[] = {"auto", "cpu", "cuda"};

// The AWS algorithm's, in the order of AWS's own page.

Rows aws_network_rows() {
  return {
      first_stage(row("backbone", Word{"resnet-50, resnet-101, mobilenet-v2", kBackbones},
                      "the encoder; mobilenet-v2 (ours) is the one for CPUs", &Options::network,
                      &NetworkSpec::backbone)),
      {"use_pretrained_model", kSwitch.words, "start from pretrained weights; False is a random start",
       set_use_pretrained_model, show_use_pretrained_model},
      first_stage(row("algorithm", Word{"fcn, psp, deeplab; lite with mobilenet-v2", kAlgorithms},
                      "the decoder; lite is ours", &Options::network, &NetworkSpec::algorithm)),
  };
}

Rows aws_data_rows() {
  return {
      with_defaults(first_stage(row("num_classes", Whole{"a whole number, 2 to 254", 2, 254},
                                    "classes of the masks, background included", &Options::network,
                                    &NetworkSpec::num_classes)),
                    "required", "what the data says; required in a container"),
      with_defaults({"num_training_samples", "a whole number above 0",
                     "training photos; the photos found are counted and used", set_num_training_samples},
                    "required", "counted; required in a container"),
      row("base_size", Whole{"a whole number above 16", kSmallestSide, kLargestSide},
          "a photo's long side is scaled to base_size x U(0.5, 2.0) before the crop, and to base_size when "
          "predicting",
          &Options::base_size),
      {"crop_size", "a whole number above 16; rounded up to a multiple of 8",
       "side of the square training crops", set_crop_size, show_crop_size},
  };
}

Rows aws_learning_rate_rows() {
  return {
      row("epochs", kEpochs, "passes over the training photos", &Options::epochs),
      row("learning_rate", kAboveZeroToOne, "initial learning rate", &Options::optimizer,
          &OptimizerOptions::learning_rate),
      row("lr_scheduler", Choice{"poly, step, cosine", kSchedules}, "how the learning rate falls",
          &Options::schedule, &ScheduleOptions::kind),
      row("lr_scheduler_factor", kZeroToOne, "step: the rate is multiplied by it", &Options::schedule,
          &ScheduleOptions::step_factor),
      with_defaults(
          {"lr_scheduler_step", "epochs in rising order, such as \"10, 20\"",
           "step: after these epochs the rate falls", set_lr_scheduler_step, show_lr_scheduler_step},
          "required with step", "required with step"),
  };
}

Rows aws_optimizer_rows() {
  return {
      row("optimizer", Choice{"sgd, nag, adam, adamw, adagrad, rmsprop, adadelta", kOptimizers},
          "adamw and adadelta are not in AWS's table", &Options::optimizer, &OptimizerOptions::kind),
      row("momentum", kAboveZeroToOne, "sgd and nag", &Options::optimizer, &OptimizerOptions::momentum),
      row("weight_decay", kAboveZeroBelowOne, "sgd, nag and adamw; with adam only when given",
          &Options::optimizer, &OptimizerOptions::weight_decay),
      row("gamma1", kAboveZeroBelowOne, "rmsprop: decay of the average of squared gradients",
          &Options::optimizer, &OptimizerOptions::gamma1),
      row("gamma2", Number{"a number from 0, below 1", {0, 1, false, true}}, "rmsprop: momentum",
          &Options::optimizer, &OptimizerOptions::gamma2),
  };
}

Rows aws_batch_rows() {
  return {
      row("mini_batch_size", kBatch, "training crops a step, of all processes together",
          &Options::batch_size),
      row("validation_mini_batch_size", kBatch, "photos a step when validating; scores do not depend on it",
          &Options::validation_batch_size),
  };
}

Rows aws_early_stopping_rows() {
  return {
      row("early_stopping", kSwitch, "stop when the validation mIoU no longer rises",
          &Options::early_stopping, &EarlyStopping::enabled),
      row("early_stopping_min_epochs", Whole{"a whole number from 0", 0, kMostEpochs},
          "never stop before this many epochs", &Options::early_stopping, &EarlyStopping::min_epochs),
      row("early_stopping_patience", kEpochs, "epochs without a better mIoU before stopping",
          &Options::early_stopping, &EarlyStopping::patience),
      row("early_stopping_tolerance", kZeroToOne, "a gain in mIoU up to this does not count as better",
          &Options::early_stopping, &EarlyStopping::tolerance),
  };
}

Rows aws_process_rows() {
  return {
      row("syncbn", kSwitch,
          "several processes: batch norm learns from the whole batch; one process sees the whole batch "
          "anyway",
          &Options::syncbn),
  };
}

// Ours.

Rows recipe_rows() {
  return {
      with_defaults(
          first_stage(
              {"recipe", "terrapin, aws",
               "whose values fill what is not given: ours, made for small and unbalanced sets, or the AWS "
               "algorithm's",
               check_recipe}),
          "", "terrapin"),
  };
}

Rows machine_rows() {
  return {
      row("seed", Whole{"a whole number from 0", 0},
          "same seed, threads and machine type: same weights on a CPU", &Options::seed),
      row("threads", Whole{"a whole number from 0 to 1024; 0 is all cores", 0, 1024},
          "threads of the network's arithmetic, in each process", &Options::threads),
      row("device", Choice{"auto, cpu, cuda", kDevices}, "auto is CUDA where there is a device",
          &Options::device),
      row("mixed_precision", kSwitch, "half precision where it is safe; CUDA only",
          &Options::mixed_precision),
  };
}

Rows loss_rows() {
  return {
      row("loss", Choice{"cross_entropy, ce_dice", kLosses},
          "ce_dice adds the Dice loss, which does not drown rare classes", &Options::loss,
          &LossOptions::kind),
      row("class_weights", Choice{"none, sqrt_inverse_frequency", kWeightings},
          "weights of the classes in the cross-entropy", &Options::loss, &LossOptions::class_weighting),
  };
}

Rows step_rows() {
  return {
      row("encoder_learning_rate_factor", kZeroToOne, "learning rate of the pretrained part, as a factor",
          &Options::optimizer, &OptimizerOptions::encoder_rate_factor),
      row("warmup_epochs", Number{"a number from 0 to 1000", {0, 1000}},
          "the rate rises to its full value over this many epochs", &Options::schedule,
          &ScheduleOptions::warmup_epochs),
      row("gradient_clip_norm", Number{"a number from 0 to 1000000; 0 is off", {0, 1e6}},
          "gradients are scaled down to this length", &Options::optimizer, &OptimizerOptions::clip_norm),
      row("ema_decay", Number{"a number from 0, below 1; 0 is off", {0, 1, false, true}},
          "moving average of the weights, validated and packaged in their place", &Options::ema_decay),
  };
}

Rows crop_rows() {
  return {
      row("foreground_crop_probability", kZeroToOne,
          "share of the crops placed around a pixel of a class other than background", &Options::augment,
          &AugmentOptions::foreground_probability),
      row("crops_per_photo", Whole{"a whole number from 1 to 1000", 1, 1000},
          "crops taken from each photo in an epoch", &Options::crops_per_photo),
  };
}

Rows network_rows() {
  return {
      row("freeze_batch_norm", kSwitch, "batch norm keeps the statistics of the pretrained weights",
          &Options::freeze_norms),
      first_stage(row("skip_channels", Whole{"a whole number from 0 to 512; 0 is none", 0, 512},
                      "lite: channels of the stride-4 and stride-8 skip connections", &Options::network,
                      &NetworkSpec::skip_channels)),
  };
}

Rows session_rows() {
  return {
      row("validate_every", kEpochs, "epochs between validations; the last is always validated",
          &Options::validate_every),
      row("resume_from_checkpoint", kSwitch,
          "container: go on from the checkpoint of the same job; on the command line use --resume",
          &Options::resume),
  };
}

Rows all_rows() {
  Rows all;
  const auto add = [&all](bool from_aws, Rows group) {
    for (Row& row : group) row.from_aws = from_aws;
    std::move(group.begin(), group.end(), std::back_inserter(all));
  };
  for (const auto group : {aws_network_rows, aws_data_rows, aws_learning_rate_rows, aws_optimizer_rows,
                           aws_batch_rows, aws_early_stopping_rows, aws_process_rows}) {
    add(true, group());
  }
  for (const auto group :
       {recipe_rows, machine_rows, loss_rows, step_rows, crop_rows, network_rows, session_rows}) {
    add(false, group());
  }
  return all;
}

}  // namespace

// AWS's own, then ours.
std::span<const Row> rows() {
  static const Rows kRows = all_rows();
  return kRows;
}

const Row* find(std::string_view name) {
  for (const Row& row : rows()) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

}  // namespace terrapin::training::table
