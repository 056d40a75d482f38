// A progress bar on standard error: shown only on a terminal, silent otherwise.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace terrapin {

// Not thread-safe: one owner draws. Redraws at most ten times a second.
class ProgressBar {
 public:
  // `total` <= 0 means unknown: a counter is shown. `enabled` false silences it whatever the terminal.
  ProgressBar(std::string title, std::int64_t total, bool enabled = true);
  ~ProgressBar();  // clears the line if `finish` was not called
  void update(std::int64_t done,
              const std::string& detail = {});  // draws title, bar, n/total, rate, ETA, detail
  void finish();

 private:
  void draw(bool last);
  std::string title_, detail_;
  std::int64_t total_ = 0, done_ = 0;
  bool active_ = false;
  std::chrono::steady_clock::time_point start_, drawn_;
};

}  // namespace terrapin
