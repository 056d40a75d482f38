// What is to be run as a process of its own.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"

namespace terrapin::jobs {

struct Work {
  // Jobs of one lane wait for each other, those of different lanes never do: lower-case letters.
  std::string lane = "batch";
  std::vector<std::string> arguments;  // the first is the program's absolute path; no shell is involved
  // All of the environment beyond PATH, LANG, HOME and TMPDIR (the last two name the work folder), what the
  // resources below say, and the mark by which the job's processes are found.
  std::map<std::string, std::string> environment;
  // Names of the server's own variables that are handed on where it has them.
  std::vector<std::string> inherited;
  int cores = 1;  // OMP_NUM_THREADS
  int gpus = 0;   // CUDA_VISIBLE_DEVICES names these and no other
  std::chrono::milliseconds stop_grace = std::chrono::seconds(120);  // from SIGTERM to SIGKILL
  std::chrono::seconds max_run{0};                                   // then it is stopped; 0: no limit
  std::int64_t max_output_bytes = 256 << 20;                         // kept of what it writes
  // A file of the work folder, "" = none: where the job says why it failed, the first 1,024 characters.
  std::string failure_file;
  // Small files that lie in the work folder before the program starts, by name (no folders), at most
  // kMaxFileBytes together.
  std::map<std::string, std::string> files;
};
inline constexpr std::int64_t kMaxFileBytes = 4 << 20;

// kInvalidArgument naming the member and what is allowed.
Status check_work(const Work& work);

// Why a job is stopped that runs longer than `max_run`, for people.
std::string ran_too_long(std::chrono::seconds max_run);

// One line of JSON, version 1.
std::string work_text(const Work& work);
Result<Work> parse_work(const std::string& text);

// The files of a job, in a folder of its own; docs/formats/jobs.md.
struct JobFolder {
  std::filesystem::path path;
  std::filesystem::path work() const { return path / "work"; }  // where the process runs
  std::filesystem::path order() const { return path / "order.json"; }
  std::filesystem::path lock() const { return path / "keeper.lock"; }
  std::filesystem::path started() const { return path / "started.json"; }
  std::filesystem::path ending() const { return path / "exit.json"; }
  std::filesystem::path keeper_log() const { return path / "keeper.log"; }
};

// What Runner::read_file gives of a folder that can be read here.
Result<std::string> read_work_file(const JobFolder& folder, const std::string& name, std::int64_t max_bytes);
// What Runner::clear does in a folder that can be reached here.
Status clear_work_folder(const JobFolder& folder, const std::set<std::string>& kept);

}  // namespace terrapin::jobs
