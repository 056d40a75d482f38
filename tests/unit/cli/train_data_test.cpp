#include "cli/train_data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>
#include <set>

#include "base/files.h"
#include "dataset/scenes.h"
#include "imaging/codecs.h"
#include "unit/base/temporary_folder.h"

namespace terrapin::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

class TrainDataTest : public ::testing::Test {
 protected:
  std::string at(const std::string& name) const { return (folder_ / name).string(); }
  void write(const std::string& name, const Bytes& bytes) {
    ASSERT_TRUE(write_file_atomically(folder_ / name, std::span<const std::uint8_t>(bytes)));
  }
  // Two pairs in each channel; the masks of `channel` hold `label`.
  void write_channels(std::uint8_t train_label, std::uint8_t validation_label) {
    for (const auto& [channel, label] :
         {std::pair<std::string, std::uint8_t>{"train", train_label},
          std::pair<std::string, std::uint8_t>{"validation", validation_label}}) {
      for (int i = 0; i < 2; ++i) {
        write(fmt::format("{}/{}.jpg", channel, i),
              *imaging::encode_jpeg(imaging::Image({8, 6}, {90, 90, 90})));
        write(fmt::format("{}_annotation/{}.png", channel, i),
              *imaging::encode_indexed_png(imaging::Mask({8, 6}, label), imaging::default_palette(8)));
      }
    }
  }
  TrainDataSource channels() const {
    TrainDataSource source;
    source.train = at("train");
    source.train_annotation = at("train_annotation");
    source.validation = at("validation");
    source.validation_annotation = at("validation_annotation");
    return source;
  }
  TrainDataSource ground_truth_output(int count) const {
    dataset::SceneOptions scene;
    scene.size = {32, 24};
    EXPECT_TRUE(dataset::write_scene_output(folder_ / "scenes", count, scene));
    TrainDataSource source;
    source.data = at("scenes/labelscenes");
    source.s3_roots = {"scenes=" + at("scenes")};
    return source;
  }
  static std::string error_of(const TrainDataSource& source) {
    const auto data = open_train_data(source);
    return data ? "no error" : data.error().message;
  }
  test::TemporaryFolder folder_;
};

TEST_F(TrainDataTest, FourChannelsAndADatasetFolderAreTheSame) {
  write_channels(1, 0);
  const auto by_channels = open_train_data(channels());
  ASSERT_TRUE(by_channels) << by_channels.error().message;
  EXPECT_EQ(by_channels->train.samples.size(), 2u);
  EXPECT_TRUE(by_channels->classes.classes.empty());
  TrainDataSource source;
  source.data = folder_.path().string();
  const auto by_folder = open_train_data(source);
  ASSERT_TRUE(by_folder) << by_folder.error().message;
  ASSERT_EQ(by_folder->train.samples.size(), 2u);
  EXPECT_EQ(by_folder->train.samples[1].photo, by_channels->train.samples[1].photo);
}

TEST_F(TrainDataTest, ErrorsNameTheOption) {
  write_channels(1, 1);
  EXPECT_THAT(error_of({}), HasSubstr("--train is missing; give --data"));
  TrainDataSource source = channels();
  source.validation_annotation.clear();
  EXPECT_THAT(error_of(source), HasSubstr("--validation-annotation is missing"));
  source = channels();
  source.train_annotation = at("nowhere");
  EXPECT_THAT(error_of(source),
              AllOf(HasSubstr("--train-annotation"), HasSubstr("nowhere"), HasSubstr("not a folder")));
  source = channels();
  source.data = folder_.path().string();
  EXPECT_THAT(error_of(source), HasSubstr("--data and --train exclude each other"));
  source = {};
  source.data = at("nothing.manifest");
  EXPECT_THAT(error_of(source), HasSubstr("does not exist"));
}

