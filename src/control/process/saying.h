// What the process of a job says into its log, and where it leaves why it failed.
#pragma once

#include <fmt/format.h>

#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"

namespace terrapin::control {

// Writes whole lines to standard output at once; whichever thread asks, lines never mix.
void write_lines(std::string_view lines);

template <class... Args>
void say(fmt::format_string<Args...> format, Args&&... args) {
  write_lines("terrapin job-work: " + fmt::format(format, std::forward<Args>(args)...) + "\n");
}

// Keeps the reason's first 1024 characters in the folder's failure file (AWS's FailureReason).
void keep_reason(const std::filesystem::path& folder, const std::string& reason);

}  // namespace terrapin::control
