#include "jobs/keeper.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <thread>

#include "base/clock.h"
#include "base/descriptor.h"
#include "base/files.h"
#include "base/json_text.h"
#include "jobs/ending.h"
#include "jobs/job_files.h"
#include "jobs/json_members.h"
#include "jobs/output_log.h"

namespace terrapin::jobs {
namespace {

namespace fs = std::filesystem;
using Steady = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kPause{10};
// After SIGKILL a process is gone at once unless the kernel holds it.
constexpr std::chrono::seconds kLastGrace{10};
// A batch system signals the job's processes and their keeper one after the other: the job may have ended by
// that before its keeper hears why.
constexpr std::chrono::milliseconds kLateStop{250};
constexpr std::chrono::seconds kLockWait{2};  // who only looks holds the lock for a moment
constexpr std::chrono::minutes kFullDiskWait{10};
constexpr const char* kKeeperKilled =
    "The process that keeps the job was killed, and the job was ended with it.";

// A line of keeper.log.
template <class... Args>
void remark(fmt::format_string<Args...> format, Args&&... args) {
  fmt::print(stderr, "{}Z {}\n", iso_text(system_clock().now(), 3),
             fmt::format(format, std::forward<Args>(args)...));
  std::fflush(stderr);
}

// Killed processes of this machine since its boot for want of memory.
std::int64_t memory_kills() {
  const auto text = read_text_file("/proc/vmstat", 1 << 20);
  if (!text) return 0;
  constexpr std::string_view kName = "\noom_kill ";
  const std::size_t at = text->find(kName);
  return at == std::string::npos ? 0 : std::atoll(text->c_str() + at + kName.size());
}

// What the job says about its failure. It may have made anything there.
std::string read_failure(const JobFolder& folder, const std::string& name) {
  if (name.empty()) return "";
  const std::string path = (folder.work() / name).string();
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat info {};
  if (!file.is_open() || ::fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode)) return "";
  std::string text(kFailureCharacters * 4, '\0');
  const ssize_t got = ::read(file.get(), text.data(), text.size());
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  std::string said = first_characters(text, kFailureCharacters);
  while (!said.empty() && (said.back() == '\n' || said.back() == ' ')) said.pop_back();
  return said;
}

// A full disk is waited for: without this file the job's end would have to be guessed. An end that somebody
// wrote before, because this keeper was thought to be lost, stays.
void write_ending(const JobFolder& folder, const Ending& ending) {
  const auto give_up = Steady::now() + kFullDiskWait;
  for (;;) {
    if (!is_there(folder.path)) return;  // removed meanwhile: nobody will ask
    if (is_there(folder.ending())) return;
    const Status written = write_file_atomically(folder.ending(), ending_text(ending));
    if (written) return;
    remark("{}", written.error().message);
    if (Steady::now() >= give_up) return;
    std::this_thread::sleep_for(std::chrono::seconds(1));
  }
}

// Kills and collects all that descends from this process, which must be a subreaper: also those that left
// their group or session, or were left by their parents.
void end_descendants() {
  const auto give_up = Steady::now() + kLastGrace;
  for (;;) {
    kill_descendants(::getpid());
    for (;;) {
      const pid_t pid = ::waitpid(-1, nullptr, WNOHANG);
      if (pid > 0 || (pid < 0 && errno == EINTR)) continue;
      if (pid < 0) return;  // no child is left
      break;
    }
    if (Steady::now() >= give_up) {
      remark("some processes of the job do not end although they were killed");
      return;
    }
    std::this_thread::sleep_for(kPause);
  }
}

Descriptor signals_as_descriptor() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGCHLD, SIGUSR1}) sigaddset(&set, number);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  return Descriptor(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

struct Pipe {
  Descriptor read, write;
  static Pipe make() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return {};
    return {Descriptor(ends[0]), Descriptor(ends[1])};
  }
  bool ok() const { return read.is_open() && write.is_open(); }
};

