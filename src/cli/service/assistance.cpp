#include "cli/service/assistance.h"

#include <algorithm>

#include "assist/turns.h"
#include "base/logging.h"
#include "base/parallel.h"
#include "networks/assist_model.h"

namespace terrapin::cli {
namespace {

namespace fs = std::filesystem;

// Of one answer. More of them halve the wait of one worker and serve fewer.
constexpr int kMostThreads = 4;
// Models in memory beside the one that all jobs share.
constexpr std::size_t kMostOthers = 4;

std::shared_ptr<assist::Assistants> others_like(const assist::AssistantOptions& wanted) {
  return std::make_shared<assist::Assistants>(
      kMostOthers, [wanted](const fs::path& model) -> Result<std::shared_ptr<const assist::Assistant>> {
        assist::AssistantOptions own = wanted;
        own.model = model;
        auto loaded = assist::Assistant::load(own);
        if (!loaded) spdlog::error("assistance: {}", loaded.error().message);
        return loaded;
      });
}

}  // namespace

Result<Assistance> load_assistance(const AssistanceOptions& options) {
  if (!options.wanted) return Assistance{nullptr, "none (--no-assistance)", {}, {}};
  assist::AssistantOptions wanted;
  wanted.model = options.model;
  wanted.threads = std::min(kMostThreads, available_cores());
  wanted.at_a_time = std::max(1, available_cores() / wanted.threads);
  wanted.turns = std::make_shared<assist::Turns>(wanted.at_a_time);
  const fs::path model = options.model.empty() ? networks::shipped_assist_model() : options.model;
  auto loaded = assist::Assistant::load(wanted);
  std::string why = fmt::format("no model at {}", model.string());
  if (!loaded) {
    if (!options.model.empty()) return with_context(std::move(loaded.error()), "--assist-model");
    why = loaded.error().message;
    wanted.use_model = false;
    loaded = assist::Assistant::load(wanted);
  }
  if (!loaded) return Assistance{nullptr, fmt::format("none ({})", why), {}, {}};
  Assistance assistance{*loaded, {}, {}, {}};
  if (!(*loaded)->has_network()) {
    assistance.told = fmt::format("the classical method alone ({})", why);
  } else {
    assistance.told = fmt::format("the network of {}{}", model.string(),
                                  (*loaded)->has_classical() ? ", and the classical method" : "");
    assistance.model = fs::absolute(networks::assist_model_file(model));
    assistance.others = others_like(wanted);
  }
  return assistance;
}

}  // namespace terrapin::cli
