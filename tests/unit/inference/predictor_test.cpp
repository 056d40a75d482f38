#include "inference/predictor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "base/files.h"
#include "imaging/codecs.h"
#include "imaging/resize.h"
#include "inference/executor.h"
#include "metrics/confusion.h"
#include "unit/inference/package_maker.h"

namespace terrapin::inference {
namespace {

using imaging::Image;
using imaging::Mask;

double share_that_agrees(const Mask& a, const Mask& b) {
  EXPECT_EQ(a.size(), b.size());
  std::int64_t same = 0;
  for (std::size_t i = 0; i < a.bytes().size(); ++i) same += a.bytes()[i] == b.bytes()[i];
  return static_cast<double>(same) / static_cast<double>(a.bytes().size());
}

std::shared_ptr<Predictor> make_predictor(const artifacts::ModelPackage& package,
                                          const PredictorOptions& options = {}) {
  auto made = Predictor::create(package, options);
  EXPECT_TRUE(made) << made.error().message;
  return *made;
}

TEST(Predictor, AgreesWithLibtorchAtEverySize) {
  for (const char* algorithm : {"lite", "psp"}) {
    artifacts::NetworkSpec spec;
    spec.algorithm = algorithm;
    spec.backbone = spec.algorithm == "psp" ? "resnet-50" : "mobilenet-v2";
    spec.num_classes = 4;
    const auto package = testing::random_package(spec, 3, 72);
    for (const char* backend : {"auto", "torch"}) {
      const auto predictor = make_predictor(package, {.backend = backend});
      for (const imaging::Size size :
           {imaging::Size{97, 60}, imaging::Size{140, 210}, imaging::Size{1, 1}, imaging::Size{3, 90}}) {
        if (spec.algorithm == "psp" && size.area() < 1000) continue;  // building a ResNet takes a second
        const Image photo = testing::patterned_photo(size, 4);
        const auto prediction = predictor->predict(photo);
        ASSERT_TRUE(prediction) << prediction.error().message;
        EXPECT_GE(share_that_agrees(prediction->mask, testing::reference_mask(package, photo)), 0.999)
            << algorithm << " " << backend << " " << size.width << " x " << size.height;
      }
    }
  }
}

TEST(Predictor, ProbabilitiesSumToOneAndTheirArgmaxIsTheMask) {
  artifacts::NetworkSpec spec;
  spec.num_classes = 5;
  const auto predictor = make_predictor(testing::random_package(spec, 5, 64), {.flip = true});
  const Image photo = testing::patterned_photo({70, 45}, 6);
  const auto prediction = predictor->predict(photo, true);
  ASSERT_TRUE(prediction && prediction->probabilities);
  const auto& values = prediction->probabilities->values;
  ASSERT_EQ(values.size(), 5U * 70 * 45);
  for (std::size_t i = 0; i < 70U * 45; ++i) {
    double sum = 0;
    std::size_t best = 0;
    for (std::size_t c = 0; c < 5; ++c) {
      sum += values[c * 70 * 45 + i];
      if (values[c * 70 * 45 + i] > values[best * 70 * 45 + i]) best = c;
    }
    ASSERT_NEAR(sum, 1.0, 1e-4);
    ASSERT_EQ(best, prediction->mask.bytes()[i]);
  }
}

TEST(Predictor, FlippedPhotoGivesFlippedMaskWhenBothReadingsCount) {
  artifacts::NetworkSpec spec;
  spec.num_classes = 3;
  const auto predictor = make_predictor(testing::random_package(spec, 7, 80), {.flip = true});
  const Image photo = testing::patterned_photo({80, 57}, 8);
  Image mirrored(photo.size());
  for (std::int64_t y = 0; y < 57; ++y)
    for (std::int64_t x = 0; x < 80; ++x) mirrored.set(x, y, photo.at(79 - x, y));
  const auto straight = predictor->predict(photo), turned = predictor->predict(mirrored);
  ASSERT_TRUE(straight && turned);
  Mask back(photo.size());
  for (std::int64_t y = 0; y < 57; ++y)
    for (std::int64_t x = 0; x < 80; ++x) back.set(x, y, turned->mask.at(79 - x, y));
  EXPECT_GE(share_that_agrees(straight->mask, back), 0.998);
}

TEST(Predictor, BatchesGiveTheAnswersOfSingleCalls) {
  artifacts::NetworkSpec spec;
  const auto predictor = make_predictor(testing::random_package(spec, 9, 64));
  std::vector<Image> photos;
  for (const imaging::Size size :
       {imaging::Size{64, 48}, imaging::Size{50, 70}, imaging::Size{64, 48}, imaging::Size{128, 96}}) {
    photos.push_back(testing::patterned_photo(size, photos.size()));
  }
  photos.emplace_back();  // no pixels: an error of its own
  std::vector<const Image*> pointers;
  for (const Image& photo : photos) pointers.push_back(&photo);
  const auto answers = predictor->predict_batch(pointers, false);
  ASSERT_EQ(answers.size(), photos.size());
  EXPECT_FALSE(answers.back());
  for (std::size_t i = 0; i + 1 < photos.size(); ++i) {
    ASSERT_TRUE(answers[i]);
    EXPECT_GE(share_that_agrees(answers[i]->mask, predictor->predict(photos[i])->mask), 0.999) << i;
  }
}

TEST(Predictor, ThreadsShareOneModel) {
  const auto predictor = make_predictor(testing::random_package({}, 10, 64), {.threads = 1});
  const Image photo = testing::patterned_photo({64, 64}, 1);
  const Mask expected = predictor->predict(photo)->mask;
  std::vector<int> same(3, 0);
  std::vector<std::thread> callers;
  for (std::size_t k = 0; k < same.size(); ++k) {
    callers.emplace_back([&, k] {
      for (int round = 0; round < 3; ++round) same[k] += predictor->predict(photo)->mask == expected ? 1 : 0;
    });
  }
  for (auto& caller : callers) caller.join();
  EXPECT_EQ(same, std::vector<int>(3, 3));
}

TEST(Predictor, SaysWhatIsWrong) {
  const auto package = testing::random_package({}, 11, 64);
  const auto backend = Predictor::create(package, {.backend = "gpu9"});
  ASSERT_FALSE(backend);
  EXPECT_NE(backend.error().message.find("allowed are auto, onednn, torch, cuda"), std::string::npos);
  EXPECT_FALSE(Predictor::create(package, {.long_side = -5}));
  EXPECT_FALSE(Predictor::load("/nonexistent/model.tar.gz"));
  auto broken = package;
  broken.weights.tensors.erase(broken.weights.tensors.begin());
  EXPECT_FALSE(Predictor::create(broken));
}

// A network whose sight ends inside the part of the overlap that counts nothing: tiles must change nothing
// but the order of a few sums.
TEST(TiledPrediction, OfANearSightedNetworkIsTheUntiledAnswer) {
  const auto package = testing::near_sighted_package(3, 12);
  const Image photo = testing::patterned_photo({700, 520}, 13);
  for (const bool flip : {false, true}) {
    const auto whole = make_predictor(package, {.flip = flip})->predict(photo, true);
    const auto tiled =
        make_predictor(package, {.max_tile_pixels = 340 * 340, .flip = flip})->predict(photo, true);
    ASSERT_TRUE(whole && tiled) << tiled.error().message;
    const std::vector<float>&a = whole->probabilities->values, &b = tiled->probabilities->values;
    ASSERT_EQ(a.size(), b.size());
    const auto [low, high] = std::minmax_element(a.begin(), a.end());
    ASSERT_GT(*high - *low, 0.05) << "a flat answer proves nothing";
    float worst = 0;
    for (std::size_t i = 0; i < a.size(); ++i) worst = std::max(worst, std::abs(a[i] - b[i]));
    EXPECT_LE(worst, 1e-4F) << (flip ? "flipped" : "straight");
    EXPECT_GE(share_that_agrees(whole->mask, tiled->mask), 0.9999);
  }
}

// The claim: tiles change the mean IoU by at most 0.002.
TEST(TiledPrediction, OfRealPhotosChangesMeanIouByAtMostTwoThousandths) {
  const char* data = std::getenv("TERRAPIN_TEST_DATA");
  if (data == nullptr) GTEST_SKIP() << "set TERRAPIN_TEST_DATA to the folder of real photos and weights";
  constexpr int kCat = 8;
  const std::filesystem::path root(data);
  const auto package = testing::voc_package(root / "weights/deeplabv3_mnv2_pascal_quant.safetensors");
  const auto whole = make_predictor(package), tiled = make_predictor(package, {.max_tile_pixels = 700'000});
  const auto masks = list_files(root / "feral_cats/instances", true);
  ASSERT_TRUE(masks);
  metrics::ConfusionMatrix whole_score(2), tiled_score(2), between(21);
  int used = 0;
  for (const auto& path : *masks) {
    if (path.extension() != ".png" || used == 4) continue;
    const auto truth = imaging::read_label_mask(path);
    const auto photo =
        imaging::read_photo(root / "feral_cats/images" / path.filename().replace_extension(".jpg"));
    if (!truth || !photo) continue;
    ++used;
    const imaging::Size size{1121, 1121};
    const Image large = imaging::resize(*photo, size);
    const auto a = whole->predict(large), b = tiled->predict(large);
    ASSERT_TRUE(a && b);
    const auto cats = [&](const Mask& mask, int label) {
      Mask result = mask;
      for (auto& value : result.bytes()) value = label == 0 ? value > 0 : value == label;
      return result;
    };
    const Mask cat = cats(imaging::resize_nearest(*truth, size), 0);
    whole_score.add(cat, cats(a->mask, kCat));
    tiled_score.add(cat, cats(b->mask, kCat));
    between.add(a->mask, b->mask);
  }
  ASSERT_EQ(used, 4);
  EXPECT_NEAR(whole_score.mean_iou(), tiled_score.mean_iou(), 0.002);
  EXPECT_GE(between.pixel_accuracy(), 0.998);
  RecordProperty("mean_iou_untiled", std::to_string(whole_score.mean_iou()));
  RecordProperty("mean_iou_tiled", std::to_string(tiled_score.mean_iou()));
  std::printf("untiled %.4f, tiled %.4f, same pixels %.5f, mIoU between %.4f\n", whole_score.mean_iou(),
              tiled_score.mean_iou(), between.pixel_accuracy(), between.mean_iou());
}

}  // namespace
}  // namespace terrapin::inference
