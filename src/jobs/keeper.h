// The process beside a job's: it starts it, writes down what it says and how it ended, and ends all of it
// when told to. It outlives the server. docs/decisions/0010-jobs.md.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "jobs/process_id.h"
#include "jobs/work.h"

namespace terrapin::jobs {

// What a keeper is to do: order.json in the job's folder.
struct Order {
  std::string id;  // of the job: letters and digits
  std::vector<std::string> arguments;
  std::vector<std::string> environment;  // "NAME=value": all of it, beside `taken`
  std::chrono::milliseconds stop_grace{0};
  std::int64_t max_output_bytes = 0;
  std::string failure_file;
  std::vector<std::string> taken =
      {};  // names of the keeper's own variables that it hands on where it has them
};
std::string order_text(const Order& order);
Result<Order> parse_order(const std::string& text);

// The variable that marks every process of a job: "TERRAPIN_JOB=<id>".
std::string job_mark(const std::string& id);
// The job's living processes that were begun in this folder. An id alone is not enough: rows that were
// restored from a backup, and folders that were copied, have the ids of jobs that may run elsewhere on this
// machine.
std::vector<ProcessId> processes_of_job(const JobFolder& folder, const std::string& id);

// started.json: who keeps the job and what runs. Written before the job's program begins.
struct Started {
  Timestamp time;
  ProcessId keeper, guard, leader;
};
Result<Started> read_started(const JobFolder& folder);

// The whole of the hidden command `job-keeper FOLDER`: returns the exit code as soon as the job runs, or
// cannot, while a process of its own stays with it. 0 also if the job is kept or has ended already.
int keep_job(const std::filesystem::path& folder);
// `job-keeper --stay FOLDER`, for a batch system that looks at this process: it hands on SIGTERM to the
// keeper, and ends the job if keeper and guard were killed. Returns when the job has ended, as a shell does:
// its exit code, or 128 and its signal; 1 where nobody can know that.
int keep_job_here(const std::filesystem::path& folder);

// For whoever holds the folder's lock and finds a started job without an exit file: its keeper was killed, or
// the machine. Ends what is left of the job and writes the exit file.
Status end_abandoned(const JobFolder& folder, const std::string& id);

}  // namespace terrapin::jobs
