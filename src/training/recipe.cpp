#include "training/recipe.h"

#include <array>
#include <cmath>

namespace terrapin::training {
namespace {

template <class T>
Status in_range(const char* name, T value, T low, T high) {
  if (value >= low && value <= high) return {};  // false for NaN
  return fail(ErrorCode::kInvalidArgument, "{} is {}: allowed are {} to {}", name, value, low, high);
}

constexpr std::array kOptimizerNames{"sgd", "nag", "adam", "adamw", "adagrad", "rmsprop", "adadelta"};
constexpr std::array kScheduleNames{"poly", "step", "cosine"};
constexpr std::array kLossNames{"ce", "ce_dice"};
constexpr std::array kWeightingNames{"none", "sqrt_inverse_frequency"};

// The enumerator's name; the names are in the enumeration's order.
std::string name_of(const auto& names, auto kind) {
  return names.at(static_cast<std::size_t>(kind));
}

// Every option that the trained weights depend on: visit(name, number, lowest, highest) where a range is
// allowed, visit(name, value) where any value is. Checks and the stored JSON both come from this list.
template <class Visit>
void visit_options(const TrainingOptions& options, Visit&& visit) {
  constexpr double kAny = 1e9;
  constexpr std::int64_t kSide = 1 << 16;
  constexpr int kMany = 1 << 16, kEpochs = 1 << 20;
  visit("backbone", options.network.backbone);
  visit("algorithm", options.network.algorithm);
  visit("num_classes", options.network.num_classes, 2, 254);
  visit("skip_channels", options.network.skip_channels);
  visit("auxiliary_head", options.network.auxiliary_head);
  visit("base_size", options.base_size, std::int64_t{17}, kSide);
  visit("crop_size", options.crop_size, std::int64_t{17}, kSide);
  visit("crop_offset", options.crop_offset, std::int64_t{-1}, std::int64_t{64});
  visit("batch_size", options.batch_size, 1, kMany);
  visit("epochs", options.epochs, 1, kEpochs);
  visit("crops_per_photo", options.crops_per_photo, 1, kMany);
  visit("validate_every", options.validate_every, 1, kEpochs);

  const OptimizerOptions& optimizer = options.optimizer;
  visit("optimizer", name_of(kOptimizerNames, optimizer.kind));
  visit("learning_rate", optimizer.learning_rate);  // above 0: checked apart
  visit("momentum", optimizer.momentum, 0.0, 1.0);
  visit("weight_decay", optimizer.weight_decay, 0.0, 1.0);
  visit("decay_norms", optimizer.decay_norms);
  visit("gamma1", optimizer.gamma1, 0.0, 1.0);
  visit("gamma2", optimizer.gamma2, 0.0, 1.0);
  visit("beta1", optimizer.beta1, 0.0, 0.999999);
  visit("beta2", optimizer.beta2, 0.0, 0.999999999);
  visit("encoder_rate_factor", optimizer.encoder_rate_factor, 0.0, 1000.0);
  visit("decoder_rate_factor", optimizer.decoder_rate_factor, 0.0, 1000.0);
  visit("clip_norm", optimizer.clip_norm, 0.0, kAny);

  const ScheduleOptions& schedule = options.schedule;
  visit("lr_scheduler", name_of(kScheduleNames, schedule.kind));
  visit("poly_power", schedule.poly_power, 0.0, 100.0);
  visit("lr_scheduler_factor", schedule.step_factor, 0.0, 1.0);
  visit("lr_scheduler_step", schedule.step_epochs);
  visit("warmup_epochs", schedule.warmup_epochs, 0.0, kAny);
  visit("warmup_start", schedule.warmup_start, 0.0, 1.0);
  visit("final_fraction", schedule.final_fraction, 0.0, 1.0);

  const LossOptions& loss = options.loss;
  visit("loss", name_of(kLossNames, loss.kind));
  visit("cross_entropy_weight", loss.cross_entropy_weight, 0.0, kAny);
  visit("dice_weight", loss.dice_weight, 0.0, kAny);
  visit("class_weighting", name_of(kWeightingNames, loss.class_weighting));
  visit("auxiliary_weight", loss.auxiliary_weight, 0.0, kAny);

  const AugmentOptions& augment = options.augment;
  visit("scale_low", augment.scale_low, 0.01, 100.0);
  visit("scale_high", augment.scale_high, augment.scale_low, 100.0);
  visit("mirror_probability", augment.mirror_probability, 0.0, 1.0);
  visit("foreground_probability", augment.foreground_probability, 0.0, 1.0);
  visit("brightness", augment.brightness, 0.0, 1.0);
  visit("contrast", augment.contrast, 0.0, 1.0);
  visit("saturation", augment.saturation, 0.0, 1.0);
  visit("color_balance", augment.color_balance, 0.0, 1.0);
  visit("color_probability", augment.color_probability, 0.0, 1.0);
  visit("blur_probability", augment.blur_probability, 0.0, 1.0);
  visit("noise_probability", augment.noise_probability, 0.0, 1.0);
  visit("noise_deviation", augment.noise_deviation, 0.0, 255.0);

  visit("early_stopping", options.early_stopping.enabled);
  visit("early_stopping_min_epochs", options.early_stopping.min_epochs, 0, kEpochs);
  visit("early_stopping_patience", options.early_stopping.patience, 1, kEpochs);
  visit("early_stopping_tolerance", options.early_stopping.tolerance, 0.0, 1.0);
  visit("ema_decay", options.ema_decay, 0.0, 0.999999);
  visit("freeze_norms", options.freeze_norms);
  visit("mixed_precision", options.mixed_precision);
  visit("seed", options.seed);
}

// Keeps the first refusal.
struct RangeCheck {
  Status status;

