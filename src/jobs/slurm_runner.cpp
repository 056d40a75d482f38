#include "jobs/slurm_runner.h"

#include <signal.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <system_error>

#include "base/files.h"
#include "base/json_text.h"
#include "jobs/job_files.h"
#include "jobs/json_members.h"
#include "jobs/keeper.h"
#include "jobs/short_command.h"

namespace terrapin::jobs {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::string_view kNamePrefix = "terrapin-";
// Of the batch script: what is run stands in its arguments, which no shell reads.
constexpr std::string_view kBatchScript = "#!/bin/sh\nexec \"$@\"\n";
// Beyond a job's own grace: what the keeper needs to end and to write its exit file.
constexpr seconds kMargin{30};
// Slurm counts a job's time in minutes, and may warn it this much earlier than it was asked to.
constexpr minutes kSlurmEarly{1};
constexpr seconds kLongestWarning{65535};
constexpr minutes kLongestLimit{60 * 24 * 365};
constexpr seconds kStopInterval{5};  // a stop is said again
constexpr std::size_t kWordsCharacters = 600;

// What sbatch says when it may accept the same job later.
constexpr std::string_view kPassing[] = {
    "Unable to contact slurm controller",
    "stablish a configuration source",
    "Unable to establish configuration source",
    "Socket timed out",
    "Connection refused",
    "Connection timed out",
    "Communication connection failure",
    "Transport endpoint is not connected",
    "Zero Bytes were transmitted or received",
    "Unexpected message received",
    "Resource temporarily unavailable",
    "temporarily unable to accept job",
    "in standby mode",
    "unge encode failed",  // munged is being restarted
    "Protocol authentication error",
    "MaxSubmitJob",  // a limit on the length of the queue
    "MaxJobCount",
};

enum class Kind { kWaits, kRuns, kOver };

Kind kind_of(const std::string& state) {
  for (const char* const name : {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "PREEMPTED",
                                 "OUT_OF_MEMORY", "DEADLINE", "BOOT_FAIL", "REVOKED"})
    if (state == name) return Kind::kOver;
  for (const char* const name :
       {"RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT", "RESIZING"})
    if (state == name) return Kind::kRuns;
  return Kind::kWaits;  // PENDING, CONFIGURING, REQUEUED, and what later versions may say
}

std::vector<std::string_view> split(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(at, begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

std::optional<std::int64_t> number_in(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number <= 0) return std::nullopt;
  return number;
}

// A word in capitals, as Slurm's states are: the first of "CANCELLED by 1000".
std::string state_in(std::string_view text) {
  const std::string_view word = text.substr(0, text.find_first_of(" +"));
  const bool plain = !word.empty() && std::all_of(word.begin(), word.end(),
                                                  [](char c) { return c == '_' || (c >= 'A' && c <= 'Z'); });
  return plain ? std::string(word) : "";
}

std::string id_in(std::string_view name) {
  if (!name.starts_with(kNamePrefix)) return "";
  const std::string id(name.substr(kNamePrefix.size()));
  return check_job_id(id) ? id : "";
}

// What a program of Slurm's said, as one sentence part: without its own name and the word error.
std::string words_of(const Answer& answer) {
  std::string words;
  for (std::string_view line : split(answer.errors, '\n')) {
    for (const std::string_view before : {"sbatch: ", "squeue: ", "scancel: ", "sacct: ", "error: "})
      if (line.starts_with(before)) line.remove_prefix(before.size());
    if (line.empty()) continue;
    if (!words.empty()) words += "; ";
    words += line;
  }
  if (words.empty()) words = fmt::format("it exited with code {} and said nothing", answer.exit_code);
  return first_characters(words, kWordsCharacters);
}

// Nothing, or the number of the Slurm job; 0: sbatch was or is about to be asked, and its answer is not
// known.
Result<std::optional<std::int64_t>> read_submission(const JobFolder& folder) {
  const auto text = read_text_file(folder.path / "slurm.json", 1 << 16);
  if (!text) {
    if (text.error().code == ErrorCode::kNotFound) return std::optional<std::int64_t>();
    return tl::unexpected<Error>(text.error());
  }
  TERRAPIN_TRY(const nlohmann::json json, parse_object(*text, (folder.path / "slurm.json").string()));
  return std::optional(std::max<std::int64_t>(0, integer_of(json, "job", 0)));
}

Status write_submission(const JobFolder& folder, std::int64_t number) {
  return write_file_atomically(folder.path / "slurm.json",
                               json_text(nlohmann::ordered_json{{"version", 1}, {"job", number}}));
}

// Some network file systems remember for a while that a file was not there; reading the folder corrects that.
bool is_there_now(const fs::path& path) {
  std::error_code error;
  for (fs::directory_iterator entry(path.parent_path(), error), end; !error && entry != end;
       entry.increment(error)) {
  }
  return is_there(path);
}

fs::path program_at(const SlurmRunnerOptions& options, const std::string& name) {
  if (!options.programs.empty()) return options.programs / name;
  const char* const path = std::getenv("PATH");
  for (const std::string_view folder : split(path != nullptr ? path : kProgramPath, ':')) {
    const fs::path program = fs::path(folder) / name;
    if (program.is_absolute() && ::access(program.c_str(), X_OK) == 0) return program;
  }
  return {};
}

bool is_name(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           c == '-' || c == '.' || c == ',' || c == '@';
  });
}

