// Exported networks, run by ONNX Runtime, against our own engine.
#include "export/onnx.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "inference/executor.h"
#include "unit/inference/graph_maker.h"

namespace terrapin::onnx {
namespace {

namespace fs = std::filesystem;
using inference::Shape;
using inference::Tensor;

// A folder that is gone after the test.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::string name = (fs::temp_directory_path() / "terrapin-onnx-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
    path_ = name;
  }
  ~ScratchFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

const std::string kScript = std::string(TERRAPIN_SOURCE_DIR) + "/tests/unit/export/run_onnx.py";

// A Python that has onnxruntime: $TERRAPIN_ONNX_PYTHON, the repository's .venv, or the system's. Empty: none.
std::string find_python() {
  const char* named = std::getenv("TERRAPIN_ONNX_PYTHON");
  for (const std::string& python :
       {std::string(named != nullptr ? named : ""), std::string(TERRAPIN_SOURCE_DIR) + "/.venv/bin/python",
        std::string("python3")}) {
    if (!python.empty() &&
        std::system(fmt::format("'{}' '{}' probe >/dev/null 2>&1", python, kScript).c_str()) == 0) {
      return python;
    }
  }
  return {};
}

artifacts::ModelSpec spec_for(int classes) {
  artifacts::ModelSpec spec;
  spec.network.num_classes = classes;
  spec.classes = artifacts::ClassList::with_default_names(classes);
  return spec;
}

void expect_same_answer(const std::string& python, const networks::Graph& graph, const Shape& shape,
                        const OnnxOptions& options) {
  const ScratchFolder folder;
  const Tensor input = inference::testing::random_input(shape, 3);
  const auto bytes = to_onnx(graph, spec_for(4), options);
  ASSERT_TRUE(bytes) << bytes.error().message;
  const auto size = static_cast<std::size_t>(shape.count()) * sizeof(float);
  ASSERT_TRUE(write_file_atomically(folder.path() / "model.onnx", *bytes));
  ASSERT_TRUE(write_file_atomically(
      folder.path() / "in.f32", std::span(reinterpret_cast<const std::uint8_t*>(input.values.get()), size)));
  const std::string command =
      fmt::format("'{0}' '{1}' '{2}/model.onnx' '{2}/in.f32' '{2}/out.f32' {3} {4} {5} {6}", python, kScript,
                  folder.path().string(), shape.n, shape.c, shape.h, shape.w);
  ASSERT_EQ(std::system(command.c_str()), 0) << command;
  const auto answer = read_file(folder.path() / "out.f32");
  ASSERT_TRUE(answer);

  auto engine = inference::make_torch_executor(std::make_shared<const networks::Graph>(graph), {}, false);
  ASSERT_TRUE(engine);
  const auto ours = (*engine)->run(input, {graph.output});
  ASSERT_TRUE(ours);
  const Tensor& expected = ours->front();
  ASSERT_EQ(answer->size(), static_cast<std::size_t>(expected.shape.count()) * sizeof(float));
  std::vector<float> values(answer->size() / sizeof(float));
  std::memcpy(values.data(), answer->data(), answer->size());
  double worst = 0, largest = 1;
  for (std::size_t i = 0; i < values.size(); ++i) {
    worst = std::max(worst, std::abs(static_cast<double>(values[i]) - expected.values[i]));
    largest = std::max(largest, std::abs(static_cast<double>(expected.values[i])));
  }
  EXPECT_LT(worst / largest, 1e-4) << shape.h << " x " << shape.w;
}

TEST(OnnxExport, RuntimeGivesOurLogits) {
  const std::string python = find_python();
  if (python.empty()) {
    GTEST_SKIP()
        << "NOT CHECKED: no Python with onnxruntime. Set TERRAPIN_ONNX_PYTHON, or pip install onnxruntime.";
  }
  const networks::Graph mobile = inference::testing::mobilenet_like(4, 1, 0.25);
  const networks::Graph residual = inference::testing::residual_like(4, 2);
  expect_same_answer(python, mobile, {1, 3, 65, 49}, {imaging::Size{49, 65}, false});
  expect_same_answer(python, mobile, {2, 3, 50, 81}, {std::nullopt, true});
  expect_same_answer(python, residual, {1, 3, 61, 83}, {imaging::Size{83, 61}, true});
  expect_same_answer(python, residual, {3, 3, 40, 57}, {});
}

TEST(OnnxExport, RefusesSizesThatCannotBe) {
  const auto bytes =
      to_onnx(inference::testing::residual_like(4, 2), spec_for(4), {imaging::Size{0, 5}, false});
  ASSERT_FALSE(bytes);
  EXPECT_EQ(bytes.error().code, ErrorCode::kInvalidArgument);
}

TEST(OnnxExport, SameModelSameBytes) {
  const networks::Graph graph = inference::testing::mobilenet_like(4, 1, 0.25);
  EXPECT_EQ(*to_onnx(graph, spec_for(4)), *to_onnx(graph, spec_for(4)));
}

}  // namespace
}  // namespace terrapin::onnx
