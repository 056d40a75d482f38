#include "assist/classical.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "assist/refine.h"
#include "model_maker.h"

namespace terrapin::assist {
namespace {

TEST(Classical, LeavesSurePixels) {
  if (!classical_available()) GTEST_SKIP() << "this build has no OpenCV";
  const auto crop = test::disc_photo({129, 129}, 64, 64, 40);
  const auto logits = classical_logits(crop, {{{64, 24}, {24, 64}, {64, 104}, {104, 64}}, {}, {}, {}}, {});
  ASSERT_TRUE(logits) << logits.error().message;
  // Each pixel is one side or the other: between them there is doubt, in them there is none.
  const auto share = [](float logit) { return 1 / (1 + std::exp(-logit)); };
  for (const float logit : *logits) {
    ASSERT_TRUE(share(logit) <= kDoubtShare || share(logit) >= 1 - kDoubtShare) << logit;
  }
  const auto object = std::count_if(logits->begin(), logits->end(), [](float logit) { return logit > 0; });
  EXPECT_NEAR(static_cast<double>(object), 3.14 * 40 * 40, 500);
}

}  // namespace
}  // namespace terrapin::assist
