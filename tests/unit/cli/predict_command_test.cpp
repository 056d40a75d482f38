// predict, evaluate and export as a person runs them, with a small random model.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "artifacts/model_package.h"
#include "base/files.h"
#include "flow/program.h"
#include "imaging/codecs.h"
#include "inference/predictor.h"
#include "unit/inference/package_maker.h"

namespace terrapin::cli {
namespace {

namespace fs = std::filesystem;
using flow::Answer;

class PredictCommand : public ::testing::Test {
 protected:
  void SetUp() override {
    package_ = inference::testing::random_package({.num_classes = 3}, 1, 96);
    ASSERT_TRUE(artifacts::write_model_package(model(), package_));
    write_photo("photos/a.jpg", {120, 80}, 1);
    write_photo("photos/sub/a.jpg", {90, 130}, 2);
    write_photo("photos/b.jpg", {64, 64}, 3);
    write_photo("photos/b.png", {50, 70}, 4);
  }

  fs::path at(const std::string& name) const { return folder_.path() / name; }
  fs::path model() const { return at("model.tar.gz"); }
  void write_photo(const std::string& name, imaging::Size size, std::uint64_t seed) {
    const imaging::Image photo = inference::testing::patterned_photo(size, seed);
    const auto bytes =
        at(name).extension() == ".png" ? imaging::encode_png(photo) : imaging::encode_jpeg(photo);
    ASSERT_TRUE(bytes && write_file_atomically(at(name), *bytes));
  }
  Answer run(std::vector<std::string> arguments) { return flow::run_program(folder_.path(), arguments); }
  Answer predict(std::vector<std::string> more) {
    std::vector<std::string> arguments{"predict", "--model", model(), "--output", at("out")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  }

  flow::TemporaryFolder folder_;
  artifacts::ModelPackage package_;
};

TEST_F(PredictCommand, EveryPhotoOfAFolderGetsItsOwnMask) {
  const Answer answer = predict({"--overlay", "--probabilities=float32", at("photos")});
  ASSERT_EQ(answer.code, 0) << answer.errors;
  const auto predictor = inference::Predictor::create(package_, {.threads = 1});
  ASSERT_TRUE(predictor);
  for (const auto& [photo, name] :
       {std::pair("photos/a.jpg", "out/a"), std::pair("photos/sub/a.jpg", "out/sub/a"),
        std::pair("photos/b.jpg", "out/b.jpg"), std::pair("photos/b.png", "out/b.png")}) {
    const auto mask = imaging::read_mask(at(std::string(name) + ".png"));
    ASSERT_TRUE(mask && mask->labels) << name;
    EXPECT_GE(mask->palette.size(), 3U);
    const auto pixels = imaging::read_photo(at(photo));
    ASSERT_TRUE(pixels);
    const auto expected = (*predictor)->predict(*pixels, true);
    ASSERT_TRUE(expected);
    EXPECT_EQ(*mask->labels, expected->mask) << name;
    EXPECT_EQ(imaging::read_photo(at(std::string(name) + ".overlay.jpg"))->size(), pixels->size());

    const auto npy = read_file(at(std::string(name) + ".npy"));
    ASSERT_TRUE(npy);
    const std::size_t start = 10 + (*npy)[8] + 256U * (*npy)[9];
    EXPECT_EQ(start % 64, 0U);
    const auto& values = expected->probabilities->values;
    ASSERT_EQ(npy->size(), start + values.size() * sizeof(float));
    std::vector<float> stored(values.size());
    std::memcpy(stored.data(), npy->data() + start, values.size() * sizeof(float));
    for (std::size_t i = 0; i < values.size(); i += 97) EXPECT_NEAR(stored[i], values[i], 1e-5);
  }
}

TEST_F(PredictCommand, OneBrokenPhotoDoesNotStopTheOthers) {
  ASSERT_TRUE(write_file_atomically(at("photos/c.jpg"), std::string_view("no photo")));
  const Answer answer = predict({at("photos"), "--json"});
  EXPECT_EQ(answer.code, 1);
  const auto json = nlohmann::json::parse(answer.output, nullptr, false);
  ASSERT_TRUE(json.is_object()) << answer.output;
  int masks = 0, errors = 0;
  for (const auto& photo : json["photos"]) {
    masks += photo.contains("mask");
    if (!photo.contains("error")) continue;
    ++errors;
    EXPECT_NE(photo["error"].get<std::string>().find("c.jpg"), std::string::npos);
  }
  EXPECT_EQ(masks, 4);
  EXPECT_EQ(errors, 1);
  EXPECT_FALSE(fs::exists(at("out/c.png")));
  EXPECT_NE(answer.errors.find("c.jpg"), std::string::npos) << answer.errors;
  const Answer plain = predict({at("photos")});
  EXPECT_EQ(plain.code, 1);
  EXPECT_NE(plain.errors.find("1 photos without a mask"), std::string::npos) << plain.errors;
  EXPECT_NE(plain.errors.find("c.jpg"), std::string::npos) << plain.errors;
  EXPECT_EQ(plain.output.find("c.jpg"), std::string::npos) << "failures go to standard error";
  EXPECT_NE(plain.output.find("4 masks in"), std::string::npos) << plain.output;
}

TEST_F(PredictCommand, NeverOverwritesAPhoto) {
  const auto before = read_file(at("photos/b.png"));
  const Answer answer = run({"predict", "--model", model(), "--output", at("photos"), at("photos/b.png")});
  EXPECT_EQ(answer.code, 1);
  EXPECT_NE(answer.errors.find("would be overwritten"), std::string::npos) << answer.errors;
  EXPECT_EQ(*read_file(at("photos/b.png")), *before);
}

TEST_F(PredictCommand, SaysWhatIsWrong) {
  fs::create_directories(at("empty"));
  EXPECT_NE(predict({at("empty")}).errors.find("holds no .jpg"), std::string::npos);
  const Answer nothing = run({"predict", "--model", at("none"), "--output", at("out"), at("photos")});
  EXPECT_EQ(nothing.code, 1);
  EXPECT_NE(nothing.errors.find("none"), std::string::npos) << nothing.errors;
}

TEST_F(PredictCommand, EvaluateScoresItsOwnMasksWithOneAndOthersAsTheMatrixSays) {
  ASSERT_EQ(predict({at("photos/a.jpg"), at("photos/sub/a.jpg")}).code, 0);
  // Truth: the model's own answer for a.jpg, with one row of class 0 pixels declared "ignore".
  auto truth = imaging::read_label_mask(at("out/a.jpg.png"));
  ASSERT_TRUE(truth) << truth.error().message;
  for (std::int64_t x = 0; x < truth->width(); ++x) truth->set(x, 0, 255);
  const auto bytes = imaging::encode_indexed_png(*truth, {});
  ASSERT_TRUE(write_file_atomically(at("truth/a.png"), *bytes));
  write_photo("one/a.jpg", {120, 80}, 1);
  const std::vector<std::string> arguments{"evaluate", "--model", model(),    "--photos",
                                           at("one"),  "--masks", at("truth")};
  auto as_json = arguments;
  as_json.insert(as_json.end(), {"--json", "--output", at("scores")});
  const Answer answer = run(as_json);
  ASSERT_EQ(answer.code, 0) << answer.errors;
  const auto json = nlohmann::json::parse(answer.output, nullptr, false);
  ASSERT_TRUE(json.is_object()) << answer.output;
  EXPECT_EQ(json["mean_iou"], 1.0);
  EXPECT_EQ(json["pixel_accuracy"], 1.0);
  EXPECT_EQ(json["mean_boundary_f1"], 1.0);
  EXPECT_EQ(json["pixels"], 120 * 79);
  EXPECT_TRUE(fs::exists(at("scores/worst.jpg")) && fs::exists(at("scores/best.jpg")));

  // Half of the pixels are given another class: exactly they are wrong.
  std::int64_t changed = 0;
  for (std::int64_t y = 1; y < 40; ++y) {
    for (std::int64_t x = 0; x < truth->width(); ++x, ++changed) truth->set(x, y, (truth->at(x, y) + 1) % 3);
  }
  ASSERT_TRUE(write_file_atomically(at("truth/a.png"), *imaging::encode_indexed_png(*truth, {})));
  auto again = arguments;
  again.push_back("--json");
  const auto second = nlohmann::json::parse(run(again).output, nullptr, false);
  EXPECT_NEAR(second["pixel_accuracy"].get<double>(), 1.0 - static_cast<double>(changed) / (120 * 79), 1e-12);
  EXPECT_NE(run(arguments).output.find("confusion: rows = truth"), std::string::npos);

  truth->set(5, 5, 9);
  ASSERT_TRUE(write_file_atomically(at("truth/a.png"), *imaging::encode_indexed_png(*truth, {})));
  const Answer unknown = run(arguments);
  EXPECT_EQ(unknown.code, 1);
  EXPECT_NE(unknown.errors.find("holds class 9; the model knows 0 to 2"), std::string::npos)
      << unknown.errors;
}

}  // namespace
}  // namespace terrapin::cli
