// A process that is named for longer than its number is its own: numbers are given again, so the time of its
// start and the machine's boot belong to its name.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace terrapin::jobs {

struct ProcessId {
  pid_t pid = 0;
  std::uint64_t start_ticks = 0;  // since boot, as /proc/<pid>/stat says
  std::string boot;               // /proc/sys/kernel/random/boot_id

  bool operator==(const ProcessId&) const = default;
};

std::string boot_id();
// kNotFound if there is none, or only its remains (a zombie).
Result<ProcessId> process_id(pid_t pid);
bool is_alive(const ProcessId& process);
// False if the process is gone; whoever has its number now gets nothing.
Result<bool> send_signal(const ProcessId& process, int signal);

// How many processes below `ancestor` were sent SIGKILL.
int kill_descendants(pid_t ancestor);
// The processes of ours whose environment held `variable` ("NAME=value") when they began; zombies are none.
std::vector<ProcessId> processes_with(const std::string& variable);
// The value that the variable had when the process began; nullopt: none, or the process is gone or not ours.
std::optional<std::string> variable_of(const ProcessId& process, const std::string& name);

nlohmann::json process_json(const ProcessId& process);
ProcessId parse_process(const nlohmann::json& json);

}  // namespace terrapin::jobs
