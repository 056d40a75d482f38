// A program that is asked something and answers soon: its answer, within bounds. Inside jobs only.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "base/result.h"

namespace terrapin::jobs {

struct ShortCommand {
  std::vector<std::string> arguments;    // the first is the program's absolute path; no shell is involved
  std::vector<std::string> environment;  // "NAME=value": all of it
  std::chrono::milliseconds timeout = std::chrono::seconds(20);
  std::size_t max_bytes = 16 << 20;  // kept of each stream; more of standard output is a failure
};

struct Answer {
  int exit_code = 0;  // 128 and the signal of one that was killed
  std::string output, errors;
};

// Runs it with nothing on standard input. kNotFound or kIo if it cannot be started, kCancelled if it took
// longer than its time (it is killed then, with what it started in its process group), kTooLarge for too much
// output.
Result<Answer> ask(const ShortCommand& command);

}  // namespace terrapin::jobs
