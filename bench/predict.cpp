// Our side of `script/bench predict`: answers commands on standard input, so that the driver can alternate
// with the peers. bench_predict --size N --threads T --classes C --folder DIR [--weights FILE]
//   writes DIR/model.tar.gz, DIR/model.onnx, DIR/folded.safetensors (the same weights for the peer) and
//   DIR/input.f32; then reads "labels COUNT", "logits COUNT" (milliseconds of each run as a JSON list) or
//   "save" (DIR/ours.f32, logits).
#include <torch/torch.h>

#include <chrono>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "artifacts/safetensors.h"
#include "base/files.h"
#include "base/random.h"
#include "export/onnx.h"
#include "inference/axis_map.h"
#include "inference/executor.h"
#include "inference/logits_renderer.h"
#include "inference/package_graph.h"
#include "networks/network.h"
#include "networks/pretrained.h"

namespace {

using namespace terrapin;

template <class T>
T must(Result<T> result) {
  if (result) return std::move(*result);
  std::fprintf(stderr, "bench_predict: %s\n", result.error().message.c_str());
  std::exit(1);
}
void must(const Status& status) {
  if (status) return;
  std::fprintf(stderr, "bench_predict: %s\n", status.error().message.c_str());
  std::exit(1);
}

struct Options {
  std::int64_t size = 481;
  int threads = 2, classes = 21;
  std::filesystem::path folder, weights;
};

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i], value = argv[i + 1];
    if (name == "--size") options.size = std::stoll(value);
    if (name == "--threads") options.threads = std::stoi(value);
    if (name == "--classes") options.classes = std::stoi(value);
    if (name == "--folder") options.folder = value;
    if (name == "--weights") options.weights = value;
  }
  return options;
}

artifacts::ModelPackage make_package(const Options& options) {
  torch::manual_seed(1);
  artifacts::ModelPackage package;
  package.spec.network.num_classes = options.classes;
  const auto network = must(networks::build_network(package.spec.network));
  if (!options.weights.empty())
    must(networks::import_weights(*network, must(artifacts::read_safetensors(options.weights))));
  // The refinement starts at zero; give it values, so that the comparison of answers covers it.
  const torch::NoGradGuard no_gradients;
  for (auto& entry : network->named_parameters()) {
    if (entry.key().find("refine4.classifier.weight") != std::string::npos) entry.value().normal_(0, 0.05);
  }
  package.spec.preprocessing = network->preprocessing();
  package.spec.classes = artifacts::ClassList::with_default_names(options.classes);
  package.weights = networks::save_weights(*network);
  return package;
}

void write_floats(const std::filesystem::path& path, const inference::Tensor& tensor) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(tensor.values.get());
  must(write_file_atomically(
      path, std::span(bytes, static_cast<std::size_t>(tensor.shape.count()) * sizeof(float))));
}

void write_folded(const std::filesystem::path& path, const networks::Graph& graph) {
  artifacts::TensorFile file;
  for (const networks::Op& op : graph.ops) {
    if (op.kind != networks::OpKind::kConv) continue;
    const auto per_group =
        static_cast<std::int64_t>(op.weight.size()) / (std::int64_t{op.channels} * op.kernel * op.kernel);
    file.tensors[op.name + ".weight"] =
        artifacts::from_float32(op.weight, {op.channels, per_group, op.kernel, op.kernel});
    file.tensors[op.name + ".bias"] = artifacts::from_float32(op.bias, {op.channels});
    file.metadata["order"] += op.name + " ";
  }
  must(artifacts::write_safetensors(path, file));
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse(argc, argv);
  const artifacts::ModelPackage package = make_package(options);
  must(artifacts::write_model_package(options.folder / "model.tar.gz", package));
  const auto graph = std::make_shared<const networks::Graph>(must(inference::graph_of(package)));
  const Bytes onnx =
      must(onnx::to_onnx(*graph, package.spec, {imaging::Size{options.size, options.size}, false}));
  must(write_file_atomically(options.folder / "model.onnx", onnx));
  const Bytes with_labels =
      must(onnx::to_onnx(*graph, package.spec, {imaging::Size{options.size, options.size}, true}));
  must(write_file_atomically(options.folder / "labels.onnx", with_labels));
  write_folded(options.folder / "folded.safetensors", *graph);

  inference::Tensor input(inference::Shape{1, 3, options.size, options.size});
  Random random(1);
  for (std::int64_t i = 0; i < input.shape.count(); ++i)
    input.values[static_cast<std::size_t>(i)] = static_cast<float>(random.uniform(-1, 1));
  write_floats(options.folder / "input.f32", input);

  const auto executor = must(inference::make_onednn_executor(graph, {.threads = options.threads}));
  const inference::Tail tail = inference::split_tail(*graph);
  const auto shapes = must(inference::infer_shapes(*graph, input.shape));
  const auto maps = inference::maps_to_photo(*graph, tail, shapes, options.size, options.size);
  imaging::Mask mask({options.size, options.size});
  std::printf("ready\n");
  std::fflush(stdout);

  for (std::string command; std::cin >> command;) {
    if (command == "save") {
      write_floats(options.folder / "ours.f32", must(executor->run(input, {graph->output})).front());
      std::printf("saved\n");
    } else {
      int count = 0;
      std::cin >> count;
      nlohmann::json times = nlohmann::json::array();
      for (int run = 0; run < count; ++run) {
        const auto begin = std::chrono::steady_clock::now();
        if (command == "labels") {
          const auto small = std::move(must(executor->run(input, {tail.trunk})).front());
          const inference::LogitsBand band{options.classes, 0, small.shape.h, small.shape.w,
                                           small.values.get()};
          inference::render_labels({{&band, &maps.columns}}, maps.rows, 0, options.size, options.threads,
                                   mask);
        } else {
          must(executor->run(input, {graph->output}));
        }
        times.push_back(
            std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count());
      }
      std::printf("%s\n", times.dump().c_str());
    }
    std::fflush(stdout);
  }
  return 0;
}
