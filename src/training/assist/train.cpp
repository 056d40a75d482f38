// The assistance network's training: start or resume, steps, scores, model file.
#include "training/assist/train.h"

#include <fcntl.h>
#include <torch/torch.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numbers>
#include <optional>

#include "base/digest.h"
#include "base/files.h"
#include "base/json_text.h"
#include "base/parallel.h"
#include "metrics/simulated_annotator.h"
#include "networks/assist_network.h"
#include "training/assist/loader.h"
#include "training/checkpoint.h"
#include "training/model_state.h"
#include "training/optimizer.h"
#include "training/run_device.h"

namespace terrapin::training {
namespace {

using Clock = std::chrono::steady_clock;
using imaging::Mask;

constexpr const char* kCheckpointName = "checkpoint.safetensors";
constexpr int kCheckpointVersion = 1;
// The speed that `minutes` is turned into steps by is that of these steps.
constexpr std::int64_t kTimedFrom = 10, kTimedTo = 40;
constexpr std::int64_t kWarmupSteps = 200;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

struct Losses {
  double total = 0, cross_entropy = 0, dice = 0;
};

// Samples as the network takes them: [n][side][side][channel], and the truth.
class PromptBatch {
 public:
  PromptBatch(std::vector<AssistSample> samples, double point_radius)
      : samples_(std::move(samples)), radius_(point_radius), side_(samples_.front().crop.width()) {
    const auto n = static_cast<std::int64_t>(samples_.size());
    values_.assign(static_cast<std::size_t>(n * side_ * side_ * networks::kPromptChannels), 0.0F);
    labels_.resize(static_cast<std::size_t>(n * side_ * side_));
    weights_.assign(labels_.size(), 1.0F);
    prompts_.resize(samples_.size()), answers_.resize(samples_.size());
    for (std::size_t i = 0; i < samples_.size(); ++i) {
      prompts_[i].extremes = samples_[i].extremes;
      write(i);
      std::copy(samples_[i].truth.bytes().begin(), samples_[i].truth.bytes().end(),
                labels_.begin() + static_cast<std::int64_t>(i) * side_ * side_);
    }
  }

  PromptBatch(const PromptBatch&) = delete;
  PromptBatch& operator=(const PromptBatch&) = delete;

  torch::Tensor input() {
    return torch::from_blob(values_.data(), {size(), side_, side_, networks::kPromptChannels}, torch::kFloat)
        .permute({0, 3, 1, 2});
  }
  // Of each pixel in the cross-entropy.
  torch::Tensor weights() {
    return torch::from_blob(weights_.data(), {size(), 1, side_, side_}, torch::kFloat);
  }
  torch::Tensor truth() { return torch::from_blob(labels_.data(), {size(), 1, side_, side_}, torch::kByte); }
  std::int64_t size() const { return static_cast<std::int64_t>(samples_.size()); }
  const AssistSample& sample(std::int64_t i) const { return samples_[static_cast<std::size_t>(i)]; }

  Mask answer_of(const torch::Tensor& logits, std::int64_t i) const {
    Mask answer({side_, side_});
    const float* values = logits.data_ptr<float>() + i * side_ * side_;
    for (std::size_t k = 0; k < answer.bytes().size(); ++k) answer.bytes()[k] = values[k] > 0 ? 1 : 0;
    return answer;
  }

