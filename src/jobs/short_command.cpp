#include "jobs/short_command.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>

#include "base/descriptor.h"
#include "jobs/job_files.h"

namespace terrapin::jobs {
namespace {

using Steady = std::chrono::steady_clock;

// Never 0, 1 or 2, so that giving the child its standard descriptors overwrites none of these.
Descriptor above_standard(Descriptor descriptor) {
  if (!descriptor.is_open() || descriptor.get() > 2) return descriptor;
  return Descriptor(::fcntl(descriptor.get(), F_DUPFD_CLOEXEC, 3));
}

struct Pipe {
  Descriptor read, write;
  static Pipe make() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return {};
    Pipe pipe{above_standard(Descriptor(ends[0])), above_standard(Descriptor(ends[1]))};
    ::fcntl(pipe.read.get(), F_SETFL, O_NONBLOCK);
    return pipe;
  }
};

// 0, or what the system says.
int spawn(const ShortCommand& command, int output, int errors, pid_t& pid) {
  std::vector<std::string> arguments = command.arguments, variables = command.environment;
  std::vector<char*> argv, envp;
  for (std::string& text : arguments) argv.push_back(text.data());
  for (std::string& text : variables) envp.push_back(text.data());
  argv.push_back(nullptr);
  envp.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawnattr_init(&attributes);
  int problem = 0;
  const auto step = [&](int result) {
    if (problem == 0) problem = result;
  };
  sigset_t defaults, mask;
  sigfillset(&defaults);
  sigdelset(&defaults, SIGKILL);
  sigdelset(&defaults, SIGSTOP);
  sigemptyset(&mask);
  step(::posix_spawn_file_actions_adddup2(&actions, output, 1));
  step(::posix_spawn_file_actions_adddup2(&actions, errors, 2));
  step(::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0));
  step(::posix_spawn_file_actions_addclosefrom_np(&actions, 3));
  step(::posix_spawnattr_setsigdefault(&attributes, &defaults));
  step(::posix_spawnattr_setsigmask(&attributes, &mask));
  step(::posix_spawnattr_setpgroup(&attributes, 0));
  step(::posix_spawnattr_setflags(&attributes,
                                  POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK));
  if (problem == 0) problem = ::posix_spawn(&pid, argv[0], &actions, &attributes, argv.data(), envp.data());
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  return problem;
}

// Takes what is there; what is beyond `most` is dropped. Closes at the end of the stream. True: some was
// dropped.
bool take(Descriptor& from, std::string& into, std::size_t most) {
  char buffer[1 << 16];
  while (from.is_open()) {
    const ssize_t got = ::read(from.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) break;
    if (got <= 0) {
      from.reset();
      break;
    }
    const std::size_t room = most - std::min(most, into.size());
    into.append(buffer, std::min(room, static_cast<std::size_t>(got)));
    if (static_cast<std::size_t>(got) > room) return true;
  }
  return false;
}

}  // namespace

Result<Answer> ask(const ShortCommand& command) {
  const std::string& program = command.arguments.front();
  Pipe output = Pipe::make(), errors = Pipe::make();
  if (!output.write.is_open() || !errors.write.is_open())
    return fail(ErrorCode::kIo, "cannot make a pipe for {}: {}", program, system_message());
  pid_t pid = -1;
  const int problem = spawn(command, output.write.get(), errors.write.get(), pid);
  output.write.reset();
  errors.write.reset();
  if (problem != 0)
    return fail(problem == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo, "{} cannot be started: {}",
                program, system_message(problem));
  // System call by number: Debian 12's <sys/pidfd.h> is not for C++.
  const Descriptor end(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  const auto give_up = Steady::now() + command.timeout;
  Answer answer;
  bool too_much = false, too_long = false, ended = false;
  while (!ended && !too_much && !too_long) {
    // Without a descriptor of the process its end is seen by looking again.
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(give_up - Steady::now()).count();
    too_long = left <= 0;
    pollfd waits[] = {{output.read.get(), POLLIN, 0}, {errors.read.get(), POLLIN, 0}, {end.get(), POLLIN, 0}};
    const std::int64_t wait = end.is_open() ? left : std::min<std::int64_t>(left, 10);
    ::poll(waits, std::size(waits), static_cast<int>(std::clamp<std::int64_t>(wait, 0, 60'000)));
    too_much = take(output.read, answer.output, command.max_bytes);
    (void)take(errors.read, answer.errors, command.max_bytes);
    siginfo_t info{};
    ended = ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
            info.si_pid == pid;
  }
  // Before it is collected: until then nobody else can have its group's number.
  ::kill(-pid, SIGKILL);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  too_much = take(output.read, answer.output, command.max_bytes) || too_much;
  (void)take(errors.read, answer.errors, command.max_bytes);
  if (too_much)
    return fail(ErrorCode::kTooLarge, "{} answers more than {} bytes", program, command.max_bytes);
  if (!ended)
    return fail(ErrorCode::kCancelled, "{} did not answer within {} ms", program, command.timeout.count());
  answer.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return answer;
}

}  // namespace terrapin::jobs
