#include "control/tuning/strategy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

#include "unit/control/ranges.h"

namespace terrapin::control::tuning {
namespace {

using test::choice;
using test::number;
using test::space_of;
using test::whole;
using Function = std::function<double(const Assignment&)>;

double value(const Assignment& assignment, const char* name) {
  return std::stod(assignment.at(name));
}

// `parallel` trainings at a time; the oldest ends first.
double best_of(const SearchSpace& space, Strategy strategy, std::uint64_t seed, int trainings,
               std::size_t parallel, const Function& function) {
  std::vector<Trial> trials;
  double best = -1e300;
  for (std::size_t made = 0, ended = 0; ended < static_cast<std::size_t>(trainings);) {
    if (made < static_cast<std::size_t>(trainings) && made - ended < parallel) {
      const auto next = propose(space, strategy, seed, trials);
      if (!next) {
        ADD_FAILURE() << "nothing proposed";
        return best;
      }
      trials.push_back({*next, Trial::Outcome::kPending, 0});
      ++made;
      continue;
    }
    trials[ended].outcome = Trial::Outcome::kMeasured;
    trials[ended].score = function(trials[ended].values);
    best = std::max(best, trials[ended++].score);
  }
  return best;
}

struct Comparison {
  double bayesian = 0, random = 0;  // the mean distance of the best from the function's best
  int wins = 0;
};
constexpr int kSeeds = 20;
Comparison compare(const SearchSpace& space, int trainings, std::size_t parallel, double best,
                   const Function& function) {
  Comparison result;
  for (int seed = 0; seed < kSeeds; ++seed) {
    const auto run = [&](Strategy strategy) {
      return best - best_of(space, strategy, static_cast<std::uint64_t>(seed), trainings, parallel, function);
    };
    const double bayesian = run(Strategy::kBayesian), random = run(Strategy::kRandom);
    result.bayesian += bayesian / kSeeds;
    result.random += random / kSeeds;
    result.wins += bayesian < random ? 1 : 0;
  }
  return result;
}

TEST(Bayesian, BeatsRandomOnABowl) {
  const SearchSpace space = space_of({number("x", 0, 1), number("y", 0, 1)});
  const auto bowl = [](const Assignment& at) {
    return -std::pow(value(at, "x") - 0.3, 2) - std::pow(value(at, "y") - 0.7, 2);
  };
  const Comparison result = compare(space, 20, 1, 0, bowl);
  EXPECT_LT(result.bayesian, result.random / 10);
  EXPECT_GE(result.wins, kSeeds * 9 / 10);
}

TEST(Bayesian, BeatsRandomOnBraninsFunction) {
  const SearchSpace space = space_of({number("x", -5, 10), number("y", 0, 15)});
  const auto branin = [](const Assignment& at) {
    const double x = value(at, "x"), y = value(at, "y");
    const double a = y - 5.1 / (4 * M_PI * M_PI) * x * x + 5 / M_PI * x - 6;
    return -(a * a + 10 * (1 - 1 / (8 * M_PI)) * std::cos(x) + 10);
  };
  const Comparison result = compare(space, 30, 1, -0.397887, branin);
  EXPECT_LT(result.bayesian, result.random / 4);
  EXPECT_GE(result.wins, kSeeds * 8 / 10);
}

// What a tuning of the algorithm looks like: the best rate depends on the optimizer, batch and momentum
// matter little. Three at a time.
TEST(Bayesian, BeatsRandomOnMixedParametersInParallel) {
  const SearchSpace space = space_of({number("learning_rate", 1e-5, 1, Scaling::kLogarithmic),
                                      choice("optimizer", {"sgd", "adam", "adadelta"}),
                                      whole("mini_batch_size", 1, 64, Scaling::kAuto),
                                      number("momentum", 0.5, 0.999, Scaling::kReverseLogarithmic)});
  const auto training = [](const Assignment& at) {
    const std::string& optimizer = at.at("optimizer");
    const double wanted = optimizer == "sgd" ? -1.5 : optimizer == "adam" ? -3.0 : 0.0;
    const double ceiling = optimizer == "sgd" ? 0.85 : optimizer == "adam" ? 0.9 : 0.7;
    const double away = std::log10(value(at, "learning_rate")) - wanted;
    return ceiling - 0.12 * away * away - 0.00002 * std::pow(value(at, "mini_batch_size") - 16, 2) -
           0.05 * std::pow(value(at, "momentum") - 0.9, 2);
  };
  const Comparison result = compare(space, 30, 3, 0.9, training);
  EXPECT_LT(result.bayesian, result.random / 2);
  EXPECT_GE(result.wins, kSeeds * 8 / 10);
}

TEST(Bayesian, LearnsFromFailures) {
  // Above 0.5 every training fails; the best lies right below.
  const SearchSpace space = space_of({number("x", 0, 1)});
  std::vector<Trial> trials;
  int failures = 0;
  for (int i = 0; i < 25; ++i) {
    const auto next = propose(space, Strategy::kBayesian, 1, trials);
    ASSERT_TRUE(next);
    const double x = value(*next, "x");
    failures += x > 0.5 ? 1 : 0;
    trials.push_back({*next, x > 0.5 ? Trial::Outcome::kFailed : Trial::Outcome::kMeasured, x > 0.5 ? 0 : x});
  }
  double best = 0;
  for (const Trial& trial : trials) best = std::max(best, trial.score);
  EXPECT_GT(best, 0.45);
  EXPECT_LT(failures, 13);
}

TEST(Bayesian, PendingTrainingsPushTheNextAway) {
  const SearchSpace space = space_of({number("x", 0, 1)});
  std::vector<Trial> trials;
  for (int i = 0; i <= 10; ++i) {
    const double x = i / 10.0;
    trials.push_back({{{"x", fmt::format("{}", x)}}, Trial::Outcome::kMeasured, -std::pow(x - 0.63, 2)});
  }
  std::set<std::string> proposed;
  for (int i = 0; i < 4; ++i) {
    const auto next = propose(space, Strategy::kBayesian, 1, trials);
    ASSERT_TRUE(next);
    EXPECT_TRUE(proposed.insert(next->at("x")).second);
    trials.push_back({*next, Trial::Outcome::kPending, 0});
  }
}

TEST(Bayesian, EqualValuesAndNothingMeasuredAreNoTrouble) {
  const SearchSpace space = space_of({number("x", 0, 1)});
  std::vector<Trial> same, pending, failed;
  for (int i = 0; i < 12; ++i) {
    for (std::vector<Trial>* trials : {&same, &pending, &failed}) {
      const auto next = propose(space, Strategy::kBayesian, 9, *trials);
      ASSERT_TRUE(next);
      const auto outcome = trials == &same      ? Trial::Outcome::kMeasured
                           : trials == &pending ? Trial::Outcome::kPending
                                                : Trial::Outcome::kFailed;
      trials->push_back({*next, outcome, 0.5});
    }
  }
}

TEST(Bayesian, WhatLiesOutsideOfTheSpaceIsLeftOut) {
  const SearchSpace space = space_of({number("x", 0, 1)});
  std::vector<Trial> trials(20, Trial{{{"x", "7"}}, Trial::Outcome::kMeasured, 1});
  EXPECT_TRUE(propose(space, Strategy::kBayesian, 9, trials));
}

TEST(Strategies, TheSameArgumentsGiveTheSameProposal) {
  const SearchSpace space = space_of({number("x", 0, 1), choice("c", {"a", "b"})});
  for (const Strategy strategy : {Strategy::kBayesian, Strategy::kRandom}) {
    std::vector<Trial> trials;
    std::set<Assignment> others;
    for (int i = 0; i < 12; ++i) {
      const auto first = propose(space, strategy, 4, trials), again = propose(space, strategy, 4, trials);
      ASSERT_EQ(first, again);
      const auto other = propose(space, strategy, 5, trials);
      if (other != first) others.insert(*other);
      trials.push_back({*first, Trial::Outcome::kMeasured, value(*first, "x")});
    }
    EXPECT_GE(others.size(), 6u) << strategy_name(strategy);
  }
}

TEST(Strategies, AFiniteSpaceIsTriedOutWithoutRepetition) {
  const SearchSpace space = space_of({choice("c", {"a", "b", "c"}), whole("n", 1, 4, Scaling::kAuto)});
  for (const Strategy strategy : {Strategy::kBayesian, Strategy::kRandom, Strategy::kGrid}) {
    std::vector<Trial> trials;
    std::set<Assignment> tried;
    while (const auto next = propose(space, strategy, 2, trials)) {
      ASSERT_LT(trials.size(), 12u) << strategy_name(strategy);
      EXPECT_TRUE(tried.insert(*next).second);
      trials.push_back({*next, Trial::Outcome::kMeasured, value(*next, "n")});
    }
    EXPECT_EQ(tried.size(), 12u) << strategy_name(strategy);
  }
}

TEST(Strategies, NamesAreReadBack) {
  for (const Strategy strategy : {Strategy::kBayesian, Strategy::kRandom, Strategy::kGrid})
    EXPECT_EQ(parse_strategy(strategy_name(strategy)), strategy);
  EXPECT_EQ(parse_strategy("Hyperband").error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(parse_strategy("bayesian").error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace terrapin::control::tuning
