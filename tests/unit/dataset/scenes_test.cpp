#include "dataset/scenes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/digest.h"

namespace terrapin::dataset {
namespace {

// The bytes of one scene, for every compiler and processor. A change here changes everybody's demo and tests.
TEST(Scenes, BytesAreTheSameEverywhere) {
  SceneOptions options;
  options.size = {96, 72};
  options.class_count = 6;
  const auto scene = make_scene(options, 4);
  EXPECT_EQ(sha256_hex(scene.photo.bytes()),
            "ca1443bc61b82fd299f262a65e37ed785ca4f18f74abb99ee7e5ab4ccc8e463e");
  EXPECT_EQ(sha256_hex(scene.mask.bytes()),
            "5012bbb9df522b6918f34cbff5139b05ca869b9a49ad06abb698adf5614853f4");
}

TEST(Scenes, EveryClassAppearsAndObjectsTakeTwoToFortyPercent) {
  SceneOptions options;
  options.size = {80, 60};
  options.class_count = 6;
  std::set<int> seen;
  for (std::uint64_t index = 0; index < 40; ++index) {
    const auto scene = make_scene(options, index);
    const auto& labels = scene.mask.bytes();
    const auto share = 1 - static_cast<double>(std::count(labels.begin(), labels.end(), 0)) /
                               static_cast<double>(labels.size());
    EXPECT_GE(share, 0.02) << index;
    EXPECT_LE(share, 0.40) << index;
    seen.insert(labels.begin(), labels.end());
  }
  EXPECT_EQ(seen, (std::set<int>{0, 1, 2, 3, 4, 5}));
}

TEST(Scenes, SeedAndIndexMakeDifferentPictures) {
  SceneOptions options;
  const auto scene = make_scene(options, 0);
  EXPECT_EQ(scene.photo, make_scene(options, 0).photo);
  EXPECT_NE(scene.photo, make_scene(options, 1).photo);
  options.seed = 2;
  EXPECT_NE(scene.photo, make_scene(options, 0).photo);
}

// Colour alone must not do: the best threshold on any one channel's mean colour distance cannot be exact.
// Checked as: pixels of class 0 and of objects share many coarse colours.
TEST(Scenes, ObjectsShareColoursWithTheGround) {
  SceneOptions options;
  std::set<int> ground, object;
  for (std::uint64_t index = 0; index < 12; ++index) {
    const auto scene = make_scene(options, index);
    for (std::int64_t y = 0; y < scene.mask.height(); ++y) {
      for (std::int64_t x = 0; x < scene.mask.width(); ++x) {
        const imaging::Rgb c = scene.photo.at(x, y);
        const int coarse = c.red / 32 * 64 + c.green / 32 * 8 + c.blue / 32;
        (scene.mask.at(x, y) == 0 ? ground : object).insert(coarse);
      }
    }
  }
  std::size_t shared = 0;
  for (const int color : object) shared += ground.count(color);
  EXPECT_GT(shared * 2, object.size());
}

TEST(Scenes, RefusesImpossibleOptions) {
  EXPECT_EQ(write_scene_output("unused", 3, {{320, 240}, 7, 1}).error().message,
            "scenes have 2 to 6 classes, background included, not 7");
  EXPECT_EQ(write_scene_output("unused", 0, {}).error().message,
            "the number of scenes is 1 to 1000000, not 0");
}

}  // namespace
}  // namespace terrapin::dataset
