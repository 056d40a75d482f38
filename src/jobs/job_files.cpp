#include "jobs/job_files.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <system_error>

#include "base/files.h"
#include "jobs/json_members.h"

namespace terrapin::jobs {

namespace fs = std::filesystem;

std::string system_message(int number) {
  return std::generic_category().message(number);
}

bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

Status check_job_id(const std::string& id) {
  const bool plain = !id.empty() && id.size() <= 64 && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  });
  if (!plain)
    return fail(ErrorCode::kInvalidArgument,
                "'{}' cannot be a job's id: 1 to 64 letters and digits are allowed", id);
  return {};
}

Status check_handle_of(const std::string& runner, const std::string& handle) {
  const auto json = parse_object(handle, "a job's handle");
  const std::string by = json ? text_of(*json, "runner") : "";
  if (!by.empty() && by != runner)
    return fail(
        ErrorCode::kUnsupported,
        "the job was started by the runner '{}' and this service has the runner '{}': start it with the "
        "other one until the job has ended",
        by, runner);
  return {};
}

Order make_order(const std::string& id, const JobFolder& folder, const Work& work,
                 const std::optional<std::vector<std::string>>& gpus) {
  // What the work says wins over what it inherits.
  std::map<std::string, std::string> all = {{"PATH", kProgramPath}, {"LANG", "C.UTF-8"}};
  for (const std::string& name : work.inherited)
    if (const char* value = std::getenv(name.c_str())) all[name] = value;
  for (const auto& [name, value] : work.environment) all[name] = value;
  all["HOME"] = all["TMPDIR"] = folder.work().string();
  all["OMP_NUM_THREADS"] = std::to_string(work.cores);
  all.erase("CUDA_VISIBLE_DEVICES");
  if (gpus) all["CUDA_VISIBLE_DEVICES"] = fmt::format("{}", fmt::join(*gpus, ","));
  all.erase("TERRAPIN_JOB");
  Order order;
  order.id = id;
  order.arguments = work.arguments;
  order.environment = {job_mark(id)};
  for (const auto& [name, value] : all) {
    order.environment.push_back(name);
    order.environment.back() += '=';
    order.environment.back() += value;
  }
  if (!gpus) order.taken = {"CUDA_VISIBLE_DEVICES"};
  order.stop_grace = work.stop_grace;
  order.max_output_bytes = work.max_output_bytes;
  order.failure_file = work.failure_file;
  return order;
}

Status prepare_folder(const JobFolder& folder, const Order& order, const Work& work) {
  std::error_code error;
  fs::create_directories(folder.work(), error);
  if (!error) fs::permissions(folder.path, fs::perms::owner_all, error);
  if (error) return fail(ErrorCode::kIo, "{}: {}", folder.work().string(), error.message());
  for (const auto& [name, text] : work.files) {
    TERRAPIN_TRY_STATUS(write_file_atomically(folder.work() / name, text));
  }
  return write_file_atomically(folder.order(), order_text(order));
}

Result<Sight> ended_sight(const JobFolder& folder) {
  TERRAPIN_TRY(const std::string text, read_text_file(folder.ending(), 1 << 20));
  Sight sight;
  sight.phase = Sight::Phase::kEnded;
  auto ending = parse_ending(text);
  if (ending) {
    sight.ending = std::move(*ending);
  } else if (ending.error().code == ErrorCode::kCorrupt) {
    sight.ending.problem = ending.error().message + ".";  // nobody will write it again
  } else {
    return tl::unexpected<Error>(std::move(ending.error()));
  }
  return sight;
}

std::vector<std::string> plain_environment(const std::vector<std::string>& names) {
  std::vector<std::string> variables = {std::string("PATH=") + kProgramPath, "LANG=C.UTF-8"};
  const auto hand_on = [&](const std::string& name) {
    if (const char* value = std::getenv(name.c_str())) variables.push_back(name + "=" + value);
  };
  hand_on("LD_LIBRARY_PATH");
  for (const std::string& name : names) hand_on(name);
  return variables;
}

}  // namespace terrapin::jobs