// Waits for `size` bytes or the end of the stream.
std::size_t read_all(const Descriptor& from, void* target, std::size_t size) {
  std::size_t filled = 0;
  while (filled < size) {
    const ssize_t got = ::read(from.get(), static_cast<char*>(target) + filled, size - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    filled += static_cast<std::size_t>(got);
  }
  return filled;
}

void tell(const Descriptor& to, const void* what, std::size_t size) {
  while (::write(to.get(), what, size) < 0 && errno == EINTR) {
  }
}

// The process between keeper and job: parent of the job, reads its output, writes its exit file.
class Guard {
 public:
  Guard(const JobFolder& folder, const Order& order, ProcessId keeper, Descriptor signals, bool in_batch)
      : folder_(folder),
        order_(order),
        keeper_(std::move(keeper)),
        signals_(std::move(signals)),
        in_batch_(in_batch),
        output_(folder.path, order.max_output_bytes) {}

  // Never returns to a caller who would clean up: the exit code of the process. Tells `report` once the job
  // runs.
  int run(Descriptor report) {
    ::prctl(PR_SET_PDEATHSIG, SIGUSR1);
    if (::getppid() != keeper_.pid) return 1;  // killed already, and nothing has begun
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    memory_kills_ = memory_kills();
    if (!start()) return 1;
    tell(report, "k", 1);
    report.reset();
    watch();
    end();
    return 0;
  }

 private:
  // False: there is nothing to end.
  bool start() {
    Pipe out = Pipe::make(), error = Pipe::make(), go = Pipe::make(), problem = Pipe::make();
    if (!out.ok() || !error.ok() || !go.ok() || !problem.ok()) {
      remark("cannot make a pipe: {}", system_message());
      return false;
    }
    const pid_t self = ::getpid();
    leader_ = ::fork();
    if (leader_ < 0) {
      remark("cannot make a process: {}", system_message());
      return false;
    }
    if (leader_ == 0) {
      go.write.reset();
      become_job(self, go.read, out.write, error.write, problem.write);
    }
    out.write.reset();
    error.write.reset();
    problem.write.reset();
    go.read.reset();
    ending_.started = system_clock().now();
    // Known before it begins: whoever finds the folder finds the processes.
    const auto guard = process_id(self), leader = process_id(leader_);
    Status written = fail(ErrorCode::kIo, "the job's process is gone before it began");
    if (guard && leader) {
      const nlohmann::ordered_json json{{"version", 1},
                                        {"started_us", to_microseconds(ending_.started)},
                                        {"keeper", process_json(keeper_)},
                                        {"guard", process_json(*guard)},
                                        {"leader", process_json(*leader)}};
      written = write_file_atomically(folder_.started(), json_text(json));
    }
    if (!written) {
      remark("{}", written.error().message);
      go.write.reset();
      end_descendants();
      return false;
    }
    tell(go.write, "g", 1);
    int number = 0;
    if (read_all(problem.read, &number, sizeof number) == sizeof number)
      ending_.problem =
          fmt::format("{} cannot be started: {}.", order_.arguments.front(), system_message(number));
    for (const Descriptor* end : {&out.read, &error.read}) ::fcntl(end->get(), F_SETFL, O_NONBLOCK);
    streams_[0] = std::move(out.read);
    streams_[1] = std::move(error.read);
    return true;
  }

  [[noreturn]] void become_job(pid_t guard, const Descriptor& go, const Descriptor& out,
                               const Descriptor& error, const Descriptor& problem) {
    ::setsid();
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    char word = 0;
    if (::getppid() != guard || read_all(go, &word, 1) != 1) ::_exit(127);
    // When memory runs out, the job goes and not what keeps it.
    if (const Descriptor score(::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC)); score.is_open())
      tell(score, "500", 3);
    const Descriptor nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    ::dup2(nothing.get(), 0);
    ::dup2(out.get(), 1);
    ::dup2(error.get(), 2);
    for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    std::vector<char*> arguments, variables;
    Order order = order_;
    for (std::string& text : order.arguments) arguments.push_back(text.data());
    for (std::string& text : order.environment) variables.push_back(text.data());
    arguments.push_back(nullptr);
    variables.push_back(nullptr);
    int number = 0;
    if (::chdir(folder_.work().c_str()) != 0) {
      number = errno;
    } else {
      ::execve(arguments[0], arguments.data(), variables.data());
      number = errno;
    }
    tell(problem, &number, sizeof number);
    ::_exit(127);
  }

  void take_output() {
    char buffer[1 << 16];
    for (int i = 0; i < 2; ++i) {
      // A bounded number of times: what writes without end must not keep us from looking at the time.
      for (int turn = 0; turn < 16 && streams_[i].is_open(); ++turn) {
        const ssize_t got = ::read(streams_[i].get(), buffer, sizeof buffer);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && errno == EAGAIN) break;
        if (got <= 0) {
          streams_[i].reset();
          break;
        }
        output_.write(i + 1, {buffer, static_cast<std::size_t>(got)}, system_clock().now());
        flush_due_ = Steady::now() + std::chrono::seconds(1);
      }
    }
  }

  void take_signals() {
    signalfd_siginfo info{};
    while (::read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
      switch (static_cast<int>(info.ssi_signo)) {
        case SIGTERM:
        case SIGINT:
          ask_to_stop();
          break;
        case SIGUSR1:
          if (::getppid() != keeper_.pid) keeper_died_ = true;
          break;
        default:
          break;
      }
    }
  }

  void ask_to_stop() {
    if (ending_.stop_asked || leader_ended_) return;
    ending_.stop_asked = true;
    kill_due_ = Steady::now() + order_.stop_grace;
    ::kill(-leader_, SIGTERM);
    ::kill(-leader_, SIGCONT);  // one that is halted would not hear it
  }

  // Collects children that ended. The leader's group is killed before it is collected: until then nobody else
  // can have its number.
  void collect() {
    for (;;) {
      siginfo_t info{};
      if (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) return;
      const pid_t pid = info.si_pid;
      if (pid == leader_) ::kill(-leader_, SIGKILL);
      int status = 0;
      rusage usage{};
      if (::wait4(pid, &status, 0, &usage) != pid) continue;
      ending_.peak_memory_bytes = std::max<std::int64_t>(ending_.peak_memory_bytes, usage.ru_maxrss * 1024);
      if (pid != leader_) continue;
      leader_ended_ = true;
      if (WIFEXITED(status)) ending_.exit_code = WEXITSTATUS(status);
      if (WIFSIGNALED(status)) ending_.signal = WTERMSIG(status);
    }
  }

  void watch() {
    while (!leader_ended_) {
      auto next = Steady::now() + std::chrono::seconds(1);
      if (kill_due_) next = std::min(next, *kill_due_);
      const auto wait = std::chrono::ceil<std::chrono::milliseconds>(next - Steady::now()).count();
      pollfd waits[] = {
          {signals_.get(), POLLIN, 0}, {streams_[0].get(), POLLIN, 0}, {streams_[1].get(), POLLIN, 0}};
      ::poll(waits, std::size(waits), static_cast<int>(std::max<std::int64_t>(wait, 0)));
      take_output();
      if (Steady::now() >= flush_due_) {
        output_.flush(system_clock().now());
        flush_due_ = Steady::time_point::max();
      }
      take_signals();
      collect();
      if (leader_ended_) return;
      if (keeper_died_) {
        ending_.problem = kKeeperKilled;
        return;
      }
      if (kill_due_ && Steady::now() >= *kill_due_) {
        ending_.killed = true;
        return;
      }
    }
  }

  void hear_late_stop() {
    const auto give_up = Steady::now() + kLateStop;
    while (!ending_.stop_asked && Steady::now() < give_up) {
      pollfd wait{signals_.get(), POLLIN, 0};
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(give_up - Steady::now()).count();
      ::poll(&wait, 1, static_cast<int>(std::max<std::int64_t>(left, 0)));
      signalfd_siginfo info{};
      while (::read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info))
        if (info.ssi_signo == SIGTERM) ending_.stop_asked = true;
    }
  }

  void end() {
    if (!leader_ended_) {
      kill_descendants(::getpid());
      const auto give_up = Steady::now() + kLastGrace;
      while (!leader_ended_ && Steady::now() < give_up) {
        collect();
        if (!leader_ended_) std::this_thread::sleep_for(kPause);
      }
      if (!leader_ended_ && ending_.problem.empty())
        ending_.problem = "The job was killed, but the system does not let its process end.";
    }
    end_descendants();
    ending_.ended = system_clock().now();
    // Nobody writes any more, unless a process could not be killed.
    const auto give_up = Steady::now() + std::chrono::seconds(1);
    while ((streams_[0].is_open() || streams_[1].is_open()) && Steady::now() < give_up) {
      take_output();
      if (streams_[0].is_open() || streams_[1].is_open())
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    output_.flush(ending_.ended);
    if (in_batch_) hear_late_stop();
    ending_.out_of_memory = memory_kills() > memory_kills_;
    if (!ending_.succeeded()) ending_.said = read_failure(folder_, order_.failure_file);
    write_ending(folder_, ending_);
  }

  const JobFolder& folder_;
  const Order& order_;
  const ProcessId keeper_;
  const Descriptor signals_;
  const bool in_batch_;  // a batch system signals the job, too
  OutputWriter output_;
  Descriptor streams_[2];  // what the job writes
  pid_t leader_ = -1;
  std::int64_t memory_kills_ = 0;
  Ending ending_;
  bool leader_ended_ = false, keeper_died_ = false;
  std::optional<Steady::time_point> kill_due_;
  Steady::time_point flush_due_ = Steady::time_point::max();
};

