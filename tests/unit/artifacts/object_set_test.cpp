#include "artifacts/object_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.h"
#include "imaging/codecs.h"
#include "unit/base/temporary_folder.h"

namespace terrapin::artifacts {
namespace {

namespace fs = std::filesystem;
using imaging::Mask;

void fill(Mask& mask, imaging::Box box, std::uint8_t label) {
  for (std::int64_t y = box.y; y < box.y + box.height; ++y) {
    for (std::int64_t x = box.x; x < box.x + box.width; ++x) mask.set(x, y, label);
  }
}

void write_photo(const fs::path& path, imaging::Size size) {
  ASSERT_TRUE(write_file_atomically(path, *imaging::encode_png(imaging::Image(size))));
}
void write_mask(const fs::path& path, const Mask& mask) {
  ASSERT_TRUE(write_file_atomically(path, *imaging::encode_indexed_png(mask, {})));
}

// Every photo of the table is for learning: parts by digest do not matter then.
std::int64_t total(const fs::path& folder, ObjectSetOptions options = {}) {
  std::int64_t count = 0;
  for (const ObjectPart part : {ObjectPart::kLearn, ObjectPart::kWatch, ObjectPart::kUnseen}) {
    options.part = part;
    const auto set = scan_objects(folder, options);
    EXPECT_TRUE(set) << set.error().message;
    if (set) count += set->object_count();
  }
  return count;
}

class ObjectFolder : public testing::Test {
 protected:
  const test::TemporaryFolder folder_;
};

TEST_F(ObjectFolder, InstancesAreLabels) {
  Mask mask({60, 40});
  fill(mask, {0, 0, 20, 20}, 1);
  fill(mask, {30, 10, 20, 20}, 2);
  fill(mask, {0, 30, 10, 10}, 2);  // a second part of the same object
  write_photo(folder_.path() / "images/a.png", mask.size());
  write_mask(folder_.path() / "instances/a.png", mask);
  ASSERT_TRUE(
      write_file_atomically(folder_.path() / "splits.tsv", std::string_view("split\tname\nvalid\ta\n")));
  ObjectSetOptions options;
  options.part = ObjectPart::kUnseen;
  const auto set = scan_objects(folder_.path(), options);
  ASSERT_TRUE(set) << set.error().message;
  ASSERT_EQ(set->object_count(), 2);
  EXPECT_EQ(set->photos[0].objects[1].area, 500);
  const auto object = read_object(set->photos[0].objects[1]);
  ASSERT_TRUE(object);
  EXPECT_EQ(std::count(object->bytes().begin(), object->bytes().end(), 1), 500);
  options.part = ObjectPart::kLearn;
  EXPECT_EQ(scan_objects(folder_.path(), options)->object_count(), 0);
}

TEST_F(ObjectFolder, ClassesGiveTheirPartsAndTheWhole) {
  Mask mask({60, 60});
  fill(mask, {10, 10, 20, 20}, 3);
  fill(mask, {10, 30, 20, 20}, 4);  // below it: together one whole
  fill(mask, {40, 40, 15, 15}, 3);  // apart: another object of the same class, whole by itself
  fill(mask, {0, 58, 60, 2}, 255);
  fill(mask, {50, 0, 3, 3}, 5);  // too small
  write_photo(folder_.path() / "images/a.png", mask.size());
  write_mask(folder_.path() / "masks/a.png", mask);
  EXPECT_EQ(total(folder_.path()), 4);
  for (const ObjectPart part : {ObjectPart::kLearn, ObjectPart::kWatch, ObjectPart::kUnseen}) {
    ObjectSetOptions options;
    options.part = part;
    const auto set = scan_objects(folder_.path(), options);
    for (const MarkedPhoto& photo : set->photos) {
      for (const MarkedObject& object : photo.objects) {
        const auto truth = read_object(object);
        ASSERT_TRUE(truth);
        EXPECT_EQ(std::count(truth->bytes().begin(), truth->bytes().end(), 1), object.area) << object.name;
        EXPECT_EQ(std::count(truth->bytes().begin(), truth->bytes().end(), 255), 120);
        EXPECT_EQ(imaging::box_of(*truth, 1), object.box);
        if (object.kind == MarkedObject::Kind::kWhole) {
          EXPECT_EQ(object.area, 800);
        }
      }
    }
  }
}

TEST_F(ObjectFolder, OneFileAnObject) {
  Mask mask({40, 40});
  fill(mask, {5, 5, 20, 20}, 1);
  write_photo(folder_.path() / "images/p.png", mask.size());
  write_mask(folder_.path() / "objects/p_0.png", mask);
  write_mask(folder_.path() / "objects/p_1.png", mask);
  ASSERT_TRUE(write_file_atomically(folder_.path() / "objects.tsv",
                                    std::string_view("split\timage\tobject\nval\tp\tp_0\nval\tp\tp_1\n")));
  EXPECT_EQ(total(folder_.path()), 2);
}

TEST_F(ObjectFolder, PartsDoNotOverlapAndPhotosOfOneSourceStayTogether) {
  Mask mask({40, 40});
  fill(mask, {5, 5, 20, 20}, 1);
  std::string table = "split\tsource\tname\n";
  for (int i = 0; i < 60; ++i) {
    const std::string name = fmt::format("p{}", i);
    write_photo(folder_.path() / "images" / (name + ".png"), mask.size());
    write_mask(folder_.path() / "instances" / (name + ".png"), mask);
    table += fmt::format("train\tsource{}\t{}\n", i / 2, name);
  }
  ASSERT_TRUE(write_file_atomically(folder_.path() / "splits.tsv", table));
  std::map<int, ObjectPart> part_of_source;
  std::int64_t seen = 0;
  for (const ObjectPart part : {ObjectPart::kLearn, ObjectPart::kWatch}) {
    ObjectSetOptions options;
    options.part = part;
    const auto set = scan_objects(folder_.path(), options);
    for (const MarkedPhoto& photo : set->photos) {
      const int source = std::stoi(photo.name.substr(1)) / 2;
      const auto known = part_of_source.emplace(source, part).first;
      EXPECT_EQ(known->second, part);
      ++seen;
    }
  }
  EXPECT_EQ(seen, 60);
}

TEST_F(ObjectFolder, SaysWhatIsWrong) {
  EXPECT_THAT(scan_objects(folder_.path() / "none", {}).error().message, testing::HasSubstr("images/"));
  write_photo(folder_.path() / "images/a.png", {8, 8});
  EXPECT_THAT(scan_objects(folder_.path(), {}).error().message, testing::HasSubstr("instances/"));
  fs::create_directories(folder_.path() / "masks");
  ASSERT_TRUE(
      write_file_atomically(folder_.path() / "splits.tsv", std::string_view("part\tname\ntrain\ta\n")));
  EXPECT_THAT(scan_objects(folder_.path(), {}).error().message, testing::HasSubstr("'split'"));
  ASSERT_TRUE(
      write_file_atomically(folder_.path() / "splits.tsv", std::string_view("split\tname\nval\tb\n")));
  ObjectSetOptions options;
  options.part = ObjectPart::kUnseen;
  EXPECT_THAT(scan_objects(folder_.path(), options).error().message, testing::HasSubstr("'b'"));
}

TEST_F(ObjectFolder, WhatIsMeasuredIsNotLearnedFrom) {
  const auto message_of = [&](const char* table) {
    EXPECT_TRUE(write_file_atomically(folder_.path() / "splits.tsv", std::string_view(table)));
    const auto set = scan_objects(folder_.path(), {});
    return set ? std::string("taken") : set.error().message;
  };
  for (const char* name : {"a", "b"}) {
    write_photo(folder_.path() / "images" / (std::string(name) + ".png"), {40, 40});
    write_mask(folder_.path() / "masks" / (std::string(name) + ".png"), Mask({40, 40}));
  }
  EXPECT_EQ(message_of("split\tname\ntrain\ta\nval\tb\n"), "taken");
  EXPECT_THAT(message_of("split\tname\ntrain\ta\nval\ta\n"), testing::HasSubstr("name 'a'"));
  EXPECT_THAT(message_of("split\tname\tsource\ntrain\ta\tone\nval\tb\tone\n"),
              testing::HasSubstr("source 'one'"));
  write_photo(folder_.path() / "images/a.jpg", {40, 40});
  EXPECT_THAT(message_of("split\tname\ntrain\ta\n"), testing::HasSubstr("a.jpg"));
}

}  // namespace
}  // namespace terrapin::artifacts
