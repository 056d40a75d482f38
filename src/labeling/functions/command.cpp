#include "labeling/functions/command.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>

#include "base/child_process.h"
#include "base/descriptor.h"

namespace terrapin::labeling {
namespace fs = std::filesystem;
namespace {

using Steady = std::chrono::steady_clock;

constexpr std::size_t kErrorTailBytes = 4096;
constexpr const char* kPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
// After SIGKILL a process is gone at once unless the kernel holds it or it belongs to another user.
constexpr std::chrono::seconds kLastGrace{10};

tl::unexpected<AttemptFailure> system_failure(const char* what, int number = errno) {
  return final_failure(fail(ErrorCode::kIo, "{}: {}", what, std::generic_category().message(number)));
}

class WorkingFolder {
 public:
  explicit WorkingFolder(const fs::path& parent) {
    std::error_code error;
    const fs::path root = parent.empty() ? fs::temp_directory_path(error) : parent;
    std::string pattern = (root / "terrapin-function-XXXXXX").string();
    if (!error && ::mkdtemp(pattern.data()) != nullptr) path_ = pattern;
  }
  ~WorkingFolder() {
    if (path_.empty()) return;
    std::error_code error;
    fs::remove_all(path_, error);
    if (error) spdlog::warn("{}: cannot remove what a function left there: {}", path_, error.message());
  }
  WorkingFolder(const WorkingFolder&) = delete;
  WorkingFolder& operator=(const WorkingFolder&) = delete;
  const std::string& path() const { return path_; }  // "": it could not be made

 private:
  std::string path_;
};

// The input as a file without a name: the child reads it at its own pace and nothing here waits for it.
Descriptor input_file(const std::string& input) {
  Descriptor file = above_standard(Descriptor(::memfd_create("function-input", MFD_CLOEXEC)));
  for (std::size_t done = 0; file.get() >= 0 && done < input.size();) {
    const ssize_t put = ::write(file.get(), input.data() + done, input.size() - done);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return Descriptor();
    done += static_cast<std::size_t>(put);
  }
  if (file.get() >= 0 && ::lseek(file.get(), 0, SEEK_SET) != 0) return Descriptor();
  return file;
}

// A child that runs, and the thread that waits for it. The thread kills what is left of the group before it
// collects the child, for until then nobody else can get the group's number.
class Child {
 public:
  // Before the child is started, so that nothing can fail between its start and the wait for its end.
  Child() : state_(std::make_shared<State>()), thread_([state = state_] { wait(*state); }) {}
  ~Child() {
    // One that even SIGKILL does not end must not hold up the caller; the thread then goes on alone.
    if (ended() || !started_) {
      give(-1);
      thread_.join();
    } else {
      thread_.detach();
    }
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  void started(pid_t pid) {
    started_ = true;
    give(pid);
  }
  void signal_group(int number) {
    const std::lock_guard lock(state_->mutex);
    if (!state_->collected) ::kill(-state_->pid, number);
  }
  int descriptor() const { return state_->end.get(); }  // readable once it has ended
  bool ended() const {
    const std::lock_guard lock(state_->mutex);
    return state_->collected;
  }
  int status() const {  // as waitpid gives it; -1: unknown
    const std::lock_guard lock(state_->mutex);
    return state_->status;
  }

 private:
  struct State {
    const Descriptor end{::eventfd(0, EFD_CLOEXEC)};
    std::mutex mutex;
    std::condition_variable changed;
    bool decided = false;    // guarded by mutex
    pid_t pid = -1;          // guarded by mutex
    bool collected = false;  // guarded by mutex
    int status = -1;         // guarded by mutex
  };
  void give(pid_t pid) {
    const std::lock_guard lock(state_->mutex);
    if (state_->decided) return;
    state_->pid = pid;
    state_->decided = true;
    state_->changed.notify_all();
  }
  static void wait(State& state) {
    std::unique_lock lock(state.mutex);
    state.changed.wait(lock, [&] { return state.decided; });
    const pid_t pid = state.pid;
    if (pid < 0) return;
    lock.unlock();
    siginfo_t info{};
    int result = 0;
    do {
      result = ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT);
    } while (result != 0 && errno == EINTR);
    lock.lock();
    if (result == 0) {
      ::kill(-pid, SIGKILL);
      while (::waitpid(pid, &state.status, 0) < 0 && errno == EINTR) {
      }
    }
    state.collected = true;
    (void)::eventfd_write(state.end.get(), 1);
  }

