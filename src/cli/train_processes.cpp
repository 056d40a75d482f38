#include "cli/train_processes.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>

#include "base/descriptor.h"
#include "base/interrupt.h"
#include "base/json_text.h"
#include "training/distributed/rendezvous.h"

namespace terrapin::cli {
namespace {

using Clock = std::chrono::steady_clock;

// The descriptor that a launched process writes its error to.
constexpr const char* kReport = "TERRAPIN_LAUNCHER_REPORT";
// SageMaker's containers of torch meet there.
constexpr int kContainerPort = 7777;
// What the others have to end by themselves, once one has failed: a lost connection tells them.
constexpr std::chrono::seconds kAfterFailure{10};
// What all have to save their state, once they were told to stop: less than a job runner's two minutes.
constexpr std::chrono::seconds kAfterStop{110};

struct Report {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;
  bool elsewhere = false;  // it only lost the others
};

std::string to_text(const Error& error, bool elsewhere) {
  // A pipe holds 64 KiB at once, and a byte may become six.
  return json_text(nlohmann::json{{"code", static_cast<int>(error.code)},
                                  {"message", error.message.substr(0, 10'000)},
                                  {"elsewhere", elsewhere}});
}

std::optional<Report> parse_report(const std::string& text) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object() || !json.contains("message")) return std::nullopt;
  return Report{static_cast<ErrorCode>(json["code"].get<int>()), json["message"].get<std::string>(),
                json.value("elsewhere", false)};
}

// The words this program was started with.
std::vector<std::string> own_command_line() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  const std::string all{std::istreambuf_iterator<char>(file), {}};
  std::vector<std::string> words;
  for (std::size_t begin = 0; begin < all.size();) {
    const std::size_t end = std::min(all.find('\0', begin), all.size());
    words.push_back(all.substr(begin, end - begin));
    begin = end + 1;
  }
  return words;
}

// What execve takes: pointers into texts that live as long.
class Words {
 public:
  explicit Words(std::vector<std::string> texts) : texts_(std::move(texts)) {
    for (std::string& text : texts_) pointers_.push_back(text.data());
    pointers_.push_back(nullptr);
  }
  char* const* get() { return pointers_.data(); }

 private:
  std::vector<std::string> texts_;
  std::vector<char*> pointers_;
};

std::vector<std::string> environment_with(const std::vector<std::pair<std::string, std::string>>& changes) {
  std::vector<std::string> result;
  for (char** each = environ; *each != nullptr; ++each) {
    const std::string text = *each;
    const bool replaced = std::any_of(changes.begin(), changes.end(), [&](const auto& change) {
      return text.starts_with(change.first + "=");
    });
    if (!replaced) result.push_back(text);
  }
  for (const auto& [name, value] : changes) result.push_back(name + "=" + value);
  return result;
}

class Crew {
 public:
  explicit Crew(const LaunchPlan& plan) : plan_(plan) {}
  ~Crew() { end_all(SIGKILL); }
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  Status start() {
    const auto host = std::find(plan_.hosts.begin(), plan_.hosts.end(), plan_.current_host);
    const int host_index = plan_.hosts.empty() ? 0 : static_cast<int>(host - plan_.hosts.begin());
    training::Place place;
    place.interface_name = plan_.interface_name;
    place.master = plan_.hosts.empty() ? "127.0.0.1" : plan_.hosts.front();
    if (!plan_.hosts.empty()) {
      place.port = kContainerPort;
      const std::string given = training::environment()("MASTER_PORT");
      if (!given.empty()) std::from_chars(given.data(), given.data() + given.size(), place.port);
    }
    if (host_index == 0) {
      TERRAPIN_TRY(place.master, training::listening_address(place));
      TERRAPIN_TRY(meeting_, training::RendezvousServer::start(place.master, place.port));
      place.port = meeting_->port();
    }
    place.world_size = plan_.all_processes();
    for (int local = 0; local < plan_.processes; ++local) {
      place.local_rank = local;
      place.rank = host_index * plan_.processes + local;
      TERRAPIN_TRY_STATUS(start_one(place));
    }
    return {};
  }

