// Channel folders, manifests as channels, and the pixels read through them.
#include <cstdlib>

#include "artifacts/channels.h"
#include "imaging/codecs.h"
#include "unit/artifacts/failures.h"
#include "unit/base/temporary_folder.h"

namespace terrapin::artifacts {
namespace {

using test::expect_failure;
using test::must;
namespace fs = std::filesystem;

class SamplesTest : public ::testing::Test {
 protected:
  fs::path path(const std::string& name) const { return folder_ / name; }
  void touch(const std::string& name) { test::write_text(path(name), "x"); }
  void write_photo(const std::string& name, imaging::Size size = {4, 3}) {
    must(write_file_atomically(path(name), must(imaging::encode_png(imaging::Image(size, {9, 8, 7})))));
  }
  void write_mask(const std::string& name, const imaging::Mask& mask, const imaging::Palette& palette = {}) {
    must(write_file_atomically(path(name), must(imaging::encode_indexed_png(mask, palette))));
  }
  // A manifest of lines {source, mask, colour map or ""}.
  std::string line(const std::string& source, const std::string& mask, const std::string& map) {
    std::string text = R"({"source-ref":")" + source + R"(","l-ref":")" + mask + "\"";
    if (!map.empty()) text += R"(,"l-ref-metadata":{"internal-color-map":)" + map + "}";
    return text + "}\n";
  }
  static std::string entry(int index, const std::string& name, const std::string& color) {
    return "\"" + std::to_string(index) + R"(":{"class-name":")" + name + R"(","hex-color":")" + color +
           "\"}";
  }
  Result<ManifestIndex> index(const std::string& text, const std::string& attribute = {}) {
    test::write_text(path("m.manifest"), text);
    return index_manifest(path("m.manifest"), attribute, {});
  }
  test::TemporaryFolder folder_;
};

TEST_F(SamplesTest, PairsByStemInSubfoldersAndAnyCase) {
  for (const char* name : {"p/b.JPG", "p/a.jpeg", "p/sub/a.PNG", "p/c.d.webp", "p/notes.txt", "p/.hidden.jpg",
                           "m/a.png", "m/b.PNG", "m/sub/a.png", "m/c.d.png", "m/classes.txt"}) {
    touch(name);
  }
  const auto index = must(index_channel(path("p"), path("m")));
  ASSERT_EQ(index.samples.size(), 4u);
  EXPECT_EQ(index.samples[0].name, "a");
  EXPECT_EQ(index.samples[1].name, "b");
  EXPECT_EQ(index.samples[1].photo, path("p/b.JPG"));
  EXPECT_EQ(index.samples[1].mask, path("m/b.PNG"));
  EXPECT_EQ(index.samples[2].name, "c.d");
  EXPECT_EQ(index.samples[3].name, "sub/a");
  EXPECT_TRUE(index.label_map.is_identity());
}

TEST_F(SamplesTest, UnpairedFilesAreNamed) {
  touch("p/a.jpg"), touch("p/b.jpg"), touch("m/a.png"), touch("m/z.png"), touch("m/y.png");
  expect_failure(index_channel(path("p"), path("m")), ErrorCode::kInvalidArgument,
                 "1 photo of " + path("p").string() + " without a mask of the same name in " +
                     path("m").string() + ": b.jpg; 2 masks of " + path("m").string() +
                     " without a photo of the same name in " + path("p").string() + ": y.png, z.png");
  for (int i = 10; i < 22; ++i) touch("p/n" + std::to_string(i) + ".jpg");
  expect_failure(index_channel(path("p"), path("m")), ErrorCode::kInvalidArgument, "13 photos of ");
  expect_failure(index_channel(path("p"), path("m")), ErrorCode::kInvalidArgument, "n18.jpg, ...; 2 masks");
}

TEST_F(SamplesTest, TwoOfOneNameAndEmptyFoldersAreErrors) {
  touch("p/a.jpg"), touch("p/a.PNG"), touch("m/a.png"), touch("e/x.txt");
  expect_failure(index_channel(path("p"), path("m")), ErrorCode::kInvalidArgument,
                 "two photos are named 'a': ");
  expect_failure(index_channel(path("e"), path("m")), ErrorCode::kInvalidArgument,
                 "no photo in this folder (1 other files), expected .jpg, .jpeg, .png, .webp");
  fs::remove(path("p/a.PNG"));
  expect_failure(index_channel(path("p"), path("e")), ErrorCode::kInvalidArgument, "no mask in this folder");
  expect_failure(index_channel(path("none"), path("m")), ErrorCode::kNotFound,
                 "no such folder, expected the photos");
}

TEST_F(SamplesTest, OpensADatasetFolder) {
  expect_failure(open_dataset_folder(path("set")), ErrorCode::kNotFound, "no such dataset folder");
  touch("set/train/a.jpg"), touch("set/train_annotation/a.png"), touch("set/validation/b.jpg");
  expect_failure(open_dataset_folder(path("set")), ErrorCode::kNotFound, "no folder 'validation_annotation'");
  touch("set/validation_annotation/b.png");
  auto dataset = must(open_dataset_folder(path("set")));
  EXPECT_EQ(dataset.train.samples.at(0).name, "a");
  EXPECT_EQ(dataset.validation.samples.at(0).name, "b");
  EXPECT_FALSE(dataset.test);
  EXPECT_FALSE(dataset.classes);
  EXPECT_TRUE(dataset.train.label_map.is_identity());

  touch("set/test/c.jpg");
  expect_failure(open_dataset_folder(path("set")), ErrorCode::kNotFound, "test_annotation");
  touch("set/test_annotation/c.png");
  test::write_text(path("set/label_map/train_label_map.json"), R"({"scale":"2"})");
  test::write_text(path("set/label_map/validation_label_map.json"), R"({"scale":"3"})");
  must(write_classes_file(path("set/classes.json"), ClassList::with_default_names(2)));
  dataset = must(open_dataset_folder(path("set")));
  EXPECT_EQ(dataset.train.label_map.to_json()["scale"], "2");
  EXPECT_EQ(dataset.validation.label_map.to_json()["scale"], "3");
  ASSERT_TRUE(dataset.test);
  EXPECT_EQ(dataset.test->label_map.to_json()["scale"], "3");
  EXPECT_EQ(dataset.classes, ClassList::with_default_names(2));

  test::write_text(path("set/label_map/train_label_map.json"), "{}");
  expect_failure(open_dataset_folder(path("set")), ErrorCode::kCorrupt,
                 "train_label_map.json: label map is {}");
}

TEST_F(SamplesTest, IndexesAManifestInItsOrder) {
  const std::string zero = entry(0, "BACKGROUND", "#ffffff"), two = entry(2, "Turtle", "#2ca02c");
  const std::string failed = R"({"source-ref":"f.jpg","l-ref-metadata":{"failure-reason":"nobody came"}})";
  const auto result =
      must(index(line("z/a.jpg", "1.png", "{" + zero + "}") + failed + "\n{\"source-ref\":\"u\"}\n" +
                 line("y/a.jpg", "2.png", "{" + zero + "," + two + "}") + line("a_2.jpg", "3.png", "")));
  EXPECT_EQ(result.attribute, "l-ref");
  EXPECT_EQ(result.failed_lines, 1);
  EXPECT_EQ(result.unlabeled_lines, 1);
  ASSERT_EQ(result.index.samples.size(), 3u);
  EXPECT_EQ(result.index.samples[0].name, "a");
  EXPECT_EQ(result.index.samples[1].name, "a_2");
  EXPECT_EQ(result.index.samples[2].name, "a_2_2");
  EXPECT_EQ(result.index.samples[0].photo, path("z/a.jpg"));
  EXPECT_EQ(result.index.samples[2].mask, path("3.png"));
  for (const Sample& sample : result.index.samples) EXPECT_EQ(sample.color_map.size(), 2u);
  ASSERT_EQ(result.classes.size(), 3);
  EXPECT_EQ(result.classes.classes[1].name, "class 1");  // the gap
  EXPECT_EQ(result.classes.classes[2].name, "Turtle");
  EXPECT_EQ(must(index(line("a", "b", ""))).classes.size(), 0);
}

TEST_F(SamplesTest, LinesMustAgreeOnTheClasses) {
  const std::string first = line("a", "1", "{" + entry(1, "Turtle", "#2ca02c") + "}");
  expect_failure(index(first + line("b", "2", "{" + entry(1, "Crab", "#2ca02c") + "}")),
                 ErrorCode::kInvalidArgument,
                 path("m.manifest").string() +
                     ":2: class 1 is 'Crab' here and 'Turtle' on line 1; all lines must agree");
  expect_failure(index(first + line("b", "2", "{" + entry(1, "Turtle", "#2ca02d") + "}")),
                 ErrorCode::kInvalidArgument,
                 ":2: class 1 'Turtle' has the colour #2ca02d here and #2ca02c on line 1");
  expect_failure(index(first + "\n" + line("b", "2", "{" + entry(4, "Turtle", "#2ca02c") + "}")),
                 ErrorCode::kInvalidArgument, ":3: class 'Turtle' has the index 4 here and 1 on line 1");
}

TEST_F(SamplesTest, TheLabelAttributeMustBeClear) {
  const std::string chained = R"({"source-ref":"a","x-ref":"1","y-ref":"2"})";
  expect_failure(index(chained), ErrorCode::kInvalidArgument,
                 "several label attributes: 'x-ref' (1 lines), 'y-ref' (1 lines); choose one");
  EXPECT_EQ(must(index(chained, "y-ref")).index.samples.at(0).mask, path("2"));
  expect_failure(index(chained, "z-ref"), ErrorCode::kInvalidArgument,
                 "no line has the label attribute 'z-ref'; there are: 'x-ref' (1 lines), 'y-ref' (1 lines)");
  expect_failure(index(R"({"source-ref":"a"})"), ErrorCode::kInvalidArgument,
                 "no line has a label attribute");
  expect_failure(index(R"({"source-ref":"a","l-ref-metadata":{"failure-reason":"x"}})"),
                 ErrorCode::kInvalidArgument, "every line of 'l-ref' failed (1 lines)");
  expect_failure(index(line("s3://b/k", "m", "")), ErrorCode::kNotFound, "m.manifest:1: 's3://b/k'");
  expect_failure(index("{\n"), ErrorCode::kCorrupt, "m.manifest:1: not valid JSON");
  expect_failure(index("\n"), ErrorCode::kInvalidArgument, "m.manifest: the manifest has no lines");
}

// 4 x 3, background with one turtle pixel at (2, 1).
imaging::Mask turtle_mask(std::uint8_t label = 1) {
  imaging::Mask mask({4, 3});
  mask.set(2, 1, label);
  return mask;
}

const std::vector<ColorMapEntry> kTurtleMap{{0, "BACKGROUND", {255, 255, 255}, {}},
                                            {1, "Turtle", {0x2c, 0xa0, 0x2c}, {}}};

TEST_F(SamplesTest, ReadsPhotoAndMask) {
  write_photo("p.png");
  write_mask("m.png", turtle_mask(6));
  const auto map = must(LabelMap::from_json({{"scale", "3"}}));
  const auto pair = must(read_sample({"s", path("p.png"), path("m.png"), {}}, map));
  EXPECT_EQ(pair.photo.at(3, 2), (imaging::Rgb{9, 8, 7}));
  EXPECT_EQ(pair.mask, turtle_mask(2));
  const auto narrow = must(LabelMap::from_json(nlohmann::json::parse(R"({"map":{"0":0}})")));
  expect_failure(read_sample_mask({"s", path("p.png"), path("m.png"), {}}, narrow),
                 ErrorCode::kInvalidArgument, path("m.png").string() + ": pixel value 6 at (2, 1)");
}

TEST_F(SamplesTest, SizesMustAgree) {
  write_photo("p.png", {5, 3});
  write_photo("turned.png", {3, 4});
  write_mask("m.png", turtle_mask());
  expect_failure(
      read_sample({"s", path("p.png"), path("m.png"), {}}, LabelMap::identity()), ErrorCode::kInvalidArgument,
      path("m.png").string() + ": the mask is 4x3 but the photo is 5x3 (" + path("p.png").string() + ")");
  expect_failure(read_sample({"s", path("turned.png"), path("m.png"), {}}, LabelMap::identity()),
                 ErrorCode::kInvalidArgument, "before any EXIF rotation");
}

TEST_F(SamplesTest, ColoursBecomeIndices) {
  imaging::Image colors({4, 3}, {255, 255, 255});
  colors.set(2, 1, {0x2c, 0xa0, 0x2c});
  must(write_file_atomically(path("m.png"), must(imaging::encode_png(colors))));
  Sample sample{"s", {}, path("m.png"), kTurtleMap};
  EXPECT_EQ(must(read_sample_mask(sample, LabelMap::identity())), turtle_mask());
  sample.color_map[1].index = 255;
  EXPECT_EQ(must(read_sample_mask(sample, LabelMap::identity())), turtle_mask(255));
  sample.color_map.clear();
  expect_failure(read_sample_mask(sample, LabelMap::identity()), ErrorCode::kInvalidArgument,
                 path("m.png").string() + ": the mask holds RGB colours and no colour map is known");
  sample.color_map = kTurtleMap;
  sample.color_map[1].color = {255, 255, 255};
  expect_failure(read_sample_mask(sample, LabelMap::identity()), ErrorCode::kInvalidArgument,
                 "gives #ffffff to both");
  sample.color_map = kTurtleMap;
  colors.set(1, 2, {0x2c, 0xa0, 0x2d});
  must(write_file_atomically(path("m.png"), must(imaging::encode_png(colors))));
  expect_failure(
      read_sample_mask(sample, LabelMap::identity()), ErrorCode::kInvalidArgument,
      "colour #2ca02d (1 pixels, first at 1,2) is not in the colour map; known: #ffffff BACKGROUND, "
      "#2ca02c Turtle");
}

TEST_F(SamplesTest, IndicesAreHeldAgainstTheColourMap) {
  const Sample sample{"s", {}, path("m.png"), kTurtleMap};
  write_mask("m.png", turtle_mask(), {{255, 255, 255}, {0x2c, 0xa0, 0x2c}});
  EXPECT_EQ(must(read_sample_mask(sample, LabelMap::identity())), turtle_mask());
  write_mask("m.png", turtle_mask(), {{1, 1, 1}, {2, 2, 2}});  // someone's own colours say nothing
  EXPECT_EQ(must(read_sample_mask(sample, LabelMap::identity())), turtle_mask());
  write_mask("m.png", turtle_mask(255));
  EXPECT_EQ(must(read_sample_mask(sample, LabelMap::identity())), turtle_mask(255));
  write_mask("m.png", turtle_mask(7), {});
  expect_failure(read_sample_mask(sample, LabelMap::identity()), ErrorCode::kInvalidArgument,
                 "pixel value 7 (1 pixels, first at 2,1) is no class; known: 0 BACKGROUND, 1 Turtle; 255 is "
                 "ignored");
  write_mask("m.png", turtle_mask(), {{0x2c, 0xa0, 0x2c}, {255, 255, 255}});
  expect_failure(read_sample_mask(sample, LabelMap::identity()), ErrorCode::kCorrupt,
                 "indices and colours disagree");
}

TEST(ReadLabels, TellsTheKindAndTheValue) {
  const auto fault_of = [](imaging::MaskFile file, const LabelRules& rules) {
    const auto labels = read_labels(std::move(file), rules);
    return labels ? std::string("none")
                  : std::string(fault_name(labels.error().kind)) + " " + labels.error().value;
  };
  const auto labels = [](std::uint8_t label, imaging::Palette palette = {}) {
    return imaging::MaskFile{turtle_mask(label), {}, std::move(palette)};
  };
  imaging::Image colors({4, 3}, {255, 255, 255});
  colors.set(2, 1, {224, 224, 192});
  const imaging::MaskFile rgb{{}, colors, {}};
  const LabelRules rules{.color_map = kTurtleMap};
  EXPECT_EQ(fault_of(labels(1), rules), "none");
  EXPECT_EQ(fault_of(labels(2), rules), "unknown-label 2");
  EXPECT_EQ(fault_of(labels(1, {{1, 1, 1}, {255, 255, 255}}), rules), "palette-conflict #ffffff");
  EXPECT_EQ(fault_of(rgb, rules), "unknown-color #e0e0c0");
  EXPECT_EQ(fault_of(rgb, {}), "unknown-color #ffffff");
  EXPECT_EQ(fault_of(rgb, {.color_map = kTurtleMap, .ignored_color = imaging::Rgb{224, 224, 192}}), "none");
  std::vector<ColorMapEntry> twice = kTurtleMap;
  twice[1].color = {255, 255, 255};
  EXPECT_EQ(fault_of(rgb, {.color_map = twice}), "ambiguous-color #ffffff");
  EXPECT_EQ(fault_of(labels(1), {.color_map = twice}), "none");  // indices need no colours
  // Where the palette decides, indices mean nothing: 9 is drawn as a turtle.
  imaging::Palette drawn(10, {255, 255, 255});
  drawn[9] = {0x2c, 0xa0, 0x2c};
  const auto by_color = read_labels(labels(9, drawn), {.color_map = kTurtleMap, .palette_decides = true});
  ASSERT_TRUE(by_color.has_value());
  EXPECT_EQ(*by_color, turtle_mask(1));
  drawn[9] = {7, 7, 7};
  EXPECT_EQ(fault_of(labels(9, drawn), {.color_map = kTurtleMap, .palette_decides = true}),
            "unknown-color #070707");
  // The label map comes last, and the classes are those of its answers.
  const LabelMap map = must(LabelMap::from_json(nlohmann::json::parse(R"({"map":{"0":0,"5":8}})")));
  const ClassList five = ClassList::with_default_names(5), six = ClassList::with_default_names(6);
  EXPECT_EQ(fault_of(labels(9), {.label_map = &map}), "unknown-label 9");
  EXPECT_EQ(fault_of(labels(8), {.label_map = &map, .classes = &five}), "unknown-label 5");
  EXPECT_EQ(fault_of(labels(8), {.label_map = &map, .classes = &six}), "none");
}

TEST_F(SamplesTest, TheTestSplitFallsBackOnTheValidationLabelMap) {
  EXPECT_TRUE(must(read_split_label_map(path("set"), "test")).is_identity());
  test::write_text(path("set/label_map/validation_label_map.json"), R"({"scale":"3"})");
  EXPECT_EQ(must(read_split_label_map(path("set"), "test")).to_json()["scale"], "3");
  EXPECT_TRUE(must(read_split_label_map(path("set"), "train")).is_identity());
  test::write_text(path("set/label_map/test_label_map.json"), R"({"scale":"5"})");
  EXPECT_EQ(must(read_split_label_map(path("set"), "test")).to_json()["scale"], "5");
}

TEST_F(SamplesTest, PairsTellWhatIsLeftOver) {
  for (const char* name : {"p/a.jpg", "p/a.png", "p/b.jpg", "p/x.txt", "m/a.PNG", "m/a.png", "m/c.png"})
    touch(name);
  const PairedFolders paired = must(pair_folders(path("p"), path("m")));
  ASSERT_EQ(paired.samples.size(), 1u);
  EXPECT_EQ(paired.samples[0].photo, path("p/a.jpg"));
  EXPECT_EQ(paired.samples[0].mask, path("m/a.PNG"));
  EXPECT_EQ(paired.photos_alone.begin()->second, path("p/b.jpg"));
  EXPECT_EQ(paired.masks_alone.begin()->second, path("m/c.png"));
  ASSERT_EQ(paired.twins.size(), 2u);
  EXPECT_EQ(paired.twins[0].second, path("p/a.png"));
  EXPECT_TRUE(paired.twins[1].is_mask);
  EXPECT_EQ(paired.photo_files, 3u);
  EXPECT_EQ(paired.other_photos, 1u);
}

TEST_F(SamplesTest, UnreadableFilesAreNamed) {
  touch("bad.png");
  write_photo("p.png");
  expect_failure(read_sample_mask({"s", {}, path("none.png"), {}}, LabelMap::identity()),
                 ErrorCode::kNotFound, "none.png");
  const auto bad = read_sample({"s", path("p.png"), path("bad.png"), {}}, LabelMap::identity());
  expect_failure(bad, ErrorCode::kUnsupported, path("bad.png").string());
  expect_failure(read_sample({"s", path("bad.png"), path("p.png"), {}}, LabelMap::identity()),
                 ErrorCode::kUnsupported, path("bad.png").string());
}

TEST_F(SamplesTest, RealTurtlesPairAndRead) {
  const char* data = std::getenv("TERRAPIN_TEST_DATA");
  if (!data) GTEST_SKIP() << "TERRAPIN_TEST_DATA is not set";
  const fs::path turtles = fs::path(data) / "turtle_heads";
  const auto index = must(index_channel(turtles / "images", turtles / "masks"));
  EXPECT_EQ(index.samples.size(), 313u);
  for (std::size_t i = 0; i < index.samples.size(); i += 60) {
    const auto pair = must(read_sample(index.samples[i], index.label_map));
    for (const std::uint8_t label : pair.mask.bytes()) ASSERT_LE(label, 1);
  }
}

}  // namespace
}  // namespace terrapin::artifacts
