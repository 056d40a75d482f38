#include "dataset/transform.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <functional>
#include <map>
#include <set>
#include <thread>

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

TEST(UniqueNames, LongOnesAreCutBetweenCharacters) {
  const std::string turtle = "\xf0\x9f\x90\xa2";  // four bytes
  std::string stem = "xy";
  while (stem.size() < 400) stem += turtle;
  EXPECT_THAT(unique_names({{"k", stem}}), testing::ElementsAre(stem.substr(0, 178)));
  EXPECT_THAT(unique_names({{"k", std::string(400, 'z')}}), testing::ElementsAre(std::string(180, 'z')));
  EXPECT_THAT(unique_names({{"k", std::string(400, '\x80')}}),  // no UTF-8: cut anywhere
              testing::ElementsAre(std::string(180, '\x80')));
}

TEST(Transform, ColoursAreMappedAndPngPhotosConvertedOrKept) {
  const TemporaryFolder t;
  std::string lines = good_lines(t.path(), 4);
  put_photo(t.path() / "p.png", 200);
  put_colors(t.path() / "p-mask.png", {44, 160, 44});
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

TEST(Transform, OverwriteSparesAFolderThatHoldsMore) {
  const TemporaryFolder t;
  write_text(t.path() / "in/output.manifest", good_lines(t.path() / "in", 10));
  TransformOptions options = options_for(t.path() / "in/output.manifest", t.path() / "out");
  options.split.test_fraction = 0.1;  // every folder that transform may write
  options.overwrite = true;
  ASSERT_TRUE(transform(options).has_value());
  ASSERT_TRUE(transform(options).has_value());
  write_text(t.path() / "out/zebra.txt", "precious");
  write_text(t.path() / "out/.git/config", "precious");
  const auto before = content(t.path() / "out");
  const auto refused = transform(options);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kAlreadyExists);
  EXPECT_EQ(refused.error().message,
            (t.path() / "out").string() +
                " holds '.git', which transform did not write: --overwrite does not touch it; move it away");
  EXPECT_EQ(content(t.path() / "out"), before);
  EXPECT_TRUE(fs::exists(t.path() / "out/.git/config"));
}

TEST(OutputFolder, AFolderThatFillsMeanwhileIsSpared) {
  const TemporaryFolder t;
  fs::create_directory(t.path() / "out");
  auto output = OutputFolder::open(t.path() / "out", false);
  ASSERT_TRUE(output.has_value()) << output.error().message;
  write_text(output->building() / "report.json", "{}");
  write_text(t.path() / "out/mine.txt", "precious");
  EXPECT_EQ(output->commit().error().code, ErrorCode::kAlreadyExists);
  EXPECT_TRUE(fs::exists(t.path() / "out/mine.txt"));
}

TEST(OutputFolder, ALinkToAFolderStaysALink) {
  const TemporaryFolder t;
  write_text(t.path() / "in/output.manifest", good_lines(t.path() / "in", 5));
  fs::create_directory(t.path() / "real");
  fs::create_directory_symlink(t.path() / "real", t.path() / "link");
  TransformOptions options = options_for(t.path() / "in/output.manifest", t.path() / "link");
  options.overwrite = true;
  for (int round = 0; round < 2; ++round) {
    const auto report = transform(options);
    ASSERT_TRUE(report.has_value()) << report.error().message;
    EXPECT_TRUE(fs::is_symlink(t.path() / "link"));
    EXPECT_TRUE(fs::exists(t.path() / "real/report.json"));
  }
}

class ReplaceFolder : public testing::TestWithParam<bool> {};

TEST_P(ReplaceFolder, TakesThePlaceAndLeavesNothingBeside) {
  const TemporaryFolder t;
  const fs::path place = t.path() / "out", fresh = t.path() / "fresh";
  for (const char* text : {"one", "two", "three"}) {
    write_text(fresh / "file", text);
    ASSERT_TRUE(replace_folder(fresh, place, GetParam()).has_value());
    EXPECT_EQ(*read_text_file(place / "file"), text);
    EXPECT_EQ(std::distance(fs::directory_iterator(t.path()), fs::directory_iterator()), 1);
  }
  const auto lost = replace_folder(fresh, place, GetParam());  // there is nothing to put there
  ASSERT_FALSE(lost.has_value());
  EXPECT_EQ(lost.error().code, ErrorCode::kIo);
  EXPECT_EQ(*read_text_file(place / "file"), "three");
}

INSTANTIATE_TEST_SUITE_P(BothWays, ReplaceFolder, testing::Bool(),
                         [](const auto& way) { return way.param ? "Exchange" : "TwoRenames"; });

