// Programs as children of this process; no shell is involved.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/descriptor.h"
#include "base/result.h"

namespace terrapin {

// As a descriptor above 2, so that giving a child its standard descriptors overwrites none of the plan's.
Descriptor above_standard(Descriptor descriptor);

// For what a child says; the reading end does not block. Not open: the system gave none (errno).
struct ChildPipe {
  Descriptor read, write;
  static ChildPipe make();
  bool is_open() const { return read.is_open() && write.is_open(); }
};

struct ChildPlan {
  std::vector<std::string> arguments = {};    // the first is the program's absolute path
  std::vector<std::string> environment = {};  // "NAME=value": all of it
  std::string folder = {};                    // where it runs; "": where this process does
  // Its standard descriptors; -1: /dev/null for the input, this process's own for the others. It gets no
  // other, ignores and blocks no signal.
  int input = -1, output = -1, errors = -1;
  bool own_group = false;    // the leader of a process group of its own
  bool own_session = false;  // the leader of a session (and so of a group) of its own
};

// The child's number; whoever starts it waits for it. kNotFound if there is no such program, else kIo, naming
// it and what the system says.
Result<pid_t> start_child(const ChildPlan& plan);

// How a child ended: one of the two.
struct ChildEnding {
  std::optional<int> exit_code, signal;
};

// A child that one thread waits for. Destroyed before its end was seen, it is killed. Not thread-safe.
class ChildProcess {
 public:
  static Result<ChildProcess> start(const ChildPlan& plan);
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&&) = delete;
  ~ChildProcess();

  // nullopt: it still runs after `most`.
  Result<std::optional<ChildEnding>> wait(std::chrono::milliseconds most);
  void signal(int number);  // nothing once its end was seen

 private:
  explicit ChildProcess(pid_t pid, Descriptor handle) : pid_(pid), handle_(std::move(handle)) {}
  pid_t pid_ = -1;
  Descriptor handle_;  // a pidfd
};

}  // namespace terrapin
