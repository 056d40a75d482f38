#include "base/logging.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <memory>
#include <string_view>

namespace terrapin {
namespace {

// spdlog prints "warning" and "critical"; ours are the words the command line takes.
class LevelWord : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& out) override {
    std::string_view word = "info";
    switch (message.level) {
      case spdlog::level::trace:
      case spdlog::level::debug:
        word = "debug";
        break;
      case spdlog::level::warn:
        word = "warn";
        break;
      case spdlog::level::err:
      case spdlog::level::critical:
        word = "error";
        break;
      default:
        break;
    }
    out.append(word.data(), word.data() + word.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<LevelWord>(); }
};

}  // namespace

void configure_logging(const std::string& level) {
  auto logger =
      std::make_shared<spdlog::logger>("terrapin", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  auto formatter = std::make_unique<spdlog::pattern_formatter>(spdlog::pattern_time_type::utc);
  formatter->add_flag<LevelWord>('*').set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %* %v");
  logger->set_formatter(std::move(formatter));
  logger->flush_on(spdlog::level::debug);
  bool known = true;
  if (level == "debug") {
    logger->set_level(spdlog::level::debug);
  } else if (level == "warn") {
    logger->set_level(spdlog::level::warn);
  } else if (level == "error") {
    logger->set_level(spdlog::level::err);
  } else {
    known = level == "info";
    logger->set_level(spdlog::level::info);
  }
  spdlog::set_default_logger(logger);
  if (!known) {
    spdlog::warn("log level '{}' is unknown (debug, info, warn, error are allowed); info is used", level);
  }
}

}  // namespace terrapin
