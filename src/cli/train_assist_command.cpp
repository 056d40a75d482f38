// terrapin train-assist: the network behind four clicks.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "base/interrupt.h"
#include "base/json_text.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "cli/command.h"
#include "dataset/scenes.h"
#include "networks/pretrained.h"
#include "training/assist/train.h"

namespace terrapin::cli {
namespace {

namespace fs = std::filesystem;

struct TrainAssistOptions {
  std::vector<std::string> data, without;
  std::string weights, device = "auto";
  fs::path output;
  double scenes = 0.1;
  bool fresh = false;
  const CLI::Option *side = nullptr, *width = nullptr, *margin = nullptr;
  training::AssistTrainingOptions recipe;
};

// Drawn scenes as objects: any connected part of one class. No two samples share a scene.
class SceneSource final : public training::ObjectSource {
 public:
  SceneSource(double weight, std::uint64_t seed) : weight_(weight), seed_(seed) {}
  std::string name() const override { return "scenes"; }
  std::int64_t object_count() const override { return 1'000'000; }
  double weight() const override { return weight_; }
  std::string digest() const override {
    return fmt::format("scenes, seed {}, weight {:.6f}", seed_, weight_);
  }

  Result<training::ClickedPhoto> draw(Random& random) const override {
    dataset::SceneOptions options;
    options.class_count = 6;
    options.seed = seed_;
    options.size = {240 + 16 * random.below(20), 240 + 16 * random.below(16)};
    const artifacts::LabeledPhoto scene = dataset::make_scene(options, random.next_u32());
    const imaging::LabeledRuns parts = imaging::connected_regions(scene.mask);
    std::vector<imaging::Pixel> large;
    for (const imaging::Region& part : parts.regions) {
      if (part.label != 0 && part.label != imaging::Mask::kIgnore &&
          part.area * 200 >= scene.mask.size().area()) {
        large.push_back(part.first);
      }
    }
    if (large.empty()) return training::ClickedPhoto{scene.photo, imaging::Mask(scene.mask.size())};
    const auto chosen = static_cast<std::size_t>(random.below(static_cast<std::int64_t>(large.size())));
    return training::ClickedPhoto{scene.photo, imaging::region_at(scene.mask, large[chosen])};
  }

 private:
  const double weight_;
  const std::uint64_t seed_;
};

// Weights of the folders in `--data`, a folder of data sets counts as all of them.
std::vector<fs::path> data_folders(const TrainAssistOptions& options) {
  std::vector<fs::path> folders;
  std::error_code ignored;
  for (const std::string& given : options.data) {
    if (fs::is_directory(fs::path(given) / "images", ignored) || !fs::is_directory(given, ignored)) {
      folders.emplace_back(given);
      continue;
    }
    std::vector<fs::path> inner;
    for (const auto& entry : fs::directory_iterator(given, ignored)) {
      if (fs::is_directory(entry.path() / "images", ignored)) inner.push_back(entry.path());
    }
    std::sort(inner.begin(), inner.end());
    if (inner.empty()) folders.emplace_back(given);  // refused later, with what is needed
    folders.insert(folders.end(), inner.begin(), inner.end());
  }
  return folders;
}

std::string name_of(const fs::path& folder) {
  return (folder.filename().empty() ? folder.parent_path() : folder).filename().string();
}

Result<training::AssistTrainingData> load_data(const TrainAssistOptions& options, bool show_progress) {
  training::AssistTrainingData data;
  std::set<std::string> unused(options.without.begin(), options.without.end());
  double weight = 0;
  for (const fs::path& folder : data_folders(options)) {
    if (std::find(options.without.begin(), options.without.end(), name_of(folder)) != options.without.end()) {
      unused.erase(name_of(folder));
      continue;
    }
    for (const artifacts::ObjectPart part : {artifacts::ObjectPart::kLearn, artifacts::ObjectPart::kWatch}) {
      ProgressBar bar(fmt::format("reading {} ({})", name_of(folder), artifacts::object_part_name(part)), 0,
                      show_progress);
      artifacts::ObjectSetOptions scan;
      scan.part = part;
      scan.threads = available_cores();
      scan.progress = [&bar](std::int64_t done, std::int64_t) { bar.update(done); };
      TERRAPIN_TRY(artifacts::ObjectSet set, artifacts::scan_objects(folder, scan));
      if (set.photos.empty()) continue;
      const auto source = training::folder_source(std::move(set));
      if (part == artifacts::ObjectPart::kLearn) weight += source->weight();
      (part == artifacts::ObjectPart::kLearn ? data.learn : data.watch).push_back(source);
    }
  }
  if (!unused.empty()) {
    return fail(ErrorCode::kInvalidArgument, "--without {}: no such data set among those of --data",
                fmt::join(unused, ", "));
  }
  if (data.learn.empty()) return fail(ErrorCode::kInvalidArgument, "no objects to learn from are left");
  if (data.watch.empty()) data.watch = data.learn;  // a set too small for its sixteenth
  if (options.scenes > 0) {
    data.learn.push_back(
        std::make_shared<SceneSource>(weight * options.scenes / (1 - options.scenes), options.recipe.seed));
  }
  return data;
}

// Who goes on from an assistance model means its network, where nothing else is said.
Status take_shape(TrainAssistOptions& options) {
  training::AssistTrainingOptions& recipe = options.recipe;
  if (options.weights.empty()) return {};
  recipe.weights = networks::assist_model_file(options.weights);
  TERRAPIN_TRY(const artifacts::TensorFile file, artifacts::read_safetensors(recipe.weights));
  if (!file.tensors.contains(networks::kAssistClassifier)) return {};
  TERRAPIN_TRY(const networks::AssistModel model, networks::read_assist_model(recipe.weights));
  const networks::AssistSpec asked = recipe.network;
  recipe.network = model.spec;
  if (options.side->count() > 0) recipe.network.side = asked.side;
  if (options.width->count() > 0) recipe.network.width = asked.width;
  if (options.margin->count() > 0) recipe.network.margin = asked.margin;
  return {};
}

class Observer : public training::AssistObserver {
 public:
  Observer(bool show, bool json) : show_(show && !json), json_(json) {}

