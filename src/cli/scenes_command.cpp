// terrapin scenes: a small photo-like labelled set, for a first try on a machine without data.
#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/json_text.h"
#include "cli/command.h"
#include "dataset/scenes.h"

namespace terrapin::cli {
namespace {

struct ScenesOptions {
  std::filesystem::path folder;
  std::int64_t count = 64;
  std::string size = "320x240", job = "labelscenes";
  dataset::SceneOptions scene;
};

Result<imaging::Size> parse_size(const std::string& text) {
  long long width = 0, height = 0;
  int used = 0;
  if (std::sscanf(text.c_str(), "%lldx%lld%n", &width, &height, &used) != 2 ||
      static_cast<std::size_t>(used) != text.size()) {
    return fail(ErrorCode::kInvalidArgument, "--size is WIDTHxHEIGHT, as in 320x240, not '{}'", text);
  }
  return imaging::Size{width, height};
}

Result<int> run(const ScenesOptions& given, bool json) {
  ScenesOptions options = given;
  options.scene.size = require_usage(parse_size(options.size));
  std::error_code error;
  if (std::filesystem::exists(options.folder, error) &&
      (!std::filesystem::is_directory(options.folder, error) ||
       !std::filesystem::is_empty(options.folder, error))) {
    return fail(ErrorCode::kAlreadyExists, "{} exists and is not an empty folder; name a new one",
                options.folder.string());
  }
  TERRAPIN_TRY_STATUS(dataset::write_scene_output(options.folder, options.count, options.scene, options.job));
  const std::string manifest = (options.folder / options.job / "manifests/output/output.manifest").string();
  const std::string root = "scenes=" + options.folder.string();
  if (json) {
    fmt::print("{}\n", json_text({{"scenes", options.count}, {"manifest", manifest}, {"s3_root", root}}));
  } else {
    fmt::print(
        "{} scenes, a Ground Truth output: {}\nNext: terrapin transform {} --s3-root {} --output DIR\n",
        options.count, manifest, manifest, root);
  }
  return 0;
}

}  // namespace

void add_scenes_command(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<ScenesOptions>();
  CLI::App* command = app.add_subcommand(
      "scenes", "Make a small photo-like labelled set (a Ground Truth output) from a seed");
  command->add_option("OUT", options->folder, "New or empty folder")->required();
  command->add_option("--count", options->count, "Number of photos")->capture_default_str();
  command->add_option("--size", options->size, "Pixels, WIDTHxHEIGHT")->capture_default_str();
  command->add_option("--classes", options->scene.class_count, "2 to 6, background included")
      ->capture_default_str();
  command->add_option("--seed", options->scene.seed, "The same seed gives the same set everywhere")
      ->capture_default_str();
  command->add_option("--job", options->job, "Name of the labeling job that the output claims")
      ->capture_default_str();
  command->add_flag("--json", invocation.json, "Print the result as JSON");
  command->callback([options, &invocation] {
    invocation.action = [options, &invocation] { return run(*options, invocation.json); };
  });
}

}  // namespace terrapin::cli
