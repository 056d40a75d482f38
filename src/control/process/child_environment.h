// Which variables of the server the process of a job inherits, and what it hands on to its children.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace terrapin::control {

// Names of variables, for jobs::Work::inherited: of the objects' place, where libraries lie, and how threads
// wait for each other.
const std::vector<std::string>& inherited_by_jobs();

// "NAME=value" of this process's environment without the secrets of the server, which the process itself
// needs and its children do not; then `own`, which takes the place of what has its name.
std::vector<std::string> child_environment(const std::map<std::string, std::string>& own = {});

}  // namespace terrapin::control
