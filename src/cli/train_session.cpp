#include "cli/train_session.h"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <memory>
#include <optional>

#include "base/files.h"
#include "base/json_text.h"
#include "base/progress.h"
#include "training/distributed/process_group.h"
#include "training/hyperparameters.h"
#include "training/metrics_log.h"
#include "training/overlays.h"
#include "training/report.h"

namespace terrapin::cli {
namespace {

using training::EpochReport;
using training::MessageLevel;

class SessionObserver : public training::TrainingObserver {
 public:
  SessionObserver(const training::TrainingOptions& options, const training::TrainingData& data,
                  const SessionSettings& settings, std::int64_t processes)
      : settings_(settings), epochs_(options.epochs), metrics_(settings.metrics_path, data.classes) {
    if (!settings.log_path.empty()) log_.open(settings.log_path, std::ios::app);
    if (!settings.overlays_folder.empty())
      overlays_.emplace(settings.overlays_folder, data.classes, data.validation, options.epochs,
                        options.validate_every, processes);
  }

  void on_message(MessageLevel level, const std::string& text) override {
    const std::string line = (level == MessageLevel::kWarning ? "warning: " : "") + text;
    clear_line();
    std::fprintf(stderr, "%s\n", line.c_str());
    write_log(line);
  }

  void on_progress(const std::string& stage, std::int64_t done, std::int64_t total) override {
    if (!stage_bar_ || stage != stage_) {
      stage_ = stage;
      stage_bar_ = std::make_unique<ProgressBar>(stage, total, settings_.show_progress);
    }
    stage_bar_->update(done);
    if (done >= total) stage_bar_.reset();
  }

  void on_start(std::int64_t steps_per_epoch, int finished_epochs,
                const std::vector<EpochReport>& history) override {
    steps_per_epoch_ = steps_per_epoch;
    finished_epochs_ = finished_epochs;
    for (const EpochReport& report : history) {
      if (report.best) best_iou_ = report.mean_iou;
    }
    if (finished_epochs > 0) {
      on_message(MessageLevel::kInfo, fmt::format("resumed after epoch {} of {}", finished_epochs, epochs_));
    }
    keep(metrics_.start(history));
  }

  void on_step(const training::StepReport& step) override {
    stage_bar_.reset();
    if (!bar_) {
      bar_ = std::make_unique<ProgressBar>("train", steps_per_epoch_ * (epochs_ - finished_epochs_),
                                           settings_.show_progress);
    }
    // What matters most first: a narrow terminal cuts the end off.
    std::string detail = fmt::format("loss {:.3f}", step.mean_loss);
    if (best_iou_ >= 0) detail += fmt::format(" mIoU {:.3f}", best_iou_);
    detail += fmt::format(" {:.0f} images/s epoch {}/{}", step.images_per_second, step.epoch, step.epochs);
    bar_->update((step.epoch - 1 - finished_epochs_) * steps_per_epoch_ + step.step, detail);
  }

  void on_prediction(int epoch, std::int64_t index, const artifacts::LabeledPhoto& photo,
                     const imaging::Mask& prediction) override {
    if (overlays_) look_at(overlays_->add(epoch, index, photo, prediction));
  }

  void on_epoch(const EpochReport& report) override {
    stage_bar_.reset();
    if (overlays_) look_at(overlays_->finish(report.epoch));
    if (report.validated && report.best) best_iou_ = report.mean_iou;
    const std::string line = training::format_metric_line(report);
    if (settings_.print_metric_lines) {
      clear_line();
      std::printf("%s\n", line.c_str());
      std::fflush(stdout);  // scrapers read a pipe
    }
    write_log(line);
    keep(metrics_.append(report));
  }

  // The first failure to write metrics.jsonl.
  const Status& status() const { return status_; }

  void hide_bars() {
    stage_bar_.reset();
    bar_.reset();
  }

 private:
  void keep(Status status) {
    if (!status && status_) status_ = std::move(status);
  }