  // The network's answer becomes the mask so far, and every sample gets the next click on it; what is wrong
  // in it weighs 1 + error_weight from now on. `random` empty: the deepest pixel. `logits`: N x 1 x side x
  // side on the CPU, contiguous.
  void refine(const torch::Tensor& logits, double error_weight, Random* random) {
    for (std::size_t i = 0; i < samples_.size(); ++i) {
      answers_[i] = answer_of(logits, static_cast<std::int64_t>(i));
      const auto truth = samples_[i].truth.bytes(), answer = answers_[i].bytes();
      for (std::size_t k = 0; k < truth.size(); ++k)
        weights_[i * truth.size() + k] = 1 + (truth[k] != answer[k] ? static_cast<float>(error_weight) : 0);
      prompts_[i].previous = &answers_[i], prompts_[i].previous_box = frame().region;
      if (const auto click = metrics::next_click(samples_[i].truth, answers_[i], 4, random)) {
        (click->positive ? prompts_[i].positive : prompts_[i].negative)
            .push_back({static_cast<double>(click->at.x), static_cast<double>(click->at.y)});
      }
      write(i);
    }
  }
  void forget_extremes(std::int64_t i) {
    prompts_[static_cast<std::size_t>(i)].extremes.clear();
    write(static_cast<std::size_t>(i));
  }

 private:
  // Here the crop is the photo.
  networks::CropFrame frame() const { return {{side_, side_}, {side_, side_}, {0, 0, side_, side_}}; }
  void write(std::size_t i) {
    float* const first =
        values_.data() + static_cast<std::int64_t>(i) * side_ * side_ * networks::kPromptChannels;
    networks::write_input(samples_[i].crop, frame(), prompts_[i], radius_,
                          {first, side_, networks::kPromptChannels, 1});
  }

  std::vector<AssistSample> samples_;
  std::vector<networks::CropPrompt> prompts_;  // of each sample, as far as it was told
  std::vector<Mask> answers_;                  // the masks so far
  double radius_;
  std::int64_t side_;
  std::vector<float> values_;
  std::vector<std::uint8_t> labels_;
  std::vector<float> weights_;
};

// Cross-entropy over the known pixels, weighted, and 1 - Dice of each sample in its soft form. `losses` are
// told without weights: they compare whatever is clicked.
torch::Tensor assist_loss(const torch::Tensor& logits, const torch::Tensor& truth,
                          const torch::Tensor& weights, Losses& losses) {
  const torch::Tensor known = (truth != Mask::kIgnore).to(torch::kFloat);
  const torch::Tensor object = (truth == 1).to(torch::kFloat);
  const torch::Tensor each =
      torch::binary_cross_entropy_with_logits(logits, object, {}, {}, at::Reduction::None) * known;
  const torch::Tensor entropy = (each * weights).sum() / (known * weights).sum().clamp_min(1);
  const torch::Tensor share = torch::sigmoid(logits) * known;
  const torch::Tensor both = (share * object).sum({1, 2, 3});
  const torch::Tensor dice = (1 - (2 * both + 1) / (share.sum({1, 2, 3}) + object.sum({1, 2, 3}) + 1)).mean();
  losses.cross_entropy = each.sum().item<double>() / std::max(1.0, known.sum().item<double>());
  losses.dice = dice.item<double>();
  losses.total = losses.cross_entropy + losses.dice;
  return entropy + dice;
}

Result<nlohmann::json> run_of(const AssistTrainingOptions& options, const AssistTrainingData& data) {
  TERRAPIN_TRY(const std::string weights, sha256_of_file(options.weights));
  const AssistAugment& augment = options.augment;
  nlohmann::json sources = nlohmann::json::array();
  for (const auto* list : {&data.learn, &data.watch}) {
    for (const auto& source : *list) {
      sources.push_back({source->name(), source->object_count(), source->digest()});
    }
  }
  return nlohmann::json{{"network", networks::to_json(options.network)},
                        {"weights", weights},
                        {"learning_rate", options.learning_rate},
                        {"encoder_rate_factor", options.encoder_rate_factor},
                        {"weight_decay", options.weight_decay},
                        {"clip_norm", options.clip_norm},
                        {"final_rate_fraction", options.final_rate_fraction},
                        {"ema_decay", options.ema_decay},
                        {"batch_size", options.batch_size},
                        {"steps", options.steps},
                        {"minutes", options.minutes},
                        {"click_probability", options.click_probability},
                        {"max_clicks", options.max_clicks},
                        {"error_weight", options.error_weight},
                        {"augment",
                         {augment.max_jitter_px, augment.margin_low, augment.margin_high, augment.stretch_low,
                          augment.stretch_high, augment.paste_probability, augment.hide_probability,
                          augment.color_probability, augment.grey_probability, augment.blur_probability,
                          augment.coarse_probability, augment.noise_probability, augment.jpeg_probability}},
                        {"watch_every", options.watch_every},
                        {"watch_objects", options.watch_objects},
                        {"seed", options.seed},
                        {"sources", sources},
                        {"watch_is_learned", data.watch_is_learned()}};
}

nlohmann::json state_json(const AssistWatchReport& report) {
  return nlohmann::json::parse(to_json(report).dump());
}

AssistWatchReport report_from(const nlohmann::json& json) {
  AssistWatchReport report;
  report.step = json.at("step"), report.steps = json.at("steps");
  report.loss = json.at("loss"), report.cross_entropy = json.at("cross_entropy"),
  report.dice = json.at("dice");
  report.learning_rate = json.at("learning_rate");
  report.crops_per_second = json.at("crops_per_second");
  report.elapsed_seconds = json.at("elapsed_seconds");
  report.iou = json.at("iou");
  report.clicked = json.at("iou_clicked").get<std::vector<double>>();
  report.best = json.at("best");
  return report;
}

class AssistTraining {
 public:
  AssistTraining(const AssistTrainingOptions& options, const AssistTrainingData& data,
                 AssistObserver& observer)
      : options_(options), data_(data), observer_(observer) {}

