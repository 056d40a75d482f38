#include "base/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

namespace terrapin {
namespace {

struct SpawnPlan {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  SpawnPlan() {
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawnattr_init(&attributes);
  }
  ~SpawnPlan() {
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;
};

std::string words(int number) {
  return std::generic_category().message(number);
}

}  // namespace

Descriptor above_standard(Descriptor descriptor) {
  if (!descriptor.is_open() || descriptor.get() > 2) return descriptor;
  return Descriptor(::fcntl(descriptor.get(), F_DUPFD_CLOEXEC, 3));
}

ChildPipe ChildPipe::make() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return {};
  ChildPipe pipe{above_standard(Descriptor(ends[0])), above_standard(Descriptor(ends[1]))};
  if (pipe.read.is_open()) ::fcntl(pipe.read.get(), F_SETFL, O_NONBLOCK);
  return pipe;
}

Result<pid_t> start_child(const ChildPlan& plan) {
  if (plan.arguments.empty() || plan.arguments.front().empty() || plan.arguments.front()[0] != '/')
    return fail(ErrorCode::kInvalidArgument, "a command needs the absolute path of a program");
  std::vector<std::string> arguments = plan.arguments, variables = plan.environment;
  std::vector<char*> argv, envp;
  for (std::string& text : arguments) argv.push_back(text.data());
  for (std::string& text : variables) envp.push_back(text.data());
  argv.push_back(nullptr);
  envp.push_back(nullptr);

  SpawnPlan spawn;
  int problem = 0;
  const auto step = [&](int result) {
    if (problem == 0) problem = result;
  };
  if (plan.input < 0) {
    step(::posix_spawn_file_actions_addopen(&spawn.actions, 0, "/dev/null", O_RDONLY, 0));
  } else {
    step(::posix_spawn_file_actions_adddup2(&spawn.actions, plan.input, 0));
  }
  if (plan.output >= 0) step(::posix_spawn_file_actions_adddup2(&spawn.actions, plan.output, 1));
  if (plan.errors >= 0) step(::posix_spawn_file_actions_adddup2(&spawn.actions, plan.errors, 2));
  step(::posix_spawn_file_actions_addclosefrom_np(&spawn.actions, 3));
  if (!plan.folder.empty()) step(::posix_spawn_file_actions_addchdir_np(&spawn.actions, plan.folder.c_str()));
  sigset_t defaults, mask;
  sigfillset(&defaults);
  sigdelset(&defaults, SIGKILL);
  sigdelset(&defaults, SIGSTOP);
  sigemptyset(&mask);
  step(::posix_spawnattr_setsigdefault(&spawn.attributes, &defaults));
  step(::posix_spawnattr_setsigmask(&spawn.attributes, &mask));
  step(::posix_spawnattr_setpgroup(&spawn.attributes, 0));
  int group = plan.own_group ? POSIX_SPAWN_SETPGROUP : 0;
  if (plan.own_session) group = POSIX_SPAWN_SETSID;
  step(::posix_spawnattr_setflags(
      &spawn.attributes, static_cast<short>(group | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK)));
  pid_t pid = -1;
  if (problem == 0)
    problem = ::posix_spawn(&pid, argv[0], &spawn.actions, &spawn.attributes, argv.data(), envp.data());
  if (problem != 0)
    return fail(problem == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo, "{} cannot be started: {}",
                plan.arguments.front(), words(problem));
  return pid;
}

Result<ChildProcess> ChildProcess::start(const ChildPlan& plan) {
  TERRAPIN_TRY(const pid_t pid, start_child(plan));
  // Nobody else waits for it, so the number is still its own.
  // System call by number: Debian 12's <sys/pidfd.h> is not for C++.
  Descriptor handle(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!handle.is_open()) {
    const int number = errno;
    ::kill(pid, SIGKILL);
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    return fail(ErrorCode::kIo, "{} cannot be watched: {}", plan.arguments.front(), words(number));
  }
  return ChildProcess(pid, std::move(handle));
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), handle_(std::move(other.handle_)) {}

ChildProcess::~ChildProcess() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

void ChildProcess::signal(int number) {
  if (pid_ >= 0) ::kill(pid_, number);
}

Result<std::optional<ChildEnding>> ChildProcess::wait(std::chrono::milliseconds most) {
  if (pid_ < 0) return fail(ErrorCode::kConflict, "the child's end was seen already");
  pollfd waits{handle_.get(), POLLIN, 0};
  const auto wait_ms = static_cast<int>(std::clamp<std::int64_t>(most.count(), 0, 86'400'000));
  const int ready = ::poll(&waits, 1, wait_ms);
  // A signal is the caller's to look at.
  if (ready == 0 || (ready < 0 && errno == EINTR)) return std::optional<ChildEnding>();
  if (ready < 0) return fail(ErrorCode::kIo, "cannot wait for a child: {}", words(errno));
  int status = 0;
  pid_t got = 0;
  do {
    got = ::waitpid(pid_, &status, 0);
  } while (got < 0 && errno == EINTR);
  pid_ = -1;
  if (got < 0) return fail(ErrorCode::kIo, "the exit status of a child is lost: {}", words(errno));
  ChildEnding ending;
  if (WIFSIGNALED(status)) {
    ending.signal = WTERMSIG(status);
  } else {
    ending.exit_code = WEXITSTATUS(status);
  }
  return std::optional<ChildEnding>(ending);
}

}  // namespace terrapin
