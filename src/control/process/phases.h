// What the process of a job says of its way, read by the server: phases.jsonl in its work folder.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/descriptor.h"
#include "base/result.h"

namespace terrapin::control {

inline constexpr const char* kPhasesFile = "phases.jsonl";
inline constexpr std::int64_t kMaxPhasesBytes = 4 << 20;

struct Phase {
  std::string name;  // "Downloading"
  Timestamp time;
  std::map<std::string, std::string> facts;  // such as where results lie
};

// The phase whose fact "model" names a training's model.
inline constexpr const char* kModelFact = "model";

// Each phase is one write of one line. Not thread-safe.
class PhaseLog {
 public:
  static Result<PhaseLog> open(const std::filesystem::path& folder, const Clock& clock);
  Status add(const std::string& name, const std::map<std::string, std::string>& facts = {});

 private:
  PhaseLog(Descriptor file, const Clock& clock) : file_(std::move(file)), clock_(&clock) {}
  Descriptor file_;
  const Clock* clock_;
};

// Lines that cannot be read (one was cut by a kill) are left out.
std::vector<Phase> parse_phases(const std::string& text);

}  // namespace terrapin::control