// The process that stays: parent of the guard, and of all that the guard would leave.
int stay(const JobFolder& folder, const Order& order, Descriptor report, bool in_batch) {
  ::setsid();
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  Descriptor signals = signals_as_descriptor();
  // Held by keeper and guard alike, never by the job: free means that nobody keeps it.
  const Descriptor lock(::open(folder.lock().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!signals.is_open() || !lock.is_open()) {
    remark("{}: {}", folder.lock().string(), system_message());
    return 1;
  }
  const auto give_up = Steady::now() + kLockWait;
  while (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (Steady::now() >= give_up) {  // another keeper has it
      tell(report, "k", 1);
      return 0;
    }
    std::this_thread::sleep_for(kPause);
  }
  if (is_there(folder.ending())) {
    tell(report, "k", 1);
    return 0;
  }
  if (is_there(folder.started())) {
    const Status ended = end_abandoned(folder, order.id);
    if (!ended) remark("{}", ended.error().message);
    tell(report, "k", 1);
    return ended ? 0 : 1;
  }
  const auto self = process_id(::getpid());
  if (!self) {
    remark("{}", self.error().message);
    return 1;
  }
  const pid_t guard = ::fork();
  if (guard < 0) {
    remark("cannot make a process: {}", system_message());
    return 1;
  }
  if (guard == 0) ::_exit(Guard(folder, order, *self, std::move(signals), in_batch).run(std::move(report)));
  report.reset();

  for (;;) {
    pollfd wait{signals.get(), POLLIN, 0};
    ::poll(&wait, 1, -1);
    signalfd_siginfo info{};
    while (::read(signals.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
      const int number = static_cast<int>(info.ssi_signo);
      if (number == SIGTERM || number == SIGINT) ::kill(guard, SIGTERM);
    }
    int status = 0;
    const pid_t ended = ::waitpid(guard, &status, WNOHANG);
    if (ended == 0 || (ended < 0 && errno == EINTR)) continue;
    // One that ended by itself wrote the exit file, if it was not removed already, or never began the job.
    const bool killed = ended < 0 || !WIFEXITED(status);
    if (killed && !is_there(folder.ending()) && is_there(folder.started())) {
      end_descendants();
      const auto started = read_started(folder);
      Ending ending;
      ending.ended = system_clock().now();
      ending.started = started ? started->time : ending.ended;
      ending.problem = kKeeperKilled;
      write_ending(folder, ending);
    }
    end_descendants();
    return 0;
  }
}

}  // namespace

std::string job_mark(const std::string& id) {
  return "TERRAPIN_JOB=" + id;
}

std::vector<ProcessId> processes_of_job(const JobFolder& folder, const std::string& id) {
  std::vector<ProcessId> all = processes_with(job_mark(id));
  std::erase_if(all, [&](const ProcessId& process) {
    // make_order has it so. Where that folder is gone, it cannot be another job's.
    const auto home = variable_of(process, "HOME");
    std::error_code error;
    if (!home || !fs::exists(*home, error)) return false;
    return !fs::equivalent(*home, folder.work(), error);
  });
  return all;
}

std::string order_text(const Order& order) {
  return json_text(nlohmann::ordered_json{{"version", 1},
                                          {"id", order.id},
                                          {"arguments", order.arguments},
                                          {"environment", order.environment},
                                          {"taken", order.taken},
                                          {"stop_grace_ms", order.stop_grace.count()},
                                          {"max_output_bytes", order.max_output_bytes},
                                          {"failure_file", order.failure_file}});
}

Result<Order> parse_order(const std::string& text) {
  TERRAPIN_TRY(const nlohmann::json json, parse_object(text, "a keeper's order"));
  Order order;
  order.id = text_of(json, "id");
  order.arguments = texts_of(json, "arguments");
  order.environment = texts_of(json, "environment");
  order.taken = texts_of(json, "taken");
  order.stop_grace = std::chrono::milliseconds(integer_of(json, "stop_grace_ms", 0));
  order.max_output_bytes = integer_of(json, "max_output_bytes", 0);
  order.failure_file = text_of(json, "failure_file");
  if (order.id.empty() || order.arguments.empty() || order.max_output_bytes < 4096)
    return fail(ErrorCode::kCorrupt,
                "a keeper's order needs id, arguments and max_output_bytes of at least 4096");
  return order;
}

Result<Started> read_started(const JobFolder& folder) {
  TERRAPIN_TRY(const std::string text, read_text_file(folder.started(), 1 << 16));
  TERRAPIN_TRY(const nlohmann::json json, parse_object(text, folder.started().string()));
  const auto process = [&](const char* name) { return parse_process(json.value(name, nlohmann::json())); };
  return Started{from_microseconds(integer_of(json, "started_us", 0)), process("keeper"), process("guard"),
                 process("leader")};
}

namespace {

// What the folder says is to be done; a remark and nothing if it cannot be known.
std::optional<Order> take_order(const JobFolder& folder) {
  const auto text = read_text_file(folder.order(), 64 << 20);
  if (!text) {
    remark("{}", text.error().message);
    return std::nullopt;
  }
  auto order = parse_order(*text);
  if (!order) {
    remark("{}: {}", folder.order().string(), order.error().message);
    return std::nullopt;
  }
  for (const std::string& name : order->taken)
    if (const char* value = std::getenv(name.c_str())) order->environment.push_back(name + "=" + value);
  return *order;
}

}  // namespace

int keep_job_here(const fs::path& path) {
  const JobFolder folder{path};
  const auto order = take_order(folder);
  if (!order) return 1;
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  const Descriptor signals = signals_as_descriptor();
  const pid_t self = ::getpid(), keeper = ::fork();
  if (!signals.is_open() || keeper < 0) {
    remark("cannot make a process: {}", system_message());
    return 1;
  }
  if (keeper == 0) {
    // The batch system takes this one's end for the job's: nothing is to outlive it.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::_exit(::getppid() == self ? stay(folder, *order, Descriptor(), true) : 1);
  }
  bool killed = false;
  for (;;) {
    pollfd wait{signals.get(), POLLIN, 0};
    ::poll(&wait, 1, -1);
    signalfd_siginfo info{};
    while (::read(signals.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
      const int number = static_cast<int>(info.ssi_signo);
      if (number == SIGTERM || number == SIGINT) ::kill(keeper, SIGTERM);
    }
    int status = 0;
    const pid_t ended = ::waitpid(keeper, &status, WNOHANG);
    killed = ended < 0 ? errno != EINTR : !WIFEXITED(status);
    if (ended == keeper || (ended < 0 && killed)) break;
  }
  // If it was killed, its guard ends the job; if that was killed too, this process does.
  if (const Descriptor lock(killed ? ::open(folder.lock().c_str(), O_RDWR | O_CLOEXEC) : -1);
      lock.is_open()) {
    while (::flock(lock.get(), LOCK_EX) != 0 && errno == EINTR) {
    }
    if (!is_there(folder.ending()) && is_there(folder.started())) {
      end_descendants();
      const Status written = end_abandoned(folder, order->id);
      if (!written) remark("{}", written.error().message);
    }
  }
  end_descendants();
  const auto text = read_text_file(folder.ending(), 1 << 20);
  const auto ending = text ? parse_ending(*text) : tl::unexpected<Error>(text.error());
  if (!ending || (!ending->exit_code && !ending->signal)) return 1;
  return ending->exit_code ? *ending->exit_code : 128 + *ending->signal;
}

int keep_job(const fs::path& path) {
  const JobFolder folder{path};
  const auto order = take_order(folder);
  if (!order) return 1;
  Pipe report = Pipe::make();
  if (!report.ok()) {
    remark("cannot make a pipe: {}", system_message());
    return 1;
  }
  const pid_t keeper = ::fork();
  if (keeper < 0) {
    remark("cannot make a process: {}", system_message());
    return 1;
  }
  if (keeper == 0) {
    report.read.reset();
    ::_exit(stay(folder, *order, std::move(report.write), false));
  }
  report.write.reset();
  char word = 0;
  return read_all(report.read, &word, 1) == 1 ? 0 : 1;
}

Status end_abandoned(const JobFolder& folder, const std::string& id) {
  TERRAPIN_TRY(const Started started, read_started(folder));
  Ending ending;
  ending.started = started.time;
  if (started.leader.boot == boot_id()) {
    ending.problem = kKeeperKilled;
    // One that another of them begets while we look has the mark too.
    const auto give_up = Steady::now() + kLastGrace;
    for (;;) {
      const auto left = processes_of_job(folder, id);
      if (left.empty()) break;
      if (Steady::now() >= give_up)
        return fail(ErrorCode::kIo, "process {} of job {} does not end although it was killed",
                    left.front().pid, id);
      for (const ProcessId& process : left) (void)send_signal(process, SIGKILL);
      std::this_thread::sleep_for(kPause);
    }
  } else {
    ending.problem = "The machine was restarted while the job ran.";
  }
  ending.ended = system_clock().now();
  return write_file_atomically(folder.ending(), ending_text(ending));
}

}  // namespace terrapin::jobs
