// transform, evaluate, export and host as a person runs them. Training is in tests/flow.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "artifacts/channels.h"
#include "artifacts/model_package.h"
#include "base/files.h"
#include "dataset/scenes.h"
#include "flow/program.h"
#include "imaging/codecs.h"
#include "inference/package_graph.h"
#include "inference/predictor.h"
#include "unit/inference/package_maker.h"
#ifdef TERRAPIN_WITH_SERVING
#include "export/onnx.h"
#include "unit/http/client.h"
#endif

namespace terrapin::cli {
namespace {

namespace fs = std::filesystem;
using flow::Answer;
using ::testing::AllOf;
using ::testing::HasSubstr;

class Commands : public ::testing::Test {
 protected:
  void SetUp() override {
    package_ = inference::testing::random_package({.num_classes = 3}, 1, 96);
    package_.spec.classes.classes[1].name = "Turtle";
    package_.spec.classes.classes[2].name = "Fish";
    ASSERT_TRUE(artifacts::write_model_package(model(), package_));
  }
  // Six scenes of BACKGROUND, Turtle, Fish as a Ground Truth output, at "scenes/labelscenes".
  void write_scenes() {
    dataset::SceneOptions scene;
    scene.size = {48, 36};
    ASSERT_TRUE(dataset::write_scene_output(at("scenes"), 6, scene));
  }
  std::string manifest() const { return at("scenes/labelscenes/manifests/output/output.manifest"); }
  std::string roots() const { return "scenes=" + at("scenes"); }
  std::string at(const std::string& name) const { return (folder_.path() / name).string(); }
  std::string model() const { return at("model.tar.gz"); }
  Answer run(const std::vector<std::string>& arguments) {
    return flow::run_program(folder_.path(), arguments);
  }
  int photos_scored(const Answer& answer) const {
    const auto json = nlohmann::json::parse(answer.output, nullptr, false);
    return json.is_object() ? json.at("photos_scored").get<int>() : -1;
  }

