// What answers workers' points on photos in this process.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "assist/assistant.h"
#include "assist/assistants.h"
#include "base/result.h"

namespace terrapin::cli {

struct AssistanceOptions {
  bool wanted = true;
  std::filesystem::path model;  // "" = the one that ships
  std::int64_t memory_mib = 1024;
};

struct Assistance {
  std::shared_ptr<const assist::Assistant> assistant;  // null: there is none
  std::string told;                                    // one line for people: what serves, and why not more
  std::filesystem::path model;                         // the file of its network, absolute; "": it has none
  // For models that labeling jobs have of their own, beside that one; they wait for the same turns. Null
  // without a network.
  std::shared_ptr<assist::Assistants> others;
};

// An error is about a model that was asked for. What ships may be missing or unusable: then the classical
// method serves, or none.
Result<Assistance> load_assistance(const AssistanceOptions& options);

}  // namespace terrapin::cli
