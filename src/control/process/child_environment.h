// What a job's process hands on to its children.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace terrapin::control {

// "NAME=value" of this process's environment without the secrets of the server, which the process itself
// needs and its children do not; then `own`, which takes the place of what has its name.
std::vector<std::string> child_environment(const std::map<std::string, std::string>& own = {});

}  // namespace terrapin::control
