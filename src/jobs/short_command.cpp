#include "jobs/short_command.h"

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/child_process.h"
#include "base/descriptor.h"
#include "jobs/job_files.h"

namespace terrapin::jobs {
namespace {

using Steady = std::chrono::steady_clock;

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
  ChildPipe output = ChildPipe::make(), errors = ChildPipe::make();
  if (!output.is_open() || !errors.is_open())
    return fail(ErrorCode::kIo, "cannot make a pipe for {}: {}", program, system_message());
  ChildPlan plan;
  plan.arguments = command.arguments;
  plan.environment = command.environment;
  plan.output = output.write.get();
  plan.errors = errors.write.get();
  plan.own_group = true;
  TERRAPIN_TRY(const pid_t pid, start_child(plan));
  output.write.reset();
  errors.write.reset();
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