bool has_control(const std::string& text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

Sight running() {
  Sight sight;
  sight.phase = Sight::Phase::kRunning;
  return sight;
}

Sight waiting(std::string what_for) {
  return {Sight::Phase::kWaiting, {}, std::move(what_for)};
}

}  // namespace

const std::set<std::string>& allowed_sbatch_options() {
  static const std::set<std::string> names = {
      "begin",         "cluster-constraint",
      "constraint",    "contiguous",
      "core-spec",     "cpu-freq",
      "deadline",      "delay-boot",
      "exclude",       "exclusive",
      "gpu-bind",      "gpu-freq",
      "gres-flags",    "hint",
      "licenses",      "mail-type",
      "mail-user",     "mem-bind",
      "mem-per-cpu",   "mem-per-gpu",
      "mincpus",       "network",
      "nice",          "nodelist",
      "oversubscribe", "prefer",
      "priority",      "qos",
      "reservation",   "sockets-per-node",
      "switches",      "threads-per-core",
      "tmp",           "use-min-nodes",
      "wckey",
  };
  return names;
}

Status SlurmRunnerOptions::check() const {
  const std::string root_text = root.string();
  if (!root.is_absolute() || root_text.find_first_of("%\\") != std::string::npos || has_control(root_text))
    return fail(ErrorCode::kInvalidArgument,
                "'{}' cannot be the folder of Slurm's jobs: an absolute path without '%', '\\' and control "
                "characters is needed, on a file system that this machine and the nodes share",
                root_text);
  std::error_code error;
  fs::create_directories(root, error);
  if (error) return fail(ErrorCode::kInvalidArgument, "{}: {}", root_text, error.message());
  if (keeper.empty() || !fs::path(keeper.front()).is_absolute())
    return fail(ErrorCode::kInvalidArgument,
                "'{}' cannot keep Slurm's jobs: the absolute path of this program on the nodes is needed",
                keeper.empty() ? "" : keeper.front());
  for (const std::string& word : keeper)
    if (has_control(word))
      return fail(ErrorCode::kInvalidArgument,
                  "the command that keeps Slurm's jobs holds a control character");
  if (!is_name(partition))
    return fail(ErrorCode::kInvalidArgument,
                "'{}' cannot be a partition of Slurm: letters, digits and _-.,@ are allowed", partition);
  if (!is_name(account))
    return fail(ErrorCode::kInvalidArgument,
                "'{}' cannot be an account of Slurm: letters, digits and _-.,@ are allowed", account);
  if (memory_mib < 0)
    return fail(ErrorCode::kInvalidArgument,
                "{} MiB cannot be the memory of a job; 0 (Slurm's default) or more is allowed", memory_mib);
  if (max_jobs < 1)
    return fail(ErrorCode::kInvalidArgument, "{} jobs at a time in Slurm; at least 1 is needed", max_jobs);
  for (const std::string& option : sbatch_options) {
    const std::string name = option.starts_with("--") ? option.substr(2, option.find('=') - 2) : "";
    if (!allowed_sbatch_options().contains(name) || has_control(option))
      return fail(
          ErrorCode::kInvalidArgument,
          "'{}' cannot be handed on to sbatch: --NAME=VALUE or --NAME is allowed, with one of the names {}",
          option, fmt::join(allowed_sbatch_options(), ", "));
  }
  for (const char* const name : {"sbatch", "squeue", "scancel"}) {
    const fs::path program = program_at(*this, name);
    if (program.empty())
      return fail(ErrorCode::kNotFound,
                  "there is no {} on the PATH; Slurm's client programs (Debian: slurm-client) are needed",
                  name);
    if (::access(program.c_str(), X_OK) != 0)
      return fail(ErrorCode::kNotFound, "{}: there is no such program", program.string());
  }
  if (!slurm_conf.empty() && ::access(slurm_conf.c_str(), R_OK) != 0)
    return fail(ErrorCode::kNotFound, "{}: {}", slurm_conf.string(), system_message());
  return {};
}

