// How a job's process ended, as its keeper wrote it down.
#pragma once

#include <signal.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/result.h"

namespace terrapin::jobs {

// What is kept of a job's own words about its failure (AWS: FailureReason, at most 1,024 characters).
inline constexpr std::size_t kFailureCharacters = 1024;

struct Ending {
  Timestamp started, ended;
  // One of the two, or neither where nobody could learn it: then `problem` says why.
  std::optional<int> exit_code, signal;
  bool stop_asked = false;     // the keeper was told to stop it, before it ended
  bool killed = false;         // it outlived SIGTERM by its grace
  bool out_of_memory = false;  // the system killed for want of memory while it ran
  // The largest resident set of one of its processes; about as much as the keeper itself at the least.
  std::int64_t peak_memory_bytes = 0;
  std::string problem;  // it could not be started, or its keeper was killed
  std::string said;     // what the job wrote into its failure file, at most kFailureCharacters

  bool succeeded() const { return exit_code == 0 && problem.empty(); }
  // How it ended, not only what happened on the machine meanwhile.
  bool killed_for_memory() const { return out_of_memory && signal == SIGKILL; }
};

// Version 1, docs/formats/jobs.md.
std::string ending_text(const Ending& ending);
Result<Ending> parse_ending(const std::string& text);

// Why it failed, for people: one sentence, or what the job said itself. "" if it succeeded.
std::string failure_reason(const Ending& ending);

// The first `most` characters of what may not be UTF-8; bytes that are no character become '?'.
std::string first_characters(const std::string& text, std::size_t most);

}  // namespace terrapin::jobs
