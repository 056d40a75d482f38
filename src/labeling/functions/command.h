// A program of the host's, run with text on its standard input.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "labeling/functions/attempt.h"
#include "labeling/functions/stop_signal.h"

namespace terrapin::labeling {

struct Command {
  std::vector<std::string> arguments;  // the first is the executable's absolute path; no shell is involved
  // All of the environment beyond PATH, LANG, HOME and TMPDIR, which are set: the last two name the working
  // folder.
  std::vector<std::pair<std::string, std::string>> environment;
  std::filesystem::path scratch_folder;  // where the working folder is made; "": the system's for such
  std::chrono::milliseconds timeout = std::chrono::seconds(60);
  std::chrono::milliseconds kill_grace = std::chrono::seconds(2);  // from SIGTERM to SIGKILL
  std::int64_t max_output_bytes = 16 << 20;
};

// Runs the command and returns its standard output if it exits with 0. It is the leader of a process group of
// its own, in a fresh working folder that is removed afterwards, with no descriptor but its standard ones, no
// signal ignored or blocked. Whatever is left of its group when it exits is killed; at the time limit the
// whole group gets SIGTERM, then SIGKILL. A time-out may pass; another exit code (the end of standard error
// is in the message), a signal, too much output (kTooLarge) and a program that cannot be started are final.
// kCancelled once `stop` is set: the group is then killed. Any thread; other children are not touched.
Attempt run_command(const Command& command, const std::string& input, const StopSignal& stop);

}  // namespace terrapin::labeling
