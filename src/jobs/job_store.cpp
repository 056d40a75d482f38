#include "jobs/job_store.h"

#include <algorithm>
#include <span>
#include <tuple>

#include "crypto/secrets.h"

namespace terrapin::jobs {
namespace {

using storage::Transaction;
using storage::Value;
using S = std::string;
using I = std::int64_t;

// jobs_queue has one row, which gives out places in the queue.
constexpr storage::Migration kMigrations[] = {
    {1, R"(
CREATE TABLE jobs (
  id TEXT PRIMARY KEY,
  kind TEXT NOT NULL,
  spec TEXT NOT NULL,
  work TEXT NOT NULL,
  lane TEXT NOT NULL,
  queued BIGINT NOT NULL UNIQUE,
  state TEXT NOT NULL,
  handle TEXT NOT NULL,
  failure TEXT NOT NULL,
  ending TEXT NOT NULL,
  created BIGINT NOT NULL,
  modified BIGINT NOT NULL
);
CREATE INDEX jobs_by_state ON jobs (lane, state, queued);
CREATE TABLE job_changes (
  job_id TEXT NOT NULL,
  number BIGINT NOT NULL,
  state TEXT NOT NULL,
  time BIGINT NOT NULL,
  PRIMARY KEY (job_id, number)
);
CREATE TABLE jobs_queue (
  one BIGINT PRIMARY KEY,
  next BIGINT NOT NULL
);
INSERT INTO jobs_queue (one, next) VALUES (1, 1);
)"},
};

Result<std::vector<JobRecord>> select_jobs(Transaction& state, const std::string& where,
                                           std::span<const Value> values) {
  TERRAPIN_TRY(
      const auto rows,
      state.query(
          "SELECT id, kind, spec, work, state, handle, failure, ending, created, modified FROM jobs " + where,
          10, values));
  std::vector<JobRecord> jobs;
  for (const storage::TextRow& row : rows) {
    const auto text = [&](std::size_t column) { return row[column].value_or(""); };
    JobRecord job;
    job.id = text(0);
    job.kind = text(1);
    job.spec = text(2);
    TERRAPIN_TRY(job.work, parse_work(text(3)));
    TERRAPIN_TRY(job.state, parse_job_state(text(4)));
    job.handle = text(5);
    job.failure = text(6);
    if (!text(7).empty()) {
      TERRAPIN_TRY(job.ending, parse_ending(text(7)));
    }
    TERRAPIN_TRY(const I created, storage::detail::to_integer(text(8)));
    TERRAPIN_TRY(const I modified, storage::detail::to_integer(text(9)));
    job.created = from_microseconds(created);
    job.modified = from_microseconds(modified);
    jobs.push_back(std::move(job));
  }
  return jobs;
}

Result<JobRecord> require_job(Transaction& state, const std::string& id) {
  const Value values[] = {id};
  TERRAPIN_TRY(auto jobs, select_jobs(state, "WHERE id = ?", values));
  if (jobs.empty()) return fail(ErrorCode::kNotFound, "there is no job '{}'", id);
  return std::move(jobs.front());
}

Status note_change(Transaction& state, const std::string& id, JobState to, Timestamp time) {
  return state
      .run(
          "INSERT INTO job_changes (job_id, number, state, time) SELECT CAST(? AS TEXT), COUNT(*), CAST(? AS "
          "TEXT), "
          "CAST(? AS BIGINT) FROM job_changes WHERE job_id = ?",
          id, job_state_name(to), to_microseconds(time), id)
      .map([](I) {});
}

Status move_job(Transaction& state, const std::string& id, JobState from, JobState to,
                const std::string& failure, Timestamp time) {
  if (!may_move(from, to))
    return fail(ErrorCode::kConflict, "a job that is {} cannot become {}", job_state_name(from),
                job_state_name(to));
  TERRAPIN_TRY(const I changed,
               state.run("UPDATE jobs SET state = ?, failure = ?, modified = ? WHERE id = ? AND state = ?",
                         job_state_name(to), failure, to_microseconds(time), id, job_state_name(from)));
  if (changed != 1) return fail(ErrorCode::kConflict, "job {} is no longer {}", id, job_state_name(from));
  return note_change(state, id, to, time);
}

}  // namespace

Result<JobStore> JobStore::open(storage::Database& state, const Clock& clock) {
  TERRAPIN_TRY_STATUS(state.migrate("jobs", kMigrations));
  return JobStore(state, clock);
}

Result<std::string> JobStore::create(Transaction& state, const std::string& kind, const std::string& spec,
                                     const Work& work) {
  TERRAPIN_TRY_STATUS(check_work(work));
  const std::string id = crypto::random_text(20);
  const Timestamp now = clock_->now();
  TERRAPIN_TRY(const auto place, state.select_one<I>("SELECT next FROM jobs_queue WHERE one = 1"));
  if (!place) return fail(ErrorCode::kCorrupt, "the table jobs_queue of the state database has no row");
  TERRAPIN_TRY_STATUS(state.run("UPDATE jobs_queue SET next = next + 1 WHERE one = 1"));
  TERRAPIN_TRY_STATUS(
      state.run("INSERT INTO jobs (id, kind, spec, work, lane, queued, state, handle, failure, ending, "
                "created, modified) "
                "VALUES (?, ?, ?, ?, ?, ?, 'Pending', '', '', '', ?, ?)",
                id, kind, spec, work_text(work), work.lane, std::get<0>(*place), to_microseconds(now),
                to_microseconds(now)));
  TERRAPIN_TRY_STATUS(note_change(state, id, JobState::kPending, now));
  return id;
}

Result<JobRecord> JobStore::create(const std::string& kind, const std::string& spec, const Work& work) {
  JobRecord job;
  TERRAPIN_TRY_STATUS(state_->write([&](Transaction& state) -> Status {
    TERRAPIN_TRY(const std::string id, create(state, kind, spec, work));
    TERRAPIN_TRY(job, require_job(state, id));
    return {};
  }));
  return job;
}

Result<JobRecord> JobStore::find(const std::string& id) {
  JobRecord job;
  TERRAPIN_TRY_STATUS(state_->read([&](Transaction& state) -> Status {
    TERRAPIN_TRY(job, require_job(state, id));
    return {};
  }));
  return job;
}

Result<std::vector<JobChange>> JobStore::changes(const std::string& id) {
  std::vector<JobChange> changes;
  TERRAPIN_TRY_STATUS(state_->read([&](Transaction& state) -> Status {
    changes.clear();
    TERRAPIN_TRY(
        const auto rows,
        (state.select<S, I>("SELECT state, time FROM job_changes WHERE job_id = ? ORDER BY number", id)));
    for (const auto& [name, time] : rows) {
      TERRAPIN_TRY(const JobState known, parse_job_state(name));
      changes.push_back({known, from_microseconds(time)});
    }
    return {};
  }));
  return changes;
}

Result<std::vector<JobRecord>> JobStore::queue(const std::string& lane, int limit) {
  std::vector<JobRecord> jobs;
  TERRAPIN_TRY_STATUS(state_->read([&](Transaction& state) -> Status {
    const Value values[] = {lane, static_cast<I>(limit)};
    TERRAPIN_TRY(jobs,
                 select_jobs(state, "WHERE lane = ? AND state = 'Pending' ORDER BY queued LIMIT ?", values));
    return {};
  }));
  return jobs;
}

Result<std::vector<JobRecord>> JobStore::live(const std::string& lane) {
  std::vector<JobRecord> jobs;
  TERRAPIN_TRY_STATUS(state_->read([&](Transaction& state) -> Status {
    const Value values[] = {lane};
    TERRAPIN_TRY(jobs, select_jobs(state,
                                   "WHERE lane = ? AND state IN ('Starting', 'Running', 'Stopping') ORDER "
                                   "BY queued",
                                   values));
    return {};
  }));
  return jobs;
}

Result<JobRecord> JobStore::stop(const std::string& id, const std::string& reason) {
  JobRecord job;
  TERRAPIN_TRY_STATUS(state_->write([&](Transaction& state) -> Status {
    TERRAPIN_TRY(job, require_job(state, id));
    if (job.state == JobState::kStopping) return {};
    const JobState to = job.state == JobState::kPending ? JobState::kStopped : JobState::kStopping;
    TERRAPIN_TRY_STATUS(move_job(state, id, job.state, to, reason, clock_->now()));
    TERRAPIN_TRY(job, require_job(state, id));
    return {};
  }));
  return job;
}

Status JobStore::move(const std::string& id, JobState from, JobState to, const std::string& failure) {
  return state_->write(
      [&](Transaction& state) { return move_job(state, id, from, to, failure, clock_->now()); });
}

Status JobStore::place(const std::string& id, const std::string& handle) {
  return state_->write([&](Transaction& state) -> Status {
    TERRAPIN_TRY_STATUS(move_job(state, id, JobState::kPending, JobState::kStarting, "", clock_->now()));
    return state.run("UPDATE jobs SET handle = ? WHERE id = ?", handle, id).map([](I) {});
  });
}

Result<JobRecord> JobStore::end(const std::string& id, const Ending& ending) {
  JobRecord job;
  TERRAPIN_TRY_STATUS(state_->write([&](Transaction& state) -> Status {
    TERRAPIN_TRY(job, require_job(state, id));
    // It ran, even if nobody looked meanwhile. Times never go back, whatever the clocks say.
    const bool ran = ending.exit_code.has_value() || ending.signal.has_value();
    const auto later = [&](Timestamp time) { return std::max(time, job.modified); };
    if (job.state == JobState::kStarting && ran) {
      TERRAPIN_TRY_STATUS(move_job(state, id, job.state, JobState::kRunning, "", later(ending.started)));
      job.modified = later(ending.started);
      job.state = JobState::kRunning;
    }
    // A runner that keeps to the job's longest run while no server is there.
    if (job.state == JobState::kRunning && ending.stop_asked && job.work.max_run.count() > 0 &&
        ending.ended - ending.started >= job.work.max_run) {
      job.failure = ran_too_long(job.work.max_run);
      TERRAPIN_TRY_STATUS(
          move_job(state, id, job.state, JobState::kStopping, job.failure, later(ending.ended)));
      job.state = JobState::kStopping;
    }
    JobState to = JobState::kFailed;
    std::string failure = failure_reason(ending);
    if (job.state == JobState::kStopping && (ending.stop_asked || !ran)) {
      // What it answers to a signal that was asked for is no failure.
      to = JobState::kStopped;
      failure = job.failure;
    } else if (ending.stop_asked && ending.problem.empty()) {
      failure =
          "The job was told to stop by someone other than this service, such as a shutdown of the machine.";
    } else if (ending.succeeded()) {
      to = JobState::kCompleted;
    }
    TERRAPIN_TRY_STATUS(move_job(state, id, job.state, to, failure, later(ending.ended)));
    TERRAPIN_TRY_STATUS(state.run("UPDATE jobs SET ending = ? WHERE id = ?", ending_text(ending), id));
    TERRAPIN_TRY(job, require_job(state, id));
    return {};
  }));
  return job;
}

Status JobStore::remove(const std::string& id) {
  return state_->write([&](Transaction& state) -> Status {
    TERRAPIN_TRY(const JobRecord job, require_job(state, id));
    if (!has_ended(job.state))
      return fail(ErrorCode::kConflict, "job {} is {}; it is removed when it has ended", id,
                  job_state_name(job.state));
    TERRAPIN_TRY_STATUS(state.run("DELETE FROM job_changes WHERE job_id = ?", id));
    return state.run("DELETE FROM jobs WHERE id = ?", id).map([](I) {});
  });
}

}  // namespace terrapin::jobs
