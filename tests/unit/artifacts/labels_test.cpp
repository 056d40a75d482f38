// Class lists, classes.json and label maps.
#include "artifacts/channels.h"
#include "unit/artifacts/failures.h"
#include "unit/base/temporary_folder.h"

namespace terrapin::artifacts {
namespace {

using nlohmann::json;
using test::expect_failure;
using test::must;

TEST(ClassList, RoundTripsThroughJson) {
  const ClassList list = ClassList::with_default_names(13);
  EXPECT_EQ(list.size(), 13);
  EXPECT_EQ(list.classes[0].name, "BACKGROUND");
  EXPECT_EQ(list.classes[12].name, "class 12");
  EXPECT_EQ(list.palette()[0], (imaging::Rgb{255, 255, 255}));
  EXPECT_EQ(must(class_list_from_json(to_json(list))), list);
}

TEST(ClassList, RefusesWhatIsNoList) {
  const auto refuse = [](const std::string& text, const std::string& part) {
    expect_failure(class_list_from_json(json::parse(text)), ErrorCode::kCorrupt, part);
  };
  refuse("{}", "expected an array of 1 to 255 classes");
  refuse("[]", "expected an array of 1 to 255 classes");
  refuse("[1]", "classes[0] is 1, expected an object");
  refuse(R"([{"color":"#ffffff"}])", "field 'classes[0].name' is missing");
  refuse(R"([{"name":7,"color":"#ffffff"}])", "field 'classes[0].name' is 7, expected a string");
  refuse(R"([{"name":"","color":"#ffffff"}])", "classes[0].name is empty");
  refuse(R"([{"name":"a","color":"white"}])", "classes[0].color");
  refuse(R"([{"name":"a","color":"#ffffff","x":1}])",
         "unknown field 'classes[0].x', expected one of: color, name");
  refuse(R"([{"name":"a","color":"#ffffff"},{"name":"a","color":"#000000"}])",
         "the name of classes[0] already");
  json many = json::array();
  for (int i = 0; i < 256; ++i) many.push_back({{"name", std::to_string(i)}, {"color", "#000000"}});
  expect_failure(class_list_from_json(many), ErrorCode::kCorrupt, "1 to 255");
  many.erase(255);
  EXPECT_EQ(must(class_list_from_json(many)).size(), 255);
}

TEST(ClassesFile, RoundTripsAndNamesItsFaults) {
  test::TemporaryFolder folder;
  const auto path = folder / "classes.json";
  must(write_classes_file(path, ClassList::with_default_names(3)));
  EXPECT_EQ(must(read_classes_file(path)), ClassList::with_default_names(3));
  const auto refuse = [&](const std::string& text, ErrorCode code, const std::string& part) {
    test::write_text(path, text);
    expect_failure(read_classes_file(path), code, path.string() + ": " + part);
  };
  refuse("{", ErrorCode::kCorrupt, "not valid JSON at byte");
  refuse("[]", ErrorCode::kCorrupt, "the document is [], expected an object");
  refuse(R"({"version":1,"classes":[]})", ErrorCode::kCorrupt, "field 'format' is missing");
  refuse(R"({"format":"x","version":1,"classes":[]})", ErrorCode::kCorrupt,
         "field 'format' is 'x', expected 'terrapin-classes'");
  refuse(R"({"format":"terrapin-classes","version":2})", ErrorCode::kUnsupported,
         "the file has format version 2, this program reads up to 1");
  refuse(R"({"format":"terrapin-classes","version":0})", ErrorCode::kCorrupt, "field 'version' is 0");
  refuse(R"({"format":"terrapin-classes","version":1,"version":1,"classes":[]})", ErrorCode::kCorrupt,
         "the JSON key 'version' occurs twice");
}

TEST(ClassesFile, WhatWouldNotBeReadBackIsNotWritten) {
  test::TemporaryFolder folder;
  const auto path = folder / "classes.json";
  const auto refuse = [&](const ClassList& classes, const std::string& part) {
    expect_failure(write_classes_file(path, classes), ErrorCode::kInvalidArgument,
                   path.string() + ": " + part);
    EXPECT_FALSE(std::filesystem::exists(path));
  };
  refuse({}, "classes is [], expected an array of 1 to 255 classes");
  refuse({{{"cat", {}}, {"", {}}}}, "classes[1].name is empty");
  refuse({{{"cat", {}}, {"cat", {1, 1, 1}}}}, "classes[1].name is 'cat', the name of classes[0] already");
  refuse({{{"\xe8", {}}, {"\xe9", {1, 1, 1}}}}, "classes[1].name is '\xef\xbf\xbd', the name of");
  refuse(ClassList::with_default_names(256), "classes is [{");
}

imaging::Mask mask_of(const std::vector<std::uint8_t>& values) {
  imaging::Mask mask({static_cast<std::int64_t>(values.size()), 1});
  mask.bytes() = values;
  return mask;
}

TEST(LabelMap, ScaleDividesAndLeavesIgnore) {
  for (const char* text : {R"({"scale": "3"})", R"({"scale": 3})"}) {
    auto mask = mask_of({0, 2, 3, 5, 6, 254, 255});
    must(must(LabelMap::from_json(json::parse(text))).apply(mask));
    EXPECT_EQ(mask.bytes(), (std::vector<std::uint8_t>{0, 0, 1, 1, 2, 84, 255})) << text;
  }
}

TEST(LabelMap, MapReadsClassIndexThenPixelValue) {
  const auto map = must(LabelMap::from_json(json::parse(R"({"map": {"0": 5, "1": 0, "2": "7"}})")));
  auto mask = mask_of({5, 0, 7, 255});
  must(map.apply(mask));
  EXPECT_EQ(mask.bytes(), (std::vector<std::uint8_t>{0, 1, 2, 255}));
  EXPECT_FALSE(map.is_identity());
  EXPECT_EQ(map.to_json(), json::parse(R"({"map": {"0": 5, "1": 0, "2": "7"}})"));
  const auto moved = must(LabelMap::from_json(json::parse(R"({"map": {"0": 0, "1": 255, "255": 9}})")));
  mask = mask_of({0, 255, 9});
  must(moved.apply(mask));
  EXPECT_EQ(mask.bytes(), (std::vector<std::uint8_t>{0, 1, 255}));
}

TEST(LabelMap, AnUnknownValueIsNamedWithItsPixelAndNothingChanges) {
  const auto map = must(LabelMap::from_json(json::parse(R"({"map": {"1": 0, "0": 5}})")));
  imaging::Mask mask({3, 2});
  mask.set(1, 1, 9);
  const imaging::Mask before = mask;
  expect_failure(map.apply(mask), ErrorCode::kInvalidArgument,
                 "pixel value 9 at (1, 1) is not in the label map, which knows the pixel values 0, 5, 255");
  EXPECT_EQ(mask, before);
}

TEST(LabelMap, IdentityIsWrittenSoThatTheAwsAlgorithmReadsIt) {
  EXPECT_TRUE(LabelMap::identity().is_identity());
  EXPECT_EQ(LabelMap::identity().to_json(), json::parse(R"({"scale":"1"})"));
  auto mask = mask_of({0, 1, 254, 255});
  must(LabelMap::identity().apply(mask));
  EXPECT_EQ(mask.bytes(), (std::vector<std::uint8_t>{0, 1, 254, 255}));
}

TEST(LabelMap, Refusals) {
  test::TemporaryFolder folder;
  const auto path = folder / "train_label_map.json";
  const auto refuse = [&](const std::string& text, const std::string& part) {
    test::write_text(path, text);
    expect_failure(LabelMap::read(path), ErrorCode::kCorrupt, path.string() + ": ");
    expect_failure(LabelMap::read(path), ErrorCode::kCorrupt, part);
  };
  refuse("", "not valid JSON");
  refuse("{}", "label map is {}, expected");
  refuse("[1]", "label map is [1], expected");
  refuse(R"({"scale":"1","map":{}})", "expected");
  refuse(R"({"scale":"0"})", "\"scale\" is \"0\", expected a number from 1 to 255");
  refuse(R"({"scale":"three"})", "expected a number from 1 to 255");
  refuse(R"({"scale":null})", "expected a number from 1 to 255");
  refuse(R"({"map":{}})", "\"map\" is {}");
  refuse(R"({"map":{"a":1}})", "key 'a' of \"map\" is not a class index");
  refuse(R"({"map":{"256":1}})", "key '256'");
  refuse(R"({"map":{"-1":1}})", "key '-1'");
  refuse(R"({"map":{"1":256}})", "class 1 is encoded as 256, expected a pixel value from 0 to 255");
  refuse(R"({"map":{"1":-1}})", "class 1 is encoded as -1");
  refuse(R"({"map":{"1":1.5}})", "class 1 is encoded as 1.5");
  refuse(R"({"map":{"1":4,"2":4}})", "pixel value 4 stands for class 1 and for class 2");
  refuse(R"({"map":{"1":4,"01":5}})", "class index 1 occurs twice");
  refuse(R"({"map":{"1":4,"1":5}})", "'1' occurs twice");
  expect_failure(LabelMap::read(folder / "none"), ErrorCode::kNotFound, "none");
}

}  // namespace
}  // namespace terrapin::artifacts