  flow::TemporaryFolder folder_;
  artifacts::ModelPackage package_;
};

TEST_F(Commands, EvaluateTakesWhatTrainTakes) {
  write_scenes();
  const Answer by_folder = run(
      {"evaluate", "--model", model(), "--data", at("scenes/labelscenes"), "--s3-root", roots(), "--json"});
  ASSERT_EQ(by_folder.code, 0) << by_folder.errors;
  EXPECT_EQ(photos_scored(by_folder), 6);
  const Answer by_manifest =
      run({"evaluate", "--model", model(), "--data", manifest(), "--s3-root", roots(), "--json"});
  EXPECT_EQ(by_manifest.output, by_folder.output) << by_manifest.errors;

  const Answer transformed =
      run({"transform", manifest(), "--s3-root", roots(), "--output", at("data"), "--quiet"});
  ASSERT_EQ(transformed.code, 0) << transformed.errors;
  const Answer both =
      run({"evaluate", "--model", model(), "--data", at("data"), "--split", "train+validation", "--json"});
  ASSERT_EQ(both.code, 0) << both.errors;
  EXPECT_EQ(photos_scored(both), 6);
}

TEST_F(Commands, EvaluateRefusesDataThatNumbersItsClassesOtherwise) {
  write_scenes();
  ASSERT_EQ(run({"transform", manifest(), "--s3-root", roots(), "--output", at("data"), "--quiet"}).code, 0);
  ASSERT_EQ(run({"evaluate", "--model", model(), "--data", at("data")}).code, 0);
  std::swap(package_.spec.classes.classes[1], package_.spec.classes.classes[2]);
  ASSERT_TRUE(artifacts::write_model_package(model(), package_));
  const auto named =
      AllOf(HasSubstr("class 1 is \"Fish\" in the model " + model()), HasSubstr("\"Turtle\" in " + at("")));
  const Answer by_folder = run({"evaluate", "--model", model(), "--data", at("data")});
  EXPECT_EQ(by_folder.code, 1);
  EXPECT_THAT(by_folder.errors, named);
  const Answer by_manifest =
      run({"evaluate", "--model", model(), "--data", manifest(), "--s3-root", roots()});
  EXPECT_EQ(by_manifest.code, 1);
  EXPECT_THAT(by_manifest.errors, named);
  // A model whose classes nobody named goes with every data.
  package_.spec.classes = artifacts::ClassList::with_default_names(3);
  ASSERT_TRUE(artifacts::write_model_package(model(), package_));
  EXPECT_EQ(run({"evaluate", "--model", model(), "--data", at("data")}).code, 0);
}

TEST_F(Commands, GroupByKeepsCapturesTogether) {
  std::string text;
  for (int i = 0; i < 24; ++i) {
    const std::string stem = fmt::format("dive{}_{}", i / 4, i % 4);
    imaging::Image photo({20, 16}, {static_cast<std::uint8_t>(10 * i), 90, 60});
    imaging::Mask mask({20, 16});
    for (std::int64_t x = 3; x < 9; ++x) mask.set(x, 5, 1);
    ASSERT_TRUE(write_file_atomically(at(stem + ".jpg"), *imaging::encode_jpeg(photo)));
    ASSERT_TRUE(write_file_atomically(at(stem + ".png"),
                                      *imaging::encode_indexed_png(mask, package_.spec.classes.palette())));
    text += artifacts::format_manifest_line(stem + ".jpg", "job-ref", stem + ".png", package_.spec.classes,
                                            0.5, true, "2026-01-01T00:00:00.000000", "job") +
            "\n";
  }
  ASSERT_TRUE(write_file_atomically(at("output.manifest"), text));
  const Answer answer =
      run({"transform", at("output.manifest"), "--output", at("data"), "--quiet", "--train-fraction", "0.5",
           "--test-fraction", "0.2", "--group-by", "(dive[0-9]+)_"});
  ASSERT_EQ(answer.code, 0) << answer.errors;
  std::map<std::string, std::set<std::string>> splits_of;
  std::set<std::string> splits;
  std::ifstream table(at("data/splits.tsv"));
  std::string line;
  std::getline(table, line);
  EXPECT_EQ(line, "split\tname\tsource\tgroup");
  int rows = 0;
  for (; std::getline(table, line); ++rows) {
    const std::string split = line.substr(0, line.find('\t'));
    const std::string group = line.substr(line.rfind('\t') + 1);
    EXPECT_THAT(line, HasSubstr(group + "_")) << "the group is the capture of the photo's name";
    splits_of[group].insert(split);
    splits.insert(split);
  }
  EXPECT_EQ(rows, 24);
  EXPECT_EQ(splits_of.size(), 6u);
  EXPECT_EQ(splits.size(), 3u) << "train, validation and test all have photos";
  for (const auto& [group, where] : splits_of) EXPECT_EQ(where.size(), 1u) << group;
}

#ifdef TERRAPIN_WITH_SERVING
TEST_F(Commands, ExportWritesTheNetworkAsOnnx) {
  const Answer answer =
      run({"export", "--model", model(), "--output", at("m.onnx"), "--size", "72x96", "--labels", "--json"});
  ASSERT_EQ(answer.code, 0) << answer.errors;
  const auto bytes = read_file(at("m.onnx"));
  ASSERT_TRUE(bytes);
  EXPECT_EQ(nlohmann::json::parse(answer.output).at("bytes"), bytes->size());
  const auto graph = inference::graph_of(package_);
  ASSERT_TRUE(graph);
  EXPECT_EQ(*bytes, onnx::to_onnx(*graph, package_.spec, {imaging::Size{96, 72}, true}).value_or(Bytes{}));

  const char* python = std::getenv("TERRAPIN_ONNX_PYTHON");
  if (python == nullptr) GTEST_SKIP() << "the exported file is not run: TERRAPIN_ONNX_PYTHON is not set";
  const std::vector<float> input(3 * 72 * 96, 0.25F);
  ASSERT_TRUE(write_file_atomically(
      at("in.f32"), std::span(reinterpret_cast<const std::uint8_t*>(input.data()), input.size() * 4)));
  const std::string command =
      fmt::format("'{}' '{}/tests/unit/export/run_onnx.py' '{}' '{}' '{}' 1 3 72 96", python,
                  TERRAPIN_SOURCE_DIR, at("m.onnx"), at("in.f32"), at("out.f32"));
  ASSERT_EQ(std::system(command.c_str()), 0) << command;
  const auto logits = read_file(at("out.f32"));
  ASSERT_TRUE(logits);
  std::vector<float> values(std::size_t{3} * 72 * 96);
  ASSERT_EQ(logits->size(), values.size() * sizeof(float));
  std::memcpy(values.data(), logits->data(), logits->size());
  for (const float value : values) ASSERT_TRUE(std::isfinite(value));
}

TEST_F(Commands, HostAnswersUntilSigterm) {
  flow::Program host(folder_.path(), {"host", "--model", model(), "--port", "0", "--threads", "1"});
  int port = 0;
  ASSERT_TRUE(host.wait_until([&] {
    std::smatch match;
    const std::string said = host.output();
    if (!std::regex_search(said, match, std::regex("http://127\\.0\\.0\\.1:([0-9]+) "))) return false;
    port = std::stoi(match[1]);
    return true;
  })) << host.errors();
  ASSERT_TRUE(host.wait_until([&] { return testing::ask(port, testing::get("/ping")).status == 200; }))
      << host.errors();
  const imaging::Image photo = inference::testing::patterned_photo({90, 70}, 5);
  const Bytes png = *imaging::encode_png(photo);
  const auto answer = testing::ask(port, testing::post("/invocations", std::string(png.begin(), png.end()),
                                                       "Content-Type: image/png\r\nAccept: image/png\r\n"));
  ASSERT_EQ(answer.status, 200) << answer.body;
  const auto mask = imaging::decode_mask(Bytes(answer.body.begin(), answer.body.end()));
  ASSERT_TRUE(mask && mask->labels);
  const auto predictor = inference::Predictor::create(package_, {.threads = 1});
  ASSERT_TRUE(predictor);
  EXPECT_EQ(*mask->labels, (*predictor)->predict(photo)->mask);
  host.send(SIGTERM);
  const Answer end = host.wait();
  EXPECT_EQ(end.code, 0) << end.errors;
  EXPECT_THAT(end.errors + end.output, AllOf(HasSubstr("ready: 3 classes"), HasSubstr("stopping")));
}

TEST_F(Commands, HostSaysThatItsModelIsMissing) {
  const Answer answer = run({"host", "--model", at("none.tar.gz"), "--port", "0"});
  EXPECT_EQ(answer.code, 1);
  EXPECT_THAT(answer.errors, AllOf(HasSubstr("--model"), HasSubstr("none.tar.gz")));
}
#endif

}  // namespace
}  // namespace terrapin::cli