  // A training goes on without its pictures.
  void look_at(const Status& drawn) {
    if (drawn) return;
    overlays_.reset();
    on_message(MessageLevel::kWarning, "no more pictures of validation photos: " + drawn.error().message);
  }

  // Text takes the place of a bar that is on the terminal; the bar draws itself again.
  void clear_line() const {
    if (settings_.show_progress && (bar_ || stage_bar_) && ::isatty(STDERR_FILENO) == 1) {
      std::fputs("\r\033[K", stderr);
      std::fflush(stderr);
    }
  }

  void write_log(const std::string& text) {
    if (!log_.is_open()) return;
    const auto now = std::chrono::system_clock::now();
    const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
    std::tm utc{};
    gmtime_r(&seconds, &utc);
    char stamp[32];
    std::strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%SZ", &utc);
    log_ << stamp << ' ' << text << std::endl;
  }

  const SessionSettings& settings_;
  int epochs_ = 0, finished_epochs_ = 0;
  std::int64_t steps_per_epoch_ = 0;
  double best_iou_ = -1;
  training::MetricsLog metrics_;
  std::optional<training::OverlayWriter> overlays_;
  std::ofstream log_;
  std::string stage_;
  std::unique_ptr<ProgressBar> bar_, stage_bar_;
  Status status_;
};

training::ReportContent report_content(const training::TrainingOptions& options,
                                       const training::TrainingOutcome& outcome,
                                       const training::TrainingData& data, const SessionSettings& settings) {
  training::ReportContent content;
  content.title = settings.title;
  content.classes = data.classes;
  content.history = outcome.history;
  content.best_epoch = outcome.best_epoch;
  content.facts = settings.facts;
  content.facts.emplace_back("training photos", fmt::format("{}", data.train.samples.size()));
  content.facts.emplace_back("validation photos", fmt::format("{}", data.validation.samples.size()));
  content.facts.emplace_back("epochs finished", fmt::format("{}{}", outcome.finished_epochs,
                                                            outcome.stopped_early ? " (stopped early)" : ""));
  const nlohmann::json choices = training::to_json(options);  // shown as hyperparameters
  for (const auto& [name, value] : outcome.package.spec.training.items()) {
    if (value.is_primitive() && !choices.contains(name))
      content.facts.emplace_back(name, value.is_string() ? value.get<std::string>() : json_text(value));
  }
  content.hyperparameters = training::effective_hyperparameters(options);
  return content;
}

Bytes bytes_of(const std::string& text) {
  return Bytes(text.begin(), text.end());
}

}  // namespace

Result<SessionResult> run_session(const training::TrainingOptions& options,
                                  const training::TrainingData& data, const SessionSettings& settings,
                                  std::shared_ptr<training::ProcessGroup> processes) {
  SessionObserver observer(options, data, settings, processes ? processes->size() : 1);
  for (const std::string& note : settings.notes) observer.on_message(MessageLevel::kInfo, note);
  TERRAPIN_TRY(training::TrainingOutcome outcome,
               training::train(options, data, observer, std::move(processes)));
  observer.hide_bars();
  TERRAPIN_TRY_STATUS(observer.status());

  training::ReportContent content = report_content(options, outcome, data, settings);
  auto pictures = training::draw_report_pictures(outcome, data.validation);
  if (pictures) {
    content.worst = std::move(pictures->worst);
    content.best = std::move(pictures->best);
  } else {
    observer.on_message(MessageLevel::kWarning, "report.html has no pictures: " + pictures.error().message);
  }
  const std::string html = training::render_report(content);
  TERRAPIN_TRY_STATUS(write_file_atomically(settings.report_path, html));
  TERRAPIN_TRY(const std::string metrics, read_text_file(settings.metrics_path));
  outcome.package.extras["report.html"] = bytes_of(html);
  outcome.package.extras["metrics.jsonl"] = bytes_of(metrics);
  return SessionResult{std::move(outcome)};
}

}  // namespace terrapin::cli
