// terrapin weights: initial weights that training finds by itself.
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/json_text.h"
#include "cli/command.h"
#include "networks/pretrained.h"

namespace terrapin::cli {

namespace {

Result<int> add(const std::string& file, bool json) {
  TERRAPIN_TRY(const networks::AddedWeights added, networks::add_weights(file));
  if (json) {
    const nlohmann::json document = {{"path", added.path.string()},
                                     {"backbone", added.backbone},
                                     {"layout", added.layout},
                                     {"sha256", added.sha256},
                                     {"checksum_known", added.checksum_known}};
    fmt::print("{}\n", json_text(document, 2));
    return 0;
  }
  fmt::print("{}: {} for backbone {}\nSHA-256 {} ({})\n", added.path.string(), added.layout, added.backbone,
             added.sha256,
             added.checksum_known ? "a known public file" : "not in our list: its origin is yours to judge");
  return 0;
}

Result<int> list(bool json) {
  TERRAPIN_TRY(const auto items, networks::list_weights());
  if (json) {
    auto document = nlohmann::json::array();
    for (const auto& item : items) {
      document.push_back(
          {{"path", item.path.string()}, {"backbone", item.backbone}, {"layout", item.layout}});
    }
    fmt::print("{}\n", json_text(document, 2));
    return 0;
  }
  for (const auto& item : items) {
    fmt::print("{:<13} {:<30} {}\n", item.backbone.empty() ? "-" : item.backbone,
               item.layout.empty() ? "not recognised" : item.layout, item.path.string());
  }
  if (items.empty()) {
    fmt::print("no weights in {} or {}; add some with `terrapin weights add FILE`\n",
               networks::weights_folder().string(), networks::shipped_weights_folder().string());
  }
  return 0;
}

}  // namespace

void add_weights_command(CLI::App& app, Invocation& invocation) {
  CLI::App* weights =
      app.add_subcommand("weights", "Initial weights: add a file, list them, show their folder");
  weights->require_subcommand(1);
  weights->add_flag("--json", invocation.json, "Results as JSON on standard output");

  auto file = std::make_shared<std::string>();
  CLI::App* adding =
      weights->add_subcommand("add", "Check a safetensors file and copy it into the weights folder");
  adding->add_option("FILE", *file, "torchvision, timm, folded MobileNetV2 or terrapin weights")->required();
  adding->add_flag("--json", invocation.json, "Results as JSON on standard output");
  adding->callback([&invocation, file] {
    invocation.action = [&invocation, file] { return add(*file, invocation.json); };
  });

  CLI::App* listing =
      weights->add_subcommand("list", "Every weight file that training can find, and what it serves");
  listing->add_flag("--json", invocation.json, "Results as JSON on standard output");
  listing->callback([&invocation] { invocation.action = [&invocation] { return list(invocation.json); }; });

  CLI::App* path = weights->add_subcommand("path", "The weights folder ($TERRAPIN_WEIGHTS chooses another)");
  path->callback([&invocation] {
    invocation.action = []() -> Result<int> {
      fmt::print("{}\n", networks::weights_folder().string());
      return 0;
    };
  });
}

}  // namespace terrapin::cli