  template <class T>
  void operator()(const char* name, const T& value, const T& low, const T& high) {
    if (status) status = in_range(name, value, low, high);
  }
  void operator()(const char* /*name*/, const auto& /*value*/) {}
};

struct JsonWriter {
  nlohmann::json json = nlohmann::json::object();

  void operator()(const char* name, const auto& value, const auto&... /*range*/) { json[name] = value; }
};

// The numbers of an epoch's report and of its validation: visit(name, field).
void visit_training(auto& report, auto&& visit) {
  visit("epoch", report.epoch);
  visit("epochs", report.epochs);
  visit("loss", report.loss);
  visit("cross_entropy", report.cross_entropy);
  visit("dice", report.dice);
  visit("auxiliary", report.auxiliary);
  visit("learning_rate", report.learning_rate);
  visit("train_seconds", report.train_seconds);
  visit("train_images_per_second", report.train_images_per_second);
  visit("loading_wait_seconds", report.loading_wait_seconds);
  visit("elapsed_seconds", report.elapsed_seconds);
  visit("best", report.best);
}
void visit_validation(auto& report, auto&& visit) {
  visit("seconds", report.validation_seconds);
  visit("images_per_second", report.validation_images_per_second);
  visit("mean_iou", report.mean_iou);
  visit("pixel_accuracy", report.pixel_accuracy);
  visit("frequency_weighted_iou", report.frequency_weighted_iou);
}

}  // namespace

TrainingOptions terrapin_recipe(const artifacts::NetworkSpec& network) {
  TrainingOptions options;
  options.network = network;
  return options;
}

TrainingOptions aws_recipe(const artifacts::NetworkSpec& network) {
  TrainingOptions options;
  options.network = network;
  options.network.auxiliary_head = network.backbone.starts_with("resnet");
  options.optimizer.kind = OptimizerKind::kSgd;
  options.optimizer.learning_rate = 1e-3;
  options.optimizer.momentum = 0.9;
  options.optimizer.weight_decay = 1e-4;
  options.optimizer.decay_norms = true;
  options.optimizer.encoder_rate_factor = 1.0;
  options.optimizer.clip_norm = 0;
  options.schedule.kind = ScheduleKind::kPoly;
  options.schedule.warmup_epochs = 0;
  options.loss.kind = LossKind::kCrossEntropy;
  options.loss.auxiliary_weight = 0.5;
  options.augment.foreground_probability = 0;
  options.augment.brightness = options.augment.contrast = options.augment.saturation =
      options.augment.color_balance = 0;
  options.augment.color_probability = options.augment.blur_probability = options.augment.noise_probability =
      0;
  options.ema_decay = 0;
  options.weights = WeightSource::kPretrained;
  return options;
}

Status validate_options(const TrainingOptions& options) {
  const double rate = options.optimizer.learning_rate;
  if (!(rate > 0 && rate <= 1)) {
    return fail(ErrorCode::kInvalidArgument, "learning_rate is {}: allowed are numbers above 0 up to 1",
                rate);
  }
  RangeCheck check;
  visit_options(options, check);
  check("validation_batch_size", options.validation_batch_size, 1, 1 << 16);
  check("threads", options.threads, 0, 4096);
  check("loader_threads", options.loader_threads, 0, 4096);
  for (const int epoch : options.schedule.step_epochs) check("lr_scheduler_step", epoch, 1, 1 << 20);
  TERRAPIN_TRY_STATUS(check.status);
  if (options.schedule.kind == ScheduleKind::kStep && options.schedule.step_epochs.empty()) {
    return fail(ErrorCode::kInvalidArgument,
                "lr_scheduler_step is empty: schedule step needs epochs, such as \"10, 20\"");
  }
  const bool needs_path = options.weights == WeightSource::kFile || options.weights == WeightSource::kPackage;
  if (needs_path && options.weights_path.empty()) {
    return fail(ErrorCode::kInvalidArgument,
                "weights_path is empty: weights from a file or a package need one");
  }
  return {};
}

nlohmann::json to_json(const TrainingOptions& options) {
  JsonWriter writer;
  visit_options(options, writer);
  return std::move(writer.json);
}

nlohmann::json to_json(const EpochReport& report) {
  JsonWriter training;
  visit_training(report, training);
  if (!report.validated) return std::move(training.json);
  JsonWriter written;
  visit_validation(report, written);
  nlohmann::json& validation = written.json;
  nlohmann::json rows = nlohmann::json::array();
  for (int truth = 0; truth < report.confusion.class_count(); ++truth) {
    nlohmann::json row = nlohmann::json::array();
    for (int predicted = 0; predicted < report.confusion.class_count(); ++predicted) {
      row.push_back(report.confusion.count(truth, predicted));
    }
    rows.push_back(std::move(row));
  }
  validation["confusion"] = std::move(rows);
  nlohmann::json photos = nlohmann::json::array();
  for (const PhotoScore& photo : report.photos)
    photos.push_back({{"name", photo.name}, {"mean_iou", photo.mean_iou}});
  validation["photos"] = std::move(photos);
  training.json["validation"] = std::move(validation);
  return std::move(training.json);
}

Result<EpochReport> epoch_report_from_json(const nlohmann::json& json) {
  try {
    EpochReport report;
    const auto read_from = [](const nlohmann::json& object) {
      return [&object](const char* name, auto& field) { object.at(name).get_to(field); };
    };
    visit_training(report, read_from(json));
    if (!json.contains("validation")) return report;
    const nlohmann::json& validation = json.at("validation");
    report.validated = true;
    visit_validation(report, read_from(validation));
    const auto rows = validation.at("confusion").get<std::vector<std::vector<std::int64_t>>>();
    if (rows.empty() || rows.size() > 256)
      return fail(ErrorCode::kCorrupt, "confusion has {} rows: allowed are 1 to 256", rows.size());
    report.confusion = metrics::ConfusionMatrix(static_cast<int>(rows.size()));
    for (std::size_t truth = 0; truth < rows.size(); ++truth) {
      if (rows[truth].size() != rows.size())
        return fail(ErrorCode::kCorrupt, "confusion is not square in row {}", truth);
      for (std::size_t predicted = 0; predicted < rows.size(); ++predicted) {
        report.confusion.add_counts(static_cast<int>(truth), static_cast<int>(predicted),
                                    rows[truth][predicted]);
      }
    }
    for (const nlohmann::json& photo : validation.at("photos")) {
      report.photos.push_back({photo.at("name").get<std::string>(), photo.at("mean_iou").get<double>()});
    }
    return report;
  } catch (const nlohmann::json::exception& error) {
    return fail(ErrorCode::kCorrupt, "epoch report: {}", error.what());
  }
}

}  // namespace terrapin::training