  Result<AssistOutcome> run() {
    TERRAPIN_TRY_STATUS(prepare());
    TERRAPIN_TRY_STATUS(resume());
    TERRAPIN_TRY_STATUS(write_metrics());
    AssistLoader loader(data_.learn, loader_options(), step_);
    begun_ = Clock::now();
    first_step_ = step_;
    while (total_ == 0 || step_ < total_) {
      TERRAPIN_TRY(auto samples, loader.next());
      TERRAPIN_TRY(const Losses losses, train_step(std::move(samples)));
      sums_.total += losses.total, sums_.cross_entropy += losses.cross_entropy, sums_.dice += losses.dice;
      ++summed_, ++step_;
      choose_total();
      const bool last = step_ == total_;
      if (last || step_ % options_.watch_every == 0) {
        TERRAPIN_TRY_STATUS(watch());
      }
      const double mean = summed_ > 0 ? sums_.total / static_cast<double>(summed_) : history_.back().loss;
      if (!observer_.on_step({step_, total_, losses.total, mean, crops_per_second()}) && !last) {
        TERRAPIN_TRY_STATUS(save_checkpoint());
        return fail(ErrorCode::kCancelled, "stopped after {} of {} steps; the same command goes on from here",
                    step_, total_ == 0 ? std::string("?") : std::to_string(total_));
      }
    }
    AssistOutcome outcome;
    TERRAPIN_TRY(outcome.model, networks::read_assist_model(model_path()));
    outcome.history = history_;
    outcome.seconds = elapsed();
    return outcome;
  }

 private:
  std::filesystem::path model_path() const { return options_.output / "assist.safetensors"; }
  double elapsed() const { return elapsed_before_ + seconds_since(begun_); }
  double crops_per_second() const {
    return static_cast<double>((step_ - first_step_) * options_.batch_size) /
           std::max(1e-9, seconds_since(begun_));
  }
  std::vector<FlatGroup> groups_of(networks::SegmentationNetwork& network, bool with_gradients) const {
    return flatten(network, optimizer_options(), with_gradients);
  }
  OptimizerOptions optimizer_options() const {
    OptimizerOptions chosen;
    chosen.kind = OptimizerKind::kAdamW;
    chosen.learning_rate = options_.learning_rate;
    chosen.weight_decay = options_.weight_decay;
    chosen.encoder_rate_factor = options_.encoder_rate_factor;
    return chosen;
  }
  AssistLoaderOptions loader_options() const {
    AssistLoaderOptions chosen{options_.augment, options_.network.frame(), options_.batch_size,
                               options_.loader_threads, options_.seed};
    if (chosen.threads == 0) {
      chosen.threads = device_.is_cpu() ? 1 : std::clamp(available_cores() - 1, 1, 16);
    }
    return chosen;
  }

