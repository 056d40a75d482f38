// terrapin train: labelled photos -> model.tar.gz, metrics.jsonl, report.html.
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/interrupt.h"
#include "base/json_text.h"
#include "base/progress.h"
#include "cli/command.h"
#include "cli/train_container.h"
#include "cli/train_data.h"
#include "cli/train_processes.h"
#include "cli/train_session.h"
#include "training/hyperparameters.h"

namespace terrapin::cli {
namespace {

namespace fs = std::filesystem;
using training::HyperparameterMode;
using training::HyperparameterValues;

struct TrainOptions {
  TrainDataSource source;
  std::string output, weights, model, root;
  std::vector<std::string> assignments;
  std::string threads, seed;
  int processes = 0;
  bool resume = false, overwrite = false, container = false, list_hyperparameters = false;
  bool bare = false;  // no option that a container's job does not have
};

// Held for the whole run: two trainings in one folder would mix their files.
class FolderLock {
 public:
  // Makes the folder where it is missing.
  static Result<FolderLock> take(const fs::path& folder) {
    std::error_code error;
    fs::create_directories(folder, error);
    if (error) return fail(ErrorCode::kIo, "--output {}: {}", folder.string(), error.message());
    const fs::path path = folder / "training.log";
    FolderLock lock;
    lock.descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (lock.descriptor_ < 0)
      return fail(ErrorCode::kIo, "--output {}: cannot write {}", folder.string(), path.string());
    if (::flock(lock.descriptor_, LOCK_EX | LOCK_NB) != 0) {
      return fail(ErrorCode::kAlreadyExists, "--output {}: another training writes there now",
                  folder.string());
    }
    return lock;
  }
  FolderLock(FolderLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  ~FolderLock() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }

