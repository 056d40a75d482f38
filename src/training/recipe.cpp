#include "training/recipe.h"

#include <cmath>

namespace terrapin::training {
namespace {

template <class T>
Status in_range(const char* name, T value, T low, T high) {
  if (value >= low && value <= high) return {};  // false for NaN
  return fail(ErrorCode::kInvalidArgument, "{} is {}: allowed are {} to {}", name, value, low, high);
}

const char* name_of(OptimizerKind kind) {
  switch (kind) {
    case OptimizerKind::kSgd:
      return "sgd";
    case OptimizerKind::kNag:
      return "nag";
    case OptimizerKind::kAdam:
      return "adam";
    case OptimizerKind::kAdamW:
      return "adamw";
    case OptimizerKind::kAdagrad:
      return "adagrad";
    case OptimizerKind::kRmsprop:
      return "rmsprop";
    case OptimizerKind::kAdadelta:
      return "adadelta";
  }
  return "unknown";
}

const char* name_of(ScheduleKind kind) {
  switch (kind) {
    case ScheduleKind::kPoly:
      return "poly";
    case ScheduleKind::kStep:
      return "step";
    case ScheduleKind::kCosine:
      return "cosine";
  }
  return "unknown";
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
  constexpr double kAny = 1e9;
  constexpr std::int64_t kSide = 1 << 16;
  TERRAPIN_TRY_STATUS(in_range("num_classes", options.network.num_classes, 2, 254));
  TERRAPIN_TRY_STATUS(in_range<std::int64_t>("base_size", options.base_size, 17, kSide));
  TERRAPIN_TRY_STATUS(in_range<std::int64_t>("crop_size", options.crop_size, 17, kSide));
  TERRAPIN_TRY_STATUS(in_range<std::int64_t>("crop_offset", options.crop_offset, -1, 64));
  TERRAPIN_TRY_STATUS(in_range("batch_size", options.batch_size, 1, 1 << 16));
  TERRAPIN_TRY_STATUS(in_range("validation_batch_size", options.validation_batch_size, 1, 1 << 16));
  TERRAPIN_TRY_STATUS(in_range("epochs", options.epochs, 1, 1 << 20));
  TERRAPIN_TRY_STATUS(in_range("crops_per_photo", options.crops_per_photo, 1, 1 << 16));
  TERRAPIN_TRY_STATUS(in_range("validate_every", options.validate_every, 1, 1 << 20));

  const OptimizerOptions& optimizer = options.optimizer;
  if (!(optimizer.learning_rate > 0 && optimizer.learning_rate <= 1)) {
    return fail(ErrorCode::kInvalidArgument, "learning_rate is {}: allowed are numbers above 0 up to 1",
                optimizer.learning_rate);
  }
  TERRAPIN_TRY_STATUS(in_range("momentum", optimizer.momentum, 0.0, 1.0));
  TERRAPIN_TRY_STATUS(in_range("weight_decay", optimizer.weight_decay, 0.0, 1.0));
  TERRAPIN_TRY_STATUS(in_range("gamma1", optimizer.gamma1, 0.0, 1.0));
  TERRAPIN_TRY_STATUS(in_range("gamma2", optimizer.gamma2, 0.0, 1.0));
  TERRAPIN_TRY_STATUS(in_range("beta1", optimizer.beta1, 0.0, 0.999999));
  TERRAPIN_TRY_STATUS(in_range("beta2", optimizer.beta2, 0.0, 0.999999999));
  TERRAPIN_TRY_STATUS(in_range("encoder_rate_factor", optimizer.encoder_rate_factor, 0.0, 1000.0));
  TERRAPIN_TRY_STATUS(in_range("decoder_rate_factor", optimizer.decoder_rate_factor, 0.0, 1000.0));
  TERRAPIN_TRY_STATUS(in_range("clip_norm", optimizer.clip_norm, 0.0, kAny));

  const ScheduleOptions& schedule = options.schedule;
  TERRAPIN_TRY_STATUS(in_range("poly_power", schedule.poly_power, 0.0, 100.0));
  TERRAPIN_TRY_STATUS(in_range("lr_scheduler_factor", schedule.step_factor, 0.0, 1.0));
  TERRAPIN_TRY_STATUS(in_range("warmup_epochs", schedule.warmup_epochs, 0.0, kAny));
  TERRAPIN_TRY_STATUS(in_range("warmup_start", schedule.warmup_start, 0.0, 1.0));
  TERRAPIN_TRY_STATUS(in_range("final_fraction", schedule.final_fraction, 0.0, 1.0));
  if (schedule.kind == ScheduleKind::kStep && schedule.step_epochs.empty()) {
    return fail(ErrorCode::kInvalidArgument,
                "lr_scheduler_step is empty: schedule step needs epochs, such as \"10, 20\"");
  }
  for (const int epoch : schedule.step_epochs) {
    TERRAPIN_TRY_STATUS(in_range("lr_scheduler_step", epoch, 1, 1 << 20));
  }

  TERRAPIN_TRY_STATUS(in_range("cross_entropy_weight", options.loss.cross_entropy_weight, 0.0, kAny));
  TERRAPIN_TRY_STATUS(in_range("dice_weight", options.loss.dice_weight, 0.0, kAny));
  TERRAPIN_TRY_STATUS(in_range("auxiliary_weight", options.loss.auxiliary_weight, 0.0, kAny));

  const AugmentOptions& augment = options.augment;
  TERRAPIN_TRY_STATUS(in_range("scale_low", augment.scale_low, 0.01, 100.0));
  TERRAPIN_TRY_STATUS(in_range("scale_high", augment.scale_high, augment.scale_low, 100.0));
  TERRAPIN_TRY_STATUS(in_range("mirror_probability", augment.mirror_probability, 0.0, 1.0));
  TERRAPIN_TRY_STATUS(in_range("foreground_probability", augment.foreground_probability, 0.0, 1.0));
  TERRAPIN_TRY_STATUS(in_range("brightness", augment.brightness, 0.0, 1.0));
  TERRAPIN_TRY_STATUS(in_range("contrast", augment.contrast, 0.0, 1.0));
  TERRAPIN_TRY_STATUS(in_range("saturation", augment.saturation, 0.0, 1.0));
  TERRAPIN_TRY_STATUS(in_range("color_balance", augment.color_balance, 0.0, 1.0));
  TERRAPIN_TRY_STATUS(in_range("color_probability", augment.color_probability, 0.0, 1.0));
  TERRAPIN_TRY_STATUS(in_range("blur_probability", augment.blur_probability, 0.0, 1.0));
  TERRAPIN_TRY_STATUS(in_range("noise_probability", augment.noise_probability, 0.0, 1.0));
  TERRAPIN_TRY_STATUS(in_range("noise_deviation", augment.noise_deviation, 0.0, 255.0));

  TERRAPIN_TRY_STATUS(in_range("early_stopping_min_epochs", options.early_stopping.min_epochs, 0, 1 << 20));
  TERRAPIN_TRY_STATUS(in_range("early_stopping_patience", options.early_stopping.patience, 1, 1 << 20));
  TERRAPIN_TRY_STATUS(in_range("early_stopping_tolerance", options.early_stopping.tolerance, 0.0, 1.0));
  TERRAPIN_TRY_STATUS(in_range("ema_decay", options.ema_decay, 0.0, 0.999999));
  TERRAPIN_TRY_STATUS(in_range("threads", options.threads, 0, 4096));
  TERRAPIN_TRY_STATUS(in_range("loader_threads", options.loader_threads, 0, 4096));
  const bool needs_path = options.weights == WeightSource::kFile || options.weights == WeightSource::kPackage;
  if (needs_path && options.weights_path.empty()) {
    return fail(ErrorCode::kInvalidArgument,
                "weights_path is empty: weights from a file or a package need one");
  }
  return {};
}

nlohmann::json to_json(const TrainingOptions& options) {
  const OptimizerOptions& optimizer = options.optimizer;
  const ScheduleOptions& schedule = options.schedule;
  const AugmentOptions& augment = options.augment;
  nlohmann::json json;
  json["backbone"] = options.network.backbone;
  json["algorithm"] = options.network.algorithm;
  json["num_classes"] = options.network.num_classes;
  json["skip_channels"] = options.network.skip_channels;
  json["auxiliary_head"] = options.network.auxiliary_head;
  json["base_size"] = options.base_size;
  json["crop_size"] = options.crop_size;
  json["crop_offset"] = options.crop_offset;
  json["batch_size"] = options.batch_size;
  json["epochs"] = options.epochs;
  json["crops_per_photo"] = options.crops_per_photo;
  json["validate_every"] = options.validate_every;
  json["optimizer"] = name_of(optimizer.kind);
  json["learning_rate"] = optimizer.learning_rate;
  json["momentum"] = optimizer.momentum;
  json["weight_decay"] = optimizer.weight_decay;
  json["decay_norms"] = optimizer.decay_norms;
  json["gamma1"] = optimizer.gamma1;
  json["gamma2"] = optimizer.gamma2;
  json["beta1"] = optimizer.beta1;
  json["beta2"] = optimizer.beta2;
  json["encoder_rate_factor"] = optimizer.encoder_rate_factor;
  json["decoder_rate_factor"] = optimizer.decoder_rate_factor;
  json["clip_norm"] = optimizer.clip_norm;
  json["lr_scheduler"] = name_of(schedule.kind);
  json["poly_power"] = schedule.poly_power;
  json["lr_scheduler_factor"] = schedule.step_factor;
  json["lr_scheduler_step"] = schedule.step_epochs;
  json["warmup_epochs"] = schedule.warmup_epochs;
  json["warmup_start"] = schedule.warmup_start;
  json["final_fraction"] = schedule.final_fraction;
  json["loss"] = options.loss.kind == LossKind::kCrossEntropyDice ? "ce_dice" : "ce";
  json["cross_entropy_weight"] = options.loss.cross_entropy_weight;
  json["dice_weight"] = options.loss.dice_weight;
  json["class_weighting"] = options.loss.class_weighting == ClassWeighting::kSqrtInverseFrequency
                                ? "sqrt_inverse_frequency"
                                : "none";
  json["auxiliary_weight"] = options.loss.auxiliary_weight;
  json["scale_low"] = augment.scale_low;
  json["scale_high"] = augment.scale_high;
  json["mirror_probability"] = augment.mirror_probability;
  json["foreground_probability"] = augment.foreground_probability;
  json["brightness"] = augment.brightness;
  json["contrast"] = augment.contrast;
  json["saturation"] = augment.saturation;
  json["color_balance"] = augment.color_balance;
  json["color_probability"] = augment.color_probability;
  json["blur_probability"] = augment.blur_probability;
  json["noise_probability"] = augment.noise_probability;
  json["noise_deviation"] = augment.noise_deviation;
  json["early_stopping"] = options.early_stopping.enabled;
  json["early_stopping_min_epochs"] = options.early_stopping.min_epochs;
  json["early_stopping_patience"] = options.early_stopping.patience;
  json["early_stopping_tolerance"] = options.early_stopping.tolerance;
  json["ema_decay"] = options.ema_decay;
  json["freeze_norms"] = options.freeze_norms;
  json["mixed_precision"] = options.mixed_precision;
  json["seed"] = options.seed;
  return json;
}

nlohmann::json to_json(const EpochReport& report) {
  nlohmann::json json;
  json["epoch"] = report.epoch;
  json["epochs"] = report.epochs;
  json["loss"] = report.loss;
  json["cross_entropy"] = report.cross_entropy;
  json["dice"] = report.dice;
  json["auxiliary"] = report.auxiliary;
  json["learning_rate"] = report.learning_rate;
  json["train_seconds"] = report.train_seconds;
  json["train_images_per_second"] = report.train_images_per_second;
  json["loading_wait_seconds"] = report.loading_wait_seconds;
  json["elapsed_seconds"] = report.elapsed_seconds;
  json["best"] = report.best;
  if (!report.validated) return json;
  nlohmann::json validation;
  validation["seconds"] = report.validation_seconds;
  validation["images_per_second"] = report.validation_images_per_second;
  validation["mean_iou"] = report.mean_iou;
  validation["pixel_accuracy"] = report.pixel_accuracy;
  validation["frequency_weighted_iou"] = report.frequency_weighted_iou;
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
  json["validation"] = std::move(validation);
  return json;
}

Result<EpochReport> epoch_report_from_json(const nlohmann::json& json) {
  try {
    EpochReport report;
    json.at("epoch").get_to(report.epoch);
    json.at("epochs").get_to(report.epochs);
    json.at("loss").get_to(report.loss);
    json.at("cross_entropy").get_to(report.cross_entropy);
    json.at("dice").get_to(report.dice);
    json.at("auxiliary").get_to(report.auxiliary);
    json.at("learning_rate").get_to(report.learning_rate);
    json.at("train_seconds").get_to(report.train_seconds);
    json.at("train_images_per_second").get_to(report.train_images_per_second);
    json.at("loading_wait_seconds").get_to(report.loading_wait_seconds);
    json.at("elapsed_seconds").get_to(report.elapsed_seconds);
    json.at("best").get_to(report.best);
    if (!json.contains("validation")) return report;
    const nlohmann::json& validation = json.at("validation");
    report.validated = true;
    validation.at("seconds").get_to(report.validation_seconds);
    validation.at("images_per_second").get_to(report.validation_images_per_second);
    validation.at("mean_iou").get_to(report.mean_iou);
    validation.at("pixel_accuracy").get_to(report.pixel_accuracy);
    validation.at("frequency_weighted_iou").get_to(report.frequency_weighted_iou);
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