  Status prepare() {
    TERRAPIN_TRY_STATUS(validate_options(options_));
    for (const auto* list : {&data_.learn, &data_.watch}) {
      if (list->empty())
        return fail(ErrorCode::kInvalidArgument, "no objects to {} from",
                    list == &data_.learn ? "learn" : "score");
    }
    TERRAPIN_TRY(device_, choose_device(options_.device));
    torch::set_num_threads(options_.threads > 0 ? options_.threads : available_cores());
    if (device_.is_cpu()) keep_freed_memory();
    torch::manual_seed(options_.seed);
    network_ = networks::build_assist_network(options_.network);
    average_ = networks::build_assist_network(options_.network);
    TERRAPIN_TRY_STATUS(load_weights());
    network_->to(device_), average_->to(device_);
    network_->train(), average_->eval();
    groups_ = groups_of(*network_, true), average_groups_ = groups_of(*average_, false);
    {
      torch::NoGradGuard no_gradients;
      for (std::size_t i = 0; i < groups_.size(); ++i)
        average_groups_[i].flat.values.copy_(groups_[i].flat.values);
    }
    optimizer_.emplace(groups_, optimizer_options());
    total_ = options_.steps;
    TERRAPIN_TRY(run_, run_of(options_, data_));
    return make_watched();
  }

  Status load_weights() {
    TERRAPIN_TRY(artifacts::TensorFile file, artifacts::read_safetensors(options_.weights));
    if (file.tensors.contains(networks::kAssistClassifier)) {
      if (auto status = networks::load_weights(*network_, file); !status) {
        return with_context(status.error(), options_.weights.string());
      }
      observer_.on_message(fmt::format("going on from the assistance model {}", options_.weights.string()));
      return {};
    }
    auto report = networks::import_assist_weights(*network_, file);
    if (!report) return with_context(report.error(), options_.weights.string());
    observer_.on_message(fmt::format("initial weights: {} ({}): {} tensors loaded, {} start at random",
                                     options_.weights.string(), report->layout, report->loaded.size(),
                                     report->fresh.size()));
    return {};
  }

  Status make_watched() {
    AssistAugment plain = options_.augment;
    plain.enabled = false;
    constexpr std::uint64_t kWatchPass = std::uint64_t{1} << 60;
    for (int i = 0; i < options_.watch_objects; ++i) {
      Random random = random_for(options_.seed, kWatchPass, static_cast<std::uint64_t>(i));
      TERRAPIN_TRY(AssistSample sample,
                   make_assist_sample(data_.watch, plain, options_.network.frame(), random));
      watched_.push_back(std::move(sample));
    }
    return {};
  }

  double rate() const {
    // `minutes` have no total at first.
    const std::int64_t warmup = total_ > 0 ? std::min(kWarmupSteps, total_ / 10) : kWarmupSteps;
    if (step_ < warmup) {
      return options_.learning_rate * static_cast<double>(step_ + 1) / static_cast<double>(warmup + 1);
    }
    const double progress =
        static_cast<double>(step_ - warmup) / static_cast<double>(std::max<std::int64_t>(1, total_ - warmup));
    const double wave = 0.5 * (1 + std::cos(std::numbers::pi * std::min(1.0, progress)));
    return options_.learning_rate *
           (options_.final_rate_fraction + (1 - options_.final_rate_fraction) * wave);
  }