  Result<int> wait() {
    while (any_running()) {
      look();
      const Clock::time_point now = Clock::now();
      if (interrupted() && !stopped_at_) {
        stopped_at_ = now;
        end_all(SIGTERM);
      }
      const bool late = (failed_at_ && now > *failed_at_ + kAfterFailure) ||
                        (stopped_at_ && now > *stopped_at_ + kAfterStop);
      if (late) end_all(SIGKILL);
    }
    return outcome();
  }

 private:
  struct Member {
    int rank = 0;
    pid_t pid = -1;
    Descriptor process, report;
    std::string told;
    bool running = false, ended_by_us = false;
    int status = 0;
  };

  Status start_one(const training::Place& place) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return fail(ErrorCode::kIo, "pipe: {}", std::strerror(errno));
    Descriptor reads(ends[0]), writes(ends[1]);
    std::vector<std::pair<std::string, std::string>> variables{
        {"RANK", std::to_string(place.rank)},
        {"WORLD_SIZE", std::to_string(place.world_size)},
        {"LOCAL_RANK", std::to_string(place.local_rank)},
        {"LOCAL_WORLD_SIZE", std::to_string(plan_.processes)},
        {"MASTER_ADDR", place.master},
        {"MASTER_PORT", std::to_string(place.port)},
        {training::kLauncherMeets, "1"},
        {kReport, std::to_string(writes.get())},
    };
    variables.emplace_back("GLOO_SOCKET_IFNAME", place.interface_name);
    // They share what this process was told to compute with.
    if (const int threads = training::threads_told(training::environment()); threads > 0)
      variables.emplace_back("OMP_NUM_THREADS", std::to_string(std::max(1, threads / plan_.processes)));
    Words arguments(own_command_line()), environment(environment_with(variables));
    const pid_t parent = ::getpid();
    const pid_t pid = ::fork();
    if (pid < 0) return fail(ErrorCode::kIo, "cannot start process {}: {}", place.rank, std::strerror(errno));
    if (pid == 0) {
      // A launcher that is killed takes them along.
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::getppid() != parent) ::_exit(127);
      ::fcntl(writes.get(), F_SETFD, 0);
      ::execve("/proc/self/exe", arguments.get(), environment.get());
      ::_exit(127);
    }
    Member member;
    member.rank = place.rank;
    member.pid = pid;
    member.running = true;
    member.process = Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    member.report = std::move(reads);
    members_.push_back(std::move(member));
    return {};
  }

  bool any_running() const {
    return std::any_of(members_.begin(), members_.end(), [](const Member& each) { return each.running; });
  }

  // Waits a little for something to happen, and takes note of it.
  void look() {
    std::vector<pollfd> entries;
    for (const Member& member : members_) {
      if (member.running && member.process.is_open()) entries.push_back({member.process.get(), POLLIN, 0});
    }
    ::poll(entries.data(), entries.size(), 200);
    for (Member& member : members_) {
      if (!member.running || ::waitpid(member.pid, &member.status, WNOHANG) != member.pid) continue;
      member.running = false;
      char buffer[4096];
      for (ssize_t count; (count = ::read(member.report.get(), buffer, sizeof buffer)) > 0;)
        member.told.append(buffer, static_cast<std::size_t>(count));
      const bool good = WIFEXITED(member.status) && WEXITSTATUS(member.status) == 0;
      const auto report = parse_report(member.told);
      const bool cancelled = WIFEXITED(member.status) && (stopped_at_ || interrupted() || is_stop(report));
      if (!good && !cancelled && !failed_at_) failed_at_ = Clock::now();
    }
  }

  static bool is_stop(const std::optional<Report>& report) {
    return report && report->code == ErrorCode::kCancelled;
  }

  void end_all(int signal) {
    for (Member& member : members_) {
      if (!member.running) continue;
      ::kill(member.pid, signal);
      if (signal != SIGKILL) continue;
      member.ended_by_us = true;
      ::waitpid(member.pid, &member.status, 0);
      member.running = false;
    }
  }

  Error error_of(const Member& member, const std::optional<Report>& report) const {
    const std::string who = fmt::format("process {} of {}", member.rank, plan_.all_processes());
    if (WIFSIGNALED(member.status)) {
      const int signal = WTERMSIG(member.status);
      return {ErrorCode::kInternal,
              fmt::format("{} was killed by signal {} ({}){}; the others were ended", who, signal,
                          ::strsignal(signal),
                          signal == SIGKILL ? ": by someone, or because memory ran out" : "")};
    }
    if (report) return {report->code, report->message};
    return {ErrorCode::kInternal,
            fmt::format("{} ended with exit code {} and said nothing", who, WEXITSTATUS(member.status))};
  }

  Result<int> outcome() const {
    // Rank 0 writes what there is to write: when it has, the training is done.
    const Member& first = members_.front();
    if (WIFEXITED(first.status) && WEXITSTATUS(first.status) == 0) return 0;
    std::optional<Error> began_it, followed, stopped;
    for (const Member& member : members_) {
      const bool good = WIFEXITED(member.status) && WEXITSTATUS(member.status) == 0;
      if (good || member.ended_by_us) continue;
      const auto report = parse_report(member.told);
      const Error error = error_of(member, report);
      std::optional<Error>& place = is_stop(report)               ? stopped
                                    : report && report->elsewhere ? followed
                                                                  : began_it;
      if (!place) place = error;
    }
    if (began_it) return tl::unexpected<Error>(*began_it);
    if (stopped) return tl::unexpected<Error>(*stopped);
    if (followed) return tl::unexpected<Error>(*followed);
    return fail(ErrorCode::kCancelled, "the processes did not end within {} s and were killed",
                stopped_at_ ? kAfterStop.count() : kAfterFailure.count());
  }

  const LaunchPlan plan_;
  std::unique_ptr<training::RendezvousServer> meeting_;
  std::vector<Member> members_;
  std::optional<Clock::time_point> failed_at_, stopped_at_;
};

}  // namespace

