// script/coco-objects, read by what trains and measures assistance.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "artifacts/object_set.h"
#include "base/files.h"
#include "flow/program.h"
#include "imaging/codecs.h"

namespace terrapin::flow {
namespace {

namespace fs = std::filesystem;
using imaging::Mask;
using nlohmann::json;
using ::testing::HasSubstr;

constexpr imaging::Size kPhotoSize{60, 40};

json annotation(int id, int image, const json& segmentation, int crowd = 0) {
  return {{"id", id},
          {"image_id", image},
          {"category_id", 1},
          {"segmentation", segmentation},
          {"iscrowd", crowd}};
}

class CocoObjects : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"one.png", "two.png", "three.png"})
      ASSERT_TRUE(
          write_file_atomically(at("photos") / name, *imaging::encode_png(imaging::Image(kPhotoSize))));
    coco_["images"] = json::array();
    for (const auto& [id, name] :
         std::map<int, const char*>{{1, "one.png"}, {2, "two.png"}, {3, "three.png"}})
      coco_["images"].push_back({{"id", id}, {"file_name", name}, {"width", 60}, {"height", 40}});
    coco_["annotations"] = json::array();
  }
  fs::path at(const std::string& name) const { return folder_.path() / name; }
  void add(const json& entry) { coco_["annotations"].push_back(entry); }
  Answer convert(const std::vector<std::string>& more = {}) {
    EXPECT_TRUE(write_file_atomically(at("coco.json"), coco_.dump()));
    std::vector<std::string> arguments{TERRAPIN_SOURCE_DIR "/script/coco-objects", at("set").string(),
                                       "--from", at("coco.json").string(), at("photos").string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_python(folder_.path(), arguments);
  }
  // Every object's mask by its name.
  std::map<std::string, Mask> objects(artifacts::ObjectPart part = artifacts::ObjectPart::kUnseen) const {
    artifacts::ObjectSetOptions options;
    options.part = part;
    const auto set = artifacts::scan_objects(at("set"), options);
    EXPECT_TRUE(set) << set.error().message;
    std::map<std::string, Mask> masks;
    if (!set) return masks;
    for (const artifacts::MarkedPhoto& photo : set->photos) {
      for (const artifacts::MarkedObject& object : photo.objects)
        masks.emplace(object.name, *artifacts::read_object(object));
    }
    return masks;
  }
  void refused(const std::string& why) {
    const Answer answer = convert();
    EXPECT_EQ(answer.code, 1);
    EXPECT_THAT(answer.errors, HasSubstr(why));
    EXPECT_FALSE(fs::exists(at("set")));
    for (const auto& entry : fs::directory_iterator(folder_.path()))
      EXPECT_FALSE(entry.path().filename().string().starts_with(".set")) << entry.path();
  }

  TemporaryFolder folder_;
  json coco_;
};

// What a rectangle [x, x + width) by [y, y + height) covers, everything else 0.
Mask rectangle(std::int64_t x, std::int64_t y, std::int64_t width, std::int64_t height) {
  Mask mask(kPhotoSize);
  for (std::int64_t row = y; row < y + height; ++row)
    for (std::int64_t column = x; column < x + width; ++column) mask.set(column, row, 1);
  return mask;
}

TEST_F(CocoObjects, PolygonsRunsAndCrowds) {
  // A rectangle; an object in two pieces; a rectangle half a pixel off; one that leaves the photo.
  add(annotation(11, 1, {{10, 5, 30, 5, 30, 25, 10, 25}}));
  add(annotation(12, 1, {{0, 0, 10, 0, 10, 20, 0, 20}, {40, 20, 60, 20, 60, 40, 40, 40}}));
  add(annotation(13, 1, {{10.6, 5.4, 30.6, 5.4, 30.6, 25.4, 10.6, 25.4}}));
  add(annotation(14, 1, {{45, -10, 80, -10, 80, 15, 45, 15}}));
  // Runs as numbers and as the text that pycocotools makes of them: columns 20 to 29, then one column more.
  add(annotation(21, 2, {{"size", {40, 60}}, {"counts", {800, 400, 1200}}}));
  add(annotation(22, 2, {{"size", {40, 60}}, {"counts", "Pi0`<`U1"}}));
  add(annotation(25, 2, {{"size", {40, 60}}, {"counts", "Pi0`<`<hDX;"}}));
  // Below 150 pixels, and nothing at all.
  add(annotation(23, 2, {{0, 0, 10, 0, 10, 10, 0, 10}}));
  add(annotation(24, 2, json::array()));
  // A crowd hides what is not the object itself.
  add(annotation(31, 3, {{10, 5, 30, 5, 30, 25, 10, 25}}));
  add(annotation(32, 3, {{"size", {40, 60}}, {"counts", {800, 800, 800}}}, 1));
  const Answer answer = convert();
  ASSERT_EQ(answer.code, 0) << answer.errors;
  EXPECT_THAT(answer.output, HasSubstr("8 objects"));

  const auto masks = objects();
  ASSERT_EQ(masks.size(), 8U);
  EXPECT_EQ(masks.at("one_11"), rectangle(10, 5, 20, 20));
  Mask pieces = rectangle(0, 0, 10, 20);
  for (std::int64_t y = 20; y < 40; ++y)
    for (std::int64_t x = 40; x < 60; ++x) pieces.set(x, y, 1);
  EXPECT_EQ(masks.at("one_12"), pieces);
  EXPECT_EQ(masks.at("one_13"), rectangle(11, 5, 20, 20)) << "a pixel belongs to it whose middle does";
  EXPECT_EQ(masks.at("one_14"), rectangle(45, 0, 15, 15));
  EXPECT_EQ(masks.at("two_21"), rectangle(20, 0, 10, 40));
  EXPECT_EQ(masks.at("two_22"), masks.at("two_21"));
  Mask columns = rectangle(20, 0, 10, 40);
  for (std::int64_t y = 0; y < 40; ++y) columns.set(40, y, 1);
  EXPECT_EQ(masks.at("two_25"), columns);
  Mask beside = rectangle(10, 5, 20, 20);
  for (std::int64_t y = 0; y < 40; ++y)
    for (std::int64_t x = 20; x < 40; ++x)
      if (beside.at(x, y) == 0) beside.set(x, y, Mask::kIgnore);
  EXPECT_EQ(masks.at("three_31"), beside);
  EXPECT_TRUE(fs::exists(at("set") / "images" / "two.png"));
}

