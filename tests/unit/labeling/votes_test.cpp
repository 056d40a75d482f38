#include "labeling/consolidation/votes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "dataset/scenes.h"
#include "labeling/consolidation/consolidate.h"
#include "metrics/confusion.h"
#include "unit/labeling/annotators.h"
#include "unit/labeling/naive_consolidation.h"

namespace terrapin::labeling {
namespace {

using imaging::Mask;
using imaging::Size;
using ::testing::HasSubstr;

Mask random_mask(Size size, int classes, Random& random) {
  Mask mask(size);
  std::uint8_t label = 0;
  for (std::uint8_t& pixel : mask.bytes()) {
    if (random.below(6) == 0) label = static_cast<std::uint8_t>(random.below(classes + 1));
    pixel = label == classes ? std::uint8_t{255} : label;
  }
  return mask;
}

// Scenes painted by workers of different care, three of five to an object.
std::vector<SimulatedObject> small_job(int classes, std::uint64_t seed, int objects = 6) {
  std::vector<Mask> truths;
  for (int i = 0; i < objects; ++i) {
    Random random = random_for(seed, 9, static_cast<std::uint64_t>(i));
    truths.push_back(thin_scene({80, 60}, classes, random));
  }
  const std::vector<Habit> workers = {
      {.wobble = 0.3}, {}, {.grow = 1}, {.mistake = 0.5}, {.unanswered = 0.3}};
  return simulate(truths, classes, workers, 3, seed);
}

VoteCounts counts_of(const SimulatedObject& object, int classes) {
  auto counted = count_votes(object.answers(), classes, 1);
  EXPECT_TRUE(counted) << counted.error().message;
  return *counted;
}

JobVotes job_votes(const std::vector<SimulatedObject>& job, int classes) {
  JobVotes votes(classes);
  for (const SimulatedObject& object : job) EXPECT_TRUE(votes.add(counts_of(object, classes)));
  return votes;
}

TEST(Votes, CountsAgreeWithTheNaiveTwin) {
  Random random(1);
  for (int round = 0; round < 100; ++round) {
    const int classes = 1 + static_cast<int>(random.below(6)),
              workers = 1 + static_cast<int>(random.below(10));
    const Size size{1 + random.below(200), 1 + random.below(20)};
    std::vector<Mask> masks;
    for (int w = 0; w < workers; ++w) {
      // Some masks are near copies, so that long runs agree.
      if (w > 0 && random.below(2) == 0) {
        masks.push_back(masks[0]);
        masks.back().bytes()[static_cast<std::size_t>(random.below(size.area()))] = 0;
      } else {
        masks.push_back(random_mask(size, classes, random));
      }
    }
    std::vector<Answer> answers;
    for (int w = 0; w < workers; ++w)
      answers.push_back({"w" + std::to_string(100 + w), &masks[static_cast<std::size_t>(w)]});
    const auto counted = count_votes(answers, classes);
    ASSERT_TRUE(counted) << counted.error().message;
    std::map<LabelTuple, std::int64_t> naive;
    for (std::size_t i = 0; i < masks[0].bytes().size(); ++i) {
      LabelTuple tuple;
      for (const Mask& mask : masks) tuple.push_back(static_cast<char>(mask.bytes()[i]));
      ++naive[tuple];
    }
    ASSERT_EQ(counted->tuples, naive);
    ASSERT_EQ(counted->left_out_disputes, 0);
  }
}

TEST(Votes, EvidenceIsWhatTheDecisionPageSays) {
  // 12 disputed pixels over classes 0 and 1; class 0 agreed on 100 times, class 1 on 6 times, class 2 on 50.
  VoteCounts votes{3, {"a", "b", "c"}, {}, 0};
  const auto tuple = [](int a, int b, int c) {
    return LabelTuple{static_cast<char>(a), static_cast<char>(b), static_cast<char>(c)};
  };
  votes.tuples = {{tuple(0, 0, 1), 9},      {tuple(1, 0, 255), 3},    {tuple(0, 0, 0), 60},
                  {tuple(0, 0, 255), 40},   {tuple(1, 1, 1), 6},      {tuple(2, 2, 2), 50},
                  {tuple(255, 255, 1), 70}, {tuple(255, 255, 255), 5}};
  const auto weights = evidence(votes);
  const double unit = 3 * std::cbrt(12.0) / 12 * 1024;
  const auto weight = [&](const LabelTuple& t, std::uint8_t rival) {
    return static_cast<double>(weights.at({t, rival}));
  };
  EXPECT_NEAR(weight(tuple(0, 0, 1), 255), 9 * unit, 1);
  EXPECT_NEAR(weight(tuple(1, 0, 255), 255), 3 * unit, 1);
  EXPECT_NEAR(weight(tuple(0, 0, 0), 1), 60 * unit * 12 / 100, 2);
  EXPECT_NEAR(weight(tuple(0, 0, 255), 1), 40 * unit * 12 / 100, 2);
  EXPECT_NEAR(weight(tuple(1, 1, 1), 0), 6 * unit, 1);
  EXPECT_EQ(weights.size(), 5u) << "what nobody disputes and single answers tell nothing";
  votes.tuples.erase(tuple(0, 0, 1)), votes.tuples.erase(tuple(1, 0, 255));
  EXPECT_TRUE(evidence(votes).empty());
}

TEST(Votes, SkillsAgreeWithTheNaiveTwin) {
  for (const std::uint64_t seed : {1, 2, 3}) {
    const int classes = 3 + static_cast<int>(seed % 2);
    const auto job = small_job(classes, seed, 4);
    const WorkerSkills skills = WorkerSkills::estimate(job_votes(job, classes));
    EXPECT_TRUE(skills.converged());
    std::vector<NaiveObject> plain;
    for (const SimulatedObject& object : job) {
      plain.emplace_back();
      for (std::size_t i = 0; i < object.masks.size(); ++i)
        plain.back().masks[object.workers[i]] = object.masks[i];
    }
    const NaiveSkills naive = naive_skills(plain);
    ASSERT_EQ(naive.error.size(), skills.workers().size());
    for (const auto& [worker, pairs] : naive.error) {
      for (const auto& [pair, error] : pairs) {
        EXPECT_NEAR(skills.error(worker, pair.first, pair.second), error, 3e-3)
            << worker << " " << pair.first << " " << pair.second;
      }
    }
  }
}

TEST(Votes, TakingAWorkerOutEqualsNeverHavingHadThem) {
  const auto job = small_job(4, 5);
  const std::string gone = job[0].workers[1];
  JobVotes taken = job_votes(job, 4), never(4);
  for (const SimulatedObject& object : job) {
    SimulatedObject rest;
    for (std::size_t i = 0; i < object.workers.size(); ++i) {
      if (object.workers[i] == gone) continue;
      rest.workers.push_back(object.workers[i]), rest.masks.push_back(object.masks[i]);
    }
    ASSERT_TRUE(never.add(counts_of(rest, 4)));
    if (rest.workers.size() == object.workers.size()) continue;
    const VoteCounts with = counts_of(object, 4);
    const auto without = with.without(gone);
    ASSERT_TRUE(without);
    EXPECT_EQ(*without, counts_of(rest, 4));
    ASSERT_TRUE(taken.remove(with));
    ASSERT_TRUE(taken.add(*without));
  }
  EXPECT_EQ(taken, never);
  const WorkerSkills a = WorkerSkills::estimate(taken), b = WorkerSkills::estimate(never);
  EXPECT_THAT(a.workers(), ::testing::Not(::testing::Contains(gone)));
  for (const std::string& worker : a.workers()) {
    for (int t = 0; t < 4; ++t) {
      for (int r = 0; r < 4; ++r) ASSERT_EQ(a.error(worker, t, r), b.error(worker, t, r));
    }
  }
  const VoteCounts first = counts_of(job[0], 4);
  EXPECT_THAT(first.without("nobody").error().message, HasSubstr("'nobody' gave no answer"));
  const auto alone = first.without(first.workers[0])->without(first.workers[1])->without(first.workers[2]);
  ASSERT_TRUE(alone);
  EXPECT_TRUE(alone->workers.empty() && alone->tuples.empty());
}

TEST(Votes, AddingAndRemovingInAnyOrderIsExact) {
  const auto job = small_job(4, 6);
  JobVotes votes(4), backwards(4);
  for (const SimulatedObject& object : job) ASSERT_TRUE(votes.add(counts_of(object, 4)));
  for (auto object = job.rbegin(); object != job.rend(); ++object)
    ASSERT_TRUE(backwards.add(counts_of(*object, 4)));
  EXPECT_EQ(votes, backwards);
  const JobVotes before = votes;
  VoteCounts stranger = counts_of(small_job(4, 7)[0], 4);
  EXPECT_FALSE(votes.remove(stranger));
  EXPECT_FALSE(votes.add(counts_of(small_job(3, 7)[0], 3)));
  EXPECT_EQ(votes, before) << "a refusal changes nothing";
  for (const SimulatedObject& object : job) ASSERT_TRUE(votes.remove(counts_of(object, 4)));
  EXPECT_EQ(votes, JobVotes(4));
  EXPECT_EQ(votes.total_weight(), 0);
}

TEST(Votes, CountsBeyondThirtyTwoBitsStayExact) {
  VoteCounts object = counts_of(small_job(4, 8)[0], 4);
  for (auto& [tuple, count] : object.tuples) count = (count << 40) + 1;
  const auto read = votes_from_json(to_json(object));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, object);
  JobVotes votes(4);
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(votes.add(object));
  // Two workers on two classes: every tuple's weight is one vote of each worker.
  VoteCounts two{2, {"a", "b"}, {}, 0};
  two.tuples = {{LabelTuple("\0\0", 2), std::int64_t{1} << 59},
                {LabelTuple("\0\1", 2), (std::int64_t{1} << 50) + 1},
                {LabelTuple("\1\1", 2), std::int64_t{1} << 40},
                {LabelTuple("\1\0", 2), (std::int64_t{1} << 50) + 3}};
  JobVotes pair(2);
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(pair.add(two));
  const WorkerSkills skills = WorkerSkills::estimate(pair);
  for (const std::string worker : {"a", "b"}) {
    std::int64_t given = 0;
    for (int t = 0; t < 2; ++t) {
      const auto cell = skills.votes(worker, t, 1 - t);
      EXPECT_GE(cell.right, 0);
      EXPECT_GE(cell.wrong, 0);
      given += cell.right + cell.wrong;
    }
    EXPECT_GT(given, std::int64_t{1} << 46);
    EXPECT_NEAR(static_cast<double>(given) / static_cast<double>(pair.total_weight()) / 16384, 1, 1e-4);
  }
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(votes.remove(object));
  EXPECT_EQ(votes, JobVotes(4));
  // Over what 64 bits hold for a whole job: refused, not wrapped.
  Status added;
  for (int i = 0; i < 100000 && added; ++i) added = pair.add(two);
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().code, ErrorCode::kTooLarge);
}

