// One log for the program: standard error, one line an event. The library's names stay behind fmt-style
// calls.
#pragma once

#include <spdlog/spdlog.h>

namespace terrapin {

// `level`: "debug", "info", "warn", "error". Lines look like "2026-01-31T12:00:00.123Z warn text".
void configure_logging(const std::string& level);

}  // namespace terrapin