SlurmRunner::SlurmRunner(SlurmRunnerOptions options) : options_(std::move(options)) {}

std::multimap<std::string, SlurmRunner::Row> SlurmRunner::parse_queue(std::string_view text) {
  std::multimap<std::string, Row> rows;
  for (const std::string_view line : split(text, '\n')) {
    const auto parts = split(line, '|');  // only what stands last may hold more of them
    if (parts.size() < 6) continue;
    const std::string id = id_in(parts[4]), state = state_in(parts[1]);
    const auto number = number_in(parts[0]);
    if (id.empty() || state.empty() || !number) continue;
    rows.emplace(id, Row{*number, state, !parts[2].empty(), first_characters(std::string(parts[3]), 40),
                         first_characters(std::string(parts[5]), 200)});
  }
  return rows;
}

std::multimap<std::string, SlurmRunner::Row> SlurmRunner::parse_accounting(std::string_view text) {
  std::multimap<std::string, Row> rows;
  for (const std::string_view line : split(text, '\n')) {
    const auto parts = split(line, '|');
    if (parts.size() < 4) continue;
    const std::string id = id_in(parts[3]), state = state_in(parts[1]);
    const auto number = number_in(parts[0]);
    // What the accounts call running may be an end that they have not heard of yet.
    if (id.empty() || !number || kind_of(state) != Kind::kOver) continue;
    rows.emplace(id, Row{*number, state, parts[2] != "None assigned" && !parts[2].empty(), "", ""});
  }
  return rows;
}

std::optional<std::int64_t> SlurmRunner::parse_number(std::string_view text) {
  return number_in(text.substr(0, text.find_first_of(";\r\n")));  // a cluster's name may follow
}

Result<Answer> SlurmRunner::run(const std::string& program, const std::vector<std::string>& arguments) {
  ShortCommand command;
  command.arguments = {program_at(options_, program).string()};
  if (command.arguments.front().empty())
    return fail(ErrorCode::kNotFound, "there is no {} on the PATH", program);
  command.arguments.insert(command.arguments.end(), arguments.begin(), arguments.end());
  command.environment = plain_environment({"SLURM_CONF", "SLURM_CONF_SERVER"});
  if (!options_.slurm_conf.empty()) {
    std::erase_if(command.environment,
                  [](const std::string& text) { return text.starts_with("SLURM_CONF"); });
    command.environment.push_back("SLURM_CONF=" + options_.slurm_conf.string());
  }
  command.timeout = options_.command_timeout;
  return ask(command);
}

// Slurm could not be asked: nothing is known, nothing has ended, and it is left alone for a while.
Status SlurmRunner::no_answer(const std::string& words) {
  if (silence_.empty()) spdlog::warn("Slurm cannot be asked, trying again: {}", words);
  silence_ = words;
  silent_until_ = Steady::now() + options_.look_interval;
  return fail(ErrorCode::kIo, "Slurm cannot be asked: {}", words);
}