 private:
  FolderLock() = default;
  int descriptor_ = -1;
};

// Refuses a folder that an earlier run owns, unless the user said what to do with that run; with --resume one
// that no run has used.
Status check_output(const TrainOptions& options) {
  const fs::path folder = options.output;
  std::error_code ignored;
  if (options.resume) {
    for (const char* name : {"training.log", "metrics.jsonl", "checkpoints"}) {
      if (fs::exists(folder / name, ignored)) return {};
    }
    return fail(
        ErrorCode::kNotFound,
        "--resume: --output {} holds no run to go on with; name the run's folder, or leave --resume out "
        "to start one",
        folder.string());
  }
  if (options.overwrite) return {};
  if (fs::exists(folder / "model.tar.gz", ignored)) {
    return fail(ErrorCode::kAlreadyExists,
                "--output {} holds a finished run ({}); name another folder, or give --overwrite to replace "
                "that run or "
                "--resume to go on with it",
                folder.string(), (folder / "model.tar.gz").string());
  }
  for (const char* name : {"checkpoints", "metrics.jsonl"}) {
    const fs::path path = folder / name;
    if (!fs::exists(path, ignored) || (fs::is_directory(path, ignored) && fs::is_empty(path, ignored)))
      continue;
    return fail(ErrorCode::kAlreadyExists,
                "--output {} holds an unfinished run ({}); give --resume to go on with it or --overwrite to "
                "start over",
                folder.string(), path.string());
  }
  return {};
}

// Removes what an earlier run left; everything else in the folder stays.
Status clear_output(const fs::path& folder) {
  std::error_code error;
  for (const char* name : {"model.tar.gz", "metrics.jsonl", "report.html", "checkpoints"}) {
    fs::remove_all(folder / name, error);
    if (error)
      return fail(ErrorCode::kIo, "--overwrite: cannot remove {}: {}", (folder / name).string(),
                  error.message());
  }
  fs::resize_file(folder / "training.log", 0, error);  // kept: it is the lock
  return {};
}

Result<HyperparameterValues> given_values(const TrainOptions& options) {
  HyperparameterValues values;
  const auto add = [&](const std::string& name, const std::string& value) -> Status {
    const auto [it, added] = values.emplace(name, value);
    if (!added && it->second != value) {
      return fail(ErrorCode::kInvalidArgument, "hyperparameter {} is given twice: \"{}\" and \"{}\"", name,
                  it->second, value);
    }
    return {};
  };
  for (const std::string& assignment : options.assignments) {
    TERRAPIN_TRY(const auto pair, training::parse_assignment(assignment));
    TERRAPIN_TRY_STATUS(add(pair.first, pair.second));
  }
  if (!options.threads.empty()) {
    TERRAPIN_TRY_STATUS(add("threads", options.threads));
  }
  if (!options.seed.empty()) {
    TERRAPIN_TRY_STATUS(add("seed", options.seed));
  }
  return values;
}

// Incremental training: the network is the package's where the user did not name one.
Status take_network_from(const std::string& model, HyperparameterValues& values) {
  TERRAPIN_TRY(const artifacts::ModelPackage package, artifacts::read_model_package(model));
  const artifacts::NetworkSpec& network = package.spec.network;
  values.try_emplace("backbone", network.backbone);
  values.try_emplace("algorithm", network.algorithm);
  values.try_emplace("num_classes", std::to_string(network.num_classes));
  if (network.algorithm == "lite") values.try_emplace("skip_channels", std::to_string(network.skip_channels));
  const auto crop = package.spec.hyperparameters.find("crop_size");
  if (crop != package.spec.hyperparameters.end() && crop->is_string()) {
    values.try_emplace("crop_size", crop->get<std::string>());
  }
  return {};
}

Status choose_weights(const TrainOptions& options, const HyperparameterValues& values,
                      training::TrainingOptions& result) {
  using training::WeightSource;
  if (!options.model.empty()) {
    result.weights = WeightSource::kPackage;
    result.weights_path = options.model;
    return {};
  }
  if (options.weights.empty()) return {};
  if (values.contains("use_pretrained_model") && result.weights == WeightSource::kNone &&
      options.weights != "none") {
    return fail(ErrorCode::kInvalidArgument, "--weights {} contradicts use_pretrained_model=False",
                options.weights);
  }
  if (options.weights == "none") {
    result.weights = WeightSource::kNone;
  } else if (options.weights == "starter") {
    result.weights = WeightSource::kStarter;
  } else if (options.weights == "pretrained") {
    result.weights = WeightSource::kPretrained;
  } else {
    std::error_code ignored;
    if (!fs::is_regular_file(options.weights, ignored)) {
      return fail(ErrorCode::kNotFound,
                  "--weights {}: no such file; allowed: a .safetensors file, starter, pretrained, none",
                  options.weights);
    }
    result.weights = WeightSource::kFile;
    result.weights_path = options.weights;
  }
  return {};
}

std::string weights_fact(const training::TrainingOptions& options) {
  switch (options.weights) {
    case training::WeightSource::kNone:
      return "random";
    case training::WeightSource::kStarter:
      return "the starter encoder";
    case training::WeightSource::kPretrained:
      return "pretrained";
    case training::WeightSource::kFile:
    case training::WeightSource::kPackage:
      return options.weights_path.string();
  }
  return "";
}

nlohmann::ordered_json outcome_json(const training::TrainingOutcome& outcome,
                                    const artifacts::ClassList& classes, const fs::path& folder) {
  nlohmann::ordered_json per_class = nlohmann::ordered_json::array();
  for (int i = 0; i < outcome.best.confusion.class_count() && i < classes.size(); ++i) {
    const std::optional<double> iou = outcome.best.confusion.iou(i);
    per_class.push_back({{"name", classes.classes[static_cast<std::size_t>(i)].name},
                         {"iou", iou ? nlohmann::ordered_json(*iou) : nlohmann::ordered_json()}});
  }
  return {{"package", (folder / "model.tar.gz").string()},
          {"report", (folder / "report.html").string()},
          {"metrics", (folder / "metrics.jsonl").string()},
          {"finished_epochs", outcome.finished_epochs},
          {"stopped_early", outcome.stopped_early},
          {"best_epoch", outcome.best_epoch},
          {"mean_iou", outcome.best.mean_iou},
          {"pixel_accuracy", outcome.best.pixel_accuracy},
          {"frequency_weighted_iou", outcome.best.frequency_weighted_iou},
          {"classes", std::move(per_class)},
          {"seconds", outcome.seconds}};
}

Result<TrainData> open_data(const TrainOptions& options, const HyperparameterValues& values, bool quiet,
                            int& num_classes) {
  TERRAPIN_TRY(TrainData data, open_train_data(options.source));
  num_classes = data.classes.size();
  if (num_classes == 0 && !values.contains("num_classes")) {
    ProgressBar bar("counting classes",
                    static_cast<std::int64_t>(data.train.samples.size() + data.validation.samples.size()),
                    !quiet);
    TERRAPIN_TRY(num_classes,
                 count_classes(data, [&](std::int64_t done, std::int64_t) { bar.update(done); }));
    data.notes.push_back(fmt::format("num_classes={}: counted in the masks", num_classes));
  }
  return data;
}

Status check_usage(const TrainOptions& options) {
  if (options.output.empty())
    return fail(ErrorCode::kInvalidArgument, "--output is missing: the folder for the model");
  return check_options(options.source);
}

// What was typed, read as far as that goes without the data.
struct Request {
  HyperparameterValues values;
  training::Hyperparameters parsed;
};

Result<int> train_here(const TrainOptions& options, const Invocation& invocation, Request request,
                       const TrainProcess& process) {
  auto& [values, parsed] = request;
  const bool quiet = invocation.quiet || !process.leads();
  int num_classes = 0;
  TERRAPIN_TRY(TrainData data, open_data(options, values, quiet, num_classes));
  if (!options.model.empty()) {
    TERRAPIN_TRY_STATUS(require_names_of_model(options.model, data.classes));
  }
  training::DatasetFacts facts{num_classes > 0 ? std::optional(num_classes) : std::nullopt,
                               static_cast<std::int64_t>(data.train.samples.size())};
  TERRAPIN_TRY(parsed, training::parse_hyperparameters(values, HyperparameterMode::kCommandLine, facts));
  TERRAPIN_TRY_STATUS(choose_weights(options, values, parsed.options));
  training::TrainingData training_data;
  TERRAPIN_TRY(training_data.classes,
               fit_classes(std::move(data.classes), parsed.options.network.num_classes));
  training_data.train = std::move(data.train);
  training_data.validation = std::move(data.validation);

  const fs::path folder = options.output;
  parsed.options.checkpoint_folder = folder / "checkpoints";
  parsed.options.resume = options.resume;
  if (!process.leads()) {
    training::TrainingObserver silent;
    TERRAPIN_TRY([[maybe_unused]] const auto outcome,
                 training::train(parsed.options, training_data, silent, process.group()));
    return 0;
  }
  std::error_code ignored;
  const bool checkpoint_is_there =
      fs::is_directory(folder / "checkpoints", ignored) && !fs::is_empty(folder / "checkpoints", ignored);
  if (options.resume && !checkpoint_is_there) {
    data.notes.push_back(fmt::format("--resume: {} holds no checkpoint yet; training starts at its beginning",
                                     (folder / "checkpoints").string()));
  }
  TERRAPIN_TRY(const FolderLock lock, FolderLock::take(folder));
  if (options.overwrite) {
    TERRAPIN_TRY_STATUS(clear_output(folder));
  }

  SessionSettings settings;
  settings.metrics_path = folder / "metrics.jsonl";
  settings.report_path = folder / "report.html";
  settings.log_path = folder / "training.log";
  settings.title = "Training " + fs::absolute(folder).lexically_normal().filename().string();
  settings.facts = {{"data", options.source.data.empty() ? options.source.train : options.source.data},
                    {"initial weights", weights_fact(parsed.options)}};
  settings.notes = std::move(data.notes);
  settings.notes.insert(settings.notes.end(), parsed.notes.begin(), parsed.notes.end());
  settings.show_progress = !quiet;
  settings.print_metric_lines = !invocation.json;
  TERRAPIN_TRY(const SessionResult session,
               run_session(parsed.options, training_data, settings, process.group()));
  const training::TrainingOutcome& outcome = session.outcome;
  TERRAPIN_TRY_STATUS(artifacts::write_model_package(folder / "model.tar.gz", outcome.package));
  if (invocation.json) {
    const auto json = outcome_json(outcome, training_data.classes, folder);
    std::printf("%s\n", json_text(json, 2).c_str());
  } else {
    std::printf("best epoch %d of %d: mean IoU %.4f, pixel accuracy %.4f\nmodel  %s\nreport %s\n",
                outcome.best_epoch, outcome.finished_epochs, outcome.best.mean_iou,
                outcome.best.pixel_accuracy, (folder / "model.tar.gz").c_str(),
                (folder / "report.html").c_str());
  }
  return 0;
}

// One of the processes that train together.
Result<int> train_together(const TrainOptions& options, const Invocation& invocation, Request request,
                           const training::Place& place) {
  std::shared_ptr<training::ProcessGroup> processes;
  Result<int> result = 0;
  // Whoever launched this process says its error, also one that was thrown.
  try {
    result = [&]() -> Result<int> {
      TERRAPIN_TRY(const TrainProcess process, TrainProcess::join(place));
      processes = process.group();
      return train_here(options, invocation, std::move(request), process);
    }();
  } catch (const std::exception& error) {
    if (!was_launched()) throw;
    result = fail(ErrorCode::kInternal, "process {} of {}: internal error: {}", place.rank, place.world_size,
                  error.what());
  }
  return told_to_launcher(std::move(result), processes.get());
}

Result<int> run_on_command_line(const TrainOptions& options, const Invocation& invocation) {
  // Everything the user typed is checked before the first photo is read.
  require_usage(check_usage(options));
  Request request{require_usage(given_values(options)), {}};
  auto& [values, parsed] = request;
  if (!options.model.empty()) {
    TERRAPIN_TRY_STATUS(take_network_from(options.model, values));
  }
  parsed = require_usage(training::parse_hyperparameters(values, HyperparameterMode::kCommandLine, {2, 1}));
  require_usage(choose_weights(options, values, parsed.options));
  const auto place = require_usage(training::place_from(training::environment()));
  const int processes = require_usage(local_processes(options.processes, parsed.options));
  if (!was_launched() && place.rank == 0) {
    TERRAPIN_TRY_STATUS(check_output(options));
  }
  Result<int> result = place.alone() && processes > 1
                           ? run_processes({processes, {}, "", ""})
                           : train_together(options, invocation, std::move(request), place);
  if (!result && result.error().code == ErrorCode::kCancelled) {
    std::fprintf(stderr, "terrapin train: %s; the same command with --resume goes on\n",
                 result.error().message.c_str());
    return interrupt_signal() != 0 ? 128 + interrupt_signal() : 1;
  }
  return result;
}

Result<int> run(const TrainOptions& options, const Invocation& invocation) {
  if (options.list_hyperparameters) {
    std::fputs(training::hyperparameters_markdown().c_str(), stdout);
    return 0;
  }
  std::error_code ignored;
  if (options.container || (options.bare && fs::is_directory("/opt/ml/input/config", ignored))) {
    ContainerSettings settings;
    if (!options.root.empty()) settings.root = options.root;
    settings.s3_roots = options.source.s3_roots;
    settings.processes = options.processes;
    settings.show_progress = !invocation.quiet;
    return run_container(settings);
  }
  return run_on_command_line(options, invocation);
}

}  // namespace

void add_train_command(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<TrainOptions>();
  CLI::App* command = app.add_subcommand("train", "Train a model from labelled photos");
  const auto one_each = [](CLI::Option* option) { option->allow_extra_args(false)->type_name("TEXT"); };
  // What a container's job does not have: everything of it comes from --root.
  std::vector<CLI::Option*> own;
  const auto option = [&](const char* name, auto& value, const std::string& help) {
    own.push_back(command->add_option(name, value, help));
    return own.back();
  };
  const auto flag = [&](const char* name, bool& value, const std::string& help) {
    own.push_back(command->add_flag(name, value, help));
    return own.back();
  };
  option("--data", options->source.data, kDataHelp);
  option("--output", options->output, "Folder for model.tar.gz, metrics.jsonl, report.html, checkpoints");
  one_each(option("-H,--hyperparameter", options->assignments,
                  "name=value, repeatable; see --list-hyperparameters"));
  command->add_flag("--list-hyperparameters", options->list_hyperparameters,
                    "Print every hyperparameter and its default");
  CLI::Option* weights = option("--weights", options->weights,
                                "Initial weights: a .safetensors file, starter, pretrained or none");
  option("--model", options->model, "Go on from this model package (incremental training)")
      ->excludes(weights);
  option("--train", options->source.train, "Channel folder of training photos");
  option("--train-annotation", options->source.train_annotation, "Channel folder of their masks");
  option("--validation", options->source.validation,
         "Channel folder of validation photos; beside a manifest in --data, another manifest");
  option("--validation-annotation", options->source.validation_annotation, "Channel folder of their masks");
  option("--label-map", options->source.label_map,
         "Beside --train: channel folder with train_ and validation_label_map.json");
  one_each(command->add_option("--s3-root", options->source.s3_roots,
                               "bucket=dir: where s3://bucket/... lies, repeatable"));
  option("--label-attribute", options->source.label_attribute,
         "Which label of the manifest, such as birds-ref");
  CLI::Option* resume = flag("--resume", options->resume, "Go on with the run in --output");
  flag("--overwrite", options->overwrite, "Replace the run in --output")->excludes(resume);
  option("--threads", options->threads, "Threads (default: all cores)");
  command
      ->add_option("--processes", options->processes,
                   "Processes of this machine that train together (default: one per GPU, or one)")
      ->check(CLI::Range(1, 1024));
  option("--seed", options->seed, "Seed of everything random (default: 0)");
  flag("--json", invocation.json, "Print the result as JSON, and nothing else");
  command->add_flag("--quiet", invocation.quiet, "No progress bars");
  CLI::Option* container = command->add_flag("--container", options->container,
                                             "SageMaker's container layout: everything comes from --root");
  for (CLI::Option* other : own) container->excludes(other);
  command->add_option("--root", options->root, "Root of the container layout (default: /opt/ml)")
      ->needs(container);
  command->callback([options, own, &invocation] {
    options->bare =
        std::all_of(own.begin(), own.end(), [](const CLI::Option* each) { return each->count() == 0; });
    invocation.action = [options, &invocation] { return run(*options, invocation); };
  });
}

}  // namespace terrapin::cli
