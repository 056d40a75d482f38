#include "training/metrics_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/files.h"
#include "base/json_text.h"

namespace terrapin::training {

std::string format_metric_line(const EpochReport& report) {
  std::string line = fmt::format("[epoch {}/{}] train:loss={:.6f} train:throughput={:.3f}", report.epoch,
                                 report.epochs, report.loss, report.train_images_per_second);
  if (report.validated) {
    line +=
        fmt::format(" validation:mIOU={:.6f} validation:pixel_accuracy={:.6f} validation:throughput={:.3f}",
                    report.mean_iou, report.pixel_accuracy, report.validation_images_per_second);
  }
  return line;
}

nlohmann::ordered_json metrics_json(const EpochReport& report, const artifacts::ClassList& classes) {
  nlohmann::ordered_json json = {
      {"format", "terrapin-metrics"},
      {"version", 1},
      {"epoch", report.epoch},
      {"epochs", report.epochs},
      {"elapsed_seconds", report.elapsed_seconds},
      {"learning_rate", report.learning_rate},
      {"train",
       {{"loss", report.loss},
        {"cross_entropy", report.cross_entropy},
        {"dice", report.dice},
        {"auxiliary", report.auxiliary},
        {"seconds", report.train_seconds},
        {"images_per_second", report.train_images_per_second},
        {"loading_wait_seconds", report.loading_wait_seconds}}},
  };
  if (!report.validated) return json;
  const metrics::ConfusionMatrix& confusion = report.confusion;
  nlohmann::ordered_json per_class = nlohmann::ordered_json::array(),
                         matrix = nlohmann::ordered_json::array();
  for (int truth = 0; truth < confusion.class_count(); ++truth) {
    const std::optional<double> iou = confusion.iou(truth);
    per_class.push_back(
        {{"name", truth < classes.size() ? classes.classes[static_cast<std::size_t>(truth)].name
                                         : std::to_string(truth)},
         {"iou", iou ? nlohmann::ordered_json(*iou) : nlohmann::ordered_json()}});
    nlohmann::ordered_json row = nlohmann::ordered_json::array();
    for (int predicted = 0; predicted < confusion.class_count(); ++predicted) {
      row.push_back(confusion.count(truth, predicted));
    }
    matrix.push_back(std::move(row));
  }
  json["validation"] = {{"mean_iou", report.mean_iou},
                        {"pixel_accuracy", report.pixel_accuracy},
                        {"frequency_weighted_iou", report.frequency_weighted_iou},
                        {"seconds", report.validation_seconds},
                        {"images_per_second", report.validation_images_per_second},
                        {"classes", std::move(per_class)},
                        {"confusion", std::move(matrix)}};
  json["best"] = report.best;
  return json;
}

namespace {

// Class names may hold bytes that are no UTF-8 in files made elsewhere: replaced, never thrown at.
std::string json_line(const EpochReport& report, const artifacts::ClassList& classes) {
  return json_text(metrics_json(report, classes)) + "\n";
}

}  // namespace

MetricsLog::MetricsLog(std::filesystem::path path, artifacts::ClassList classes)
    : path_(std::move(path)), classes_(std::move(classes)) {}

Status MetricsLog::start(const std::vector<EpochReport>& history) {
  std::string text;
  for (const EpochReport& report : history) text += json_line(report, classes_);
  return write_file_atomically(path_, text);
}

Status MetricsLog::append(const EpochReport& report) {
  const std::string line = json_line(report, classes_);
  const int file = ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
  if (file < 0) return fail(ErrorCode::kIo, "{}: cannot append: {}", path_.string(), std::strerror(errno));
  // One write: a reader that polls the file never sees half a line followed by another.
  const ssize_t written = ::write(file, line.data(), line.size());
  const bool synced = written == static_cast<ssize_t>(line.size()) && ::fsync(file) == 0;
  const int reason = errno;
  ::close(file);
  if (!synced) return fail(ErrorCode::kIo, "{}: cannot append: {}", path_.string(), std::strerror(reason));
  return {};
}

}  // namespace terrapin::training