// The rows of a time not before `not_before`. kIo if Slurm does not answer.
Status SlurmRunner::refresh(Steady::time_point not_before) {
  if (rows_time_ && *rows_time_ >= not_before) return {};
  const auto now = Steady::now();
  if (now < silent_until_) return fail(ErrorCode::kIo, "Slurm cannot be asked: {}", silence_);
  const auto answer = run("squeue", {"--noheader", "--states=all", fmt::format("--user={}", ::geteuid()),
                                     "--format=%A|%T|%N|%l|%j|%r"});
  if (!answer) return no_answer(answer.error().message);
  if (answer->exit_code != 0) return no_answer(words_of(*answer));
  if (!silence_.empty()) spdlog::info("Slurm answers again");
  silence_.clear();
  rows_ = parse_queue(answer->output);
  rows_time_ = now;
  return {};
}

// Slurm's row of the job: one of its name that lives, else that with the number (0: any).
// Nothing: Slurm has none, or no longer.
Result<std::optional<SlurmRunner::Row>> SlurmRunner::find_row(const std::string& id, std::int64_t number) {
  TERRAPIN_TRY_STATUS(refresh(std::max(memory_[id].submitted, Steady::now() - options_.look_interval)));
  std::optional<Row> found;
  const auto consider = [&](const std::multimap<std::string, Row>& rows) {
    const auto [begin, end] = rows.equal_range(id);
    for (auto row = begin; row != end; ++row) {
      const bool lives = kind_of(row->second.state) != Kind::kOver;
      if (!lives && number > 0 && row->second.number != number) continue;
      if (!found || (lives && kind_of(found->state) == Kind::kOver)) found = row->second;
    }
  };
  consider(rows_);
  if (found || no_accounting_) return found;
  std::vector<std::string> arguments = {"--noheader", "--parsable2", "--allocations",
                                        fmt::format("--user={}", ::geteuid()),
                                        "--format=JobIDRaw,State,NodeList,JobName"};
  if (number > 0) {
    arguments.push_back(fmt::format("--jobs={}", number));
  } else {
    arguments.push_back(fmt::format("--name={}{}", kNamePrefix, id));
    arguments.push_back("--starttime=now-365days");
  }
  const auto answer = run("sacct", arguments);
  if (!answer && answer.error().code == ErrorCode::kNotFound) {
    no_accounting_ = true;
    return found;
  }
  if (!answer) return tl::unexpected<Error>(no_answer(answer.error().message).error());
  if (answer->exit_code != 0) {
    if (answer->errors.find("accounting storage is disabled") == std::string::npos)
      return tl::unexpected<Error>(no_answer(words_of(*answer)).error());
    no_accounting_ = true;
    return found;
  }
  consider(parse_accounting(answer->output));
  return found;
}

Result<std::optional<std::string>> SlurmRunner::reserve(const std::string& id, const Work& work) {
  TERRAPIN_TRY_STATUS(check_job_id(id));
  TERRAPIN_TRY_STATUS(check_work(work));
  const std::lock_guard lock(mutex_);
  if (!held_.contains(id) && static_cast<int>(held_.size()) >= options_.max_jobs)
    return std::optional<std::string>();
  held_.insert(id);
  return std::optional<std::string>(json_text(nlohmann::ordered_json{
      {"version", 1}, {"runner", "slurm"}, {"stop_grace_ms", work.stop_grace.count()}}));
}

