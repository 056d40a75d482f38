// terrapin export: a model package -> an ONNX file.
#ifdef TERRAPIN_WITH_SERVING

#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "artifacts/model_package.h"
#include "base/files.h"
#include "base/json_text.h"
#include "cli/command.h"
#include "export/onnx.h"
#include "inference/package_graph.h"

namespace terrapin::cli {
namespace {

struct ExportOptions {
  std::string model, output, size = "dynamic";
  bool labels = false;
};

Result<onnx::OnnxOptions> parse_size(const std::string& text) {
  if (text == "dynamic") return onnx::OnnxOptions{};
  long long height = 0, width = 0;
  int used = 0;
  if (std::sscanf(text.c_str(), "%lldx%lld%n", &height, &width, &used) != 2 ||
      static_cast<std::size_t>(used) != text.size() || height < 1 || width < 1) {
    return fail(ErrorCode::kInvalidArgument, "--size is HEIGHTxWIDTH, as in 481x481, or dynamic, not '{}'",
                text);
  }
  return onnx::OnnxOptions{imaging::Size{width, height}};
}

Result<int> run(const ExportOptions& options, bool json) {
  auto form = require_usage(parse_size(options.size));
  form.labels = options.labels;
  TERRAPIN_TRY(const artifacts::ModelPackage package, artifacts::read_model_package(options.model));
  TERRAPIN_TRY(const networks::Graph graph, inference::graph_of(package));
  TERRAPIN_TRY(const Bytes bytes, onnx::to_onnx(graph, package.spec, form));
  TERRAPIN_TRY_STATUS(write_file_atomically(options.output, bytes));
  if (json) {
    fmt::print("{}\n",
               json_text({{"onnx", options.output}, {"bytes", bytes.size()}, {"size", options.size}}));
  } else {
    fmt::print("{}: {:.1f} MB, input \"image\" {}, output \"logits\" of the same size\n", options.output,
               static_cast<double>(bytes.size()) / 1e6, options.size);
  }
  return 0;
}

}  // namespace

void add_export_command(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<ExportOptions>();
  CLI::App* command = app.add_subcommand("export", "Write a model as ONNX, for other runtimes");
  command->add_option("--model", options->model, "model.tar.gz, or its unpacked folder")->required();
  command->add_option("--output", options->output, "The .onnx file")->required();
  command->add_option("--size", options->size, "Input size HEIGHTxWIDTH, or dynamic")->capture_default_str();
  command->add_flag("--labels", options->labels, "Also an output \"labels\": the class of every pixel");
  command->add_flag("--json", invocation.json, "Print the result as JSON");
  command->callback([options, &invocation] {
    invocation.action = [options, &invocation] { return run(*options, invocation.json); };
  });
}

}  // namespace terrapin::cli

#endif
