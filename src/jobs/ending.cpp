#include "jobs/ending.h"

#include <string.h>

#include "base/json_text.h"
#include "base/utf8.h"
#include "jobs/json_members.h"

namespace terrapin::jobs {
namespace {

std::string signal_text(int signal) {
  const char* const name = ::sigabbrev_np(signal);
  const char* const meaning = ::sigdescr_np(signal);
  if (name == nullptr || meaning == nullptr) return fmt::format("signal {}", signal);
  return fmt::format("signal {} (SIG{}: {})", signal, name, meaning);
}

}  // namespace

std::string ending_text(const Ending& ending) {
  nlohmann::ordered_json json{{"version", 1},
                              {"started_us", to_microseconds(ending.started)},
                              {"ended_us", to_microseconds(ending.ended)}};
  if (ending.exit_code) json["exit_code"] = *ending.exit_code;
  if (ending.signal) json["signal"] = *ending.signal;
  json["stop_asked"] = ending.stop_asked;
  json["killed"] = ending.killed;
  json["out_of_memory"] = ending.out_of_memory;
  json["peak_memory_bytes"] = ending.peak_memory_bytes;
  if (!ending.problem.empty()) json["problem"] = ending.problem;
  if (!ending.said.empty()) json["said"] = ending.said;
  return json_text(json);
}

Result<Ending> parse_ending(const std::string& text) {
  TERRAPIN_TRY(const nlohmann::json json, parse_object(text, "a job's exit file"));
  Ending ending;
  ending.started = from_microseconds(integer_of(json, "started_us", 0));
  ending.ended = from_microseconds(integer_of(json, "ended_us", 0));
  ending.exit_code = optional_integer_of(json, "exit_code");
  ending.signal = optional_integer_of(json, "signal");
  ending.stop_asked = flag_of(json, "stop_asked");
  ending.killed = flag_of(json, "killed");
  ending.out_of_memory = flag_of(json, "out_of_memory");
  ending.peak_memory_bytes = integer_of(json, "peak_memory_bytes", 0);
  ending.problem = text_of(json, "problem");
  ending.said = text_of(json, "said");
  if (!ending.exit_code && !ending.signal && ending.problem.empty())
    return fail(ErrorCode::kCorrupt, "a job's exit file names neither exit_code, signal nor problem");
  return ending;
}

std::string failure_reason(const Ending& ending) {
  if (ending.succeeded()) return "";
  const std::int64_t mib = ending.peak_memory_bytes >> 20;
  std::string reason;
  if (!ending.problem.empty()) {
    reason = ending.problem;
  } else if (ending.signal) {
    if (ending.killed) {
      reason = "The job did not end in time after SIGTERM and was killed.";
    } else if (ending.killed_for_memory()) {
      reason = fmt::format(
          "The system killed the job because memory ran out; its largest process had used {} MiB. Use a "
          "smaller batch or "
          "crop, or a machine with more memory.",
          mib);
    } else {
      reason = fmt::format("The job was ended by {}.", signal_text(*ending.signal));
    }
  } else if (!ending.said.empty()) {
    return ending.said;
  } else {
    reason = fmt::format("The job exited with code {}.", *ending.exit_code);
    if (ending.out_of_memory) reason += " The system had killed a process for want of memory while it ran.";
  }
  if (!ending.said.empty()) reason += " It said: " + ending.said;
  return reason;
}

std::string first_characters(const std::string& text, std::size_t most) {
  std::string result;
  std::size_t at = 0;
  for (std::size_t count = 0; count < most && at < text.size(); ++count) {
    const std::size_t length = utf8_length(std::string_view(text).substr(at));
    if (length == 0 || text[at] == '\0') {
      result += '?';
      ++at;
    } else {
      result.append(text, at, length);
      at += length;
    }
  }
  return result;
}

}  // namespace terrapin::jobs