TEST(Votes, NoiseKeepsASampleThatDoesNotDependOnThreads) {
  Random random(3);
  std::vector<Mask> masks;
  for (int w = 0; w < 4; ++w) {
    for (std::uint8_t& label : masks.emplace_back(Size{2000, 400}).bytes())
      label = static_cast<std::uint8_t>(random.below(200));
  }
  std::vector<Answer> answers;
  for (std::size_t w = 0; w < masks.size(); ++w) answers.push_back({"w" + std::to_string(w), &masks[w]});
  const auto one = count_votes(answers, 200, 1);
  std::reverse(answers.begin(), answers.end());
  const auto many = count_votes(answers, 200, 4);
  ASSERT_TRUE(one && many);
  EXPECT_EQ(*one, *many);
  EXPECT_LE(one->tuples.size(), VoteCounts::kMaxTuples + 256);
  EXPECT_GT(one->tuples.size(), VoteCounts::kMaxTuples / 4);
  std::int64_t pixels = one->left_out_disputes;
  for (const auto& [tuple, count] : one->tuples) pixels += count;
  EXPECT_EQ(pixels, 800000);
  EXPECT_EQ(one->without("w1").error().code, ErrorCode::kUnsupported);
  JobVotes votes(200);
  ASSERT_TRUE(votes.add(*one));
  EXPECT_NEAR(static_cast<double>(votes.total_weight()), 3 * std::cbrt(8e5) * 1024, 2e4)
      << "what was left out still weighs";
  const auto result = consolidate(answers, WorkerSkills::estimate(votes));
  ASSERT_TRUE(result);
  for (const std::uint8_t label : result->mask.bytes()) ASSERT_LT(label, 200);
}

