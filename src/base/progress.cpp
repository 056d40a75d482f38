#include "base/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace terrapin {
namespace {

std::string clock_text(double seconds) {
  const std::int64_t whole = std::llround(std::max(0.0, seconds));
  if (whole >= 3600) {
    return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
  }
  return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

int terminal_columns() {
  struct winsize size {};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

}  // namespace

ProgressBar::ProgressBar(std::string title, std::int64_t total, bool enabled)
    : title_(std::move(title)),
      total_(total),
      active_(enabled && ::isatty(STDERR_FILENO) == 1),
      start_(std::chrono::steady_clock::now()) {}

ProgressBar::~ProgressBar() {
  if (active_) std::fputs("\r\033[K", stderr), std::fflush(stderr);
}

void ProgressBar::update(std::int64_t done, const std::string& detail) {
  done_ = done;
  if (!active_) return;
  detail_ = detail;
  const auto now = std::chrono::steady_clock::now();
  if (drawn_ != std::chrono::steady_clock::time_point{} && now - drawn_ < std::chrono::milliseconds(100)) {
    return;
  }
  drawn_ = now;
  draw(false);
}

void ProgressBar::finish() {
  if (!active_) return;
  draw(true);
  active_ = false;
}

void ProgressBar::draw(bool last) {
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  const double rate = seconds > 0 ? static_cast<double>(done_) / seconds : 0.0;
  std::string line = title_;
  if (total_ > 0) {
    const double fraction = std::clamp(static_cast<double>(done_) / static_cast<double>(total_), 0.0, 1.0);
    constexpr int kBarWidth = 24;
    const auto filled = static_cast<std::size_t>(fraction * kBarWidth);
    line += fmt::format(" [{}{}] {}/{}", std::string(filled, '#'), std::string(kBarWidth - filled, '.'),
                        done_, total_);
  } else {
    line += fmt::format(" {}", done_);
  }
  line += fmt::format(" {:.{}f}/s", rate, rate < 10 ? 2 : 0);
  if (last) {
    line += " in " + clock_text(seconds);
  } else if (total_ > 0 && done_ > 0) {
    line += " ETA " + clock_text(seconds / static_cast<double>(done_) * static_cast<double>(total_ - done_));
  }
  if (!detail_.empty()) line += " " + detail_;
  // A line that wraps would leave its first half behind.
  const auto width = static_cast<std::size_t>(std::max(20, terminal_columns() - 1));
  if (line.size() > width) line.resize(width);
  std::fprintf(stderr, "\r\033[K%s%s", line.c_str(), last ? "\n" : "");
  std::fflush(stderr);
}

}  // namespace terrapin