TEST_F(CocoObjects, UnseenUnlessAskedForAndNeverTwice) {
  add(annotation(11, 1, {{10, 5, 30, 5, 30, 25, 10, 25}}));
  const Answer answer =
      convert({"--from", at("coco.json").string(), at("photos").string(), "--split", "train"});
  ASSERT_EQ(answer.code, 0) << answer.errors;
  EXPECT_TRUE(objects(artifacts::ObjectPart::kUnseen).empty());
  EXPECT_EQ(objects(artifacts::ObjectPart::kLearn).size() + objects(artifacts::ObjectPart::kWatch).size(),
            1U);
  const Answer again = convert();
  EXPECT_EQ(again.code, 1);
  EXPECT_THAT(again.errors, HasSubstr("exists already"));
}

TEST_F(CocoObjects, CrowdsMayBeObjects) {
  // As CVAT exports what was painted with its brush.
  add(annotation(41, 1, {{"size", {40, 60}}, {"counts", {800, 400, 1200}}}, 1));
  refused("no object is left; 1 annotations are crowds");
  const Answer answer = convert({"--crowds", "object"});
  ASSERT_EQ(answer.code, 0) << answer.errors;
  const auto masks = objects();
  ASSERT_EQ(masks.size(), 1U);
  EXPECT_EQ(masks.at("one_41"), rectangle(20, 0, 10, 40));
}

TEST_F(CocoObjects, PhotosOfOneNameAreNotMixedUp) {
  fs::create_directories(at("photos") / "more");
  fs::copy_file(at("photos") / "one.png", at("photos") / "more" / "one.png");
  add(annotation(11, 1, {{10, 5, 30, 5, 30, 25, 10, 25}}));
  add(annotation(12, 2, {{10, 5, 30, 5, 30, 25, 10, 25}}));
  coco_["images"][1]["file_name"] = "more/one.png";
  refused("two photos are called one");
  // The same photo in a file further on is known; another one of its name is not taken for it.
  coco_["annotations"].erase(1);
  ASSERT_TRUE(write_file_atomically(at("other") / "one.png", *imaging::encode_png(imaging::Image({8, 8}))));
  const Answer other = convert({"--from", at("coco.json").string(), at("other").string()});
  EXPECT_EQ(other.code, 1);
  EXPECT_THAT(other.errors, HasSubstr("two photos are called one"));
  const Answer same = convert({"--from", at("coco.json").string(), (at("photos") / "more").string()});
  EXPECT_EQ(same.code, 0) << same.errors;
  EXPECT_EQ(objects().size(), 1U);
}

TEST_F(CocoObjects, APhotoOfAnotherSizeIsNoticedAtTheStart) {
  add(annotation(11, 1, {{10, 5, 30, 5, 30, 25, 10, 25}}));
  ASSERT_TRUE(
      write_file_atomically(at("photos") / "one.png", *imaging::encode_png(imaging::Image({40, 60}))));
  ASSERT_EQ(convert().code, 0);
  artifacts::ObjectSetOptions options;
  options.part = artifacts::ObjectPart::kUnseen;
  const auto set = artifacts::scan_objects(at("set"), options);
  ASSERT_FALSE(set);
  EXPECT_THAT(set.error().message, HasSubstr("one.png is 40 x 60, its mask"));
}

TEST_F(CocoObjects, WhatIsWrongIsNamed) {
  add(annotation(11, 1, {{10, 5, 30, 5}}));
  refused("annotation 11: a polygon of 'segmentation' is no list of three or more points");
  coco_["annotations"] = {annotation(12, 1, {{"size", {40, 60}}, {"counts", {800, 400}}})};
  refused("annotation 12: run lengths do not add up to the photo's 2400 pixels");
  coco_["annotations"] = {annotation(13, 1, {{"size", {60, 40}}, {"counts", {2400}}})};
  refused("annotation 13: run lengths of size [60, 40]");
  coco_["annotations"] = {annotation(14, 1, {{"size", {40, 60}}, {"counts", "Pi"}})};
  refused("annotation 14: run lengths as text end within a number");
  coco_["annotations"] = {annotation(15, 9, {{10, 5, 30, 5, 30, 25, 10, 25}})};
  refused("annotation 15 is of image 9");
  coco_["annotations"] = {annotation(16, 1, {{10, 5, 30, 5, 30, 25, 10, 25}})};
  coco_["images"][0]["file_name"] = "../coco.json";
  refused("there is no photo");
  coco_["images"][0]["file_name"] = "none.png";
  refused("there is no photo");
  coco_["images"][0]["file_name"] = nullptr;
  refused("the file_name of image 1 is None");
  coco_["annotations"].push_back(coco_["annotations"][0]);
  refused("two annotations have the id 16");
  coco_["annotations"] = {annotation(17, 1, {{10, 5, 30, 5, 30, 25, 10, 25}})};
  coco_["annotations"][0]["id"] = "x/y";
  refused("the id of an annotation is 'x/y'");
  coco_.erase("images");
  refused("'images' is missing");
}

}  // namespace
}  // namespace terrapin::flow