TEST(Votes, JsonRoundTripAndHostileText) {
  const VoteCounts votes = counts_of(small_job(4, 9)[0], 4);
  const std::string good = to_json(votes);
  const auto read = votes_from_json(good);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, votes);
  const std::string head =
      R"({"format":"terrapin-votes","version":1,"classes":3,"workers":["a","b"],"left_out_disputes":0,"tuples":)";
  ASSERT_TRUE(votes_from_json(head + "[[0,1,5],[255,2,1]]}"));
  for (const std::string& bad :
       {std::string(), std::string("[]"), std::string("{}"), good.substr(0, good.size() / 2),
        head + "[[0,1]]}", head + "[[0,3,5]]}", head + "[[0,1,0]]}", head + "[[0,1,-1]]}",
        head + "[[0,1,5],[0,1,6]]}", head + "[[0,256,5]]}", head + "[[0,1,1.5]]}",
        head + "[[0,1,99999999999999999999]]}", head + "[[0,\"1\",5]]}", head + "[7]}",
        head + "[],\"more\":1}", head + "[[0,1,1152921504606846976],[1,0,1]]}"}) {
    EXPECT_FALSE(votes_from_json(bad)) << bad;
  }
  const auto replaced = [&](const std::string& from, const std::string& to) {
    std::string text = head + "[]}";
    return votes_from_json(text.replace(text.find(from), from.size(), to));
  };
  EXPECT_FALSE(replaced("terrapin-votes", "other"));
  EXPECT_EQ(replaced("\"version\":1", "\"version\":2").error().code, ErrorCode::kUnsupported);
  EXPECT_FALSE(replaced("\"classes\":3", "\"classes\":256"));
  EXPECT_THAT(replaced("[\"a\",\"b\"]", "[\"b\",\"a\"]").error().message, HasSubstr("ascending order"));
  EXPECT_FALSE(replaced("[\"a\",\"b\"]", "[\"a\",\"a\"]"));
  EXPECT_FALSE(replaced("[\"a\",\"b\"]", "[\"a\",5]"));
  EXPECT_FALSE(replaced("[\"a\",\"b\"]", "[\"a\",\"b c\"]"));
}