std::vector<std::string> SlurmRunner::sbatch_arguments(const std::string& id, const Work& work) const {
  const JobFolder folder = this->folder(id);
  // What the installation adds comes first: of two that contradict each other sbatch takes the later one.
  std::vector<std::string> arguments = options_.sbatch_options;
  const auto add = [&]<class... Args>(fmt::format_string<Args...> format, Args&&... args) {
    arguments.push_back(fmt::format(format, std::forward<Args>(args)...));
  };
  if (!options_.partition.empty()) add("--partition={}", options_.partition);
  if (!options_.account.empty()) add("--account={}", options_.account);
  if (options_.memory_mib > 0) add("--mem={}M", options_.memory_mib);
  add("--parsable");
  add("--job-name={}{}", kNamePrefix, id);
  // Two of one name, as a server that is killed at the wrong moment may leave, run after each other: the
  // second one's keeper then finds the end of the first.
  add("--dependency=singleton");
  add("--no-requeue");
  add("--nodes=1");
  add("--ntasks=1");
  add("--cpus-per-task={}", work.cores);
  if (work.gpus > 0) add("--gres=gpu:{}", work.gpus);
  add("--chdir={}", folder.path.string());
  add("--output={}", folder.keeper_log().string());
  add("--open-mode=append");
  // SIGTERM to the keeper this long before Slurm's own limit ends everything.
  const auto grace = std::min(std::chrono::ceil<seconds>(work.stop_grace) + kMargin, kLongestWarning);
  add("--signal=B:TERM@{}", grace.count());
  if (work.max_run.count() > 0) {
    // The server stops it at its longest run; this is for when there is none.
    const auto limit =
        std::chrono::ceil<minutes>(std::min<seconds>(work.max_run, kLongestLimit) + grace) + kSlurmEarly;
    add("--time={}", limit.count());
  }
  add("{}", (folder.path / "batch.sh").string());
  arguments.insert(arguments.end(), options_.keeper.begin(), options_.keeper.end());
  add("{}", folder.path.string());
  return arguments;
}

Status SlurmRunner::start(const std::string& id, const std::string& handle, const Work& work) {
  TERRAPIN_TRY_STATUS(check_job_id(id));
  TERRAPIN_TRY_STATUS(check_handle_of("slurm", handle));
  const std::lock_guard lock(mutex_);
  TERRAPIN_TRY(const Sight before, look_now(id));
  if (before.phase != Sight::Phase::kAbsent) return {};
  const JobFolder folder = this->folder(id);
  TERRAPIN_TRY_STATUS(prepare_folder(
      folder,
      make_order(id, folder, work, work.gpus > 0 ? std::nullopt : std::optional(std::vector<std::string>())),
      work));
  TERRAPIN_TRY_STATUS(write_file_atomically(folder.path / "batch.sh", kBatchScript));
  // From here on a server that finds this file asks for the job by its name before it submits it again.
  TERRAPIN_TRY_STATUS(write_submission(folder, 0));
  const auto answer = run("sbatch", sbatch_arguments(id, work));
  memory_[id].submitted = Steady::now();
  if (!answer && answer.error().code != ErrorCode::kNotFound) {
    (void)no_answer(answer.error().message);
    return {};
  }
  std::string refusal;
  if (!answer) {
    refusal = answer.error().message;
  } else if (answer->exit_code == 0) {
    if (const auto number = parse_number(answer->output)) return write_submission(folder, *number);
    (void)no_answer(
        fmt::format("sbatch answered '{}', which names no job", first_characters(answer->output, 100)));
    return {};  // then it is looked for by its name
  } else {
    refusal = words_of(*answer);
    for (const std::string_view passing : kPassing) {
      if (answer->errors.find(passing) == std::string::npos) continue;
      (void)no_answer(refusal);
      return {};
    }
    refusal = "Slurm refused the job: " + refusal;
  }
  TERRAPIN_TRY_STATUS(conclude(id, refusal));
  return fail(ErrorCode::kInvalidArgument, "{}", refusal);
}

Result<Sight> SlurmRunner::adopt(const std::string& id, const std::string& handle) {
  TERRAPIN_TRY_STATUS(check_job_id(id));
  TERRAPIN_TRY_STATUS(check_handle_of("slurm", handle));
  const std::lock_guard lock(mutex_);
  held_.insert(id);
  return look_now(id);
}