  // With `minutes`: once the speed is known. A part is kept for the scores.
  void choose_total() {
    if (total_ > 0) return;
    if (step_ == kTimedFrom) timed_since_ = Clock::now();
    if (step_ < kTimedTo) return;
    const double seconds_a_step =
        timed_since_
            ? seconds_since(*timed_since_) / static_cast<double>(kTimedTo - kTimedFrom)
            : seconds_since(begun_) / static_cast<double>(std::max<std::int64_t>(1, step_ - first_step_));
    const double left = 0.95 * options_.minutes * 60 - elapsed();
    total_ = step_ + std::max<std::int64_t>(1, static_cast<std::int64_t>(left / seconds_a_step));
    observer_.on_message(
        fmt::format("{:.2f} s a step: {} steps in {} minutes", seconds_a_step, total_, options_.minutes));
  }

  torch::Tensor logits_of(networks::SegmentationNetwork& network, PromptBatch& batch) {
    torch::NoGradGuard no_gradients;
    return network.forward(batch.input().to(device_)).logits.to(torch::kCPU).contiguous();
  }

  Result<Losses> train_step(std::vector<AssistSample> samples) {
    PromptBatch batch(std::move(samples), options_.network.point_radius);
    constexpr std::uint64_t kClickPass = std::uint64_t{1} << 61;
    Random random = random_for(options_.seed, kClickPass, static_cast<std::uint64_t>(step_));
    if (options_.max_clicks > 0 && random.uniform() < options_.click_probability) {
      for (std::int64_t clicks = 1 + random.below(options_.max_clicks); clicks > 0; --clicks) {
        batch.refine(logits_of(*network_, batch), options_.error_weight, &random);
      }
      // A mask may be refined long after its first points are gone.
      for (std::int64_t i = 0; i < batch.size(); ++i) {
        if (random.uniform() < 0.1) batch.forget_extremes(i);
      }
    }
    Losses losses;
    const double learning_rate = rate();
    const torch::Tensor logits = network_->forward(batch.input().to(device_)).logits;
    const torch::Tensor total =
        assist_loss(logits, batch.truth().to(device_), batch.weights().to(device_), losses);
    if (!std::isfinite(losses.total)) {
      return fail(ErrorCode::kInvalidArgument,
                  "step {}: the loss is no longer finite at learning rate {}; a smaller one usually helps",
                  step_ + 1, learning_rate);
    }
    optimizer_->zero_gradients();
    total.backward();
    if (options_.clip_norm > 0) {
      const double norm = optimizer_->gradient_norm();
      if (norm > options_.clip_norm) optimizer_->scale_gradients(options_.clip_norm / norm);
    }
    optimizer_->step(learning_rate);
    const auto steps = static_cast<double>(optimizer_->steps());
    torch::NoGradGuard no_gradients;
    move_average(average_groups_, groups_, std::min(options_.ema_decay, (1 + steps) / (10 + steps)));
    return losses;
  }

  Status watch() {
    AssistWatchReport report;
    report.step = step_, report.steps = total_;
    const double count = static_cast<double>(std::max<std::int64_t>(1, summed_));
    report.loss = sums_.total / count, report.cross_entropy = sums_.cross_entropy / count,
    report.dice = sums_.dice / count;
    report.learning_rate = rate();
    report.crops_per_second = crops_per_second();
    constexpr int kClicks = 3;
    std::vector<double> ious(kClicks + 1, 0.0);
    for (std::size_t begin = 0; begin < watched_.size();
         begin += static_cast<std::size_t>(options_.batch_size)) {
      const std::size_t end =
          std::min(watched_.size(), begin + static_cast<std::size_t>(options_.batch_size));
      PromptBatch batch({watched_.begin() + static_cast<std::ptrdiff_t>(begin),
                         watched_.begin() + static_cast<std::ptrdiff_t>(end)},
                        options_.network.point_radius);
      for (int clicks = 0; clicks <= kClicks; ++clicks) {
        const torch::Tensor logits = logits_of(*average_, batch);
        for (std::int64_t i = 0; i < batch.size(); ++i) {
          ious[static_cast<std::size_t>(clicks)] +=
              metrics::overlap_of(batch.sample(i).truth, batch.answer_of(logits, i)).iou() /
              static_cast<double>(watched_.size());
        }
        if (clicks < kClicks) batch.refine(logits, 0, nullptr);
      }
    }
    report.iou = ious.front();
    report.clicked.assign(ious.begin() + 1, ious.end());
    report.elapsed_seconds = elapsed();
    const auto score = [](const AssistWatchReport& one) { return one.iou + one.clicked.front(); };
    report.best = std::none_of(history_.begin(), history_.end(), [&](const AssistWatchReport& earlier) {
      return score(earlier) >= score(report);
    });
    history_.push_back(report);
    sums_ = {}, summed_ = 0;
    if (report.best) {
      TERRAPIN_TRY_STATUS(write_model(report));
    }
    TERRAPIN_TRY_STATUS(save_checkpoint());
    TERRAPIN_TRY_STATUS(write_metrics());
    observer_.on_watch(report);
    return {};
  }

