#include "jobs/work.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "base/descriptor.h"
#include "base/json_text.h"
#include "jobs/json_members.h"

namespace terrapin::jobs {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::hours kMostGrace{24};

// What names a variable, and can neither end it nor hide another in it.
bool is_variable(const std::string& name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
  });
}

// A file of the work folder itself, not below it and not above.
bool is_file_name(const std::string& name) {
  return !name.empty() && name.size() <= 255 && name != "." && name != ".." &&
         name.find_first_of(std::string_view("/\0", 2)) == std::string::npos;
}

bool has_zero(const std::string& text) {
  return text.find('\0') != std::string::npos;
}

}  // namespace

Status check_work(const Work& work) {
  if (work.arguments.empty() || work.arguments.front().empty() || work.arguments.front()[0] != '/')
    return fail(ErrorCode::kInvalidArgument,
                "a job's first argument is '{}'; it must be the absolute path of a program",
                work.arguments.empty() ? "" : work.arguments.front());
  for (const std::string& argument : work.arguments)
    if (has_zero(argument))
      return fail(ErrorCode::kInvalidArgument, "a job's argument '{}' holds a zero byte", argument.c_str());
  for (const auto& [name, value] : work.environment)
    if (!is_variable(name) || has_zero(value))
      return fail(
          ErrorCode::kInvalidArgument,
          "'{}' cannot be a variable of a job: names are letters, digits and '_', values hold no zero byte",
          name);
  for (const std::string& name : work.inherited)
    if (!is_variable(name))
      return fail(ErrorCode::kInvalidArgument,
                  "'{}' cannot be a variable that a job inherits: names are letters, digits and '_'", name);
  if (work.lane.empty() ||
      !std::all_of(work.lane.begin(), work.lane.end(), [](char c) { return c >= 'a' && c <= 'z'; }))
    return fail(ErrorCode::kInvalidArgument, "'{}' cannot be a job's lane: lower-case letters are allowed",
                work.lane);
  std::int64_t file_bytes = 0;
  for (const auto& [name, text] : work.files) {
    if (!is_file_name(name))
      return fail(ErrorCode::kInvalidArgument, "'{}' cannot be a file of a job: a name without '/' is needed",
                  name);
    file_bytes += static_cast<std::int64_t>(text.size());
  }
  if (file_bytes > kMaxFileBytes)
    return fail(ErrorCode::kInvalidArgument, "a job's files have {} bytes; at most {} are allowed",
                file_bytes, kMaxFileBytes);
  if (work.cores < 1)
    return fail(ErrorCode::kInvalidArgument, "a job asks for {} cores; at least 1 is needed", work.cores);
  if (work.gpus < 0)
    return fail(ErrorCode::kInvalidArgument, "a job asks for {} GPUs; 0 or more is allowed", work.gpus);
  if (work.stop_grace.count() < 0 || work.stop_grace > kMostGrace)
    return fail(ErrorCode::kInvalidArgument,
                "a job's time from SIGTERM to SIGKILL is {} ms; 0 to {} is allowed", work.stop_grace.count(),
                std::chrono::milliseconds(kMostGrace).count());
  if (work.max_run.count() < 0)
    return fail(ErrorCode::kInvalidArgument, "a job's longest run is {} s; 0 (no limit) or more is allowed",
                work.max_run.count());
  if (work.max_output_bytes < 4096)
    return fail(ErrorCode::kInvalidArgument,
                "a job's output is limited to {} bytes; at least 4096 are needed", work.max_output_bytes);
  const fs::path failure(work.failure_file);
  if (failure.is_absolute() || std::find(failure.begin(), failure.end(), "..") != failure.end())
    return fail(ErrorCode::kInvalidArgument, "'{}' is no file of the work folder", work.failure_file);
  return {};
}

std::string ran_too_long(std::chrono::seconds max_run) {
  return fmt::format("The job was stopped because it ran longer than the {} seconds that it was allowed.",
                     max_run.count());
}

