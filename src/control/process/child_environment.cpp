#include "control/process/child_environment.h"

#include <unistd.h>

#include <string_view>

namespace terrapin::control {

const std::vector<std::string>& inherited_by_jobs() {
  static const std::vector<std::string> kNames = {
      "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "TERRAPIN_S3_CREDENTIALS_FILE",
      "LD_LIBRARY_PATH",   "OMP_WAIT_POLICY",       "GOMP_SPINCOUNT"};
  return kNames;
}

std::vector<std::string> child_environment(const std::map<std::string, std::string>& own) {
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text = *variable;
    const bool secret = text.starts_with("AWS_") || text.starts_with("TERRAPIN_S3_");
    if (!secret && !own.contains(std::string(text.substr(0, text.find('='))))) variables.emplace_back(text);
  }
  for (const auto& [name, value] : own) variables.push_back(name + "=" + value);
  return variables;
}

}  // namespace terrapin::control
