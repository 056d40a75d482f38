#include "control/process/child_environment.h"

#include <unistd.h>

#include <string_view>

namespace terrapin::control {

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
