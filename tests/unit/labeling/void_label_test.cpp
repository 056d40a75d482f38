// A label that training ignores, from the worker's PNG to what the dataset's reader gives.
#include <gmock/gmock.h>

#include "artifacts/channels.h"
#include "dataset/transform.h"
#include "unit/labeling/job_fixture.h"

namespace terrapin::labeling {
namespace {

namespace fs = std::filesystem;
using test::answer_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// The workers' masks: 1 Turtle, 2 Ignore (void), 3 Diver, in the order of the category file.
class VoidLabel : public test::JobTest {
 protected:
  void SetUp() override {
    test::JobTest::SetUp();
    labels_ = {"Turtle", "Ignore", "Diver"};
    palette_ = {{255, 255, 255}, {10, 20, 30}, {128, 128, 128}, {40, 50, 60}};
    put("categories.json",
        R"({"labels": [{"label": "Turtle", "hex-color": "#0a141e"}, {"label": "Ignore", "void": true},
                       {"label": "Diver", "hex-color": "#28323c"}]})");
  }
  void put_different_photos(int count) {
    std::string manifest;
    for (int i = 0; i < count; ++i) {
      const auto shade = static_cast<std::uint8_t>(40 * i);
      const std::string key = "photos/" + std::to_string(i) + ".png";
      ASSERT_OK(
          store_->put({"bucket", key},
                      *bytes_source(imaging::encode_png(imaging::Image(kSize, {shade, 90, 10})).value())));
      manifest += R"({"source-ref": "s3://bucket/)" + key + "\"}\n";
    }
    put("input.manifest", manifest);
  }
  // Background, a column of each label, and what files say of it.
  static imaging::Mask columns() {
    imaging::Mask mask(kSize);
    for (std::int64_t y = 0; y < kSize.height; ++y)
      for (std::int64_t x = 0; x < kSize.width; ++x) mask.set(x, y, static_cast<std::uint8_t>(x % 4));
    return mask;
  }
  static imaging::Mask in_files(imaging::Mask mask) {
    for (std::uint8_t& label : mask.bytes()) label = label == 2 ? 255 : label == 3 ? 2 : label;
    return mask;
  }
};

TEST_F(VoidLabel, Is255InEveryFileAndTheOthersStayContiguous) {
  put_different_photos(1);
  create(spec());
  const Assignment task = accept("anna");
  const TaskContent content = tasks().content(worker("anna"), task.id).value();
  EXPECT_THAT(content.labels, ElementsAre("Turtle", "Diver", "Ignore"));
  EXPECT_THAT(content.indices, ElementsAre(1, 2, 255));
  EXPECT_THAT(content.voids, ElementsAre(false, false, true));
  submit("anna", task, columns());
  EXPECT_EQ(mask_at(jobs().answers("job", 0)->front().answer_uri), in_files(columns()));
  run();
  const nlohmann::json line = manifest().front();
  const std::string mask = line["turtle-ref"];
  EXPECT_EQ(mask_at(mask), in_files(columns()));  // one worker: bit for bit
  const nlohmann::json& map = line["turtle-ref-metadata"]["internal-color-map"];
  EXPECT_EQ(map.size(), 4U);
  EXPECT_EQ(map["2"]["class-name"], "Diver");
  EXPECT_EQ(map["255"]["class-name"], "Ignore");
  EXPECT_EQ(map["255"]["hex-color"], "#808080");
  const auto object = store_->get(storage::parse_s3_uri(mask).value());
  const auto file = imaging::decode_mask(read_all(*object->content, 1 << 20).value()).value();
  ASSERT_EQ(file.palette.size(), 256U);
  EXPECT_EQ(file.palette[255], (imaging::Rgb{128, 128, 128}));
  EXPECT_EQ(file.palette[2], (imaging::Rgb{40, 50, 60}));
  const artifacts::LabelCategories categories = jobs().categories("job").value();
  EXPECT_EQ(categories.classes.size(), 3);
  EXPECT_EQ(categories.void_label->name, "Ignore");
  EXPECT_THAT(text_of("s3://bucket/out/job/annotation-tool/data.json"), HasSubstr("\"void\": true"));
}

