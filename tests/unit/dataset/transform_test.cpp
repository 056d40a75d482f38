#include "dataset/transform.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <map>
#include <set>

#include "artifacts/channels.h"
#include "base/interrupt.h"
#include "dataset/inspect.h"
#include "dataset/scenes.h"
#include "dataset/transform_output.h"
#include "dataset/voc.h"
#include "unit/dataset/dataset_fixture.h"

namespace terrapin::dataset {
namespace {

namespace fs = std::filesystem;

std::map<std::string, Bytes> content(const fs::path& folder) {
  std::map<std::string, Bytes> files;
  const auto listed = list_files(folder, true);
  EXPECT_TRUE(listed.has_value());
  if (!listed) return files;
  for (const fs::path& file : *listed) {
    files[file.lexically_relative(folder).string()] = *read_file(file);
  }
  return files;
}

TransformOptions options_for(const fs::path& input, const fs::path& output) {
  TransformOptions options;
  options.input = input, options.output = output;
  return options;
}

TEST(Transform, GroundTruthOutputBecomesChannelsWithTheSamePixels) {
  const TemporaryFolder t;
  SceneOptions scene;
  scene.size = {48, 40};
  scene.class_count = 4;
  ASSERT_TRUE(write_scene_output(t.path() / "gt", 10, scene).has_value());
  const auto before = content(t.path() / "gt");
  TransformOptions options =
      options_for(t.path() / "gt/labelscenes/manifests/output/output.manifest", t.path() / "out");
  ASSERT_TRUE(options.reading.roots.add("scenes=" + (t.path() / "gt").string()).has_value());
  options.split = {0.6, 0.2, 1};
  const auto report = transform(options);
  ASSERT_TRUE(report.has_value()) << report.error().message;
  EXPECT_TRUE(report->problems.empty());
  EXPECT_EQ(report->counts, (std::array<std::int64_t, 3>{6, 2, 2}));
  EXPECT_EQ(content(t.path() / "gt"), before);  // inputs are never changed

  const auto dataset = artifacts::open_dataset_folder(t.path() / "out");
  ASSERT_TRUE(dataset.has_value()) << dataset.error().message;
  EXPECT_EQ(dataset->train.samples.size(), 6U);
  EXPECT_EQ(dataset->classes, scene_classes(4));
  std::set<imaging::Palette> palettes;
  for (const auto* channel : {&dataset->train, &dataset->validation, &*dataset->test}) {
    for (const artifacts::Sample& sample : channel->samples) {
      const auto index = static_cast<std::uint64_t>(std::stoi(sample.name.substr(6)));
      const auto read = artifacts::read_sample(sample, channel->label_map);
      ASSERT_TRUE(read.has_value()) << read.error().message;
      EXPECT_EQ(read->mask, make_scene(scene, index).mask);
      palettes.insert(imaging::read_mask(sample.mask)->palette);
    }
  }
  ASSERT_EQ(palettes.size(), 1U);
  EXPECT_EQ(palettes.begin()->at(1), (imaging::Rgb{0x1f, 0x77, 0xb4}));
}

TEST(Transform, ThreadCountDoesNotShow) {
  const TemporaryFolder t;
  write_text(t.path() / "in/output.manifest", good_lines(t.path() / "in", 9));
  TransformOptions options = options_for(t.path() / "in/output.manifest", t.path() / "one");
  options.threads = 1;
  ASSERT_TRUE(transform(options).has_value());
  options.output = t.path() / "three", options.threads = 3;
  ASSERT_TRUE(transform(options).has_value());
  EXPECT_EQ(content(t.path() / "one"), content(t.path() / "three"));
}

TEST(Transform, SameBaseNamesAreToldApart) {
  const TemporaryFolder t;
  std::string lines;
  for (const char* folder : {"a", "b", "c"}) {
    put_photo(t.path() / folder / "x.jpg", folder[0]);
    put_mask(t.path() / folder / "m.png");
    lines += manifest_line(std::string(folder) + "/x.jpg", std::string(folder) + "/m.png");
  }
  write_text(t.path() / "output.manifest", lines);
  const auto report = transform(options_for(t.path() / "output.manifest", t.path() / "out"));
  ASSERT_TRUE(report.has_value()) << report.error().message;
  ASSERT_EQ(report->renamed.size(), 3U);
  EXPECT_EQ(report->renamed[1].source, "b/x.jpg");
  EXPECT_EQ(report->renamed[1].name, "b__x");
  EXPECT_TRUE(artifacts::open_dataset_folder(t.path() / "out").has_value());
}

TEST(UniqueNames, FolderThenNumber) {
  EXPECT_THAT(unique_names({{"s3://k/a/x.jpg", "x"}, {"s3://k/b/X.png", "X"}, {"s3://k/y.jpg", "y"}}),
              testing::ElementsAre("a__x", "b__X", "y"));
  EXPECT_THAT(unique_names({{"s3://k/a/x.png", "x"}, {"s3://k/a/x.jpg", "x"}}),
              testing::ElementsAre("x-2", "x"));
  EXPECT_THAT(unique_names({{"a/x.jpg", "x"}, {"b/x.jpg", "x"}, {"a__x.jpg", "a__x"}}),
              testing::ElementsAre("a__x-2", "b__x", "a__x"));
  EXPECT_THAT(unique_names({{".h.jpg", ".h"}, {"t", "a\tb"}}), testing::ElementsAre("_.h", "a_b"));
}

TEST(Transform, ColoursAreMappedAndPngPhotosConvertedOrKept) {
  const TemporaryFolder t;
  std::string lines = good_lines(t.path(), 4);
  put_photo(t.path() / "p.png", 200);
  imaging::Image colors({16, 12}, {255, 255, 255});
  for (std::int64_t x = 2; x < 6; ++x) colors.set(x, 3, {44, 160, 44});
  ASSERT_TRUE(write_file_atomically(t.path() / "p-mask.png", *imaging::encode_png(colors)).has_value());
  write_text(t.path() / "output.manifest", lines + manifest_line("p.png", "p-mask.png"));
  TransformOptions options = options_for(t.path() / "output.manifest", t.path() / "jpeg");
  auto report = transform(options);
  ASSERT_TRUE(report.has_value()) << report.error().message;
  EXPECT_EQ(report->converted, 1);
  EXPECT_EQ(report->class_pixels[1], 5 * 4);
  options.output = t.path() / "copy", options.convert_to_jpeg = false;
  report = transform(options);
  ASSERT_TRUE(report.has_value()) << report.error().message;
  bool kept = false;
  for (const auto& [name, bytes] : content(t.path() / "copy")) {
    if (name.ends_with("/p.png") && name.find("annotation") == std::string::npos)
      kept = bytes == *read_file(t.path() / "p.png");
  }
  EXPECT_TRUE(kept);
}

TEST(Transform, LinksAndLeavesOutBadLines) {
  const TemporaryFolder t;
  write_text(t.path() / "output.manifest",
             "not json\n" + good_lines(t.path(), 5) + manifest_line("gone.jpg", "m0.png"));
  TransformOptions options = options_for(t.path() / "output.manifest", t.path() / "out");
  options.link = true;
  const auto report = transform(options);
  ASSERT_TRUE(report.has_value()) << report.error().message;
  EXPECT_EQ(report->entries, 7);
  EXPECT_EQ(report->usable, 5);
  EXPECT_EQ(report->problems.size(), 2U);
  EXPECT_EQ(report->counts[0], 4);
  EXPECT_EQ(report->linked, 5);
  EXPECT_EQ(fs::hard_link_count(t.path() / "a0.jpg"), 2U);
  const auto written = nlohmann::json::parse(*read_text_file(t.path() / "out/report.json"));
  EXPECT_EQ(written["format"], "terrapin-transform-report");
  EXPECT_EQ(written["problems"][0]["line"], 1);
}

TEST(Transform, DuplicatesShareASplitWhateverTheSeed) {
  const TemporaryFolder t;
  std::string lines = good_lines(t.path(), 8);
  put_photo(t.path() / "copy.jpg", 0);  // the bytes of a0.jpg
  put_mask(t.path() / "copy.png");
  write_text(t.path() / "output.manifest", lines + manifest_line("copy.jpg", "copy.png"));
  for (std::uint64_t seed = 0; seed < 6; ++seed) {
    TransformOptions options =
        options_for(t.path() / "output.manifest", t.path() / ("out" + std::to_string(seed)));
    options.split = {0.5, 0, seed};
    const auto report = transform(options);
    ASSERT_TRUE(report.has_value()) << report.error().message;
    const bool first = fs::exists(options.output / "train/a0.jpg"),
               second = fs::exists(options.output / "train/copy.jpg");
    EXPECT_EQ(first, second) << seed;
  }
}

TEST(Transform, OverwritesOnlyItsOwnOutputAndInterruptLeavesNothing) {
  const TemporaryFolder t;
  write_text(t.path() / "in/output.manifest", good_lines(t.path() / "in", 5));
  TransformOptions options = options_for(t.path() / "in/output.manifest", t.path() / "out");
  write_text(t.path() / "out/mine.txt", "precious");
  EXPECT_EQ(transform(options).error().code, ErrorCode::kAlreadyExists);
  options.overwrite = true;
  EXPECT_EQ(transform(options).error().code, ErrorCode::kAlreadyExists);
  EXPECT_TRUE(fs::exists(t.path() / "out/mine.txt"));
  options.output = t.path() / "new";
  ASSERT_TRUE(transform(options).has_value());
  EXPECT_TRUE(transform(options).has_value());
  options.overwrite = false;
  EXPECT_EQ(transform(options).error().code, ErrorCode::kAlreadyExists);

  install_interrupt_handlers();
  options.output = t.path() / "never";
  std::raise(SIGTERM);
  const auto stopped = transform(options);
  clear_interrupt();
  ASSERT_FALSE(stopped.has_value());
  EXPECT_EQ(stopped.error().code, ErrorCode::kCancelled);
  EXPECT_FALSE(fs::exists(t.path() / "never"));
  EXPECT_EQ(std::distance(fs::directory_iterator(t.path()), fs::directory_iterator()), 3);  // in, out, new
}

TEST(Transform, VocFolderKeepsItsSplitAndNames) {
  const TemporaryFolder t;
  const fs::path voc = t.path() / "VOC2012";
  imaging::Mask mask = small_mask(8);
  mask.set(0, 0, 255);
  for (int i = 0; i < 3; ++i) {
    put_photo(voc / ("JPEGImages/v" + std::to_string(i) + ".jpg"), i * 9);
    put_mask(voc / ("SegmentationClass/v" + std::to_string(i) + ".png"), mask, voc_palette());
  }
  put_photo(voc / "JPEGImages/unlabelled.jpg", 99);
  write_text(voc / "ImageSets/Segmentation/train.txt", "v0\nv2\n");
  write_text(voc / "ImageSets/Segmentation/val.txt", "v1\n");
  TransformOptions options = options_for(voc, t.path() / "out");
  options.strict = true;
  const auto report = transform(options);
  ASSERT_TRUE(report.has_value()) << report.error().message;
  EXPECT_TRUE(report->written) << summary(*report);
  EXPECT_EQ(report->classes.classes[8].name, "cat");
  EXPECT_EQ(report->counts, (std::array<std::int64_t, 3>{2, 1, 0}));
  EXPECT_EQ(report->ignored_pixels, 3);
  EXPECT_TRUE(fs::exists(t.path() / "out/validation/v1.jpg"));
}

TEST(Inspect, CountsSharesAndFindsTheLeak) {
  const TemporaryFolder t;
  for (const char* name : {"train/a", "train/b", "validation/c"}) {
    const std::string path(name);
    const std::size_t slash = path.find('/');
    put_photo(t.path() / (path + ".jpg"), path.back() == 'c' ? 'a' : path.back());  // c has the bytes of a
    put_mask(t.path() / (path.substr(0, slash) + "_annotation") / (path.substr(slash + 1) + ".png"),
             path.back() == 'b' ? imaging::Mask({16, 12}) : small_mask());
  }
  InspectOptions options;
  options.input = t.path();
  options.sheet = t.path() / "sheet.png";
  const auto report = inspect(options);
  ASSERT_TRUE(report.has_value()) << report.error().message;
  ASSERT_EQ(report->problems.size(), 1U);
  EXPECT_EQ(
      describe(report->problems[0]),
      "validation/c.jpg: the same bytes as train/a.jpg, which is in train while this one is in validation");
  const SetStatistics& train = report->splits.at("train");
  EXPECT_EQ(train.photos(), 2);
  EXPECT_EQ(train.empty_masks(), 1);
  EXPECT_EQ(train.pixels(1), 4);
  EXPECT_DOUBLE_EQ(train.share(1), 4.0 / (2 * 16 * 12));
  EXPECT_EQ(train.widths().median, 16);
  ASSERT_EQ(report->notes.size(), 1U);
  EXPECT_EQ(describe(report->notes[0]), "train/b.jpg: no pixel belongs to a class other than 0");
  EXPECT_TRUE(imaging::read_photo(options.sheet).has_value());
}

// Real photos: 313 turtles whose splits.tsv must be kept.
TEST(Transform, RealPhotosKeepTheirSplit) {
  const char* data = std::getenv("TERRAPIN_TEST_DATA");
  if (data == nullptr) GTEST_SKIP() << "TERRAPIN_TEST_DATA is not set";
  const TemporaryFolder t;
  TransformOptions options = options_for(fs::path(data) / "turtle_heads", t.path() / "out");
  options.link = true;
  const auto report = transform(options);
  ASSERT_TRUE(report.has_value()) << report.error().message;
  EXPECT_EQ(report->counts, (std::array<std::int64_t, 3>{276, 19, 18}));
}

}  // namespace
}  // namespace terrapin::dataset