  const std::shared_ptr<State> state_;
  std::thread thread_;
  bool started_ = false;
};

ChildPlan plan_of(const Command& command, const std::string& folder, int input, int output, int errors) {
  ChildPlan plan;
  plan.arguments = command.arguments;
  plan.environment = {std::string("PATH=") + kPath, "LANG=C.UTF-8", "HOME=" + folder, "TMPDIR=" + folder};
  for (const auto& [name, value] : command.environment) {
    plan.environment.push_back(name);
    plan.environment.back() += '=';
    plan.environment.back() += value;
  }
  plan.folder = folder;
  plan.input = input;
  plan.output = output;
  plan.errors = errors;
  plan.own_group = true;
  return plan;
}

// Reads what is there. False at the end of the stream.
template <class Take>
bool drain(int descriptor, const Take& take) {
  char buffer[1 << 16];
  for (;;) {
    const ssize_t got = ::read(descriptor, buffer, sizeof buffer);
    if (got > 0) {
      if (!take(std::string_view(buffer, static_cast<std::size_t>(got)))) return true;
      continue;
    }
    if (got < 0 && errno == EINTR) continue;
    return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
  }
}

std::string end_of_errors(const std::string& tail) {
  const std::size_t last = tail.find_last_not_of(" \t\r\n");
  if (last == std::string::npos) return "; it wrote nothing to standard error";
  return "; the end of its standard error: " + tail.substr(0, last + 1);
}

}  // namespace

Attempt run_command(const Command& command, const std::string& input, const StopSignal& stop) {
  if (command.arguments.empty() || command.arguments.front().empty() || command.arguments.front()[0] != '/')
    return final_failure(fail(ErrorCode::kInvalidArgument, "a command needs the absolute path of a program"));
  const std::string& program = command.arguments.front();
  if (stop.is_set()) return final_failure(fail(ErrorCode::kCancelled, "{}: shutting down", program));

  const WorkingFolder folder(command.scratch_folder);
  if (folder.path().empty()) return system_failure("cannot make a working folder");
  Child child;
  ChildPipe output, errors;
  {
    Descriptor file = input_file(input);
    if (file.get() < 0) return system_failure("cannot hold the input");
    output = ChildPipe::make();
    errors = ChildPipe::make();
    if (!output.is_open() || !errors.is_open()) return system_failure("cannot make a pipe");
    const auto pid =
        start_child(plan_of(command, folder.path(), file.get(), output.write.get(), errors.write.get()));
    if (!pid) return final_failure(tl::unexpected<Error>(pid.error()));
    child.started(*pid);
  }
  output.write.reset();
  errors.write.reset();

  enum class Ending { kExit, kTimeout, kTooMuch, kStopped } ending = Ending::kExit;
  std::string answer, tail;
  bool output_open = true, errors_open = true;
  const auto take_output = [&](std::string_view piece) {
    if (static_cast<std::int64_t>(answer.size() + piece.size()) > command.max_output_bytes) {
      if (ending == Ending::kExit) ending = Ending::kTooMuch;
      return false;
    }
    answer += piece;
    return true;
  };
  const auto take_errors = [&](std::string_view piece) {
    tail += piece;
    if (tail.size() > kErrorTailBytes) tail.erase(0, tail.size() - kErrorTailBytes);
    return false;  // what writes without end must not keep us from looking at the time
  };
  Steady::time_point next = Steady::now() + command.timeout;  // when the next signal is due
  enum class Sent { kNothing, kTerm, kKill } sent = Sent::kNothing;
  const auto kill_now = [&] {
    child.signal_group(SIGKILL);
    sent = Sent::kKill;
    next = Steady::now() + kLastGrace;
  };
  bool lost = false;
  while (!child.ended()) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - Steady::now()).count();
    if (left <= 0) {
      if (sent == Sent::kNothing) {
        ending = Ending::kTimeout;
        child.signal_group(SIGTERM);
        sent = Sent::kTerm;
        next = Steady::now() + command.kill_grace;
      } else if (sent == Sent::kTerm) {
        kill_now();
      } else {
        lost = true;
        break;
      }
      continue;
    }
    const bool too_much = ending == Ending::kTooMuch;
    pollfd waits[] = {{child.descriptor(), POLLIN, 0},
                      {output_open && !too_much ? output.read.get() : -1, POLLIN, 0},
                      {errors_open ? errors.read.get() : -1, POLLIN, 0},
                      {sent == Sent::kKill ? -1 : stop.descriptor(), POLLIN, 0}};
    const int ready = ::poll(waits, std::size(waits), static_cast<int>(std::min<std::int64_t>(left, 60'000)));
    if (ready < 0 && errno != EINTR) {
      const int number = errno;
      kill_now();
      return system_failure("cannot wait for a function", number);
    }
    if (ready <= 0) continue;
    if (waits[1].revents != 0) output_open = drain(output.read.get(), take_output);
    if (waits[2].revents != 0) errors_open = drain(errors.read.get(), take_errors);
    if (ending == Ending::kTooMuch && sent != Sent::kKill) kill_now();
    if (waits[3].revents != 0 && sent != Sent::kKill) {
      if (ending == Ending::kExit) ending = Ending::kStopped;
      kill_now();
    }
  }
  if (output_open && ending == Ending::kExit) drain(output.read.get(), take_output);
  if (errors_open) drain(errors.read.get(), take_errors);

  if (lost) spdlog::error("function program {} does not end although it was killed", program);
  switch (ending) {
    case Ending::kStopped:
      return final_failure(fail(ErrorCode::kCancelled, "{}: shutting down", program));
    case Ending::kTooMuch:
      return final_failure(fail(ErrorCode::kTooLarge, "{} wrote more than {} bytes to standard output",
                                program, command.max_output_bytes));
    case Ending::kTimeout:
      return passing_failure(fail(ErrorCode::kIo, "{} did not end within {} ms{}", program,
                                  command.timeout.count(), end_of_errors(tail)));
    case Ending::kExit:
      break;
  }
  const int status = child.status();
  if (status == -1)
    return final_failure(fail(ErrorCode::kIo,
                              "{}: its exit status is lost (this program was started with SIGCHLD ignored)",
                              program));
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return answer;
  if (WIFEXITED(status))
    return final_failure(
        fail(ErrorCode::kIo, "{} exited with {}{}", program, WEXITSTATUS(status), end_of_errors(tail)));
  return final_failure(fail(ErrorCode::kIo, "{} was ended by signal {}{}", program,
                            WIFSIGNALED(status) ? WTERMSIG(status) : 0, end_of_errors(tail)));
}

}  // namespace terrapin::labeling
