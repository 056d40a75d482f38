// terrapin inspect: what is in a dataset, and what is wrong with it.
#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

#include "cli/command.h"
#include "dataset/inspect.h"

namespace terrapin::cli {
namespace {

struct InspectCommandOptions {
  dataset::InspectOptions inspect;
  std::vector<std::string> roots;
  bool strict = false;
};

Result<int> run(const InspectCommandOptions& given, const Invocation& invocation) {
  dataset::InspectOptions options = given.inspect;
  for (const std::string& root : given.roots) {
    TERRAPIN_TRY_STATUS(options.reading.roots.add(root));
  }
  options.show_progress = !invocation.quiet && !invocation.json;
  TERRAPIN_TRY(const dataset::InspectReport report, dataset::inspect(options));
  fmt::print("{}", invocation.json ? dataset::dump_json(to_json(report)) : summary(report));
  if (!options.sheet.empty() && !invocation.json) fmt::print("Sheet: {}\n", options.sheet.string());
  if (given.strict && !report.problems.empty()) {
    return fail(ErrorCode::kInvalidArgument, "{} problems and --strict", report.problems.size());
  }
  return 0;
}

}  // namespace

void add_inspect_command(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<InspectCommandOptions>();
  CLI::App* command =
      app.add_subcommand("inspect", "Check a dataset and show what is in it; changes nothing");
  command
      ->add_option("INPUT", options->inspect.input,
                   "Channel folders (the output of transform), a manifest, a VOC folder, or images and masks")
      ->required();
  command->add_option("--s3-root", options->roots,
                      "bucket=folder: where s3://bucket/... lies here; repeatable");
  command->add_option("--label-attribute", options->inspect.reading.attribute,
                      "Which labels of the manifest, if it carries several");
  command->add_option("--sheet", options->inspect.sheet, "Write a PNG with up to 24 overlays here");
  command->add_flag("--strict", options->strict, "Any problem gives exit code 1");
  command->add_flag("--json", invocation.json, "Print the report as JSON");
  command->add_flag("--quiet", invocation.quiet, "No progress bar");
  command->callback([options, &invocation] {
    invocation.action = [options, &invocation] { return run(*options, invocation); };
  });
}

}  // namespace terrapin::cli
