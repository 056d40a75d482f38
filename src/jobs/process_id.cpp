#include "jobs/process_id.h"

#include <dirent.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <system_error>

#include "base/descriptor.h"
#include "base/files.h"
#include "jobs/json_members.h"

namespace terrapin::jobs {
namespace {

constexpr std::int64_t kMaxEnvironment = 1 << 22;

// Every variable between two zeros.
std::optional<std::string> environment_of(pid_t pid) {
  const auto text = read_text_file(fmt::format("/proc/{}/environ", pid), kMaxEnvironment);
  if (!text) return std::nullopt;
  return '\0' + *text + '\0';
}

struct Stat {
  char state = '?';
  pid_t parent = 0;
  std::uint64_t start_ticks = 0;
};

std::optional<Stat> read_stat(pid_t pid) {
  const auto text = read_text_file(fmt::format("/proc/{}/stat", pid), 1 << 16);
  if (!text) return std::nullopt;
  // The name between the brackets may hold anything.
  const std::size_t end = text->rfind(')');
  if (end == std::string::npos) return std::nullopt;
  std::istringstream rest(text->substr(end + 1));
  Stat stat;
  rest >> stat.state >> stat.parent;
  std::string skipped;
  for (int field = 5; field < 22; ++field) rest >> skipped;
  rest >> stat.start_ticks;
  if (!rest) return std::nullopt;
  return stat;
}

bool has_gone(const Stat& stat) {
  return stat.state == 'Z' || stat.state == 'X';
}

std::vector<pid_t> all_processes() {
  std::vector<pid_t> pids;
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir("/proc"), &::closedir);
  if (!folder) return pids;
  while (const dirent* entry = ::readdir(folder.get())) {
    const std::string_view name(entry->d_name);
    pid_t pid = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error == std::errc() && end == name.data() + name.size()) pids.push_back(pid);
  }
  return pids;
}

}  // namespace

std::string boot_id() {
  auto text = read_text_file("/proc/sys/kernel/random/boot_id", 256);
  if (!text) return "";
  while (!text->empty() && text->back() == '\n') text->pop_back();
  return *text;
}

Result<ProcessId> process_id(pid_t pid) {
  const auto stat = read_stat(pid);
  if (!stat || has_gone(*stat)) return fail(ErrorCode::kNotFound, "there is no process {}", pid);
  return ProcessId{pid, stat->start_ticks, boot_id()};
}

bool is_alive(const ProcessId& process) {
  const auto now = process_id(process.pid);
  return now && *now == process;
}

Result<bool> send_signal(const ProcessId& process, int signal) {
  if (process.pid <= 0) return false;
  // System calls by number: Debian 12's <sys/pidfd.h> is not for C++.
  // The descriptor holds the process, not its number: what is looked at is what is signalled.
  const Descriptor handle(static_cast<int>(::syscall(SYS_pidfd_open, process.pid, 0)));
  if (!handle.is_open()) {
    if (errno == ESRCH || errno == EINVAL) return false;
    return fail(ErrorCode::kIo, "process {}: {}", process.pid, std::generic_category().message(errno));
  }
  if (!is_alive(process)) return false;
  if (::syscall(SYS_pidfd_send_signal, handle.get(), signal, nullptr, 0) == 0) return true;
  if (errno == ESRCH) return false;
  return fail(ErrorCode::kIo, "process {} cannot be signalled: {}", process.pid,
              std::generic_category().message(errno));
}

int kill_descendants(pid_t ancestor) {
  std::map<pid_t, Stat> all;
  for (const pid_t pid : all_processes())
    if (const auto stat = read_stat(pid)) all[pid] = *stat;
  int killed = 0;
  for (const auto& [pid, stat] : all) {
    if (has_gone(stat)) continue;
    // As many steps as there are processes: numbers given again meanwhile must not make a ring.
    pid_t parent = stat.parent;
    for (std::size_t step = 0; step < all.size() && parent > 1 && parent != ancestor; ++step) {
      const auto next = all.find(parent);
      parent = next == all.end() ? 0 : next->second.parent;
    }
    if (parent != ancestor) continue;
    const auto sent = send_signal({pid, stat.start_ticks, boot_id()}, SIGKILL);
    if (sent && *sent) ++killed;
  }
  return killed;
}

std::vector<ProcessId> processes_with(const std::string& variable) {
  std::vector<ProcessId> found;
  for (const pid_t pid : all_processes()) {
    const auto process = process_id(pid);
    if (!process || pid == ::getpid()) continue;
    const auto all = environment_of(pid);
    if (all && all->find('\0' + variable + '\0') != std::string::npos && is_alive(*process))
      found.push_back(*process);
  }
  return found;
}

std::optional<std::string> variable_of(const ProcessId& process, const std::string& name) {
  const auto all = environment_of(process.pid);
  if (!all || !is_alive(process)) return std::nullopt;
  const std::size_t at = all->find('\0' + name + '=');
  if (at == std::string::npos) return std::nullopt;
  const std::size_t begin = at + name.size() + 2;
  return all->substr(begin, all->find('\0', begin) - begin);
}

nlohmann::json process_json(const ProcessId& process) {
  return {{"pid", process.pid}, {"start_ticks", process.start_ticks}, {"boot", process.boot}};
}

ProcessId parse_process(const nlohmann::json& json) {
  if (!json.is_object()) return {};
  return {static_cast<pid_t>(integer_of(json, "pid", 0)),
          static_cast<std::uint64_t>(integer_of(json, "start_ticks", 0)), text_of(json, "boot")};
}

}  // namespace terrapin::jobs