  void on_message(const std::string& text) override {
    bar_.reset();
    std::fprintf(stderr, "%s\n", text.c_str());
  }
  bool on_step(const training::AssistStepReport& step) override {
    if (!bar_ || step.steps != total_) {
      total_ = step.steps;
      bar_ = std::make_unique<ProgressBar>("train-assist", total_, show_);
    }
    std::string detail = fmt::format("loss {:.3f}", step.mean_loss);
    if (best_ >= 0) detail += fmt::format(" IoU {:.3f}", best_);
    bar_->update(step.step, detail + fmt::format(" {:.1f} crops/s", step.crops_per_second));
    return !interrupted();
  }
  void on_watch(const training::AssistWatchReport& report) override {
    bar_.reset();
    best_ = std::max(best_, report.iou);
    if (json_) return;
    std::printf("[step %lld/%lld] loss=%.4f crops_per_second=%.2f iou=%.4f after_clicks=%s%s\n",
                static_cast<long long>(report.step), static_cast<long long>(report.steps), report.loss,
                report.crops_per_second, report.iou,
                fmt::format("{:.4f}", fmt::join(report.clicked, ",")).c_str(), report.best ? " best" : "");
    std::fflush(stdout);
  }

 private:
  const bool show_, json_;
  std::int64_t total_ = -1;
  double best_ = -1;
  std::unique_ptr<ProgressBar> bar_;
};

Result<int> run(const TrainAssistOptions& given, const Invocation& invocation) {
  TrainAssistOptions options = given;
  training::AssistTrainingOptions& recipe = options.recipe;
  if (recipe.steps == 0 && recipe.minutes == 0) recipe.steps = 20'000;
  recipe.output = options.output;
  recipe.resume = !options.fresh;
  recipe.device = options.device == "cpu"    ? training::DeviceChoice::kCpu
                  : options.device == "cuda" ? training::DeviceChoice::kCuda
                                             : training::DeviceChoice::kAuto;
  require_usage(training::validate_options(recipe));
  recipe.weights = options.weights;
  if (options.weights.empty()) {
    TERRAPIN_TRY(recipe.weights, networks::find_pretrained(artifacts::NetworkSpec{}));
  }
  TERRAPIN_TRY_STATUS(take_shape(options));
  TERRAPIN_TRY(const training::AssistTrainingData data,
               load_data(options, !invocation.quiet && !invocation.json));
  std::vector<std::string> sources;
  double weight = 0;
  for (const auto& source : data.learn) weight += source->weight();
  for (const auto& source : data.learn) {
    sources.push_back(fmt::format("{} {} objects, {:.0f} %", source->name(), source->object_count(),
                                  100 * source->weight() / weight));
  }
  Observer observer(!invocation.quiet, invocation.json);
  observer.on_message(fmt::format("learning from: {}", fmt::join(sources, "; ")));
  if (data.watch_is_learned()) {
    observer.on_message(
        "no photo is left to watch (docs/formats/object-masks.md): the scores are of objects that are also "
        "learned from");
  }
  const auto outcome = training::train_assist(recipe, data, observer);
  if (!outcome) {
    if (outcome.error().code == ErrorCode::kCancelled && interrupted()) {
      std::fprintf(stderr, "terrapin train-assist: %s\n", outcome.error().message.c_str());
      return 128 + interrupt_signal();
    }
    return tl::unexpected<Error>(outcome.error());
  }
  const std::string model = (options.output / "assist.safetensors").string();
  // The one whose weights were written.
  const auto best = std::find_if(outcome->history.rbegin(), outcome->history.rend(),
                                 [](const auto& report) { return report.best; });
  if (invocation.json) {
    nlohmann::ordered_json history = nlohmann::ordered_json::array();
    for (const auto& report : outcome->history) history.push_back(training::to_json(report));
    nlohmann::ordered_json json = {
        {"model", model}, {"seconds", outcome->seconds}, {"best", training::to_json(*best)}};
    json["history"] = std::move(history);
    fmt::print("{}\n", json_text(json, 2));
  } else {
    fmt::print("{}: IoU {:.4f} on {} watched objects (step {}), {:.0f} s\n", model, best->iou,
               recipe.watch_objects, best->step, outcome->seconds);
  }
  return 0;
}

}  // namespace

void add_train_assist_command(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<TrainAssistOptions>();
  training::AssistTrainingOptions& recipe = options->recipe;
  CLI::App* command = app.add_subcommand(
      "train-assist",
      "Train the network that turns four clicks into a mask (see docs/formats/object-masks.md)");
  command
      ->add_option("--data", options->data,
                   "Folders of photos with marked objects, or a folder that holds such folders")
      ->required();
  command->add_option("--without", options->without, "Leave out these data sets, by their folder's name");
  command->add_option("--output", options->output, "Folder for assist.safetensors, checkpoint, metrics.jsonl")
      ->required();
  command->add_option("--weights", options->weights,
                      "Start from this file: a MobileNetV2 (docs/formats/weights.md) or an assistance model "
                      "(default: what `terrapin weights list` finds)");
  command->add_option("--scenes", options->scenes, "Share of samples from drawn scenes, 0 to 0.9")
      ->check(CLI::Range(0.0, 0.9))
      ->capture_default_str();
  auto* steps = command->add_option("--steps", recipe.steps, "Batches to learn from (default 20000)");
  command->add_option("--minutes", recipe.minutes, "As many steps as fit into this time instead")
      ->excludes(steps);
  command->add_option("--batch", recipe.batch_size, "Crops of a step")->capture_default_str();
  command->add_option("--rate", recipe.learning_rate, "Highest learning rate")->capture_default_str();
  command
      ->add_option("--encoder-rate-factor", recipe.encoder_rate_factor,
                   "The encoder learns at this share of it")
      ->capture_default_str();
  options->side = command
                      ->add_option("--side", recipe.network.side,
                                   "Pixels of a crop's side, 16 k + 1 (an assistance model's own)")
                      ->capture_default_str();
  options->width = command
                       ->add_option("--width", recipe.network.width,
                                    "Channels of the decoder, a multiple of 4 (an assistance model's own)")
                       ->capture_default_str();
  options->margin =
      command
          ->add_option(
              "--margin", recipe.network.margin,
              "What a crop shows on each side of the box of the points, in use and when watched, as a share "
              "of the box's side (an assistance model's own)")
          ->capture_default_str();
  command
      ->add_option("--click-probability", recipe.click_probability,
                   "Share of batches that learn from corrective clicks")
      ->capture_default_str();
  command
      ->add_option("--error-weight", recipe.error_weight,
                   "After a click, a pixel that was wrong before it counts 1 + this")
      ->capture_default_str();
  command->add_option("--watch-every", recipe.watch_every, "Steps between scores and checkpoints")
      ->capture_default_str();
  command->add_option("--watch-objects", recipe.watch_objects, "Objects that are scored then")
      ->capture_default_str();
  command->add_option("--seed", recipe.seed, "Decides every random choice")->capture_default_str();
  command->add_option("--threads", recipe.threads, "Cores to use (default: all)")
      ->check(CLI::NonNegativeNumber);
  command->add_option("--loader-threads", recipe.loader_threads, "Threads that make crops (default: chosen)")
      ->check(CLI::NonNegativeNumber);
  command->add_option("--device", options->device, "auto, cpu or cuda")
      ->check(CLI::IsMember(std::vector<std::string>{"auto", "cpu", "cuda"}))
      ->capture_default_str();
  command->add_flag("--fresh", options->fresh, "Begin anew, whatever checkpoint the output folder holds");
  command->add_flag("--json", invocation.json, "Print the result as one JSON document");
  command->add_flag("--quiet", invocation.quiet, "No progress bar");
  command->callback([options, &invocation] {
    invocation.action = [options, &invocation] { return run(*options, invocation); };
  });
}

}  // namespace terrapin::cli