TEST(Skills, NobodyKnownMeansAllAlike) {
  const WorkerSkills skills(5);
  EXPECT_TRUE(skills.workers().empty());
  EXPECT_TRUE(skills.converged());
  EXPECT_DOUBLE_EQ(skills.error("x", 1, 2), 0.3);
  EXPECT_DOUBLE_EQ(skills.reliability("x"), 0.7);
  EXPECT_DOUBLE_EQ(WorkerSkills::estimate(JobVotes(5)).error("x", 1, 2), 0.3);
}

TEST(Skills, FindsWhoIsWhoAndDoesNotTrustWhoeverMissesThinObjects) {
  std::vector<Mask> truths;
  for (std::uint64_t i = 0; i < 10; ++i) {
    Random random = random_for(3, 1, i);
    truths.push_back(thin_scene({120, 90}, 3, random));
  }
  const Habit good{.wobble = 0.5, .fray = 0.4};
  const auto job = simulate(
      truths, 3, {good, good, good, {.thick_brush = true}, {.spam = Habit::Spam::kBlobs}, {.swaps = true}}, 4,
      3);
  const WorkerSkills skills = WorkerSkills::estimate(job_votes(job, 3));
  for (const std::string good_one : {"worker-100", "worker-101", "worker-102"}) {
    for (const std::string bad_one : {"worker-103", "worker-104", "worker-105"}) {
      EXPECT_GT(skills.reliability(good_one), skills.reliability(bad_one)) << good_one << " " << bad_one;
    }
  }
  // Over all pixels the thick brush is right nearly always; where its objects are disputed, it is not. That
  // it paints an object where there is none stays rare.
  EXPECT_GT(skills.error("worker-103", 1, 0), 2 * skills.error("worker-100", 1, 0));
  EXPECT_LT(skills.error("worker-103", 0, 1), skills.error("worker-103", 1, 0));
  EXPECT_GT(skills.error("worker-105", 1, 2), 0.6) << "who swaps two classes is understood";
}

