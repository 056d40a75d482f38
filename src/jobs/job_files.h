// What all runners do alike with a job's id, handle and folder. Inside jobs only.
#pragma once

#include <cerrno>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "jobs/keeper.h"
#include "jobs/runner.h"
#include "jobs/work.h"

namespace terrapin::jobs {

// The PATH of jobs, and of what is run for them.
inline constexpr const char* kProgramPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

std::string system_message(int number = errno);
bool is_there(const std::filesystem::path& path);

// The id becomes the name of a folder: 1 to 64 letters and digits, else kInvalidArgument.
Status check_job_id(const std::string& id);
// kUnsupported for the handle of another runner: what that one started, this one cannot see.
Status check_handle_of(const std::string& runner, const std::string& handle);

// What the keeper of `folder` is to do for `work`. `gpus`: as CUDA_VISIBLE_DEVICES names them; nullopt: the
// keeper's own environment knows.
Order make_order(const std::string& id, const JobFolder& folder, const Work& work,
                 const std::optional<std::vector<std::string>>& gpus);
// Makes the folder, for this user alone, and writes the order and the work's files into it.
Status prepare_folder(const JobFolder& folder, const Order& order, const Work& work);

// How it ended, by its exit file; one that cannot be understood is an end, too. kNotFound if there is none.
Result<Sight> ended_sight(const JobFolder& folder);

// "NAME=value" of those of the server's own variables that the programs which it starts here need: its PATH
// and language, where its libraries are, and `names` where they are set. None of its secrets.
std::vector<std::string> plain_environment(const std::vector<std::string>& names = {});

}  // namespace terrapin::jobs