Result<int> local_processes(int asked, const training::TrainingOptions& options) {
  if (was_launched()) return 1;
  if (!training::environment()("WORLD_SIZE").empty()) {
    if (asked > 1) {
      return fail(
          ErrorCode::kInvalidArgument,
          "--processes {} beside WORLD_SIZE={}: that variable says that a launcher starts the processes",
          asked, training::environment()("WORLD_SIZE"));
    }
    return 1;
  }
  if (asked > options.batch_size) {
    return fail(ErrorCode::kInvalidArgument,
                "--processes {} and mini_batch_size {}: each process needs one crop of a batch at least",
                asked, options.batch_size);
  }
  if (asked > 0) return asked;
  const int gpus = options.device == training::DeviceChoice::kCpu ? 0 : training::gpu_count();
  return std::clamp(gpus, 1, options.batch_size);
}

Result<int> run_processes(const LaunchPlan& plan) {
  Crew crew(plan);
  TERRAPIN_TRY_STATUS(crew.start());
  return crew.wait();
}

Result<TrainProcess> TrainProcess::join(const training::Place& place) {
  TrainProcess process;
  if (!place.alone()) {
    TERRAPIN_TRY(process.group_, training::join_processes(place));
  }
  return process;
}

bool was_launched() {
  return std::getenv(kReport) != nullptr;
}

Result<int> told_to_launcher(Result<int> result, const training::ProcessGroup* group) {
  const char* text = std::getenv(kReport);
  if (result || text == nullptr) return result;
  int descriptor = -1;
  std::from_chars(text, text + std::strlen(text), descriptor);
  const std::string report = to_text(result.error(), group != nullptr && group->failed_elsewhere());
  if (::write(descriptor, report.data(), report.size()) < 0) return result;
  return 1;
}

}  // namespace terrapin::cli