std::string work_text(const Work& work) {
  return json_text(nlohmann::ordered_json{{"version", 1},
                                          {"lane", work.lane},
                                          {"arguments", work.arguments},
                                          {"environment", work.environment},
                                          {"inherited", work.inherited},
                                          {"cores", work.cores},
                                          {"gpus", work.gpus},
                                          {"stop_grace_ms", work.stop_grace.count()},
                                          {"max_run_s", work.max_run.count()},
                                          {"max_output_bytes", work.max_output_bytes},
                                          {"failure_file", work.failure_file},
                                          {"files", work.files}});
}

Result<Work> parse_work(const std::string& text) {
  TERRAPIN_TRY(const nlohmann::json json, parse_object(text, "a job's work"));
  Work work;
  work.arguments = texts_of(json, "arguments");
  work.lane = text_of(json, "lane");
  work.environment = text_map_of(json, "environment");
  work.files = text_map_of(json, "files");
  work.inherited = texts_of(json, "inherited");
  work.cores = static_cast<int>(integer_of(json, "cores", work.cores));
  work.gpus = static_cast<int>(integer_of(json, "gpus", work.gpus));
  work.stop_grace = std::chrono::milliseconds(integer_of(json, "stop_grace_ms", work.stop_grace.count()));
  work.max_run = std::chrono::seconds(integer_of(json, "max_run_s", 0));
  work.max_output_bytes = integer_of(json, "max_output_bytes", work.max_output_bytes);
  work.failure_file = text_of(json, "failure_file");
  TERRAPIN_TRY_STATUS(check_work(work));
  return work;
}

Result<std::string> read_work_file(const JobFolder& folder, const std::string& name, std::int64_t max_bytes) {
  const fs::path path = folder.work() / name;
  // The job writes there: what it links to may be anything of the server's. One part after the other, so that
  // no folder on the way is a link either.
  Descriptor file(::open(folder.work().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  int problem = errno;
  for (std::size_t begin = 0; begin <= name.size();) {
    const std::size_t end = std::min(name.find('/', begin), name.size());
    const std::string part = name.substr(begin, end - begin);
    if (!is_file_name(part))
      return fail(ErrorCode::kInvalidArgument, "'{}' is no file of a job's work folder", name);
    const int kind = end < name.size() ? O_PATH | O_DIRECTORY : O_RDONLY | O_NONBLOCK;
    if (file.is_open()) {
      Descriptor next(::openat(file.get(), part.c_str(), kind | O_NOFOLLOW | O_CLOEXEC));
      problem = errno;
      file = std::move(next);
    }
    begin = end + 1;
  }
  struct stat status {};
  if (!file.is_open() || ::fstat(file.get(), &status) != 0) {
    if (problem == ENOENT) return fail(ErrorCode::kNotFound, "{}: there is no such file", path.string());
    if (problem == ELOOP || problem == ENOTDIR)
      return fail(ErrorCode::kNotFound, "{}: a link or a file stands in its way", path.string());
    return fail(ErrorCode::kIo, "{}: {}", path.string(), std::generic_category().message(problem));
  }
  if (!S_ISREG(status.st_mode)) return fail(ErrorCode::kNotFound, "{}: it is no regular file", path.string());
  std::string text;
  char buffer[1 << 16];
  for (;;) {
    const ssize_t got = ::read(file.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(ErrorCode::kIo, "{}: {}", path.string(), std::generic_category().message(errno));
    if (got == 0) return text;
    text.append(buffer, static_cast<std::size_t>(got));
    if (static_cast<std::int64_t>(text.size()) > max_bytes)
      return fail(ErrorCode::kTooLarge, "{}: it has more than {} bytes", path.string(), max_bytes);
  }
}

Status clear_work_folder(const JobFolder& folder, const std::set<std::string>& kept) {
  std::error_code error;
  std::vector<fs::path> gone;
  for (fs::directory_iterator entry(folder.work(), error), end; !error && entry != end;
       entry.increment(error))
    if (!kept.contains(entry->path().filename().string())) gone.push_back(entry->path());
  // Of a link, the link.
  for (std::size_t i = 0; i < gone.size() && !error; ++i) fs::remove_all(gone[i], error);
  if (error && error != std::errc::no_such_file_or_directory)
    return fail(ErrorCode::kIo, "{}: {}", folder.work().string(), error.message());
  return {};
}

}  // namespace terrapin::jobs
