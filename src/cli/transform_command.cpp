// terrapin transform: labelled photos -> training channels.
#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

#include "cli/command.h"
#include "dataset/transform.h"

namespace terrapin::cli {
namespace {

struct TransformCommandOptions {
  dataset::TransformOptions transform;
  std::vector<std::string> roots;
  std::string photos = "jpeg";
};

Result<int> run(const TransformCommandOptions& given, const Invocation& invocation) {
  dataset::TransformOptions options = given.transform;
  for (const std::string& root : given.roots) {
    TERRAPIN_TRY_STATUS(options.reading.roots.add(root));
  }
  options.convert_to_jpeg = given.photos == "jpeg";
  options.show_progress = !invocation.quiet && !invocation.json;
  TERRAPIN_TRY(const dataset::TransformReport report, dataset::transform(options));
  fmt::print("{}", invocation.json ? dataset::dump_json(to_json(report)) : summary(report));
  if (!report.written) {
    return fail(ErrorCode::kInvalidArgument, "{} problems and --strict: nothing was written to {}",
                report.problems.size(), report.output.string());
  }
  return 0;
}

}  // namespace

void add_transform_command(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<TransformCommandOptions>();
  dataset::TransformOptions& transform = options->transform;
  CLI::App* command = app.add_subcommand(
      "transform", "Check labelled photos and split them into training channels (train, validation, ...)");
  command
      ->add_option("INPUT", transform.input,
                   "A Ground Truth output.manifest, a VOC folder, or a folder with images and masks")
      ->required();
  command->add_option("--output,-o", transform.output, "New or empty folder")->required();
  command->add_option("--s3-root", options->roots,
                      "bucket=folder: where s3://bucket/... lies here; repeatable");
  command->add_option("--label-attribute", transform.reading.attribute,
                      "Which labels of the manifest, if it carries several");
  CLI::Option* train =
      command
          ->add_option("--train-fraction", transform.split.train_fraction, "Share of the photos that train")
          ->capture_default_str();
  CLI::Option* test =
      command->add_option("--test-fraction", transform.split.test_fraction, "Share kept apart for a test")
          ->capture_default_str();
  CLI::Option* seed =
      command->add_option("--seed", transform.split.seed, "Of the draw")->capture_default_str();
  CLI::Option* group =
      command->add_option("--group-by", transform.group_by,
                          "Regular expression on the photo's URI: photos with the same first capture "
                          "group (or match) stay in one split");
  command
      ->add_option("--split", transform.split_file,
                   "Keep the split of this TSV file (columns split and name or source)")
      ->excludes(train)
      ->excludes(test)
      ->excludes(seed);
  command->add_flag("--link", transform.link, "Link files instead of copying them");
  command
      ->add_option("--photos", options->photos,
                   "What becomes of photos that are not JPEG: jpeg converts, copy keeps")
      ->check(CLI::IsMember({"jpeg", "copy"}))
      ->capture_default_str();
  command->add_flag("--strict", transform.strict, "Any problem is fatal, before anything is written");
  command->add_flag("--overwrite", transform.overwrite, "Replace an earlier output of transform");
  command->add_flag("--json", invocation.json, "Print the report as JSON");
  command->add_flag("--quiet", invocation.quiet, "No progress bar");
  command->callback([options, train, test, seed, group, &invocation] {
    // Saying how to split means: do not keep the split that the input brings.
    options->transform.new_split = train->count() + test->count() + seed->count() + group->count() > 0;
    invocation.action = [options, &invocation] { return run(*options, invocation); };
  });
}

}  // namespace terrapin::cli