  Status write_model(const AssistWatchReport& report) {
    networks::AssistModel model;
    model.spec = options_.network;
    model.training = run_;
    model.training["step"] = report.step;
    model.training["watched_iou"] = report.iou;
    model.training["seconds"] = report.elapsed_seconds;
    model.weights = networks::save_weights(*average_, artifacts::DType::kF16);
    return networks::write_assist_model(model_path(), model);
  }

  Status write_metrics() const {
    std::string text;
    for (const AssistWatchReport& report : history_) text += json_text(to_json(report)) + "\n";
    return write_file_atomically(options_.output / "metrics.jsonl", text);
  }

  Status save_checkpoint() const {
    artifacts::TensorFile file;
    add_with_prefix(file, networks::save_weights(*network_), "weights.");
    add_with_prefix(file, networks::save_weights(*average_), "average.");
    artifacts::TensorFile state;
    for (const auto& [name, tensor] : optimizer_->state()) state.tensors.emplace(name, to_data(tensor));
    add_with_prefix(file, std::move(state), "optimizer.");
    nlohmann::json history = nlohmann::json::array();
    for (const AssistWatchReport& report : history_) history.push_back(state_json(report));
    file.metadata["checkpoint"] =
        json_text(nlohmann::json{{"format", "terrapin-assist-checkpoint"},
                                 {"version", kCheckpointVersion},
                                 {"run", run_},
                                 {"step", step_},
                                 {"steps", total_},
                                 {"sums", {sums_.total, sums_.cross_entropy, sums_.dice}},
                                 {"summed", summed_},
                                 {"elapsed_seconds", elapsed()},
                                 {"history", history}});
    return artifacts::write_safetensors(options_.output / kCheckpointName, file);
  }

  Status resume() {
    const std::filesystem::path path = options_.output / kCheckpointName;
    std::error_code ignored;
    if (!options_.resume || !std::filesystem::exists(path, ignored)) return {};
    TERRAPIN_TRY(artifacts::TensorFile file, artifacts::read_safetensors(path));
    try {
      const nlohmann::json json = nlohmann::json::parse(file.metadata["checkpoint"]);
      if (json.at("format") != "terrapin-assist-checkpoint") {
        return fail(ErrorCode::kCorrupt, "{}: not a checkpoint of train-assist", path.string());
      }
      if (json.at("version") != kCheckpointVersion) {
        return fail(ErrorCode::kUnsupported, "{}: version {}, this program reads {}", path.string(),
                    json.at("version").dump(), kCheckpointVersion);
      }
      TERRAPIN_TRY_STATUS(same_run(json.at("run"), run_, path));
      step_ = json.at("step"), total_ = json.at("steps"), summed_ = json.at("summed");
      sums_ = {json.at("sums").at(0), json.at("sums").at(1), json.at("sums").at(2)};
      elapsed_before_ = json.at("elapsed_seconds");
      for (const nlohmann::json& entry : json.at("history")) history_.push_back(report_from(entry));
    } catch (const nlohmann::json::exception& error) {
      return fail(ErrorCode::kCorrupt, "{}: {}", path.string(), error.what());
    }
    if (auto status = restore(file); !status) return with_context(status.error(), path.string());
    observer_.on_message(fmt::format("resuming from {}: {} steps are done", path.string(), step_));
    return {};
  }

