#include "cli/service/attended_command.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <memory>
#include <string_view>
#include <system_error>

#include "base/descriptor.h"

namespace terrapin::cli {
namespace {

constexpr int kLookStepMs = 100;
constexpr int kForwarded[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
// Written by the signal handler; constant once an Attendant is there.
int queue_ends[2] = {-1, -1};

extern "C" void enqueue(int number) {
  const int kept = errno;
  const auto byte = static_cast<unsigned char>(number);
  [[maybe_unused]] const ssize_t put = ::write(queue_ends[1], &byte, 1);
  errno = kept;
}

// The terminal, if this process may hand it on: one is there and we are in its foreground.
class Terminal {
 public:
  Terminal() : file_(::open("/dev/tty", O_RDWR | O_CLOEXEC)), own_(::getpgrp()) {
    if (file_.is_open() && ::tcgetpgrp(file_.get()) != own_) file_.reset();
  }
  bool is_ours() const { return file_.is_open(); }
  void give_to(pid_t group) const {
    if (!is_ours()) return;
    // Who is in the background and asks for the terminal is stopped by this signal.
    sigset_t stops, before;
    ::sigemptyset(&stops);
    ::sigaddset(&stops, SIGTTOU);
    ::pthread_sigmask(SIG_BLOCK, &stops, &before);
    ::tcsetpgrp(file_.get(), group);
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }
  void take_back() const { give_to(own_); }
  // After a stop: the shell may have put this process into the background.
  bool in_foreground() const { return is_ours() && ::tcgetpgrp(file_.get()) == own_; }

 private:
  Descriptor file_;
  pid_t own_;
};

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> all;
  for (const std::string& text : texts) all.push_back(const_cast<char*>(text.c_str()));
  all.push_back(nullptr);
  return all;
}

// The open descriptors, in order.
std::vector<int> open_descriptors() {
  std::vector<int> all;
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir("/proc/self/fd"), &::closedir);
  if (!folder) return {0, 1, 2};
  while (const dirent* entry = ::readdir(folder.get())) {
    const std::string_view name(entry->d_name);
    int number = -1;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (error == std::errc() && end == name.data() + name.size() && number != ::dirfd(folder.get()))
      all.push_back(number);
  }
  std::sort(all.begin(), all.end());
  return all;
}

// Those of this program end with exec; sockets of libraries are not all marked so.
void mark_all_but(const std::vector<int>& kept) {
  unsigned first = 0;
  for (const int number : kept) {
    const auto next = static_cast<unsigned>(number);
    if (next > first) ::close_range(first, next - 1, CLOSE_RANGE_CLOEXEC);
    first = next + 1;
  }
  ::close_range(first, ~0U, CLOSE_RANGE_CLOEXEC);
}

// After fork, in a program that has threads: only calls that are allowed to signal handlers.
[[noreturn]] void become(char* const* arguments, char* const* environment, const std::vector<int>& kept,
                         pid_t parent, const Terminal& terminal, int problem) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::_exit(127);
  terminal.give_to(::getpid());
  // Handlers go with exec; what is ignored would stay so.
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGCHLD}) ::signal(number, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  mark_all_but(kept);
  ::execvpe(arguments[0], arguments, environment);
  const int number = errno;
  [[maybe_unused]] const ssize_t put = ::write(problem, &number, sizeof number);
  ::_exit(127);
}

int exit_code(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

Attendant::Attendant() : inherited_(open_descriptors()) {
  if (::pipe2(queue_ends, O_CLOEXEC | O_NONBLOCK) != 0) return;
  struct sigaction action {};
  action.sa_handler = &enqueue;
  ::sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  for (const int number : kForwarded) {
    // What the caller has ignored (nohup) stays ignored.
    struct sigaction before {};
    ::sigaction(number, nullptr, &before);
    if (before.sa_handler != SIG_IGN) ::sigaction(number, &action, nullptr);
  }
}

int Attendant::take_signal() {
  unsigned char number = 0;
  return ::read(queue_ends[0], &number, 1) == 1 ? number : 0;
}

Result<int> Attendant::run(const std::vector<std::string>& arguments,
                           const std::vector<std::string>& environment,
                           const std::function<void()>& look_after) {
  const std::vector<char*> argument_pointers = pointers(arguments),
                           environment_pointers = pointers(environment);
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    return fail(ErrorCode::kIo, "cannot make a pipe: {}", std::generic_category().message(errno));
  const Descriptor problem(ends[0]);
  Descriptor problem_end(ends[1]);
  const Terminal terminal;
  const pid_t self = ::getpid();
  const pid_t child = ::fork();
  if (child < 0)
    return fail(ErrorCode::kIo, "cannot make a process: {}", std::generic_category().message(errno));
  if (child == 0)
    become(argument_pointers.data(), environment_pointers.data(), inherited_, self, terminal,
           problem_end.get());
  problem_end.reset();
  ::setpgid(child, child);  // whoever of the two is first
  int number = 0;
  ssize_t got = 0;
  while ((got = ::read(problem.get(), &number, sizeof number)) < 0 && errno == EINTR) {
  }
  if (got == static_cast<ssize_t>(sizeof number)) {
    ::waitpid(child, nullptr, 0);
    terminal.take_back();
    const ErrorCode code = number == ENOENT   ? ErrorCode::kNotFound
                           : number == EACCES ? ErrorCode::kDenied
                                              : ErrorCode::kIo;
    return fail(code, "'{}' cannot be started: {}", arguments.front(),
                std::generic_category().message(number));
  }
  // By number: Debian 12's <sys/pidfd.h> is not for C++. Without it the step below bounds the delay.
  const Descriptor handle(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
  for (;;) {
    std::array<pollfd, 2> waits{{{queue_ends[0], POLLIN, 0}, {handle.get(), POLLIN, 0}}};
    ::poll(waits.data(), waits.size(), kLookStepMs);
    int status = 0;
    if (::waitpid(child, &status, WNOHANG | WUNTRACED) == child) {
      if (!WIFSTOPPED(status)) {
        terminal.take_back();
        return exit_code(status);
      }
      // Ctrl-Z: the shell must see that the whole job stands still, and have its terminal back.
      if (terminal.is_ours()) {
        terminal.take_back();
        ::kill(self, SIGSTOP);
        if (terminal.in_foreground()) terminal.give_to(child);
        ::kill(-child, SIGCONT);
      }
    }
    while (const int received = take_signal()) ::kill(child, received);
    look_after();
  }
}

}  // namespace terrapin::cli
