#include "training/overlays.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "imaging/codecs.h"
#include "unit/training/small_dataset.h"

namespace terrapin::training {
namespace {

namespace fs = std::filesystem;

class Overlays : public ::testing::Test {
 protected:
  OverlayWriter writer(int photos, int epochs, int validate_every = 1, std::int64_t stride = 1) {
    return OverlayWriter(folder.path() / "overlays", artifacts::ClassList::with_default_names(2),
                         named_squares(folder.path(), "validation", photos), epochs, validate_every, stride);
  }
  // Every photo of every validated epoch, as a training tells them.
  void train(OverlayWriter& overlays, int photos, int epochs, int validate_every = 1,
             std::int64_t stride = 1) {
    const artifacts::LabeledPhoto photo = square_photo(3, {40, 30});
    for (int epoch = 1; epoch <= epochs; ++epoch) {
      if (epoch % validate_every == 0 || epoch == epochs) {
        for (std::int64_t i = 0; i < photos; i += stride)
          ASSERT_TRUE(overlays.add(epoch, i, photo, imaging::Mask(photo.photo.size())));
      }
      ASSERT_TRUE(overlays.finish(epoch));
    }
  }
  nlohmann::json index() const {
    return nlohmann::json::parse(read_text_file(folder.path() / "overlays/index.json").value_or("null"));
  }
  bool has(const std::string& file) const { return fs::exists(folder.path() / "overlays" / file); }

  TemporaryFolder folder;
};

TEST_F(Overlays, AFewPhotosOfEveryEpochOfAShortTraining) {
  OverlayWriter overlays = writer(3, 4);
  train(overlays, 3, 4);
  EXPECT_EQ(index()["epochs"], (std::vector<int>{1, 2, 3, 4}));
  EXPECT_EQ(index()["photos"], (std::vector<std::string>{"validation0", "validation1", "validation2"}));
  for (const char* file : {"truth/0.jpg", "truth/2.jpg", "1/0.jpg", "4/2.jpg"})
    EXPECT_TRUE(has(file)) << file;
  const auto truth = imaging::read_photo(folder.path() / "overlays/truth/0.jpg");
  const auto blank = imaging::read_photo(folder.path() / "overlays/1/0.jpg");
  ASSERT_TRUE(truth && blank);
  EXPECT_EQ(truth->size(), (imaging::Size{40, 30}));
  EXPECT_NE(truth->bytes(), blank->bytes()) << "what was labelled is not what an empty prediction shows";
}

TEST_F(Overlays, AreBoundedInPhotosAndEpochs) {
  for (const int epochs : {29, 30, 31, 59, 200}) {
    OverlayWriter overlays = writer(50, epochs);
    train(overlays, 50, epochs);
    const auto shown = index()["epochs"].get<std::vector<int>>();
    EXPECT_LE(shown.size(), 30U) << epochs;
    EXPECT_GE(shown.size(), 15U) << epochs;
    EXPECT_EQ(shown.front(), 1);
    EXPECT_EQ(shown.back(), epochs);
    EXPECT_EQ(index()["photos"].size(), 6U);
    EXPECT_FALSE(has("1/6.jpg"));
    fs::remove_all(folder.path() / "overlays");
  }
}

TEST_F(Overlays, FollowTheEpochsThatAreValidatedAndThePhotosOfTheirProcess) {
  OverlayWriter overlays = writer(9, 7, 3, 2);
  train(overlays, 9, 7, 3, 2);
  EXPECT_EQ(index()["epochs"], (std::vector<int>{3, 6, 7}));
  EXPECT_EQ(index()["photos"], (std::vector<std::string>{"validation0", "validation2", "validation4",
                                                         "validation6", "validation8"}));
  EXPECT_TRUE(has("7/4.jpg"));
}

TEST_F(Overlays, NothingIsThereBeforeAnEpochIsOver) {
  OverlayWriter overlays = writer(2, 2);
  const artifacts::LabeledPhoto photo = square_photo(3, {40, 30});
  ASSERT_TRUE(overlays.add(1, 0, photo, photo.mask));
  EXPECT_FALSE(has("index.json"));
  ASSERT_TRUE(overlays.finish(1));
  EXPECT_TRUE(has("index.json"));
  ASSERT_TRUE(overlays.finish(2));  // it was not validated
  EXPECT_EQ(index()["epochs"], (std::vector<int>{1}));
}

}  // namespace
}  // namespace terrapin::training
