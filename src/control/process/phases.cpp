#include "control/process/phases.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>
#include <system_error>

#include "base/json_text.h"
#include "jobs/json_members.h"

namespace terrapin::control {

Result<PhaseLog> PhaseLog::open(const std::filesystem::path& folder, const Clock& clock) {
  const std::filesystem::path path = folder / kPhasesFile;
  Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file.is_open())
    return fail(ErrorCode::kIo, "{}: {}", path.string(), std::generic_category().message(errno));
  return PhaseLog(std::move(file), clock);
}

Status PhaseLog::add(const std::string& name, const std::map<std::string, std::string>& facts) {
  const std::string line =
      json_text(nlohmann::ordered_json{
          {"version", 1}, {"phase", name}, {"time_us", to_microseconds(clock_->now())}, {"facts", facts}}) +
      "\n";
  ssize_t put = 0;
  do {
    put = ::write(file_.get(), line.data(), line.size());
  } while (put < 0 && errno == EINTR);
  if (put == static_cast<ssize_t>(line.size())) return {};
  const int number = put < 0 ? errno : ENOSPC;
  return fail(number == ENOSPC || number == EDQUOT ? ErrorCode::kNoSpace : ErrorCode::kIo, "{}: {}",
              kPhasesFile, std::generic_category().message(number));
}

std::vector<Phase> parse_phases(const std::string& text) {
  std::vector<Phase> phases;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    if (end == std::string::npos) break;  // still being written
    const auto line = jobs::parse_object(text.substr(at, end - at), "a phase");
    at = end + 1;
    if (!line) continue;
    Phase phase{jobs::text_of(*line, "phase"), from_microseconds(jobs::integer_of(*line, "time_us", 0)),
                jobs::text_map_of(*line, "facts")};
    if (!phase.name.empty()) phases.push_back(std::move(phase));
  }
  return phases;
}

}  // namespace terrapin::control