Result<Sight> SlurmRunner::look(const std::string& id, const std::string& handle) {
  TERRAPIN_TRY_STATUS(check_job_id(id));
  TERRAPIN_TRY_STATUS(check_handle_of("slurm", handle));
  const std::lock_guard lock(mutex_);
  return look_now(id);
}

Result<Sight> SlurmRunner::look_now(const std::string& id) {
  const JobFolder folder = this->folder(id);
  if (is_there(folder.ending())) return ended_by_file(id);
  TERRAPIN_TRY(const std::optional<std::int64_t> number, read_submission(folder));
  // Slurm was never asked for it, and is not to be asked now: one that is to be stopped need not wait for
  // that.
  if (!number) {
    if (Steady::now() < silent_until_ && !memory_[id].stop_asked)
      return waiting("Slurm cannot be asked: " + silence_);
    return Sight{};
  }
  if (*number > 0) return look_by_row(id, *number);
  // Was it submitted?
  const auto row = find_row(id, 0);
  if (!row) return is_there(folder.started()) ? running() : waiting(row.error().message);
  if (!*row) {
    if (is_there_now(folder.started()))
      return conclude(id, "Slurm no longer knows the job, and its keeper left no exit file.");
    return Sight{};
  }
  TERRAPIN_TRY_STATUS(write_submission(folder, (*row)->number));
  return look_by_row(id, (*row)->number);
}

Result<Sight> SlurmRunner::look_by_row(const std::string& id, std::int64_t number) {
  const JobFolder folder = this->folder(id);
  const bool begun = is_there(folder.started());
  const auto found = find_row(id, number);
  if (!found) return begun ? running() : waiting(found.error().message);
  if (!*found) {
    if (!waited_for_the_file(id)) return begun ? running() : waiting("Slurm ended it.");
    if (is_there_now(folder.ending())) return ended_by_file(id);
    return conclude(
        id, fmt::format("Slurm no longer knows the job (its number there was {}), and its keeper left no "
                        "exit file.{}",
                        number, last_words(folder)));
  }
  const Row& row = **found;
  const Kind kind = kind_of(row.state);
  if (kind != Kind::kOver) {
    memory_[id].seen_ended.reset();
    if (begun || (kind == Kind::kRuns && is_there_now(folder.started()))) return running();
    if (kind == Kind::kRuns) return waiting(fmt::format("Slurm begins it (job {} there).", row.number));
    const std::string reason = row.reason.empty() || row.reason == "None" ? row.state : row.reason;
    return waiting(fmt::format("It waits in Slurm's queue (job {} there): {}.", row.number, reason));
  }
  // It is over. One that had no node never began; of the others the keeper wrote an exit file, or was killed.
  if ((row.had_node || begun) && !waited_for_the_file(id)) return running();
  if (is_there_now(folder.ending())) return ended_by_file(id);
  const std::string which = fmt::format("Slurm's job {}", row.number);
  std::string reason;
  if (row.state == "CANCELLED") {
    reason = fmt::format("The job was cancelled in Slurm ({}).", which);
  } else if (row.state == "PREEMPTED") {
    reason = fmt::format("Slurm ended the job for another one of higher priority ({}).", which);
  } else if (row.state == "TIMEOUT" || row.state == "DEADLINE") {
    reason = fmt::format("Slurm ended the job at its time limit ({}).", which);
  } else if (row.state == "OUT_OF_MEMORY") {
    reason = fmt::format("Slurm ended the job because it used more memory than it was given ({}).", which);
  } else if (row.state == "NODE_FAIL" || row.state == "BOOT_FAIL") {
    reason = fmt::format("The node that ran the job failed ({}).", which);
  } else if (begun) {
    reason =
        fmt::format("The process that keeps the job was killed, and the job was ended with it ({}).", which);
  } else {
    reason =
        fmt::format("{} ended as {} before the job began: the node must be able to write {} and to run {}.{}",
                    which, row.state, folder.path.string(), options_.keeper.front(), last_words(folder));
  }
  return conclude(id, reason);
}

