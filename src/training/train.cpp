// The training run: check, start or resume, epochs, package.
#include <algorithm>
#include <chrono>

#include "artifacts/model_package.h"
#include "base/digest.h"
#include "base/interrupt.h"
#include "base/json_text.h"
#include "base/parallel.h"
#include "training/checkpoint.h"
#include "training/distributed/process_group.h"
#include "training/initial_weights.h"
#include "training/loader.h"
#include "training/model_state.h"
#include "training/package.h"
#include "training/recipe.h"
#include "training/run_device.h"
#include "training/validation.h"

namespace terrapin::training {
namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::uint64_t step_seed(std::uint64_t seed, int epoch, std::int64_t step) {
  return random_for(seed, static_cast<std::uint64_t>(epoch),
                    (std::uint64_t{1} << 61) + static_cast<std::uint64_t>(step))
      .next_u64();
}

// Names, classes and label counts: a resumed training must see the same data.
std::string digest_of(const TrainingData& data, const DataSummary& summary) {
  std::string text = json_text(to_json(data.classes));
  for (const auto* index : {&data.train, &data.validation}) {
    for (const artifacts::Sample& sample : index->samples) text += sample.name + '\n';
    text += '\n';
  }
  for (const auto* pixels : {&summary.train_pixels, &summary.validation_pixels}) {
    for (const std::int64_t count : *pixels) text += std::to_string(count) + ' ';
  }
  return sha256_hex({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

bool should_stop_early(const EarlyStopping& rule, const std::vector<EpochReport>& history) {
  if (!rule.enabled) return false;
  double best = -1;
  int best_epoch = 0, last = 0;
  for (const EpochReport& report : history) {
    if (!report.validated) continue;
    last = report.epoch;
    if (report.mean_iou > best + rule.tolerance) best = report.mean_iou, best_epoch = report.epoch;
  }
  return last >= rule.min_epochs && last - best_epoch >= rule.patience;
}

class Training {
 public:
  Training(const TrainingOptions& options, const TrainingData& data, TrainingObserver& observer,
           std::shared_ptr<ProcessGroup> processes)
      : options_(options),
        data_(data),
        observer_(observer),
        processes_(std::move(processes)),
        part_(BatchPart::of(processes_, options.batch_size)) {}

  Result<TrainingOutcome> run() {
    TERRAPIN_TRY_STATUS(agree(prepare()));
    TERRAPIN_TRY_STATUS(start_together());
    TERRAPIN_TRY_STATUS(resume());
    observer_.on_start(loader_->steps_per_epoch(), finished_epochs_, history_);
    bool stopped_early = should_stop_early(options_.early_stopping, history_);
    while (finished_epochs_ < options_.epochs && !stopped_early) {
      TERRAPIN_TRY_STATUS(run_epoch());
      stopped_early =
          finished_epochs_ < options_.epochs && should_stop_early(options_.early_stopping, history_);
    }
    TERRAPIN_TRY(TrainingOutcome outcome, package());
    outcome.stopped_early = stopped_early;
    return outcome;
  }

 private:
  void info(const std::string& text) { observer_.on_message(MessageLevel::kInfo, text); }
  std::function<void(std::int64_t, std::int64_t)> progress(std::string stage) {
    return [this, stage = std::move(stage)](std::int64_t done, std::int64_t total) {
      observer_.on_progress(stage, done, total);
    };
  }
  double elapsed() const { return elapsed_before_ + seconds_since(started_); }
  int rank() const { return processes_ ? processes_->rank() : 0; }
  int size() const { return processes_ ? processes_->size() : 1; }
  // All processes go on, or none does.
  Status agree(const Status& own) { return processes_ ? processes_->agree(own) : own; }

  Status prepare();
  Status check_data(const artifacts::Preprocessing& preprocessing);
  void start_from_batch(networks::SegmentationNetwork& network);
  Status start_together();
  Result<std::optional<Checkpoint>> find_checkpoint();
  Status resume();
  Status save_checkpoint(const EpochSums& sums);
  Status run_epoch();
  Result<EpochSums> train_steps(EpochSums sums, double& rate);
  Result<ValidationScores> validate_together(int epoch);
  Status validate_epoch(EpochReport& report);
  Result<TrainingOutcome> package();
  // The first `count` crops of an epoch, as tensors that share the batch's memory.
  std::pair<torch::Tensor, torch::Tensor> tensors_of(Batch& batch) const;

  const TrainingOptions& options_;
  const TrainingData& data_;
  TrainingObserver& observer_;
  const std::shared_ptr<ProcessGroup> processes_;  // null: alone
  const BatchPart part_;
  const Clock::time_point started_ = Clock::now();

  torch::Device device_{torch::kCPU};
  artifacts::Preprocessing preprocessing_;
  LoaderOptions loader_options_;
  std::shared_ptr<const LabeledPhotos> train_photos_, validation_photos_;
  DataSummary summary_;
  std::unique_ptr<Loader> loader_;
  std::unique_ptr<ModelState> model_;
  nlohmann::json run_;

  int finished_epochs_ = 0;
  EpochSums resumed_sums_;
  double elapsed_before_ = 0;
  std::vector<EpochReport> history_;
  EpochReport best_;
  artifacts::TensorFile best_weights_;
};

Status Training::prepare() {
  TERRAPIN_TRY_STATUS(validate_options(options_));
  if (data_.classes.size() != options_.network.num_classes) {
    return fail(ErrorCode::kInvalidArgument,
                "the class list names {} classes, num_classes is {}: they must agree", data_.classes.size(),
                options_.network.num_classes);
  }
  if (options_.batch_size < size()) {
    return fail(ErrorCode::kInvalidArgument,
                "batch_size is {} for {} processes: each needs one crop at least", options_.batch_size,
                size());
  }
  TERRAPIN_TRY(device_, choose_device(options_.device, processes_ ? processes_->place().local_rank : -1));
  int cores = std::max(1, available_cores() / (processes_ ? processes_->place().local_size : 1));
  if (const int told = threads_told(environment()); told > 0) cores = std::min(cores, told);
  const int threads = options_.threads > 0 ? options_.threads : cores;
  torch::set_num_threads(threads);
  if (device_.is_cpu()) keep_freed_memory();

  torch::manual_seed(options_.seed);
  TERRAPIN_TRY(auto network, networks::build_network(options_.network));
  preprocessing_ = network->preprocessing();
  preprocessing_.long_side = options_.base_size;
  TERRAPIN_TRY_STATUS(
      load_initial_weights(*network, options_, [this](const std::string& text) { info(text); }));
  TERRAPIN_TRY_STATUS(check_data(preprocessing_));
  if (options_.weights == WeightSource::kNone) start_from_batch(*network);

  LossSpec loss;
  loss.cross_entropy_weight = options_.loss.cross_entropy_weight;
  loss.dice_weight = options_.loss.kind == LossKind::kCrossEntropyDice ? options_.loss.dice_weight : 0;
  if (options_.loss.class_weighting == ClassWeighting::kSqrtInverseFrequency) {
    loss.class_weights = sqrt_inverse_frequency(
        std::span(summary_.train_pixels).first(static_cast<std::size_t>(options_.network.num_classes)));
  }
  TERRAPIN_TRY(auto average, networks::build_network(options_.network));
  model_ = std::make_unique<ModelState>(std::move(network), std::move(average), options_, std::move(loss),
                                        device_, part_);

  int loader_threads = options_.loader_threads;
  if (loader_threads == 0)
    loader_threads = device_.is_cpu() ? std::max(1, threads / 4) : std::clamp(cores - 1, 1, 16);
  loader_ = std::make_unique<Loader>(train_photos_, summary_.foreground, loader_options_, loader_threads);
  run_ = to_json(options_);
  run_["data"] = digest_of(data_, summary_);
  return {};
}

Status Training::check_data(const artifacts::Preprocessing& preprocessing) {
  loader_options_.augment = options_.augment;
  loader_options_.base_size = options_.base_size;
  const std::int64_t offset = options_.crop_offset >= 0 ? options_.crop_offset : preprocessing.size_offset;
  loader_options_.crop_side = (options_.crop_size + 7) / 8 * 8 + offset;
  loader_options_.batch_size = options_.batch_size;
  loader_options_.part_first = part_.first;
  loader_options_.part_count = part_.count;
  loader_options_.crops_per_photo = options_.crops_per_photo;
  loader_options_.seed = options_.seed;
  loader_options_.normalization = Normalization::from(preprocessing);

  const std::int64_t budget = options_.cache_bytes >= 0 ? options_.cache_bytes : default_cache_bytes();
  const auto largest_scale = static_cast<std::int64_t>(
      std::ceil(static_cast<double>(options_.base_size) * options_.augment.scale_high));
  train_photos_ =
      cached_photos(read_photos(data_.train, options_.network.num_classes, largest_scale), budget / 4 * 3);
  validation_photos_ = cached_photos(read_photos(data_.validation, options_.network.num_classes), budget / 4);
  TERRAPIN_TRY(summary_, check_samples(*train_photos_, *validation_photos_, available_cores(),
                                       progress("reading photos and masks")));
  for (int c = 0; c < options_.network.num_classes; ++c) {
    if (summary_.train_pixels[static_cast<std::size_t>(c)] > 0) continue;
    observer_.on_message(MessageLevel::kWarning,
                         fmt::format("class {} ({}) has no pixel in the training masks", c,
                                     data_.classes.classes[static_cast<std::size_t>(c)].name));
  }
  return {};
}

std::pair<torch::Tensor, torch::Tensor> Training::tensors_of(Batch& batch) const {
  const torch::Tensor pixels =
      torch::from_blob(batch.pixels.data(), {batch.count, batch.side, batch.side, 3}, torch::kFloat)
          .permute({0, 3, 1, 2});
  const torch::Tensor labels =
      torch::from_blob(batch.labels.data(), {batch.count, batch.side, batch.side}, torch::kByte);
  return {pixels, labels};
}

void Training::start_from_batch(networks::SegmentationNetwork& network) {
  Batch batch;
  batch.count = 8;
  batch.side = loader_options_.crop_side;
  const std::int64_t area = batch.side * batch.side;
  batch.pixels.resize(static_cast<std::size_t>(batch.count * area * 3));
  batch.labels.resize(static_cast<std::size_t>(batch.count * area));
  for (std::int64_t i = 0; i < batch.count; ++i) {
    // A photo that fails here fails in the first epoch too, with its message.
    (void)load_crop(*train_photos_, summary_.foreground, loader_options_, 0, i, i % train_photos_->size(),
                    batch.pixels.data() + i * area * 3, batch.labels.data() + i * area);
  }
  networks::initialize_from_batch(network, tensors_of(batch).first);
}

// Weights and data are the same everywhere, or it is said which are not.
Status Training::start_together() {
  if (!processes_) return {};
  TERRAPIN_TRY(const std::string first, processes_->broadcast_text(json_text(run_)));
  const nlohmann::json wanted = nlohmann::json::parse(first, nullptr, false);
  Status same;
  for (const auto& [key, value] : wanted.items()) {
    if (run_.value(key, nlohmann::json()) == value) continue;
    same = fail(ErrorCode::kInvalidArgument,
                "{} is {} in process 0 and {} in process {}: all processes need the same photos and "
                "hyperparameters (S3DataDistributionType FullyReplicated)",
                key == "data" ? "the digest of the data" : key, json_text(value),
                json_text(run_.value(key, nlohmann::json())), rank());
    break;
  }
  TERRAPIN_TRY_STATUS(agree(same));
  TERRAPIN_TRY_STATUS(model_->share_start());
  info(fmt::format("{} processes train together, {} to {} crops of a batch each{}", size(),
                   options_.batch_size / size(), (options_.batch_size + size() - 1) / size(),
                   options_.syncbn ? ", batch norm over all of them" : ""));
  return {};
}

// Rank 0's: the folder may be on its machine only.
Result<std::optional<Checkpoint>> Training::find_checkpoint() {
  if (!processes_) return read_checkpoint(options_.checkpoint_folder);
  const std::filesystem::path path = checkpoint_path(options_.checkpoint_folder);
  Status read;
  std::string bytes;
  std::error_code ignored;
  if (rank() == 0 && std::filesystem::exists(path, ignored)) {
    auto text = read_text_file(path, std::int64_t{1} << 40);
    if (text) {
      bytes = std::move(*text);
    } else {
      read = tl::unexpected<Error>(std::move(text.error()));
    }
  }
  TERRAPIN_TRY_STATUS(agree(read));
  TERRAPIN_TRY(bytes, processes_->broadcast_text(bytes));
  if (bytes.empty()) return std::nullopt;
  TERRAPIN_TRY(Checkpoint checkpoint,
               parse_checkpoint({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, path));
  return checkpoint;
}

Status Training::resume() {
  if (options_.checkpoint_folder.empty() || !options_.resume) return {};
  TERRAPIN_TRY(std::optional<Checkpoint> checkpoint, find_checkpoint());
  if (!checkpoint) return {};
  const std::filesystem::path path = checkpoint_path(options_.checkpoint_folder);
  TERRAPIN_TRY_STATUS(same_run(checkpoint->run, run_, path));
  const Status restored = model_->restore(checkpoint->tensors);
  if (!restored) return with_context(restored.error(), path.string());
  model_->restore_scaler(checkpoint->gradient_scale, checkpoint->good_steps);
  finished_epochs_ = checkpoint->finished_epochs;
  resumed_sums_ = checkpoint->sums;
  elapsed_before_ = checkpoint->elapsed_seconds;
  history_ = std::move(checkpoint->history);
  for (const EpochReport& report : history_) {
    if (report.best) best_ = report;
  }
  best_weights_ = with_prefix_removed(checkpoint->tensors, "best.");
  if (best_.epoch > 0 && best_weights_.tensors.empty()) {
    best_weights_ =
        with_prefix_removed(checkpoint->tensors, options_.ema_decay > 0 ? "average." : "weights.");
  }
  info(fmt::format(
      "resuming from {}: {} of {} epochs are done{}", path.string(), finished_epochs_, options_.epochs,
      resumed_sums_.steps > 0 ? fmt::format(" and {} steps of the next", resumed_sums_.steps) : ""));
  return {};
}

Status Training::save_checkpoint(const EpochSums& sums) {
  if (options_.checkpoint_folder.empty()) return {};
  if (rank() != 0) return agree({});
  Checkpoint checkpoint;
  checkpoint.run = run_;
  checkpoint.finished_epochs = finished_epochs_;
  checkpoint.sums = sums;
  checkpoint.history = history_;
  checkpoint.elapsed_seconds = elapsed();
  checkpoint.gradient_scale = model_->scaler().scale();
  checkpoint.good_steps = model_->scaler().good_steps();
  model_->save(checkpoint.tensors);
  // Right after the best epoch its weights are those just stored.
  const bool stored_already = sums.steps == 0 && best_.epoch == finished_epochs_;
  if (best_.epoch > 0 && !stored_already) add_with_prefix(checkpoint.tensors, best_weights_, "best.");
  return agree(write_checkpoint(options_.checkpoint_folder, checkpoint));
}

Result<EpochSums> Training::train_steps(EpochSums sums, double& rate) {
  const int epoch = finished_epochs_ + 1;
  const std::int64_t steps = loader_->steps_per_epoch();
  const Clock::time_point begun = Clock::now();
  const double seconds_before = sums.seconds;
  const std::int64_t first_step = sums.steps;
  const auto rate_of = [&](std::int64_t step) {
    return scheduled_rate(options_.schedule, options_.optimizer.learning_rate, (epoch - 1) * steps + step,
                          steps, options_.epochs * steps);
  };
  rate = rate_of(steps - 1);
  loader_->start(epoch, first_step);
  for (std::int64_t step = first_step; step < steps; ++step) {
    const Clock::time_point waiting = Clock::now();
    auto loaded = loader_->next();
    if (!processes_ && !loaded) return tl::unexpected<Error>(std::move(loaded.error()));
    std::unique_ptr<Batch> batch = loaded ? std::move(*loaded) : nullptr;
    sums.wait_seconds += seconds_since(waiting);

    rate = rate_of(step);
    torch::manual_seed(
        step_seed(options_.seed, epoch, step));  // dropout: a step's draws depend on nothing before it
    StepLosses losses;
    losses.aborted = interrupted();
    if (processes_) {
      Status ready;
      if (losses.aborted) ready = fail(ErrorCode::kCancelled, "stopped");
      if (!loaded) ready = tl::unexpected<Error>(loaded.error());
      const Status all = agree(ready);
      if (!all && all.error().code != ErrorCode::kCancelled) return tl::unexpected<Error>(all.error());
      losses.aborted = !all;
    }
    if (!losses.aborted) {
      const auto [pixels, labels] = tensors_of(*batch);
      auto result = model_->step(pixels, labels, rate);
      if (!result) return with_context(result.error(), fmt::format("epoch {}, step {}", epoch, step + 1));
      losses = *result;
    }
    sums.seconds = seconds_before + seconds_since(begun);
    if (losses.aborted) {
      TERRAPIN_TRY_STATUS(save_checkpoint(sums));
      return fail(ErrorCode::kCancelled, "stopped in epoch {} after {} of {} steps{}", epoch, step, steps,
                  options_.checkpoint_folder.empty() ? "" : "; the same command goes on from here");
    }
    loader_->recycle(std::move(batch));

    ++sums.steps;
    sums.loss += losses.total;
    sums.cross_entropy += losses.cross_entropy;
    sums.dice += losses.dice;
    sums.auxiliary += losses.auxiliary;
    StepReport report;
    report.epoch = epoch;
    report.epochs = options_.epochs;
    report.step = step + 1;
    report.steps = steps;
    report.loss = losses.total;
    report.mean_loss = sums.loss / static_cast<double>(sums.steps);
    report.learning_rate = rate;
    report.images_per_second =
        static_cast<double>((step + 1 - first_step) * options_.batch_size) / seconds_since(begun);
    observer_.on_step(report);
  }
  return sums;
}

// Each process scores every size()-th photo.
Result<ValidationScores> Training::validate_together(int epoch) {
  auto own = validate(model_->evaluated(), preprocessing_, *validation_photos_, options_.network.num_classes,
                      device_, options_.validation_batch_size, progress("validating"), rank(), size(),
                      [&](std::int64_t index, const artifacts::LabeledPhoto& photo,
                          const imaging::Mask& mask) { observer_.on_prediction(epoch, index, photo, mask); });
  if (!processes_) return own;
  TERRAPIN_TRY_STATUS(agree(own ? Status() : tl::unexpected<Error>(own.error())));
  const int classes = options_.network.num_classes;
  torch::Tensor counts = torch::zeros({classes, classes}, torch::kLong);
  torch::Tensor ious = torch::zeros({validation_photos_->size()}, torch::kDouble);
  auto count = counts.accessor<std::int64_t, 2>();
  auto iou = ious.accessor<double, 1>();
  for (int truth = 0; truth < classes; ++truth) {
    for (int predicted = 0; predicted < classes; ++predicted)
      count[truth][predicted] = own->confusion.count(truth, predicted);
  }
  for (std::size_t i = 0; i < own->photos.size(); ++i)
    iou[rank() + static_cast<std::int64_t>(i) * size()] = own->photos[i].mean_iou;
  processes_->sum(counts);
  processes_->sum(ious);
  TERRAPIN_TRY_STATUS(processes_->status());
  ValidationScores all;
  all.seconds = own->seconds;
  all.confusion = metrics::ConfusionMatrix(classes);
  for (int truth = 0; truth < classes; ++truth) {
    for (int predicted = 0; predicted < classes; ++predicted)
      all.confusion.add_counts(truth, predicted, count[truth][predicted]);
  }
  for (std::int64_t i = 0; i < validation_photos_->size(); ++i)
    all.photos.push_back({validation_photos_->name(i), iou[i]});
  return all;
}

Status Training::validate_epoch(EpochReport& report) {
  TERRAPIN_TRY(ValidationScores scores, validate_together(report.epoch));
  report.validated = true;
  report.validation_seconds = scores.seconds;
  report.validation_images_per_second =
      static_cast<double>(scores.photos.size()) / std::max(1e-9, scores.seconds);
  report.mean_iou = scores.confusion.mean_iou();
  report.pixel_accuracy = scores.confusion.pixel_accuracy();
  report.frequency_weighted_iou = scores.confusion.frequency_weighted_iou();
  report.confusion = std::move(scores.confusion);
  report.photos = std::move(scores.photos);
  report.best = best_.epoch == 0 || report.mean_iou > best_.mean_iou;
  return {};
}

Status Training::run_epoch() {
  EpochReport report;
  report.epoch = finished_epochs_ + 1;
  report.epochs = options_.epochs;
  const EpochSums begun = std::exchange(resumed_sums_, {});
  TERRAPIN_TRY(const EpochSums sums, train_steps(begun, report.learning_rate));
  const auto steps = static_cast<double>(std::max<std::int64_t>(1, sums.steps));
  report.loss = sums.loss / steps;
  report.cross_entropy = sums.cross_entropy / steps;
  report.dice = sums.dice / steps;
  report.auxiliary = sums.auxiliary / steps;
  report.train_seconds = sums.seconds;
  report.loading_wait_seconds = sums.wait_seconds;
  report.train_images_per_second = steps * options_.batch_size / std::max(1e-9, sums.seconds);

  if (report.epoch % options_.validate_every == 0 || report.epoch == options_.epochs) {
    const Status validated = validate_epoch(report);
    if (!validated) {
      // All steps of this epoch are done: a resumed run goes straight to its validation.
      if (validated.error().code == ErrorCode::kCancelled) {
        TERRAPIN_TRY_STATUS(save_checkpoint(sums));
      }
      return validated;
    }
  }
  ++finished_epochs_;
  report.elapsed_seconds = elapsed();
  if (report.best) {
    best_ = report;
    best_weights_ = networks::save_weights(model_->evaluated());
    for (EpochReport& earlier : history_) earlier.photos.clear();  // only the best epoch's are shown
  }
  observer_.on_epoch(report);
  if (!report.best) report.photos.clear();
  history_.push_back(std::move(report));
  return save_checkpoint({});
}

Result<TrainingOutcome> Training::package() {
  TrainingOutcome outcome;
  outcome.finished_epochs = finished_epochs_;
  outcome.best_epoch = best_.epoch;
  outcome.best = best_;
  outcome.history = history_;

  outcome.seconds = elapsed();

  PackageFacts facts{run_, best_, finished_epochs_, outcome.seconds};
  facts.run["train_samples"] = data_.train.samples.size();
  facts.run["validation_samples"] = data_.validation.samples.size();
  if (processes_) facts.run["processes"] = size();
  facts.run["device"] = device_.str();
  facts.run["threads"] = torch::get_num_threads();
  TERRAPIN_TRY(outcome.package, assemble_package(options_, data_.classes, facts, best_weights_));
  if (!options_.package_path.empty() && rank() == 0) {
    TERRAPIN_TRY_STATUS(artifacts::write_model_package(options_.package_path, outcome.package));
    outcome.package_path = options_.package_path;
  }
  return outcome;
}

}  // namespace

Result<TrainingOutcome> train(const TrainingOptions& options, const TrainingData& data,
                              TrainingObserver& observer, std::shared_ptr<ProcessGroup> processes) {
  return Training(options, data, observer, std::move(processes)).run();
}

}  // namespace terrapin::training
