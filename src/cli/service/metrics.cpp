#include "cli/service/metrics.h"

#include <fmt/format.h>

namespace terrapin::cli {

void Metrics::count(const http::AccessEntry& entry) {
  const Door door = entry.target == "/healthz" || entry.target == "/metrics" ? kOther
                    : entry.target.starts_with("/_/")                        ? kPortal
                                                                             : kAws;
  PerDoor& counts = doors_[door];
  const int first = entry.status / 100;
  ++counts.by_class[static_cast<std::size_t>(first >= 1 && first <= 5 ? first : 0)];
  std::size_t bucket = 0;
  while (bucket < kBucketsMs.size() && entry.milliseconds > kBucketsMs[bucket]) ++bucket;
  ++counts.by_time[bucket];
  counts.microseconds += static_cast<std::int64_t>(entry.milliseconds * 1000);
  counts.bytes += entry.body_bytes;
}

namespace {

std::string assist_text(const portal::AssistFigures& figures) {
  std::string text =
      "# HELP terrapin_assist_questions_total Workers' questions about a photo, by what became of them.\n"
      "# TYPE terrapin_assist_questions_total counter\n";
  for (const auto& [name, value] :
       {std::pair("answered", figures.answered), std::pair("superseded", figures.superseded),
        std::pair("refused", figures.refused)})
    text += fmt::format("terrapin_assist_questions_total{{outcome=\"{}\"}} {}\n", name, value);
  text += fmt::format(
      "# HELP terrapin_assist_seconds_total From the question to its answer, of those answered.\n"
      "# TYPE terrapin_assist_seconds_total counter\nterrapin_assist_seconds_total {}\n",
      static_cast<double>(figures.microseconds) / 1e6);
  text += fmt::format(
      "# HELP terrapin_assist_questions_under_way Questions, and photos being opened, that are worked on.\n"
      "# TYPE terrapin_assist_questions_under_way gauge\nterrapin_assist_questions_under_way {}\n",
      figures.under_way);
  text += fmt::format(
      "# HELP terrapin_assist_photos_opened_total Photos decoded for questions.\n"
      "# TYPE terrapin_assist_photos_opened_total counter\nterrapin_assist_photos_opened_total {}\n",
      figures.photos_opened);
  text += fmt::format(
      "# HELP terrapin_assist_photo_bytes Photos kept decoded for questions.\n"
      "# TYPE terrapin_assist_photo_bytes gauge\nterrapin_assist_photo_bytes {}\n",
      figures.photo_bytes);
  return text;
}

}  // namespace

std::string Metrics::text(labeling::JobService& jobs, std::int64_t free_bytes,
                          const std::optional<portal::AssistFigures>& assist) const {
  static constexpr std::array<const char*, kDoors> kNames{"aws", "portal", "other"};
  std::string text =
      "# HELP terrapin_http_requests_total Answers by door and status class.\n"
      "# TYPE terrapin_http_requests_total counter\n";
  for (std::size_t door = 0; door < kDoors; ++door)
    for (std::size_t digit = 1; digit <= 5; ++digit)
      text += fmt::format("terrapin_http_requests_total{{door=\"{}\",status=\"{}xx\"}} {}\n", kNames[door],
                          digit, doors_[door].by_class[digit].load());
  text +=
      "# HELP terrapin_http_request_seconds From the first byte of a request to the last byte of its "
      "answer.\n"
      "# TYPE terrapin_http_request_seconds histogram\n";
  for (std::size_t door = 0; door < kDoors; ++door) {
    std::int64_t sum = 0;
    for (std::size_t bucket = 0; bucket <= kBucketsMs.size(); ++bucket) {
      sum += doors_[door].by_time[bucket].load();
      const std::string edge =
          bucket < kBucketsMs.size() ? fmt::format("{}", kBucketsMs[bucket] / 1000) : std::string("+Inf");
      text += fmt::format("terrapin_http_request_seconds_bucket{{door=\"{}\",le=\"{}\"}} {}\n", kNames[door],
                          edge, sum);
    }
    text += fmt::format("terrapin_http_request_seconds_sum{{door=\"{}\"}} {}\n", kNames[door],
                        static_cast<double>(doors_[door].microseconds.load()) / 1e6);
    text += fmt::format("terrapin_http_request_seconds_count{{door=\"{}\"}} {}\n", kNames[door], sum);
  }
  text +=
      "# HELP terrapin_http_answer_bytes_total Bytes of answers.\n"
      "# TYPE terrapin_http_answer_bytes_total counter\n";
  for (std::size_t door = 0; door < kDoors; ++door)
    text += fmt::format("terrapin_http_answer_bytes_total{{door=\"{}\"}} {}\n", kNames[door],
                        doors_[door].bytes.load());

  text +=
      "# HELP terrapin_labeling_objects Objects of jobs in progress.\n"
      "# TYPE terrapin_labeling_objects gauge\n";
  labeling::JobFilter filter;
  filter.status = labeling::JobStatus::kInProgress;
  filter.limit = 1000;
  std::int64_t in_progress = 0, labeled = 0, failed = 0, unlabeled = 0;
  for (bool more = true; more;) {
    const auto page = jobs.list(filter);
    if (!page) break;
    for (const labeling::JobRecord& job : page->jobs) {
      ++in_progress;
      labeled += job.counters.total_labeled;
      failed += job.counters.failed_non_retryable;
      unlabeled += job.counters.unlabeled;
    }
    filter.offset += static_cast<std::int64_t>(page->jobs.size());
    more = page->more;
  }
  for (const auto& [name, value] :
       {std::pair("labeled", labeled), std::pair("failed", failed), std::pair("unlabeled", unlabeled)})
    text += fmt::format("terrapin_labeling_objects{{state=\"{}\"}} {}\n", name, value);
  text += fmt::format(
      "# HELP terrapin_labeling_jobs_in_progress Jobs that show tasks.\n"
      "# TYPE terrapin_labeling_jobs_in_progress gauge\nterrapin_labeling_jobs_in_progress {}\n",
      in_progress);
  if (assist) text += assist_text(*assist);
  if (free_bytes >= 0)
    text += fmt::format(
        "# HELP terrapin_disk_free_bytes Free on the disk of the data folder.\n"
        "# TYPE terrapin_disk_free_bytes gauge\nterrapin_disk_free_bytes {}\n",
        free_bytes);
  return text;
}

}  // namespace terrapin::cli