// What lies in keeper.log is what Slurm and the keeper said on the node.
std::string SlurmRunner::last_words(const JobFolder& folder) const {
  const auto text = read_text_file(folder.keeper_log(), 1 << 20);
  if (!text || text->empty()) return "";
  const std::size_t most = kWordsCharacters;
  std::string tail = text->substr(text->size() - std::min(text->size(), most));
  while (!tail.empty() && (tail.back() == '\n' || tail.back() == ' ')) tail.pop_back();
  std::replace(tail.begin(), tail.end(), '\n', ' ');
  return tail.empty() ? "" : " It said: " + first_characters(tail, most);
}

bool SlurmRunner::waited_for_the_file(const std::string& id) {
  auto& since = memory_[id].seen_ended;
  if (!since) since = Steady::now();
  return Steady::now() - *since >= options_.exit_file_wait;
}

// The end as its keeper wrote it. Who told the keeper to stop, if not this runner, Slurm knows for a while.
Result<Sight> SlurmRunner::ended_by_file(const std::string& id) {
  const JobFolder folder = this->folder(id);
  TERRAPIN_TRY(Sight sight, ended_sight(folder));
  Ending& ending = sight.ending;
  const bool told = ending.stop_asked || ending.signal == SIGTERM;
  if (!told || !ending.problem.empty() || memory_[id].stop_asked) return sight;
  const auto number = read_submission(folder);
  if (!number || !*number || **number == 0) return sight;
  const auto found = find_row(id, **number);
  const bool settled = found && *found && kind_of((*found)->state) == Kind::kOver;
  if (!settled && (!found || *found) && !waited_for_the_file(id)) return running();
  if (!settled) return sight;
  const Row& row = **found;
  if (row.state == "PREEMPTED") {
    ending.problem =
        fmt::format("Slurm stopped the job for another one of higher priority (Slurm's job {}).", row.number);
  } else if (row.state == "CANCELLED") {
    ending.problem = fmt::format("The job was cancelled in Slurm (Slurm's job {}).", row.number);
  } else if (row.state == "TIMEOUT" || row.state == "DEADLINE") {
    ending.problem = fmt::format("Slurm stopped the job at its time limit (Slurm's job {}).", row.number);
  } else if (row.state == "NODE_FAIL") {
    ending.problem = fmt::format("The node that ran the job failed (Slurm's job {}).", row.number);
  } else if (ending.stop_asked && !row.time_limit.empty() && row.time_limit != "UNLIMITED") {
    ending.problem = fmt::format(
        "The job was told to stop by someone other than this service: by Slurm before its time limit of {} "
        "(Slurm's job {}), or on its node.",
        row.time_limit, row.number);
  }
  return sight;
}

// Nobody but this runner can tell how it ended: from now on its exit file does.
Result<Sight> SlurmRunner::conclude(const std::string& id, const std::string& reason) {
  const JobFolder folder = this->folder(id);
  const auto started = read_started(folder);
  Sight sight;
  sight.phase = Sight::Phase::kEnded;
  sight.ending.ended = system_clock().now();
  sight.ending.started = started ? std::min(started->time, sight.ending.ended) : sight.ending.ended;
  sight.ending.problem = reason;
  TERRAPIN_TRY_STATUS(write_file_atomically(folder.ending(), ending_text(sight.ending)));
  return sight;
}