TEST_F(TrainDataTest, TheTwoManifestsUseOneListOfClasses) {
  TrainDataSource source = ground_truth_output(4);
  source.validation = at("scenes/labelscenes");
  const auto same = open_train_data(source);
  ASSERT_TRUE(same) << same.error().message;
  EXPECT_EQ(same->validation.samples.size(), 4u);

  std::string text = read_text_file(at("scenes/labelscenes/manifests/output/output.manifest")).value_or("");
  text = std::regex_replace(text, std::regex("\"Turtle\""), "\"swapped\"");
  text = std::regex_replace(text, std::regex("\"Fish\""), "\"Turtle\"");
  text = std::regex_replace(text, std::regex("\"swapped\""), "\"Fish\"");
  ASSERT_TRUE(write_file_atomically(at("swapped.manifest"), text));
  source.validation = at("swapped.manifest");
  EXPECT_THAT(error_of(source),
              AllOf(HasSubstr("class 1 is \"Turtle\" in"), HasSubstr("output.manifest but \"Fish\" in"),
                    HasSubstr("swapped.manifest")));
  source.validation = at("nowhere");
  EXPECT_THAT(error_of(source), AllOf(HasSubstr("--validation"), HasSubstr("nowhere")));
}

TEST_F(TrainDataTest, GroundTruthOutputHoldsOutEveryFifthPhoto) {
  TrainDataSource source = ground_truth_output(11);
  const auto data = open_train_data(source);
  ASSERT_TRUE(data) << data.error().message;
  EXPECT_EQ(data->validation.samples.size(), 2u);
  EXPECT_EQ(data->train.samples.size(), 9u);
  EXPECT_THAT(data->notes, ::testing::Contains(HasSubstr("2 of 11 photos are held out")));
  EXPECT_EQ(data->classes.size(), 3);
  std::set<std::string> names;
  for (const auto* index : {&data->train, &data->validation}) {
    for (const artifacts::Sample& sample : index->samples) names.insert(sample.name);
  }
  EXPECT_EQ(names.size(), 11u);
  const auto again = open_train_data(source);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->validation.samples[0].name, data->validation.samples[0].name);
}

TEST_F(TrainDataTest, ClassesAreCountedInBothChannelsWithoutIgnore) {
  write_channels(2, 4);
  write("train_annotation/0.png",
        *imaging::encode_indexed_png(imaging::Mask({8, 6}, 255), imaging::default_palette(8)));
  const auto data = open_train_data(channels());
  ASSERT_TRUE(data) << data.error().message;
  std::int64_t last = 0;
  const auto count = count_classes(*data, [&](std::int64_t done, std::int64_t total) {
    EXPECT_EQ(total, 4);
    last = std::max(last, done);
  });
  ASSERT_TRUE(count) << count.error().message;
  EXPECT_EQ(*count, 5);
  EXPECT_EQ(last, 4);
}

TEST_F(TrainDataTest, EmptyMasksStillMakeTwoClassesAndBrokenOnesAreNamed) {
  write_channels(0, 0);
  const auto data = open_train_data(channels());
  ASSERT_TRUE(data);
  EXPECT_EQ(count_classes(*data, {}).value_or(0), 2);
  write("validation_annotation/1.png", Bytes{1, 2, 3});
  const auto broken = count_classes(*data, {});
  ASSERT_FALSE(broken);
  EXPECT_THAT(broken.error().message, HasSubstr("validation_annotation/1.png"));
}

TEST(FitClasses, FillsUpWithNewColoursAndRefusesTooMany) {
  const artifacts::ClassList known{{{"sky", {255, 255, 255}}, {"boat", {31, 119, 180}}}};
  const auto fitted = fit_classes(known, 6);
  ASSERT_TRUE(fitted) << fitted.error().message;
  ASSERT_EQ(fitted->size(), 6);
  EXPECT_EQ(fitted->classes[1].name, "boat");
  std::set<imaging::Rgb> colors;
  for (const artifacts::ClassEntry& entry : fitted->classes) colors.insert(entry.color);
  EXPECT_EQ(colors.size(), 6u) << "no two classes share a colour";
  const auto refused = fit_classes(*fitted, 3);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message,
              AllOf(HasSubstr("num_classes=3"), HasSubstr("6 classes"), HasSubstr("boat")));
}

}  // namespace
}  // namespace terrapin::cli
