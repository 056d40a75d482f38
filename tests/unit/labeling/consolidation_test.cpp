#include "labeling/consolidation/consolidate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "imaging/codecs.h"
#include "unit/labeling/naive_consolidation.h"

namespace terrapin::labeling {
namespace {

using imaging::Mask;
using imaging::Size;
using ::testing::HasSubstr;

std::vector<Answer> answers_of(const NaiveObject& object) {
  std::vector<Answer> answers;
  for (const auto& [worker, mask] : object.masks) answers.push_back({worker, &mask});
  return answers;
}

// Patches of labels with single wrong pixels, and patches without an answer.
Mask random_mask(Size size, int classes, bool gaps, Random& random) {
  Mask mask(size);
  for (std::int64_t y = 0; y < size.height; ++y) {
    for (std::int64_t x = 0; x < size.width; ++x) {
      const std::int64_t patch = (x / 5 + y / 4 * 3) % classes;
      const bool alone = random.below(4) == 0;
      mask.set(x, y, static_cast<std::uint8_t>(alone ? random.below(classes) : patch));
      if (gaps && (random.below(9) == 0 || (x / 7 + y / 3) % 11 == 0)) mask.set(x, y, 255);
    }
  }
  return mask;
}

NaiveObject random_object(Size size, int classes, int workers, Random& random) {
  NaiveObject object;
  while (object.masks.size() < static_cast<std::size_t>(workers)) {
    const std::string worker = "w" + std::to_string(random.below(12));
    if (!object.masks.contains(worker))
      object.masks[worker] = random_mask(size, classes, random.below(3) == 0, random);
  }
  return object;
}

JobVotes votes_of(const std::vector<NaiveObject>& job, int classes) {
  JobVotes votes(classes);
  for (const NaiveObject& object : job) {
    const auto counted = count_votes(answers_of(object), classes, 1);
    EXPECT_TRUE(counted) << counted.error().message;
    EXPECT_TRUE(votes.add(*counted));
  }
  return votes;
}

Mask mask_of(std::int64_t width, const std::vector<int>& labels) {
  Mask mask({width, static_cast<std::int64_t>(labels.size()) / width});
  std::transform(labels.begin(), labels.end(), mask.bytes().begin(),
                 [](int v) { return static_cast<std::uint8_t>(v); });
  return mask;
}

void expect_equal(const Consolidated& a, const Consolidated& b) {
  EXPECT_TRUE(a.mask == b.mask);
  EXPECT_TRUE(a.certainty == b.certainty);
  EXPECT_EQ(a.confidence, b.confidence);
  EXPECT_EQ(a.disagreement, b.disagreement);
  EXPECT_EQ(a.disputed_pixels, b.disputed_pixels);
  ASSERT_EQ(a.classes.size(), b.classes.size());
  for (std::size_t i = 0; i < a.classes.size(); ++i) {
    EXPECT_EQ(a.classes[i].index, b.classes[i].index);
    EXPECT_EQ(a.classes[i].pixels, b.classes[i].pixels);
    EXPECT_EQ(a.classes[i].confidence, b.classes[i].confidence);
    EXPECT_EQ(a.classes[i].agreement, b.classes[i].agreement);
  }
}

TEST(Consolidation, AgreesWithTheNaiveTwin) {
  Random random(1);
  for (int round = 0; round < 150; ++round) {
    const int classes = 2 + static_cast<int>(random.below(5)),
              workers = 2 + static_cast<int>(random.below(8));
    const Size size{1 + random.below(90), 1 + random.below(30)};
    std::vector<NaiveObject> job;
    for (int i = 0; i < 2; ++i) job.push_back(random_object(size, classes, workers, random));
    const WorkerSkills skills = WorkerSkills::estimate(votes_of(job, classes));
    ConsolidationOptions options;
    options.smoothing = round % 3 == 0 ? 1.5 : options.smoothing;
    options.sweeps = static_cast<int>(random.below(5));
    options.rule = round % 4 == 0 ? VoteRule::kMajority : VoteRule::kSkilled;
    const auto result = consolidate(answers_of(job[0]), skills, options);
    ASSERT_TRUE(result) << result.error().message;
    const NaiveResult naive = naive_consolidate(
        job[0], [&](const std::string& w, int t, int r) { return skills.error(w, t, r); }, options.smoothing,
        options.sweeps, options.rule == VoteRule::kMajority);
    ASSERT_TRUE(result->mask == naive.mask) << "round " << round;
    for (std::size_t i = 0; i < naive.certainty.bytes().size(); ++i) {
      ASSERT_NEAR(result->certainty.bytes()[i], naive.certainty.bytes()[i], 1);
    }
    ASSERT_NEAR(result->confidence, naive.confidence, 1e-4);
    ASSERT_NEAR(result->disagreement, naive.disagreement, 1e-12);
    ASSERT_EQ(result->classes.size(), naive.class_confidence.size());
    for (const ClassOutcome& outcome : result->classes) {
      ASSERT_NEAR(outcome.confidence, naive.class_confidence.at(outcome.index), 1e-4);
      ASSERT_NEAR(outcome.agreement, naive.class_agreement.at(outcome.index), 1e-12);
      ASSERT_EQ(outcome.pixels,
                std::count(naive.mask.bytes().begin(), naive.mask.bytes().end(), outcome.index));
    }
  }
}

TEST(Consolidation, WithTheTwinsOwnSkillsOnlyCloseCallsDiffer) {
  Random random(2);
  std::int64_t differing = 0, pixels = 0;
  for (int round = 0; round < 20; ++round) {
    const int classes = 2 + round % 4, workers = 3 + round % 3;
    std::vector<NaiveObject> job;
    for (int i = 0; i < 4; ++i) job.push_back(random_object({40, 30}, classes, workers, random));
    const WorkerSkills skills = WorkerSkills::estimate(votes_of(job, classes));
    const NaiveSkills naive = naive_skills(job);
    for (const NaiveObject& object : job) {
      ConsolidationOptions options;
      options.sweeps = 0;
      const auto result = consolidate(answers_of(object), skills, options);
      ASSERT_TRUE(result);
      const NaiveResult twin = naive_consolidate(
          object,
          [&](const std::string& w, int t, int r) {
            return naive.error.at(w).at({t, r});
          },
          0, 0, false);
      for (std::size_t i = 0; i < twin.mask.bytes().size(); ++i) {
        ++pixels;
        if (result->mask.bytes()[i] == twin.mask.bytes()[i]) continue;
        ++differing;
        EXPECT_EQ(twin.close_call.bytes()[i], 1) << "round " << round << " pixel " << i;
      }
    }
  }
  EXPECT_LT(differing, pixels / 500);
}

TEST(Consolidation, BandsAndThreadsDoNotShow) {
  Random random(3);
  // Wide and tall enough for several bands; the twin knows nothing of bands.
  for (const Size size : {Size{9001, 150}, Size{64, 9000}}) {
    const NaiveObject object = random_object(size, 3, 3, random);
    const std::vector<Answer> answers = answers_of(object);
    const auto one = count_votes(answers, 3, 1), three = count_votes(answers, 3, 3);
    ASSERT_TRUE(one && three);
    EXPECT_EQ(*one, *three);
    JobVotes votes(3);
    ASSERT_TRUE(votes.add(*one));
    const WorkerSkills skills = WorkerSkills::estimate(votes);
    ConsolidationOptions options;
    options.smoothing = 1;
    options.sweeps = 4;
    options.threads = 1;
    const auto first = consolidate(answers, skills, options);
    options.threads = 4;
    const auto second = consolidate(answers, skills, options);
    ASSERT_TRUE(first && second);
    expect_equal(*first, *second);
    const NaiveResult naive = naive_consolidate(
        object, [&](const std::string& w, int t, int r) { return skills.error(w, t, r); }, options.smoothing,
        options.sweeps, false);
    EXPECT_TRUE(first->mask == naive.mask);
  }
}

TEST(Consolidation, OrderOfSubmissionDoesNotShow) {
  Random random(4);
  std::vector<NaiveObject> job;
  for (int i = 0; i < 6; ++i) job.push_back(random_object({50, 40}, 4, 5, random));
  const WorkerSkills skills = WorkerSkills::estimate(votes_of(job, 4));
  std::vector<NaiveObject> turned(job.rbegin(), job.rend());
  const WorkerSkills again = WorkerSkills::estimate(votes_of(turned, 4));
  for (const std::string& worker : skills.workers()) {
    for (int t = 0; t < 4; ++t) {
      for (int r = 0; r < 4; ++r) {
        ASSERT_EQ(skills.votes(worker, t, r).right, again.votes(worker, t, r).right);
        ASSERT_EQ(skills.votes(worker, t, r).wrong, again.votes(worker, t, r).wrong);
        ASSERT_EQ(skills.error(worker, t, r), again.error(worker, t, r));
      }
    }
  }
  std::vector<Answer> answers = answers_of(job[0]);
  const auto first = consolidate(answers, skills);
  ASSERT_TRUE(first);
  for (int i = 0; i < 5; ++i) {
    shuffle(answers, random);
    const auto counted = count_votes(answers, 4);
    ASSERT_TRUE(counted);
    EXPECT_EQ(*counted, *count_votes(answers_of(job[0]), 4));
    const auto other = consolidate(answers, again);
    ASSERT_TRUE(other);
    expect_equal(*first, *other);
  }
}

TEST(Consolidation, OneWorkersMaskPassesThroughBitForBit) {
  Random random(5);
  const Mask mask = random_mask({123, 45}, 254, true, random);
  const auto result = consolidate(std::vector<Answer>{{"anna", &mask}}, WorkerSkills(254));
  ASSERT_TRUE(result);
  EXPECT_TRUE(result->mask == mask);
  EXPECT_EQ(result->confidence, 0.0);
  EXPECT_EQ(result->disagreement, 0.0);
  EXPECT_EQ(result->disputed_pixels, 0);
  EXPECT_TRUE(result->certainty == Mask(mask.size(), 0));
  std::int64_t pixels = 0;
  for (const ClassOutcome& outcome : result->classes) pixels += outcome.pixels;
  EXPECT_EQ(pixels,
            std::count_if(mask.bytes().begin(), mask.bytes().end(), [](std::uint8_t v) { return v != 255; }));
}

TEST(Consolidation, ATieGoesToTheNeighboursThenToTheLowerIndex) {
  // Column 0: level everywhere around -> the lower index. Column 4: level itself, but both workers gave its
  // neighbours class 2.
  const Mask a = mask_of(5, {1, 0, 0, 2, 2}), b = mask_of(5, {2, 0, 0, 2, 1});
  ConsolidationOptions options;
  options.rule = VoteRule::kMajority;
  for (const VoteRule rule : {VoteRule::kMajority, VoteRule::kSkilled}) {
    options.rule = rule;
    options.sweeps = 0;
    const auto result = consolidate(std::vector<Answer>{{"a", &a}, {"b", &b}}, WorkerSkills(3), options);
    ASSERT_TRUE(result);
    EXPECT_THAT(result->mask.bytes(), ::testing::ElementsAre(1, 0, 0, 2, 2));
    EXPECT_EQ(result->certainty.bytes()[0], 128);
    EXPECT_EQ(result->certainty.bytes()[1], 255);
    EXPECT_EQ(result->disputed_pixels, 2);
  }
  // Three ways, one vote each, and the middle class has a vote more beside it.
  const Mask c = mask_of(2, {1, 2}), d = mask_of(2, {2, 0}), e = mask_of(2, {3, 0});
  options.rule = VoteRule::kMajority;
  const auto result =
      consolidate(std::vector<Answer>{{"c", &c}, {"d", &d}, {"e", &e}}, WorkerSkills(4), options);
  ASSERT_TRUE(result);
  EXPECT_THAT(result->mask.bytes(), ::testing::ElementsAre(2, 0));
}

TEST(Consolidation, ARowOfOneClassDecidesACloseCallInItsMiddle) {
  Mask a({9, 9}, 1);
  const Mask b({9, 9}, 1);
  a.set(4, 4, 0);  // one worker left a hole of a pixel
  ConsolidationOptions options;
  const auto smooth = consolidate(std::vector<Answer>{{"a", &a}, {"b", &b}}, WorkerSkills(2), options);
  ASSERT_TRUE(smooth);
  EXPECT_TRUE(smooth->mask == b);
  // Agreement is never overruled, whatever the neighbours say.
  Mask c = a, d = a;
  options.smoothing = 8;
  const auto agreed = consolidate(std::vector<Answer>{{"c", &c}, {"d", &d}}, WorkerSkills(2), options);
  ASSERT_TRUE(agreed);
  EXPECT_TRUE(agreed->mask == a);
  EXPECT_EQ(agreed->confidence, 1.0);
  EXPECT_EQ(agreed->disagreement, 0.0);
}

TEST(Consolidation, TwoHundredFiftyThreeLabelsBackgroundAndAVoidOne) {
  Random random(6);
  NaiveObject object;
  Mask truth({508, 40});
  for (std::int64_t y = 0; y < 40; ++y) {
    for (std::int64_t x = 0; x < 508; ++x)
      truth.set(x, y, static_cast<std::uint8_t>((x / 2 + y / 20 * 127) % 255));
  }
  for (int w = 0; w < 3; ++w) {
    Mask mask = truth;
    for (std::uint8_t& label : mask.bytes()) {
      if (random.below(10) == 0) label = static_cast<std::uint8_t>(random.below(255));
    }
    object.masks["w" + std::to_string(w)] = mask;
  }
  const WorkerSkills skills = WorkerSkills::estimate(votes_of({object}, 255));
  const auto result = consolidate(answers_of(object), skills);
  ASSERT_TRUE(result);
  std::int64_t wrong = 0;
  for (std::size_t i = 0; i < truth.bytes().size(); ++i) {
    ASSERT_LT(result->mask.bytes()[i], 255);
    wrong += result->mask.bytes()[i] != truth.bytes()[i] ? 1 : 0;
  }
  EXPECT_LT(wrong, truth.size().area() / 20);
  EXPECT_EQ(result->classes.size(), 255u);
  EXPECT_EQ(result->classes.back().index, 254);
  // The file that is handed on holds the same indices.
  const auto png = imaging::encode_indexed_png(result->mask, imaging::default_palette(255));
  ASSERT_TRUE(png);
  const auto read = imaging::decode_mask(*png);
  ASSERT_TRUE(read && read->labels);
  EXPECT_TRUE(*read->labels == result->mask);
}

// The last class may not be taken for a pixel whose class is still open: the twin knows of no such mark.
TEST(Consolidation, TheLastClassSmoothsAsAnyOther) {
  Random random(8);
  for (int round = 0; round < 20; ++round) {
    NaiveObject low, high;
    for (int w = 0; w < 3; ++w) {
      Mask mask = random_mask({17, 13}, 3, true, random);
      low.masks["w" + std::to_string(w)] = mask;
      for (std::uint8_t& label : mask.bytes())
        if (label < 3) label = static_cast<std::uint8_t>(label + 252);
      high.masks["w" + std::to_string(w)] = mask;
    }
    const auto a = consolidate(answers_of(low), WorkerSkills(3));
    const auto b = consolidate(answers_of(high), WorkerSkills(255));
    ASSERT_TRUE(a && b);
    EXPECT_EQ(a->certainty, b->certainty);
    for (std::size_t i = 0; i < a->mask.bytes().size(); ++i) {
      const int label = a->mask.bytes()[i];
      ASSERT_EQ(b->mask.bytes()[i], label < 3 ? label + 252 : label) << i;
    }
  }
}

TEST(Consolidation, UnansweredPixels) {
  const Mask a = mask_of(5, {255, 1, 255, 1, 0}), b = mask_of(5, {255, 255, 2, 1, 2}),
             c = mask_of(5, {255, 255, 255, 255, 2});
  const auto result = consolidate(std::vector<Answer>{{"a", &a}, {"b", &b}, {"c", &c}}, WorkerSkills(3));
  ASSERT_TRUE(result);
  EXPECT_THAT(result->mask.bytes(), ::testing::ElementsAre(255, 1, 2, 1, 2));
  EXPECT_EQ(result->certainty.bytes()[0], 0) << "nobody answered";
  EXPECT_EQ(result->certainty.bytes()[1], 0) << "nobody to agree with";
  EXPECT_EQ(result->certainty.bytes()[2], 0);
  EXPECT_EQ(result->certainty.bytes()[3], 255);
  EXPECT_GT(result->certainty.bytes()[4], 128);
  const Mask nothing({4, 3}, 255);
  const auto empty = consolidate(std::vector<Answer>{{"a", &nothing}, {"b", &nothing}}, WorkerSkills(3));
  ASSERT_TRUE(empty);
  EXPECT_TRUE(empty->mask == nothing);
  EXPECT_EQ(empty->confidence, 0.0);
  EXPECT_EQ(empty->disagreement, 0.0);
  EXPECT_TRUE(empty->classes.empty());
}

TEST(Consolidation, ConfidenceFallsAndDisagreementRisesWithEveryDisputedPixel) {
  Mask truth({40, 40});
  for (std::int64_t y = 10; y < 30; ++y) {
    for (std::int64_t x = 10; x < 30; ++x) truth.set(x, y, 1);
  }
  double last_confidence = 1.01, last_disagreement = -0.01;
  for (std::int64_t cut = 0; cut <= 20; cut += 4) {
    Mask smaller = truth;
    for (std::int64_t y = 10; y < 30; ++y) {
      for (std::int64_t x = 10; x < 10 + cut; ++x) smaller.set(x, y, 0);
    }
    const std::vector<Answer> answers = {{"a", &truth}, {"b", &truth}, {"c", &smaller}};
    const auto result = consolidate(answers, WorkerSkills(2));
    ASSERT_TRUE(result);
    std::int64_t differing = 0;
    for (std::size_t i = 0; i < truth.bytes().size(); ++i)
      differing += result->mask.bytes()[i] != truth.bytes()[i] ? 1 : 0;
    EXPECT_LE(differing, 12) << "at most three pixels at each corner";
    EXPECT_LT(result->confidence, last_confidence);
    EXPECT_GT(result->disagreement, last_disagreement);
    EXPECT_GE(result->confidence, 0.0);
    EXPECT_LE(result->disagreement, 1.0);
    last_confidence = result->confidence, last_disagreement = result->disagreement;
  }
}

TEST(Consolidation, WrongInputIsRefusedByName) {
  Mask a({8, 4}), b({8, 5}), c({8, 4});
  c.set(5, 2, 3);
  const WorkerSkills skills(3);
  const auto message = [&](const std::vector<Answer>& answers, const ConsolidationOptions& options = {}) {
    const auto result = consolidate(answers, skills, options);
    EXPECT_FALSE(result);
    return result ? "" : result.error().message;
  };
  EXPECT_THAT(message({}), HasSubstr("0 answers"));
  EXPECT_THAT(message({{"anna", &a}, {"bert", &b}}),
              HasSubstr("'bert' is 8x5, that of worker 'anna' is 8x4"));
  EXPECT_THAT(message({{"anna", &a}, {"anna", &a}}), HasSubstr("'anna' has two answers"));
  EXPECT_THAT(message({{"", &a}}), HasSubstr("worker id"));
  EXPECT_THAT(message({{"anna", nullptr}}), HasSubstr("'anna' is empty"));
  const std::string wrong = "the mask of worker 'carl' has class 3 at column 5, row 2; allowed are 0 to 2";
  EXPECT_THAT(message({{"anna", &a}, {"carl", &c}}), HasSubstr(wrong));
  EXPECT_THAT(message({{"carl", &c}}), HasSubstr(wrong));
  Mask both = c;
  EXPECT_THAT(message({{"carl", &c}, {"dora", &both}}), HasSubstr(wrong)) << "agreeing on a wrong index";
  EXPECT_FALSE(count_votes(std::vector<Answer>{{"anna", &a}, {"carl", &c}}, 3));
  EXPECT_FALSE(count_votes(std::vector<Answer>{{"carl", &c}, {"dora", &both}}, 3));
  EXPECT_THAT(message({{"anna", &a}, {"bert", &a}}, {.smoothing = -1}), HasSubstr("smoothing is -1"));
  EXPECT_THAT(message({{"anna", &a}, {"bert", &a}}, {.sweeps = 17}), HasSubstr("17 sweeps"));
  EXPECT_FALSE(consolidate(std::vector<Answer>{{"anna", &a}}, WorkerSkills(256)));
  const std::vector<Answer> many = [&] {
    std::vector<Answer> list;
    for (int i = 0; i < 65; ++i) list.push_back({"w" + std::to_string(i), &a});
    return list;
  }();
  EXPECT_THAT(message(many), HasSubstr("65 answers"));
}

TEST(Consolidation, SixtyFourWorkers) {
  Random random(7);
  NaiveObject object;
  for (int w = 0; w < 64; ++w) object.masks["w" + std::to_string(w)] = random_mask({70, 20}, 3, true, random);
  const WorkerSkills skills = WorkerSkills::estimate(votes_of({object}, 3));
  const auto result = consolidate(answers_of(object), skills);
  ASSERT_TRUE(result);
  const NaiveResult naive = naive_consolidate(
      object, [&](const std::string& w, int t, int r) { return skills.error(w, t, r); },
      ConsolidationOptions{}.smoothing, ConsolidationOptions{}.sweeps, false);
  EXPECT_TRUE(result->mask == naive.mask);
}

}  // namespace
}  // namespace terrapin::labeling
