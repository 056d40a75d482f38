#include "cli/train_container.h"

#include <cstdio>
#include <cstdlib>
#include <exception>

#include "base/interrupt.h"
#include "cli/train_data.h"
#include "cli/train_processes.h"
#include "cli/train_session.h"
#include "training/container.h"

namespace terrapin::cli {
namespace {

namespace fs = std::filesystem;

Result<artifacts::S3Roots> s3_roots(const ContainerSettings& settings) {
  artifacts::S3Roots roots;
  if (const char* text = std::getenv("TERRAPIN_S3_ROOTS")) {
    if (const Status status = training::add_s3_roots(text, roots); !status) {
      return with_context(status.error(), "TERRAPIN_S3_ROOTS");
    }
  }
  for (const std::string& root : settings.s3_roots) {
    TERRAPIN_TRY_STATUS(roots.add(root));
  }
  return roots;
}

// A FIFO gives each byte to one reader.
Status check_pipes(const training::ContainerJob& job, int processes) {
  for (const auto& [name, channel] : job.channels) {
    std::error_code ignored;
    if (processes < 2 || !fs::is_fifo(job.channel_folder(name).string() + "_0", ignored)) continue;
    return fail(
        ErrorCode::kUnsupported,
        "channel {}: TrainingInputMode Pipe feeds one process and {} train on this machine; allowed is File",
        name, processes);
  }
  return {};
}

Result<int> train_alone_or_together(const ContainerSettings& settings, const training::ContainerJob& job,
                                    training::Hyperparameters parsed, const TrainProcess& process) {
  TERRAPIN_TRY(const artifacts::S3Roots roots, s3_roots(settings));
  TERRAPIN_TRY(const auto scratch, training::ScratchFolder::make());
  TERRAPIN_TRY(training::ContainerData data, training::open_container_data(job, roots, scratch->path()));
  const training::DatasetFacts facts{std::nullopt, static_cast<std::int64_t>(data.train.samples.size())};
  TERRAPIN_TRY(parsed, training::parse_hyperparameters(job.hyperparameters,
                                                       training::HyperparameterMode::kContainer, facts));

  training::TrainingOptions& options = parsed.options;
  options.checkpoint_folder = job.checkpoint_folder();
  if (data.model) {
    options.weights = training::WeightSource::kPackage;
    options.weights_path = *data.model;
  }
  training::TrainingData training_data;
  if (data.model) {
    TERRAPIN_TRY_STATUS(require_names_of_model(*data.model, data.classes));
  }
  TERRAPIN_TRY(training_data.classes, fit_classes(std::move(data.classes), options.network.num_classes));
  training_data.train = std::move(data.train);
  training_data.validation = std::move(data.validation);

  if (!process.leads()) {
    std::fprintf(stderr, "terrapin train: process %d of %d trains along; the first one tells how it goes\n",
                 process.group()->rank(), process.group()->size());
    training::TrainingObserver silent;
    TERRAPIN_TRY([[maybe_unused]] const auto outcome,
                 training::train(options, training_data, silent, process.group()));
    return 0;
  }
  SessionSettings session_settings;
  session_settings.metrics_path = job.output_data_folder() / "metrics.jsonl";
  session_settings.report_path = job.output_data_folder() / "report.html";
  session_settings.overlays_folder = job.output_data_folder() / "overlays";
  session_settings.title = "Training job";
  session_settings.notes = std::move(data.notes);
  session_settings.notes.insert(session_settings.notes.end(), parsed.notes.begin(), parsed.notes.end());
  session_settings.show_progress = settings.show_progress;
  auto session = run_session(options, training_data, session_settings, process.group());
  const bool stopped = !session && session.error().code == ErrorCode::kCancelled;
  if (!session && !stopped) return tl::unexpected<Error>(std::move(session.error()));
  artifacts::ModelPackage package;
  if (stopped) {
    std::fprintf(stderr, "terrapin train: %s\n", session.error().message.c_str());
    auto saved = training::outcome_of_checkpoint(options, training_data.classes);
    if (!saved && saved.error().code == ErrorCode::kNotFound)
      return tl::unexpected<Error>(std::move(session.error()));
    if (!saved) return tl::unexpected<Error>(std::move(saved.error()));
    std::fprintf(stderr, "terrapin train: saving the model of epoch %d\n", saved->best_epoch);
    package = std::move(saved->package);
  } else {
    package = std::move(session->outcome.package);
  }
  TERRAPIN_TRY_STATUS(training::write_container_model(job, package, scratch->path()));
  return 0;
}

Result<int> train_job(const ContainerSettings& settings, std::shared_ptr<training::ProcessGroup>& processes) {
  TERRAPIN_TRY(const training::ContainerJob job, training::read_container_job(settings.root));
  // A wrong hyperparameter is said before any data is opened: a FIFO may have gigabytes to send.
  TERRAPIN_TRY(
      const training::Hyperparameters parsed,
      training::parse_hyperparameters(job.hyperparameters, training::HyperparameterMode::kContainer));
  TERRAPIN_TRY(const training::Place place, training::place_from(training::environment()));
  if (place.alone()) {
    LaunchPlan plan{1, job.hosts, job.current_host, job.network_interface_name};
    TERRAPIN_TRY(plan.processes, local_processes(settings.processes, parsed.options));
    TERRAPIN_TRY_STATUS(check_pipes(job, plan.processes));
    if (plan.all_processes() > 1) return run_processes(plan);
  }
  TERRAPIN_TRY(const TrainProcess process, TrainProcess::join(place));
  processes = process.group();
  return train_alone_or_together(settings, job, parsed, process);
}

}  // namespace

Result<int> run_container(const ContainerSettings& settings) {
  std::error_code ignored;
  if (!was_launched())
    fs::remove(settings.root / "output" / "failure", ignored);  // of an earlier run in the same folder
  Result<int> result = 0;
  std::shared_ptr<training::ProcessGroup> processes;
  // The job runner: nothing may end without a word in output/failure.
  try {
    result = train_job(settings, processes);
  } catch (const std::exception& error) {
    result = fail(ErrorCode::kInternal, "{}", error.what());
  }
  if (result || was_launched()) return told_to_launcher(std::move(result), processes.get());
  if (result.error().code == ErrorCode::kCancelled && interrupt_signal() != 0) {
    return 128 + interrupt_signal();
  }
  if (const Status written = training::write_failure(settings.root, result.error()); !written) {
    std::fprintf(stderr, "terrapin train: %s\n", written.error().message.c_str());
  }
  return result;
}

}  // namespace terrapin::cli
