#include "jobs/supervisor.h"

#include <spdlog/spdlog.h>

#include <utility>

namespace terrapin::jobs {
namespace {

constexpr int kQueueLook = 100;  // jobs that are looked at for a place, at a time

}  // namespace

Supervisor::Supervisor(JobStore store, Runner& runner, const Clock& clock, SupervisorOptions options)
    : store_(std::move(store)),
      runner_(runner),
      clock_(clock),
      options_(std::move(options)),
      looks_("jobs of lane " + options_.lane, options_.look_interval, [this] {
        (void)look(); /* logged there; tried again */
      }) {}

void Supervisor::tell(const std::string& id) {
  if (options_.changed) options_.changed(id);
}

Status Supervisor::look() {
  Status first;
  const auto note = [&](const std::string& what, Status status) {
    if (status) return;
    spdlog::error("{}: {}", what, status.error().message);
    if (first) first = std::move(status);
  };
  const auto live = store_.live(options_.lane);
  if (!live) {
    note("jobs", tl::unexpected<Error>(live.error()));
    return first;
  }
  // All places that are taken, before any is given away.
  bool adopted = true;
  for (const JobRecord& job : *live) {
    if (known_.contains(job.id)) continue;
    const auto sight = runner_.adopt(job.id, job.handle);
    if (sight || sight.error().code == ErrorCode::kCorrupt || sight.error().code == ErrorCode::kUnsupported) {
      known_.insert(job.id);
    } else {
      note("job " + job.id, tl::unexpected<Error>(sight.error()));
      adopted = false;
    }
  }
  for (const JobRecord& job : *live) note("job " + job.id, attend(job));
  if (adopted) note("queued jobs", start_queued());
  return first;
}

Status Supervisor::attend(const JobRecord& job) {
  TERRAPIN_TRY(const Sight sight, runner_.look(job.id, job.handle));
  if (sight.phase == Sight::Phase::kEnded) return finish(job, sight.ending);
  if (sight.phase == Sight::Phase::kAbsent) {
    if (job.state == JobState::kStarting) return begin(job);
    TERRAPIN_TRY_STATUS(runner_.seal(job.id, job.handle));
    Ending ending;
    ending.started = ending.ended = clock_.now();
    ending.problem = "Nothing is left of the job's process and its folder; they may have been removed.";
    return finish(job, ending);
  }
  if (job.state == JobState::kStarting) {
    if (sight.phase == Sight::Phase::kRunning) return note_running(job.id);
    note_waiting(job.id, sight.waiting);
    return {};
  }
  if (job.state == JobState::kStopping) return runner_.stop(job.id, job.handle);
  if (job.work.max_run.count() > 0) {
    TERRAPIN_TRY(const auto changes, store_.changes(job.id));
    for (const JobChange& change : changes) {
      if (change.state != JobState::kRunning || clock_.now() < change.time + job.work.max_run) continue;
      TERRAPIN_TRY_STATUS(store_.stop(job.id, ran_too_long(job.work.max_run)));
      tell(job.id);
      return runner_.stop(job.id, job.handle);
    }
  }
  return {};
}

Status Supervisor::begin(const JobRecord& job) {
  const Status started = runner_.start(job.id, job.handle, job.work);
  if (!started) {
    TERRAPIN_TRY(const Sight sight, runner_.look(job.id, job.handle));
    if (sight.phase == Sight::Phase::kRunning) return note_running(job.id);
    if (sight.phase == Sight::Phase::kWaiting) return {};
    if (sight.phase == Sight::Phase::kAbsent) {
      TERRAPIN_TRY_STATUS(runner_.seal(job.id, job.handle));
    }
    Ending ending;
    ending.started = ending.ended = clock_.now();
    ending.problem = "The job could not be started: " + started.error().message;
    return finish(job, ending);
  }
  TERRAPIN_TRY(const Sight sight, runner_.look(job.id, job.handle));
  if (sight.phase == Sight::Phase::kWaiting) note_waiting(job.id, sight.waiting);
  if (sight.phase == Sight::Phase::kWaiting || sight.phase == Sight::Phase::kAbsent) return {};
  return note_running(job.id);
}

void Supervisor::note_waiting(const std::string& id, const std::string& what_for) {
  {
    const std::lock_guard lock(mutex_);
    std::string& known = waiting_[id];
    if (known == what_for) return;
    known = what_for;
  }
  tell(id);
}

std::string Supervisor::waiting(const std::string& id) {
  const std::lock_guard lock(mutex_);
  const auto found = waiting_.find(id);
  return found == waiting_.end() ? "" : found->second;
}

Status Supervisor::note_running(const std::string& id) {
  Status moved = store_.move(id, JobState::kStarting, JobState::kRunning);
  // Told to stop meanwhile: the next look does that.
  if (!moved && moved.error().code != ErrorCode::kConflict) return moved;
  {
    const std::lock_guard lock(mutex_);
    waiting_.erase(id);
  }
  tell(id);
  return {};
}

Status Supervisor::finish(const JobRecord& job, const Ending& ending) {
  const auto ended = store_.end(job.id, ending);
  if (!ended && ended.error().code != ErrorCode::kConflict) return tl::unexpected<Error>(ended.error());
  runner_.release(job.id);
  known_.erase(job.id);
  {
    const std::lock_guard lock(mutex_);
    waiting_.erase(job.id);
  }
  tell(job.id);
  return {};
}

Status Supervisor::start_queued() {
  TERRAPIN_TRY(const auto queue, store_.queue(options_.lane, kQueueLook));
  for (JobRecord job : queue) {
    const auto place = runner_.reserve(job.id, job.work);
    if (!place && place.error().code == ErrorCode::kInvalidArgument) {
      const Status moved = store_.move(job.id, JobState::kPending, JobState::kFailed, place.error().message);
      if (!moved && moved.error().code != ErrorCode::kConflict) return moved;
      tell(job.id);
      continue;
    }
    if (!place) return tl::unexpected<Error>(place.error());
    if (!*place) {
      if (options_.in_order) return {};
      continue;
    }
    job.handle = **place;
    const Status placed = store_.place(job.id, job.handle);
    if (!placed) {
      runner_.release(job.id);
      if (placed.error().code == ErrorCode::kConflict) continue;  // stopped meanwhile
      return placed;
    }
    known_.insert(job.id);
    job.state = JobState::kStarting;
    tell(job.id);
    TERRAPIN_TRY_STATUS(begin(job));
  }
  return {};
}

}  // namespace terrapin::jobs
