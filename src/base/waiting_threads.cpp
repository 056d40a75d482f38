#include "base/waiting_threads.h"

#include <cstdlib>

#ifdef __linux__
#include <sys/auxv.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>
#endif

namespace terrapin {
namespace {

constexpr const char* kPolicy = "OMP_WAIT_POLICY";
constexpr const char* kOurs = "TERRAPIN_WAIT_POLICY";  // "default": the other one was set here

}  // namespace

void let_waiting_threads_sleep([[maybe_unused]] char** arguments) {
#ifdef __linux__
  if (std::getenv(kPolicy) != nullptr || std::getenv("GOMP_SPINCOUNT") != nullptr) return;
  if (::getauxval(AT_BASE) == 0) return;  // started by way of a loader: /proc/self/exe is that one
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return;
  ::setenv(kPolicy, "PASSIVE", 1);
  ::setenv(kOurs, "default", 1);
  ::execv(program.c_str(), arguments);
  ::unsetenv(kPolicy);
  ::unsetenv(kOurs);
#endif
}

bool is_of_waiting_threads(std::string_view variable) {
  const auto names = [&](std::string_view name) {
    return variable.starts_with(name) && variable.substr(name.size()).starts_with('=');
  };
  return names(kOurs) || (std::getenv(kOurs) != nullptr && names(kPolicy));
}

}  // namespace terrapin
