#include "cli/service/assistance.h"

#include <algorithm>

#include "base/parallel.h"
#include "networks/assist_model.h"

namespace terrapin::cli {
namespace {

namespace fs = std::filesystem;

// Of one answer. More of them halve the wait of one worker and serve fewer.
constexpr int kMostThreads = 4;

}  // namespace

Result<Assistance> load_assistance(const AssistanceOptions& options) {
  if (!options.wanted) return Assistance{nullptr, "none (--no-assistance)"};
  assist::AssistantOptions wanted;
  wanted.model = options.model;
  wanted.threads = std::min(kMostThreads, available_cores());
  const fs::path model = options.model.empty() ? networks::shipped_assist_model() : options.model;
  auto loaded = assist::Assistant::load(wanted);
  std::string why = fmt::format("no model at {}", model.string());
  if (!loaded) {
    if (!options.model.empty()) return with_context(std::move(loaded.error()), "--assist-model");
    why = loaded.error().message;
    wanted.use_model = false;
    loaded = assist::Assistant::load(wanted);
  }
  if (!loaded) return Assistance{nullptr, fmt::format("none ({})", why)};
  Assistance assistance{*loaded, {}};
  if (!(*loaded)->has_network()) {
    assistance.told = fmt::format("the classical method alone ({})", why);
  } else {
    assistance.told = fmt::format("the network of {}{}", model.string(),
                                  (*loaded)->has_classical() ? ", and the classical method" : "");
  }
  return assistance;
}

}  // namespace terrapin::cli