Status SlurmRunner::stop(const std::string& id, const std::string& handle) {
  TERRAPIN_TRY_STATUS(check_job_id(id));
  TERRAPIN_TRY_STATUS(check_handle_of("slurm", handle));
  const auto json = parse_object(handle, "a Slurm job's handle");
  const milliseconds grace(json ? integer_of(*json, "stop_grace_ms", 0) : 0);
  const std::lock_guard lock(mutex_);
  const JobFolder folder = this->folder(id);
  Memory& memory = memory_[id];
  const auto now = Steady::now();
  if (!memory.stop_asked) memory.stop_asked = now;
  if (is_there(folder.ending()) || (memory.stop_sent && now < *memory.stop_sent + kStopInterval)) return {};
  TERRAPIN_TRY(const auto number, read_submission(folder));
  if (!number || now < silent_until_) return {};  // nothing to stop, or later
  std::set<std::int64_t> numbers;
  if (*number > 0) numbers.insert(*number);
  if (refresh(memory.submitted)) {
    const auto [begin, end] = rows_.equal_range(id);
    for (auto row = begin; row != end; ++row)
      if (kind_of(row->second.state) != Kind::kOver) numbers.insert(row->second.number);
  }
  memory.stop_sent = now;
  const bool give_up = now > *memory.stop_asked + grace + kMargin;
  for (const std::int64_t one : numbers) {
    // What waits is taken out of the queue. What runs is told through its keeper, which keeps to the job's
    // grace: Slurm's own way kills after KillWait, often 30 s. That is for a keeper that does not do it.
    std::vector<std::vector<std::string>> ways;
    if (give_up) {
      ways = {{fmt::format("{}", one)}};
    } else {
      if (!is_there(folder.started())) ways.push_back({"--state=PENDING", fmt::format("{}", one)});
      ways.push_back({"--batch", "--signal=TERM", fmt::format("{}", one)});
    }
    for (const auto& arguments : ways) {
      const auto answer = run("scancel", arguments);
      std::string problem = answer ? "" : answer.error().message;
      for (const std::string_view passing : kPassing)
        if (answer && answer->errors.find(passing) != std::string::npos) problem = words_of(*answer);
      if (problem.empty()) continue;
      (void)no_answer(problem);  // it is said again
      return {};
    }
  }
  rows_time_.reset();  // the next look is to see what came of it
  return {};
}

Status SlurmRunner::seal(const std::string& id, const std::string& handle) {
  TERRAPIN_TRY_STATUS(check_job_id(id));
  TERRAPIN_TRY_STATUS(check_handle_of("slurm", handle));
  const std::lock_guard lock(mutex_);
  const JobFolder folder = this->folder(id);
  if (!is_there(folder.path)) return {};  // without its folder no keeper can begin
  if (is_there_now(folder.ending()) || is_there(folder.started()))
    return fail(ErrorCode::kConflict, "job {} has begun meanwhile", id);
  return conclude(id, "The job never began.").map([](const Sight&) {});
}

void SlurmRunner::release(const std::string& id) {
  const std::lock_guard lock(mutex_);
  held_.erase(id);
  memory_.erase(id);
}

Status SlurmRunner::require_ended(const std::string& id, const std::string& handle) {
  TERRAPIN_TRY_STATUS(check_job_id(id));
  if (is_there(folder(id).ending())) return {};
  TERRAPIN_TRY(const Sight sight, look(id, handle));
  if (sight.phase == Sight::Phase::kRunning || sight.phase == Sight::Phase::kWaiting)
    return fail(ErrorCode::kConflict, "job {} is {}; its files are removed when it has ended", id,
                sight.phase == Sight::Phase::kRunning ? "Running" : "in Slurm's queue");
  return {};
}

Status SlurmRunner::clear(const std::string& id, const std::string& handle,
                          const std::set<std::string>& kept) {
  TERRAPIN_TRY_STATUS(require_ended(id, handle));
  return clear_work_folder(folder(id), kept);
}

Status SlurmRunner::remove(const std::string& id, const std::string& handle) {
  TERRAPIN_TRY_STATUS(require_ended(id, handle));
  const JobFolder folder = this->folder(id);
  std::error_code error;
  fs::remove_all(folder.path, error);
  if (error) return fail(ErrorCode::kIo, "{}: {}", folder.path.string(), error.message());
  return {};
}

Result<std::string> SlurmRunner::read_file(const std::string& id, const std::string&, const std::string& name,
                                           std::int64_t max_bytes) {
  TERRAPIN_TRY_STATUS(check_job_id(id));
  return read_work_file(folder(id), name, max_bytes);
}

Result<OutputPage> SlurmRunner::output(const std::string& id, std::int64_t offset, std::int64_t max_bytes) {
  TERRAPIN_TRY_STATUS(check_job_id(id));
  return read_output(folder(id).path, offset, max_bytes);
}

}  // namespace terrapin::jobs
