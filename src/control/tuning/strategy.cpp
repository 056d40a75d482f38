#include "control/tuning/strategy.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <set>
#include <utility>

#include "control/tuning/gaussian_process.h"

namespace terrapin::control::tuning {
namespace {

using Unit = std::vector<double>;  // one number of [0, 1] a parameter
using Tried = std::set<Assignment>;

// Streams of random_for.
constexpr std::uint64_t kRandomPass = 0, kDesignPass = 1, kCandidatePass = 2;

constexpr int kDrawsForNew = 200;
constexpr std::size_t kMostObservations = 256;  // the process takes the cube of them
constexpr int kWideCandidates = 1000, kNearCandidates = 40, kRefinements = 30;
constexpr std::size_t kNearBest = 5;
// Better by less than this part of a standard deviation is no improvement to look for.
constexpr double kExpectedGain = 0.01;

Tried assignments_of(std::span<const Trial> trials) {
  Tried tried;
  for (const Trial& trial : trials) tried.insert(trial.values);
  return tried;
}

// The first that was not tried, from a place that depends on the seed.
std::optional<Assignment> any_left(const SearchSpace& space, const Tried& tried, Random& random) {
  const auto count = space.count();
  if (!count) return space.draw(random);
  const std::int64_t begin = random.below(*count);
  for (std::int64_t i = 0; i < *count; ++i) {
    Assignment assignment = space.nth((begin + i) % *count);
    if (!tried.contains(assignment)) return assignment;
  }
  return std::nullopt;
}

std::optional<Assignment> propose_random(const SearchSpace& space, std::uint64_t seed,
                                         std::span<const Trial> trials) {
  const Tried tried = assignments_of(trials);
  Random random = random_for(seed, kRandomPass, trials.size());
  for (int draw = 0; draw < kDrawsForNew; ++draw) {
    Assignment assignment = space.draw(random);
    if (!tried.contains(assignment)) return assignment;
  }
  return any_left(space, tried, random);
}

std::optional<Assignment> propose_grid(const SearchSpace& space, std::span<const Trial> trials) {
  const Tried tried = assignments_of(trials);
  const std::int64_t count = space.count().value_or(0);
  for (std::int64_t i = 0; i < count; ++i) {
    Assignment assignment = space.nth(i);
    if (!tried.contains(assignment)) return assignment;
  }
  return std::nullopt;
}

// The first points: Halton's sequence (Halton, 1960), shifted by the seed, covers the cube evenly however
// many there will be.
double halton(std::uint64_t index, std::uint64_t base) {
  double value = 0, share = 1;
  for (; index > 0; index /= base) {
    share /= static_cast<double>(base);
    value += share * static_cast<double>(index % base);
  }
  return value;
}

constexpr std::uint64_t kPrimes[] = {2,  3,  5,  7,  11, 13, 17, 19, 23, 29, 31,  37,  41,  43,  47,
                                     53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109, 113};

Assignment designed(const SearchSpace& space, std::uint64_t seed, std::size_t index) {
  Random shift = random_for(seed, kDesignPass, 0);
  Unit unit;
  for (std::size_t i = 0; i < space.ranges().size(); ++i) {
    const double place = halton(index + 1, kPrimes[i % std::size(kPrimes)]) + shift.uniform();
    unit.push_back(place - std::floor(place));
  }
  return space.at(unit);
}

std::size_t design_size(const SearchSpace& space) {
  return std::max<std::size_t>(4, 2 * space.ranges().size() + 1);
}

// Expected improvement over `best` (Jones, Schonlau and Welch, 1998).
double expected_improvement(const Belief& belief, double best) {
  const double deviation = std::sqrt(belief.variance);
  const double gain = belief.mean - best - kExpectedGain;
  if (deviation < 1e-9) return std::max(0.0, gain);
  const double z = gain / deviation;
  const double density = std::exp(-0.5 * z * z) / std::sqrt(2 * std::numbers::pi);
  const double share = 0.5 * std::erfc(-z / std::numbers::sqrt2);
  return gain * share + deviation * density;
}

struct Observations {
  std::vector<Point> points;
  std::vector<double> values;  // mean 0, variance 1
  std::vector<Point> pending;
  std::vector<Unit> best;  // the best measured ones first
};

Observations observe(const SearchSpace& space, std::span<const Trial> trials) {
  std::vector<const Trial*> measured, failed;
  Observations seen;
  for (const Trial& trial : trials) {
    // A parent's trial may lie outside.
    const auto point = space.encode(trial.values);
    if (!point) continue;
    if (trial.outcome == Trial::Outcome::kPending) seen.pending.push_back(*point);
    if (trial.outcome == Trial::Outcome::kMeasured) measured.push_back(&trial);
    if (trial.outcome == Trial::Outcome::kFailed) failed.push_back(&trial);
  }
  if (measured.empty()) return seen;
  std::stable_sort(measured.begin(), measured.end(),
                   [](const Trial* a, const Trial* b) { return a->score > b->score; });
  const double worst = measured.back()->score;
  if (measured.size() > kMostObservations) {
    // The best half, and of the rest every so many.
    std::vector<const Trial*> kept(measured.begin(), measured.begin() + kMostObservations / 2);
    const std::size_t rest = measured.size() - kept.size(), wanted = kMostObservations - kept.size();
    for (std::size_t i = 0; i < wanted; ++i)
      kept.push_back(measured[kMostObservations / 2 + i * rest / wanted]);
    measured = std::move(kept);
  }
  const auto add = [&](const Trial& trial, double score) {
    seen.points.push_back(*space.encode(trial.values));
    seen.values.push_back(score);
  };
  for (const Trial* trial : measured) {
    if (seen.best.size() < kNearBest) seen.best.push_back(*space.unit_of(trial->values));
    add(*trial, trial->score);
  }
  if (failed.size() > kMostObservations / 4) failed.resize(kMostObservations / 4);
  for (const Trial* trial : failed) add(*trial, worst);

  const auto count = static_cast<double>(seen.values.size());
  const double mean = std::accumulate(seen.values.begin(), seen.values.end(), 0.0) / count;
  double squares = 0;
  for (const double value : seen.values) squares += (value - mean) * (value - mean);
  const double deviation = std::sqrt(squares / count);
  for (double& value : seen.values) value = deviation > 0 ? (value - mean) / deviation : 0;
  return seen;
}

// Near `unit`: a number moves by about `step`, a category is another one now and then.
Unit near(const SearchSpace& space, Unit unit, double step, Random& random) {
  for (std::size_t i = 0; i < unit.size(); ++i) {
    if (space.ranges()[i].kind == ParameterRange::Kind::kCategorical) {
      if (random.uniform() < step) unit[i] = random.uniform();
    } else {
      unit[i] = std::clamp(unit[i] + step * random.normal(), 0.0, 1.0);
    }
  }
  return unit;
}

std::optional<Assignment> propose_bayesian(const SearchSpace& space, std::uint64_t seed,
                                           std::span<const Trial> trials) {
  const Tried tried = assignments_of(trials);
  const Observations seen = observe(space, trials);
  if (trials.size() < design_size(space) || seen.points.size() < 2) {
    for (std::size_t i = trials.size(); i < trials.size() + kDrawsForNew; ++i) {
      Assignment assignment = designed(space, seed, i);
      if (!tried.contains(assignment)) return assignment;
    }
    return propose_random(space, seed, trials);
  }

  const KernelOptions kernel = fit_kernel(seen.points, seen.values, space.parameter_of());
  std::vector<Point> points = seen.points;
  std::vector<double> values = seen.values;
  if (!seen.pending.empty()) {
    // What is being trained counts as if it came out as expected ("kriging believer", Ginsbourger et al.,
    // 2010): nothing more is to be learned there.
    const GaussianProcess process(points, values, space.parameter_of(), kernel);
    for (const Point& pending : seen.pending) {
      values.push_back(process.at(pending).mean);
      points.push_back(pending);
    }
  }
  const GaussianProcess process(points, values, space.parameter_of(), kernel);
  // The best mean, not the best value: noise makes the best of many look better than it is.
  double best = -std::numeric_limits<double>::infinity();
  for (const Point& point : points) best = std::max(best, process.at(point).mean);

  Random random = random_for(seed, kCandidatePass, trials.size());
  std::optional<Assignment> chosen;
  Unit chosen_unit;
  double most = -1;
  const auto consider = [&](const Unit& unit) {
    Assignment assignment = space.at(unit);
    if (tried.contains(assignment)) return;
    const double gain = expected_improvement(process.at(*space.encode(assignment)), best);
    if (gain <= most) return;
    most = gain;
    chosen = std::move(assignment);
    chosen_unit = unit;
  };
  for (int i = 0; i < kWideCandidates; ++i) {
    Unit unit(space.ranges().size());
    for (double& u : unit) u = random.uniform();
    consider(unit);
  }
  for (const Unit& good : seen.best) {
    for (int i = 0; i < kNearCandidates; ++i) consider(near(space, good, i % 2 == 0 ? 0.1 : 0.02, random));
  }
  for (const double step : {0.05, 0.02, 0.005}) {
    for (int i = 0; chosen && i < kRefinements; ++i) consider(near(space, chosen_unit, step, random));
  }
  return chosen ? chosen : any_left(space, tried, random);
}

}  // namespace

const char* strategy_name(Strategy strategy) {
  switch (strategy) {
    case Strategy::kBayesian:
      return "Bayesian";
    case Strategy::kRandom:
      return "Random";
    case Strategy::kGrid:
      return "Grid";
  }
  return "Bayesian";
}

Result<Strategy> parse_strategy(const std::string& name) {
  for (const Strategy strategy : {Strategy::kBayesian, Strategy::kRandom, Strategy::kGrid}) {
    if (name == strategy_name(strategy)) return strategy;
  }
  if (name == "Hyperband")
    return fail(ErrorCode::kUnsupported,
                "the strategy Hyperband is not served; use Bayesian with early stopping, Random or Grid");
  return fail(ErrorCode::kInvalidArgument, "the strategy '{}' is none of Bayesian, Random, Grid", name);
}

std::optional<Assignment> propose(const SearchSpace& space, Strategy strategy, std::uint64_t seed,
                                  std::span<const Trial> trials) {
  switch (strategy) {
    case Strategy::kBayesian:
      return propose_bayesian(space, seed, trials);
    case Strategy::kRandom:
      return propose_random(space, seed, trials);
    case Strategy::kGrid:
      return propose_grid(space, trials);
  }
  return std::nullopt;
}

}  // namespace terrapin::control::tuning