// script/bench consolidation plays many more settings; these hold the promise in every build.
TEST(Skills, ConsolidatedMasksBeatMajorityVoteWhereWorkersDiffer) {
  const Habit usual{}, careful{.wobble = 0.7, .fray = 0.4}, sloppy{.wobble = 2.5, .fray = 1.5, .miss = 0.1};
  const Habit forgetful{.miss = 0.4}, wide{.grow = 3}, swapping{.swaps = true},
      off{.shift_x = 4, .shift_y = 2};
  const Habit blobs{.spam = Habit::Spam::kBlobs}, lazy{.spam = Habit::Spam::kBackground};
  struct Setting {
    std::vector<Habit> workers;
    int per_object;
    bool unequal = true;
  };
  const std::vector<Setting> settings = {
      {{usual, usual, usual}, 3, false},
      {{careful, sloppy, sloppy}, 3},
      {{careful, sloppy}, 2},
      {{usual, usual, blobs}, 3},
      {{usual, usual, lazy, lazy}, 4},
      {{usual, forgetful, forgetful}, 3},
      {{usual, usual, usual, swapping, swapping}, 5},
      {{usual, usual, usual, wide, wide}, 3},
      {{usual, usual, off}, 3},
      {{careful, usual, usual, sloppy, wide, forgetful, swapping, off, blobs}, 9}};
  for (const std::uint64_t seed : {101, 102}) {
    std::vector<Mask> truths;
    for (std::uint64_t i = 0; i < 16; ++i)
      truths.push_back(dataset::make_scene({{160, 120}, 4, seed}, i).mask);
    for (const Setting& setting : settings) {
      const auto job = simulate(truths, 4, setting.workers, setting.per_object, seed);
      const WorkerSkills skills = WorkerSkills::estimate(job_votes(job, 4));
      metrics::ConfusionMatrix majority(4), ours(4);
      for (const SimulatedObject& object : job) {
        ConsolidationOptions options;
        ours.add(object.truth, consolidate(object.answers(), skills, options)->mask);
        options.rule = VoteRule::kMajority;
        majority.add(object.truth, consolidate(object.answers(), skills, options)->mask);
      }
      const auto number = &setting - settings.data();
      if (setting.unequal) {
        EXPECT_GT(ours.mean_iou(), majority.mean_iou()) << "setting " << number << " seed " << seed;
      } else {
        EXPECT_GE(ours.mean_iou(), majority.mean_iou()) << "setting " << number << " seed " << seed;
      }
    }
  }
}

}  // namespace
}  // namespace terrapin::labeling