  Status restore(const artifacts::TensorFile& file) {
    TERRAPIN_TRY_STATUS(networks::load_weights(*network_, with_prefix_removed(file, "weights.")));
    TERRAPIN_TRY_STATUS(networks::load_weights(*average_, with_prefix_removed(file, "average.")));
    std::map<std::string, torch::Tensor> state;
    for (const auto& [name, data] : with_prefix_removed(file, "optimizer.").tensors)
      state.emplace(name, from_data(data));
    return optimizer_->restore(state);
  }

  const AssistTrainingOptions& options_;
  const AssistTrainingData& data_;
  AssistObserver& observer_;

  torch::Device device_{torch::kCPU};
  std::shared_ptr<networks::SegmentationNetwork> network_, average_;
  std::vector<FlatGroup> groups_, average_groups_;
  std::optional<Optimizer> optimizer_;
  std::vector<AssistSample> watched_;
  nlohmann::json run_;

  std::int64_t step_ = 0, first_step_ = 0, total_ = 0, summed_ = 0;
  Losses sums_;
  double elapsed_before_ = 0;
  Clock::time_point begun_ = Clock::now();
  std::optional<Clock::time_point> timed_since_;
  std::vector<AssistWatchReport> history_;
};

}  // namespace

nlohmann::ordered_json to_json(const AssistWatchReport& report) {
  return {{"step", report.step},
          {"steps", report.steps},
          {"loss", report.loss},
          {"cross_entropy", report.cross_entropy},
          {"dice", report.dice},
          {"learning_rate", report.learning_rate},
          {"crops_per_second", report.crops_per_second},
          {"elapsed_seconds", report.elapsed_seconds},
          {"iou", report.iou},
          {"iou_clicked", report.clicked},
          {"best", report.best}};
}

Status validate_options(const AssistTrainingOptions& options) {
  TERRAPIN_TRY_STATUS(networks::check_assist_spec(options.network));
  const auto refuse = [](const char* name, double value, const char* allowed) {
    return fail(ErrorCode::kInvalidArgument, "{} is {}, allowed is {}", name, value, allowed);
  };
  if (!(options.learning_rate > 0 && options.learning_rate <= 1))
    return refuse("learning_rate", options.learning_rate, "above 0, at most 1");
  if (!(options.encoder_rate_factor >= 0 && options.encoder_rate_factor <= 10))
    return refuse("encoder_rate_factor", options.encoder_rate_factor, "0 to 10");
  if (!(options.ema_decay >= 0 && options.ema_decay < 1))
    return refuse("ema_decay", options.ema_decay, "0 to less than 1");
  if (options.batch_size < 1 || options.batch_size > 1024)
    return refuse("batch_size", options.batch_size, "1 to 1024");
  if (options.steps < 0 || options.minutes < 0 || (options.steps > 0) == (options.minutes > 0)) {
    return fail(ErrorCode::kInvalidArgument, "steps is {} and minutes is {}: exactly one must be above 0",
                options.steps, options.minutes);
  }
  if (!(options.click_probability >= 0 && options.click_probability <= 1))
    return refuse("click_probability", options.click_probability, "0 to 1");
  if (options.max_clicks < 0 || options.max_clicks > 20)
    return refuse("max_clicks", options.max_clicks, "0 to 20");
  if (!(options.error_weight >= 0 && options.error_weight <= 100))
    return refuse("error_weight", options.error_weight, "0 to 100");
  if (options.watch_every < 1)
    return refuse("watch_every", static_cast<double>(options.watch_every), "1 or more");
  if (options.watch_objects < 1) return refuse("watch_objects", options.watch_objects, "1 or more");
  return {};
}

Result<AssistOutcome> train_assist(const AssistTrainingOptions& options, const AssistTrainingData& data,
                                   AssistObserver& observer) {
  return AssistTraining(options, data, observer).run();
}

}  // namespace terrapin::training
