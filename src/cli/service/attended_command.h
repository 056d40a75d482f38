// A command that is run for somebody else, as a shell runs one: it has the terminal, its signals and its exit
// code.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"

namespace terrapin::cli {

// Made before anything else is opened or started; one at a time, and for the rest of the process. From then
// on SIGINT, SIGTERM, SIGHUP and SIGQUIT end nobody: they wait to be taken, so that what must be taken back
// at the end is not cut short.
class Attendant {
 public:
  Attendant();
  // The next signal, 0 without.
  int take_signal();

  // Starts `arguments` (its first by PATH) with `environment` and returns its exit code when it has ended,
  // 128 + the signal's number if one ended it. It has the descriptors that this process was started with, and
  // no others. It has a process group of its own, in the terminal's foreground where this process was: Ctrl-C
  // reaches it once. Signals to this process go on to it; if this process is killed, it gets SIGTERM.
  // `look_after` is called a few times a second meanwhile. kNotFound, kDenied or kIo naming the command if it
  // cannot be started.
  Result<int> run(const std::vector<std::string>& arguments, const std::vector<std::string>& environment,
                  const std::function<void()>& look_after);

 private:
  std::vector<int> inherited_;  // descriptors, in order
};

}  // namespace terrapin::cli