TEST_F(VoidLabel, IsVotedOnAsAClassOfItsOwn) {
  put_different_photos(1);
  JobSpec wanted = spec();
  wanted.workers_per_object = 3;
  create(wanted);
  // Two of three say that a place cannot be told, and that another is a turtle: one of each outvotes neither.
  imaging::Mask sure = columns(), other = columns();
  for (std::int64_t y = 0; y < kSize.height; ++y) {
    other.set(2, y, 1);
    other.set(1, y, 2);
  }
  submit("anna", accept("anna"), sure);
  submit("bob", accept("bob"), other);
  reopen();  // what is stored tells the void label too
  submit("cleo", accept("cleo"), sure);
  run();
  const nlohmann::json line = manifest().front();
  EXPECT_EQ(mask_at(line["turtle-ref"]), in_files(sure));
  const std::string stem = line["turtle-ref"].get<std::string>();
  const std::string name = stem.substr(stem.rfind('/') + 1, stem.rfind('.') - stem.rfind('/') - 1);
  const auto figures = nlohmann::json::parse(
      text_of("s3://bucket/out/job/annotations/consolidated-annotation/confidence/" + name + ".json"));
  const nlohmann::json& last = figures["classes"].back();
  EXPECT_EQ(last["index"], 255);
  EXPECT_EQ(last["class-name"], "Ignore");
  EXPECT_GT(last["agreement"], 0.3);
  EXPECT_LT(last["agreement"], 1.0);
}

TEST_F(VoidLabel, IsIgnoredByWhoeverReadsTheDataset) {
  put_different_photos(5);
  create(spec());
  for (int i = 0; i < 5; ++i) submit("anna", accept("anna"), columns());
  run();
  dataset::TransformOptions options;
  options.input = folder_.path() / "objects/bucket/out/job/manifests/output/output.manifest";
  options.output = folder_.path() / "dataset";
  options.reading.roots.buckets["bucket"] = folder_.path() / "objects/bucket";
  options.split.train_fraction = 0.8;
  options.strict = true;
  const auto report = dataset::transform(options);
  ASSERT_OK(report);
  EXPECT_TRUE(report->written);
  const auto dataset = artifacts::open_dataset_folder(options.output);
  ASSERT_OK(dataset);
  ASSERT_TRUE(dataset->classes);
  ASSERT_EQ(dataset->classes->size(), 3);  // the void label is no class
  EXPECT_EQ(dataset->classes->classes[2].name, "Diver");
  ASSERT_EQ(dataset->train.samples.size(), 4U);
  for (const artifacts::Sample& sample : dataset->train.samples) {
    const auto read = artifacts::read_sample(sample, dataset->train.label_map);
    ASSERT_OK(read);
    EXPECT_EQ(read->mask, in_files(columns()));
  }
}

TEST_F(VoidLabel, FitsBeside253OthersAndNotBeside254) {
  put_different_photos(1);
  const auto categories = [&](int count) {
    nlohmann::json list = nlohmann::json::array({{{"label", "Ignore"}, {"void", true}}});
    labels_.clear();
    for (int i = 1; i <= count; ++i) {
      labels_.push_back("label " + std::to_string(i));
      list.push_back(labels_.back());
    }
    labels_.push_back("Ignore");
    palette_ = imaging::default_palette(count + 1);
    palette_.push_back({128, 128, 128});
    put("categories.json", json_text({{"labels", list}}));
  };
  categories(254);
  EXPECT_THAT(jobs().create(spec("more")).error().message, HasSubstr("254 labels"));
  categories(253);
  JobSpec wanted = spec();
  wanted.workers_per_object = 2;
  create(wanted);
  imaging::Mask mask(kSize), expected(kSize);
  for (int i = 0; i < 192; ++i) {
    const auto label = static_cast<std::uint8_t>(i + 63);  // 63 .. 254, the void one last
    mask.set(i % 16, i / 16, label);
    expected.set(i % 16, i / 16, label == 254 ? 255 : label);
  }
  submit("anna", accept("anna"), mask);
  submit("bob", accept("bob"), mask);
  run();
  EXPECT_EQ(mask_at(manifest()[0]["turtle-ref"]), expected);
  EXPECT_EQ(manifest()[0]["turtle-ref-metadata"]["internal-color-map"].size(), 255U);
}

TEST_F(VoidLabel, IsNoChoiceOfAVerification) {
  put_different_photos(1);
  JobSpec wanted = spec();
  wanted.pre_function.name = "PRE-VerificationSemanticSegmentation";
  wanted.post_function.name = "ACS-VerificationSemanticSegmentation";
  EXPECT_THAT(jobs().create(wanted).error().message, HasSubstr("'Ignore' is void"));
}

}  // namespace
}  // namespace terrapin::labeling
