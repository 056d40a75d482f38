#include "jobs/local_runner.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <thread>

#include "base/child_process.h"
#include "base/descriptor.h"
#include "base/files.h"
#include "base/json_text.h"
#include "jobs/job_files.h"
#include "jobs/json_members.h"

namespace terrapin::jobs {
namespace {

namespace fs = std::filesystem;
using Steady = std::chrono::steady_clock;

}  // namespace

std::vector<std::string> local_gpus() {
  std::vector<std::string> gpus;
  while (is_there("/dev/nvidia" + std::to_string(gpus.size()))) gpus.push_back(std::to_string(gpus.size()));
  return gpus;
}

LocalRunner::LocalRunner(LocalRunnerOptions options) : options_(std::move(options)) {}

Result<LocalRunner::Place> LocalRunner::parse_handle(const std::string& handle) {
  TERRAPIN_TRY(const nlohmann::json json, parse_object(handle, "a local job's handle"));
  return Place{static_cast<int>(integer_of(json, "cores", 0)), texts_of(json, "gpus")};
}

Result<std::optional<std::string>> LocalRunner::reserve(const std::string& id, const Work& work) {
  TERRAPIN_TRY_STATUS(check_job_id(id));
  TERRAPIN_TRY_STATUS(check_work(work));
  const int all_gpus = static_cast<int>(options_.gpus.size());
  if (work.cores > options_.cores || work.gpus > all_gpus)
    return fail(ErrorCode::kInvalidArgument,
                "The job asks for {} cores and {} GPUs; this machine lends at most {} cores and {} GPUs.",
                work.cores, work.gpus, options_.cores, all_gpus);
  const std::lock_guard lock(mutex_);
  int cores = options_.cores;
  std::set<std::string> taken;
  for (const auto& [other, place] : held_) {
    if (other == id) continue;
    cores -= place.cores;
    taken.insert(place.gpus.begin(), place.gpus.end());
  }
  Place place{work.cores, {}};
  for (const std::string& gpu : options_.gpus)
    if (static_cast<int>(place.gpus.size()) < work.gpus && !taken.contains(gpu)) place.gpus.push_back(gpu);
  if (work.cores > cores || static_cast<int>(place.gpus.size()) < work.gpus)
    return std::optional<std::string>();
  held_[id] = place;
  return std::optional<std::string>(json_text(nlohmann::ordered_json{
      {"version", 1}, {"runner", "local"}, {"cores", place.cores}, {"gpus", place.gpus}}));
}

Status LocalRunner::launch(const JobFolder& folder) {
  const auto open = [](const fs::path& path, int flags) {
    return above_standard(Descriptor(::open(path.c_str(), flags | O_CLOEXEC, 0600)));
  };
  const Descriptor nothing = open("/dev/null", O_WRONLY);
  const Descriptor log = open(folder.keeper_log(), O_WRONLY | O_CREAT | O_APPEND);
  if (!nothing.is_open() || !log.is_open())
    return fail(ErrorCode::kIo, "{}: {}", folder.keeper_log().string(), system_message());
  ChildPlan plan;
  plan.arguments = options_.keeper;
  plan.arguments.push_back(folder.path.string());
  plan.environment = plain_environment();
  plan.output = nothing.get();
  plan.errors = log.get();
  plan.own_session = true;
  const auto started = start_child(plan);
  if (!started) return fail(ErrorCode::kIo, "the keeper of a job: {}", started.error().message);
  const pid_t pid = *started;

  // It ends as soon as the job runs. How it ended does not matter: its folder says what is so.
  const auto give_up = Steady::now() + options_.start_timeout;
  for (;;) {
    const pid_t ended = ::waitpid(pid, nullptr, WNOHANG);
    if (ended == pid || (ended < 0 && errno != EINTR)) return {};
    if (Steady::now() >= give_up) {
      ::kill(pid, SIGKILL);
      while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
      }
      return {};
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

Status LocalRunner::start(const std::string& id, const std::string& handle, const Work& work) {
  TERRAPIN_TRY_STATUS(check_job_id(id));
  TERRAPIN_TRY(const Place place, parse_handle(handle));
  const JobFolder folder = this->folder(id);
  TERRAPIN_TRY(const Sight before, look(id, handle));
  if (before.phase != Sight::Phase::kAbsent) return {};
  TERRAPIN_TRY_STATUS(prepare_folder(folder, make_order(id, folder, work, place.gpus), work));
  const Status launched = launch(folder);

  std::string reason;
  if (!launched) {
    reason = launched.error().message;
  } else {
    auto said = read_text_file(folder.keeper_log(), 1 << 20);
    while (said && !said->empty() && said->back() == '\n') said->pop_back();
    reason = "the keeper of the job could not begin it";
    if (said && !said->empty()) reason += ": " + *said;
  }
  TERRAPIN_TRY(const bool sealed, seal_folder(folder, reason));
  if (sealed) return fail(ErrorCode::kIo, "{}", reason);
  return {};
}

Result<bool> LocalRunner::seal_folder(const JobFolder& folder, const std::string& reason) {
  // A keeper that comes late must find that it is too late: the exit file is written under its lock.
  const Descriptor lock(::open(folder.lock().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock.is_open()) {
    if (errno == ENOENT) return true;  // without its folder no keeper can begin
    return fail(ErrorCode::kIo, "{}: {}", folder.lock().string(), system_message());
  }
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) return false;  // it is kept
  if (is_there(folder.ending()) || is_there(folder.started())) return false;
  Ending ending;
  ending.started = ending.ended = system_clock().now();
  ending.problem = reason;
  TERRAPIN_TRY_STATUS(write_file_atomically(folder.ending(), ending_text(ending)));
  return true;
}

Status LocalRunner::seal(const std::string& id, const std::string&) {
  TERRAPIN_TRY_STATUS(check_job_id(id));
  TERRAPIN_TRY(const bool sealed, seal_folder(folder(id), "The job never began."));
  if (!sealed) return fail(ErrorCode::kConflict, "job {} has begun meanwhile", id);
  for (const ProcessId& process : processes_of_job(folder(id), id)) {
    TERRAPIN_TRY_STATUS(send_signal(process, SIGKILL));
  }
  return {};
}

Result<Sight> LocalRunner::adopt(const std::string& id, const std::string& handle) {
  TERRAPIN_TRY_STATUS(check_handle_of("local", handle));
  TERRAPIN_TRY(const Place place, parse_handle(handle));
  {
    const std::lock_guard lock(mutex_);
    held_[id] = place;
  }
  return look(id, handle);
}

Result<Sight> LocalRunner::look(const std::string& id, const std::string& handle) {
  TERRAPIN_TRY_STATUS(check_job_id(id));
  TERRAPIN_TRY_STATUS(check_handle_of("local", handle));
  const JobFolder folder = this->folder(id);
  if (is_there(folder.ending())) return ended_sight(folder);
  if (!is_there(folder.lock())) return Sight{};
  const Descriptor lock(::open(folder.lock().c_str(), O_RDWR | O_CLOEXEC));
  if (!lock.is_open()) {
    if (errno == ENOENT) return Sight{};
    return fail(ErrorCode::kIo, "{}: {}", folder.lock().string(), system_message());
  }
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return Sight{Sight::Phase::kRunning, {}, ""};
    return fail(ErrorCode::kIo, "{}: {}", folder.lock().string(), system_message());
  }
  // Nobody keeps it. The keeper may have ended just now.
  if (is_there(folder.ending())) return ended_sight(folder);
  if (!is_there(folder.started())) return Sight{};
  TERRAPIN_TRY_STATUS(end_abandoned(folder, id));
  return ended_sight(folder);
}

Status LocalRunner::stop(const std::string& id, const std::string&) {
  TERRAPIN_TRY_STATUS(check_job_id(id));
  const auto started = read_started(folder(id));
  if (!started) {
    if (started.error().code == ErrorCode::kNotFound) return {};  // not begun yet, or never
    return tl::unexpected<Error>(started.error());
  }
  TERRAPIN_TRY(const bool sent, send_signal(started->keeper, SIGTERM));
  (void)sent;  // else it has ended
  return {};
}

void LocalRunner::release(const std::string& id) {
  const std::lock_guard lock(mutex_);
  held_.erase(id);
}

Status LocalRunner::remove(const std::string& id, const std::string& handle) {
  TERRAPIN_TRY(const Sight sight, look(id, handle));
  if (sight.phase == Sight::Phase::kRunning)
    return fail(ErrorCode::kConflict, "job {} is Running; its files are removed when it has ended", id);
  std::error_code error;
  fs::remove_all(folder(id).path, error);
  if (error) return fail(ErrorCode::kIo, "{}: {}", folder(id).path.string(), error.message());
  return {};
}

Status LocalRunner::clear(const std::string& id, const std::string& handle,
                          const std::set<std::string>& kept) {
  TERRAPIN_TRY(const Sight sight, look(id, handle));
  if (sight.phase == Sight::Phase::kRunning)
    return fail(ErrorCode::kConflict, "job {} is Running; its files are removed when it has ended", id);
  return clear_work_folder(folder(id), kept);
}

Result<std::string> LocalRunner::read_file(const std::string& id, const std::string&, const std::string& name,
                                           std::int64_t max_bytes) {
  TERRAPIN_TRY_STATUS(check_job_id(id));
  return read_work_file(folder(id), name, max_bytes);
}

Result<OutputPage> LocalRunner::output(const std::string& id, std::int64_t offset, std::int64_t max_bytes) {
  TERRAPIN_TRY_STATUS(check_job_id(id));
  return read_output(folder(id).path, offset, max_bytes);
}

}  // namespace terrapin::jobs
