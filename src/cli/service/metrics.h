// Counters for Prometheus (text format 0.0.4).
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <string>

#include "http/server.h"
#include "labeling/jobs/job_service.h"
#include "portal/portal.h"

namespace terrapin::cli {

// Thread-safe.
class Metrics {
 public:
  void count(const http::AccessEntry& entry);
  // `free_bytes`: of the data folder's disk; -1 unknown.
  std::string text(labeling::JobService& jobs, std::int64_t free_bytes,
                   const std::optional<portal::AssistFigures>& assist) const;

 private:
  enum Door { kAws, kPortal, kOther, kDoors };
  static constexpr std::array<double, 10> kBucketsMs{1, 2.5, 5, 10, 25, 50, 100, 250, 1000, 5000};
  struct PerDoor {
    std::array<std::atomic<std::int64_t>, 6> by_class{};  // 1xx .. 5xx by the first digit
    std::array<std::atomic<std::int64_t>, kBucketsMs.size() + 1> by_time{};
    std::atomic<std::int64_t> microseconds{0}, bytes{0};
  };
  std::array<PerDoor, kDoors> doors_;
};

}  // namespace terrapin::cli
