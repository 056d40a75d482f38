#include "training/loader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "small_dataset.h"

namespace terrapin::training {
namespace {

class LoaderTest : public testing::Test {
 protected:
  LoaderTest() : data_(write_small_dataset(folder_.path(), 7, 1)), photos_(read_photos(data_.train, 2)) {
    const auto validation = read_photos(data_.validation, 2);
    auto summary = check_samples(*photos_, *validation, 2, {});
    EXPECT_TRUE(summary.has_value());
    foreground_ = summary->foreground;
    options_.base_size = 48;
    options_.crop_side = 33;
    options_.batch_size = 3;
    options_.crops_per_photo = 2;
    options_.seed = 11;
    options_.normalization = Normalization::from({});
    options_.augment.noise_probability = options_.augment.blur_probability = 0.5;
  }

  std::vector<Batch> epoch(int threads, int number, std::int64_t first_step = 0) {
    Loader loader(cached_photos(photos_, 1 << 20), foreground_, options_, threads);
    loader.start(number, first_step);
    std::vector<Batch> batches;
    for (;;) {
      auto batch = loader.next();
      EXPECT_TRUE(batch.has_value());
      if (!batch || !*batch) return batches;
      batches.push_back(**batch);
      loader.recycle(std::move(*batch));
    }
  }

  static void expect_equal(const std::vector<Batch>& a, const std::vector<Batch>& b) {
    ASSERT_EQ(a.size(), b.size());
    for (std::size_t i = 0; i < a.size(); ++i) {
      EXPECT_TRUE(a[i].pixels == b[i].pixels) << i;
      EXPECT_TRUE(a[i].labels == b[i].labels) << i;
    }
  }

  TemporaryFolder folder_;
  TrainingData data_;
  std::shared_ptr<const LabeledPhotos> photos_;
  std::vector<std::vector<ClassPoints>> foreground_;
  LoaderOptions options_;
};

TEST_F(LoaderTest, BatchesDoNotDependOnTheNumberOfThreads) {
  const auto one = epoch(1, 1);
  ASSERT_EQ(one.size(), 5u);  // 7 photos x 2 crops in batches of 3
  expect_equal(one, epoch(2, 1));
  expect_equal(one, epoch(5, 1));
}

TEST_F(LoaderTest, EpochsDifferAndCanBeginInTheMiddle) {
  const auto first = epoch(2, 1), second = epoch(2, 2);
  EXPECT_FALSE(first[0].pixels == second[0].pixels);
  auto rest = first;
  rest.erase(rest.begin(), rest.begin() + 3);
  expect_equal(rest, epoch(2, 1, 3));
  EXPECT_TRUE(epoch(2, 1, 5).empty());
}

TEST_F(LoaderTest, RestartDropsWhatWasBeingMade) {
  Loader loader(photos_, foreground_, options_, 3);
  const auto wanted = epoch(1, 9);
  for (int i = 0; i < 20; ++i) loader.start(i, 0);
  loader.start(9, 0);
  auto batch = loader.next();
  ASSERT_TRUE(batch && *batch);
  EXPECT_TRUE((*batch)->pixels == wanted[0].pixels);
}

TEST_F(LoaderTest, AMissingFileIsAnErrorThatNamesIt) {
  std::filesystem::remove(data_.train.samples[4].photo);
  Loader loader(photos_, foreground_, options_, 2);
  loader.start(1, 0);
  for (;;) {
    auto batch = loader.next();
    if (!batch) {
      EXPECT_NE(batch.error().message.find(data_.train.samples[4].photo.filename().string()),
                std::string::npos)
          << batch.error().message;
      return;
    }
    ASSERT_NE(*batch, nullptr) << "the epoch ended without an error";
  }
}

TEST(EpochOrder, ShowsEveryPhotoEquallyOften) {
  for (const auto& [photos, crops, batch] :
       {std::tuple{10, 1, 4}, std::tuple{3, 5, 16}, std::tuple{1, 1, 8}, std::tuple{16, 2, 16}}) {
    const auto order = epoch_order(photos, crops, batch, 1, 1);
    EXPECT_EQ(order.size() % static_cast<std::size_t>(batch), 0u);
    EXPECT_GE(static_cast<int>(order.size()), photos * crops);
    EXPECT_LT(static_cast<int>(order.size()), photos * crops + batch);
    std::map<std::int64_t, int> shown;
    for (const std::int64_t photo : order) ++shown[photo];
    ASSERT_EQ(static_cast<int>(shown.size()), photos);
    const auto [fewest, most] =
        std::minmax_element(shown.begin(), shown.end(), [](auto a, auto b) { return a.second < b.second; });
    EXPECT_LE(most->second - fewest->second, 1);
  }
  EXPECT_NE(epoch_order(50, 1, 10, 1, 1), epoch_order(50, 1, 10, 1, 2));
  EXPECT_NE(epoch_order(50, 1, 10, 1, 1), epoch_order(50, 1, 10, 2, 1));
}

TEST_F(LoaderTest, LargePhotosAreReducedOnceAndTheMaskWithThem) {
  const auto reduced = read_photos(data_.train, 2, 20)->get(0);
  ASSERT_TRUE(reduced.has_value());
  EXPECT_EQ(std::max((*reduced)->photo.width(), (*reduced)->photo.height()), 20);
  EXPECT_EQ((*reduced)->photo.size(), (*reduced)->mask.size());
}

TEST_F(LoaderTest, CheckNamesFileValueAndWhatIsAllowed) {
  imaging::Mask mask({40, 36}, 0);
  mask.set(3, 4, 9);
  const auto png = imaging::encode_indexed_png(mask, imaging::default_palette(10));
  ASSERT_TRUE(png && write_file_atomically(data_.train.samples[0].mask, *png));
  const auto result = check_samples(*photos_, *read_photos(data_.validation, 2), 2, {});
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, ErrorCode::kInvalidArgument);
  const std::string& text = result.error().message;
  EXPECT_NE(text.find(data_.train.samples[0].mask.string()), std::string::npos) << text;
  EXPECT_NE(text.find("9 (1 pixels)"), std::string::npos) << text;
  EXPECT_NE(text.find("0..1 and 255"), std::string::npos) << text;
}

TEST(CheckSamples, EmptySetsAreErrors) {
  const auto none = read_photos({}, 2);
  const auto result = check_samples(*none, *none, 2, {});
  ASSERT_FALSE(result.has_value());
  EXPECT_NE(result.error().message.find("training set is empty"), std::string::npos);
}

TEST(ClassWeights, RareClassesWeighMoreWithinLimits) {
  const std::array<std::int64_t, 4> pixels{9'000'000, 1'000'000, 0, 1};
  const auto weights = sqrt_inverse_frequency(pixels);
  EXPECT_NEAR(weights[0], std::sqrt(10'000'001 / 3.0 / 9'000'000), 1e-9);
  EXPECT_GT(weights[1], weights[0]);
  EXPECT_EQ(weights[2], 1);
  EXPECT_EQ(weights[3], 10);
}

}  // namespace
}  // namespace terrapin::training