// What makes --overwrite safe against a crash: there is no moment without a folder in that place.
TEST(OutputFolder, TheOldFolderIsThereUntilTheNewOneIs) {
  const TemporaryFolder t;
  const fs::path place = t.path() / "out", fresh = t.path() / "fresh";
  write_text(place / "file", "x"), write_text(fresh / "file", "y");
  if (::renameat2(AT_FDCWD, fresh.c_str(), AT_FDCWD, place.c_str(), RENAME_EXCHANGE) != 0) {
    GTEST_SKIP() << "this file system cannot exchange two folders";
  }
  std::atomic<bool> over{false}, missed{false};
  std::thread observer([&] {
    while (!over) {
      std::error_code error;
      if (!fs::exists(place, error)) missed = true;
    }
  });
  for (int round = 0; round < 100; ++round) {
    fs::create_directory(fresh);
    std::ofstream(fresh / "file") << round;
    EXPECT_TRUE(replace_folder(fresh, place).has_value());
  }
  over = true;
  observer.join();
  EXPECT_FALSE(missed);
}

// Line 2 gives "cat" another index: what is written must open again.
TEST(Transform, WhatIsWrittenCanBeOpened) {
  const TemporaryFolder t;
  auto line = [&](int i, const std::string& map) {
    const std::string name = "p" + std::to_string(i);
    put_photo(t.path() / (name + ".jpg"), i * 9);
    put_mask(t.path() / (name + ".png"), small_mask(2), {});
    return "{\"source-ref\":\"" + name + ".jpg\",\"l-ref\":\"" + name +
           ".png\",\"l-ref-metadata\":{\"internal-color-map\":" + map + "}}\n";
  };
  const std::string zero = R"("0":{"class-name":"BACKGROUND","hex-color":"#ffffff"})",
                    two = R"("2":{"class-name":"class 1","hex-color":"#0000ff"})";
  write_text(t.path() / "output.manifest",
             line(0, "{" + zero + "," + two + "}") +
                 line(1, R"({"3":{"class-name":"class 1","hex-color":"#0000ff"}})") +
                 line(2, "{" + zero + "}") + line(3, "{}"));
  const auto report = transform(options_for(t.path() / "output.manifest", t.path() / "out"));
  ASSERT_TRUE(report.has_value()) << report.error().message;
  ASSERT_EQ(report->problems.size(), 1U) << summary(*report);
  EXPECT_EQ(report->problems[0].kind, "class-conflict");
  EXPECT_EQ(report->problems[0].line, 2);
  // A line may list only some classes: its mask may hold those of other lines.
  EXPECT_EQ(report->usable, 3);
  const auto dataset = artifacts::open_dataset_folder(t.path() / "out");
  ASSERT_TRUE(dataset.has_value()) << dataset.error().message;
  ASSERT_EQ(dataset->classes->size(), 3);
  EXPECT_EQ(dataset->classes->classes[1].name, "class 1 (unnamed)");  // the gap yields to the named one
  EXPECT_EQ(dataset->classes->classes[2].name, "class 1");
}

// One door: what transform says of a mask is what training says of it.
TEST(Transform, RefusesExactlyWhatReadSampleRefuses) {
  const TemporaryFolder t;
  std::string lines;
  auto add = [&](const std::string& name, const std::function<void(const fs::path&)>& put) {
    put_photo(t.path() / (name + ".jpg"), static_cast<int>(lines.size()));
    put(t.path() / (name + ".png"));
    lines += manifest_line(name + ".jpg", name + ".png");
  };
  add("good", [](const fs::path& m) { put_mask(m); });
  add("good2", [](const fs::path& m) { put_mask(m); });
  add("grey", [](const fs::path& m) { put_mask(m, small_mask(), {{1, 1, 1}, {2, 2, 2}}); });
  add("ignored", [](const fs::path& m) { put_mask(m, small_mask(255)); });
  add("colors", [](const fs::path& m) { put_colors(m, {44, 160, 44}); });
  add("void", [](const fs::path& m) { put_colors(m, {224, 224, 192}); });
  add("stray", [](const fs::path& m) { put_colors(m, {1, 2, 3}); });
  add("label", [](const fs::path& m) { put_mask(m, small_mask(2)); });
  add("palette", [](const fs::path& m) { put_mask(m, small_mask(), {{44, 160, 44}, {255, 255, 255}}); });
  add("size", [](const fs::path& m) { put_mask(m, small_mask(1, {17, 12})); });
  write_text(t.path() / "output.manifest", lines);
  const auto report = transform(options_for(t.path() / "output.manifest", t.path() / "out"));
  ASSERT_TRUE(report.has_value()) << report.error().message;
  std::map<std::string, std::string> said;  // mask -> message
  for (const Problem& problem : report->problems) said[problem.file] = problem.message;
  const auto index = artifacts::index_manifest(t.path() / "output.manifest", "", {});
  ASSERT_TRUE(index.has_value()) << index.error().message;
  int refused = 0;
  for (const artifacts::Sample& sample : index->index.samples) {
    const auto read = artifacts::read_sample(sample, index->index.label_map);
    const auto found = said.find(sample.mask.string());
    EXPECT_EQ(read.has_value(), found == said.end()) << sample.name;
    if (read || found == said.end()) continue;
    EXPECT_THAT(read.error().message, testing::HasSubstr(found->second));
    ++refused;
  }
  EXPECT_EQ(refused, 5);
}

TEST(Transform, VocVoidIsIgnoredInMasksOfColours) {
  const TemporaryFolder t;
  for (int i = 0; i < 3; ++i) {
    put_photo(t.path() / ("voc/JPEGImages/v" + std::to_string(i) + ".jpg"), i * 9);
    imaging::Image colors({16, 12}, {0, 0, 0});
    colors.set(3, 3, {128, 0, 0}), colors.set(4, 3, kVocVoid);
    ASSERT_TRUE(write_file_atomically(t.path() / ("voc/SegmentationClass/v" + std::to_string(i) + ".png"),
                                      *imaging::encode_png(colors))
                    .has_value());
  }
  const auto report = transform(options_for(t.path() / "voc", t.path() / "out"));
  ASSERT_TRUE(report.has_value()) << report.error().message;
  EXPECT_TRUE(report->problems.empty()) << summary(*report);
  EXPECT_EQ(report->class_pixels[1], 3);
  EXPECT_EQ(report->ignored_pixels, 3);
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

// Training reads the test split with the validation label map where it has none of its own; channels hold
// indices, whatever labelmap.txt says, and never colours.
TEST(Inspect, ReadsChannelsAsTrainingDoes) {
  const TemporaryFolder t;
  int shade = 0;
  for (const char* split : {"train", "validation", "test"}) {
    put_photo(t.path() / split / "a.jpg", shade += 9);
    put_mask(t.path() / (std::string(split) + "_annotation/a.png"), small_mask(6), {});
  }
  put_photo(t.path() / "test/rgb.jpg", 99);
  put_colors(t.path() / "test_annotation/rgb.png", {44, 160, 44});
  write_text(t.path() / "label_map/train_label_map.json", R"({"scale":"6"})");
  write_text(t.path() / "label_map/validation_label_map.json", R"({"scale":"3"})");
  write_text(t.path() / "labelmap.txt", "background:1,1,1::\n");
  InspectOptions options;
  options.input = t.path();
  const auto report = inspect(options);
  ASSERT_TRUE(report.has_value()) << report.error().message;
  const auto dataset = artifacts::open_dataset_folder(t.path());
  ASSERT_TRUE(dataset.has_value()) << dataset.error().message;
  const std::pair<const char*, const artifacts::SampleIndex*> splits[] = {
      {"train", &dataset->train}, {"validation", &dataset->validation}, {"test", &*dataset->test}};
  for (const auto& [name, index] : splits) {
    const auto read = artifacts::read_sample(index->samples.at(0), index->label_map);
    ASSERT_TRUE(read.has_value()) << read.error().message;
    EXPECT_EQ(report->splits.at(name).pixels(read->mask.at(3, 3)), 4) << name;
  }
  EXPECT_EQ(report->splits.at("train").pixels(1), 4);
  EXPECT_EQ(report->splits.at("test").pixels(2), 4);
  ASSERT_EQ(report->problems.size(), 1U);
  EXPECT_EQ(report->problems[0].kind, "unknown-color");
  EXPECT_FALSE(artifacts::read_sample(dataset->test->samples.at(1), dataset->test->label_map).has_value());
}

TEST(Inspect, NamesAnEmptyChannelAndAnUnknownPixelValue) {
  const TemporaryFolder t;
  put_photo(t.path() / "train/a.jpg", 1);
  put_mask(t.path() / "train_annotation/a.png", small_mask(9), {});
  put_photo(t.path() / "train/b.jpg", 2);
  put_mask(t.path() / "train_annotation/b.png");
  fs::create_directories(t.path() / "validation"), fs::create_directories(t.path() / "validation_annotation");
  write_text(t.path() / "label_map/train_label_map.json", R"({"map":{"0":0,"1":1}})");
  InspectOptions options;
  options.input = t.path();
  const auto report = inspect(options);
  ASSERT_TRUE(report.has_value()) << report.error().message;
  ASSERT_EQ(report->problems.size(), 2U);
  EXPECT_EQ(describe(report->problems[0]), "validation: no photo in this folder (.jpg, .jpeg, .png, .webp)");
  EXPECT_EQ(report->problems[1].kind, "unknown-label");
  EXPECT_EQ(report->problems[1].value, "9");
}

TEST(Inspect, CutsLongClassNamesBetweenCharacters) {
  EXPECT_EQ(cut_text("caf\xc3\xa9", 5), "caf\xc3\xa9");
  EXPECT_EQ(cut_text("caf\xc3\xa9s", 4), "caf");
  EXPECT_EQ(cut_text("\xe9\xe9", 1), "\xe9");  // no UTF-8
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
