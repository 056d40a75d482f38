// Our side of script/bench consolidation (driver: consolidation.py). Modes: settings, speed, memory; each
// prints JSON lines.
#include <fmt/format.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>

#include "base/parallel.h"
#include "dataset/scenes.h"
#include "labeling/consolidation/consolidate.h"
#include "metrics/confusion.h"
#include "unit/labeling/annotators.h"

using namespace terrapin;
using namespace terrapin::labeling;
using imaging::Mask;

namespace {

[[noreturn]] void stop(const std::string& message) {
  fmt::print(stderr, "bench_consolidation: {}\n", message);
  std::exit(1);
}

template <class T>
T need(Result<T> result) {
  if (!result) stop(result.error().message);
  return std::move(*result);
}

double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

struct Setting {
  std::string name;
  bool unequal = true;
  int per_object = 3;
  std::vector<Habit> workers;
  int classes = 4;
  bool thin = false;
};

std::vector<Setting> settings() {
  const Habit careful{.wobble = 0.7, .fray = 0.4};
  const Habit usual{};
  const Habit sloppy{.wobble = 2.5, .fray = 1.5, .miss = 0.1};
  const Habit wide{.grow = 3}, narrow{.grow = -3}, off{.shift_x = 4, .shift_y = 2};
  const Habit forgetful{.miss = 0.4}, confused{.mistake = 0.4}, swapping{.swaps = true};
  const Habit blobs{.spam = Habit::Spam::kBlobs}, lazy{.spam = Habit::Spam::kBackground};
  const Habit thick{.thick_brush = true}, half{.wobble = 2.5, .unanswered = 0.5};
  const auto times = [](int count, const Habit& habit) {
    return std::vector<Habit>(static_cast<std::size_t>(count), habit);
  };
  const auto join = [](std::vector<std::vector<Habit>> lists) {
    std::vector<Habit> all;
    for (const auto& list : lists) all.insert(all.end(), list.begin(), list.end());
    return all;
  };
  return {
      {"equal, 2 workers", false, 2, times(2, usual)},
      {"equal, 3 workers", false, 3, times(3, usual)},
      {"equal, 3 of 6 workers", false, 3, times(6, usual)},
      {"equal, 5 workers", false, 5, times(5, usual)},
      {"equal, 9 workers", false, 9, times(9, usual)},
      {"equal and sloppy, 3 workers", false, 3, times(3, sloppy)},
      {"equal, thin objects, 3 workers", false, 3, times(3, usual), 4, true},
      {"one careful, two sloppy", true, 3, join({times(1, careful), times(2, sloppy)})},
      {"two careful, three sloppy", true, 5, join({times(2, careful), times(3, sloppy)})},
      {"one careful, one sloppy", true, 2, join({times(1, careful), times(1, sloppy)})},
      {"random blobs, 1 of 3", true, 3, join({times(2, usual), times(1, blobs)})},
      {"random blobs, 2 of 5", true, 5, join({times(3, usual), times(2, blobs)})},
      {"random blobs, 3 of 5", true, 5, join({times(2, usual), times(3, blobs)})},
      {"all background, 1 of 3", true, 3, join({times(2, usual), times(1, lazy)})},
      {"all background, 2 of 4", true, 4, join({times(2, usual), times(2, lazy)})},
      {"misses 40 % of objects, 1 of 3", true, 3, join({times(2, usual), times(1, forgetful)})},
      {"misses 40 % of objects, 2 of 3", true, 3, join({times(1, usual), times(2, forgetful)})},
      {"mistakes 40 % of classes, 1 of 3", true, 3, join({times(2, usual), times(1, confused)})},
      {"swaps two classes, 1 of 3", true, 3, join({times(2, usual), times(1, swapping)})},
      {"swaps two classes, 2 of 5", true, 5, join({times(3, usual), times(2, swapping)})},
      {"outlines too wide, 1 of 3", true, 3, join({times(2, usual), times(1, wide)})},
      {"outlines too narrow, 1 of 3", true, 3, join({times(2, usual), times(1, narrow)})},
      {"too wide 2, too narrow 2, usual 3; 3 of 7", true, 3,
       join({times(3, usual), times(2, wide), times(2, narrow)})},
      {"mask lies off, 1 of 3", true, 3, join({times(2, usual), times(1, off)})},
      {"half unanswered, 1 of 3", true, 3, join({times(2, usual), times(1, half)})},
      {"thin objects missed, 1 of 3", true, 3, join({times(2, usual), times(1, thick)}), 4, true},
      {"thin objects missed, 2 of 3", true, 3, join({times(1, usual), times(2, thick)}), 4, true},
      {"3 of 9 of all kinds",
       true,
       3,
       {careful, usual, usual, sloppy, wide, narrow, forgetful, confused, blobs}},
      {"9 of 9 of all kinds",
       true,
       9,
       {careful, usual, usual, sloppy, wide, narrow, forgetful, confused, blobs}},
      {"two classes, one careful, two sloppy", true, 3, join({times(1, careful), times(2, sloppy)}), 2},
  };
}

struct Score {
  double majority = 0, ours = 0,
         fit = 0;  // mean IoU; correlation of confidence with the object's own mean IoU
};

double correlation(const std::vector<double>& a, const std::vector<double>& b) {
  const auto n = static_cast<double>(a.size());
  double ma = 0, mb = 0, ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) ma += a[i] / n, mb += b[i] / n;
  for (std::size_t i = 0; i < a.size(); ++i)
    ab += (a[i] - ma) * (b[i] - mb), aa += (a[i] - ma) * (a[i] - ma), bb += (b[i] - mb) * (b[i] - mb);
  return aa > 0 && bb > 0 ? ab / std::sqrt(aa * bb) : 0;
}

Score play(const Setting& setting, const std::vector<Mask>& truths, std::uint64_t seed,
           const ConsolidationOptions& given) {
  const auto job = simulate(truths, setting.classes, setting.workers, setting.per_object, seed);
  JobVotes votes(setting.classes);
  for (const SimulatedObject& object : job) {
    const Status added = votes.add(need(count_votes(object.answers(), setting.classes, 1)));
    if (!added) stop(added.error().message);
  }
  const WorkerSkills skills = WorkerSkills::estimate(votes);
  metrics::ConfusionMatrix majority(setting.classes), ours(setting.classes);
  std::vector<double> confidence, quality;
  for (const SimulatedObject& object : job) {
    ConsolidationOptions options = given;
    options.threads = 1;
    const Consolidated result = need(consolidate(object.answers(), skills, options));
    options.rule = VoteRule::kMajority;
    majority.add(object.truth, need(consolidate(object.answers(), skills, options)).mask);
    ours.add(object.truth, result.mask);
    metrics::ConfusionMatrix own(setting.classes);
    own.add(object.truth, result.mask);
    confidence.push_back(result.confidence), quality.push_back(own.mean_iou());
  }
  return {majority.mean_iou(), ours.mean_iou(), correlation(confidence, quality)};
}

std::vector<Mask> make_truths(const Setting& setting, int objects, imaging::Size size, std::uint64_t seed) {
  std::vector<Mask> truths;
  for (int i = 0; i < objects; ++i) {
    Random random = random_for(seed, 0, static_cast<std::uint64_t>(i));
    truths.push_back(
        setting.thin
            ? thin_scene(size, setting.classes, random)
            : dataset::make_scene({size, setting.classes, seed}, static_cast<std::uint64_t>(i)).mask);
  }
  return truths;
}

void run_settings(int seeds, int first_seed, int objects, const ConsolidationOptions& options,
                  const std::string& only) {
  const std::vector<Setting> all = settings();
  std::vector<std::vector<Score>> scores(all.size(), std::vector<Score>(static_cast<std::size_t>(seeds)));
  for (int s = 0; s < seeds; ++s) {
    const auto seed = static_cast<std::uint64_t>(first_seed + s);
    std::map<std::pair<int, bool>, std::vector<Mask>> truths;
    for (const Setting& setting : all) {
      auto& made = truths[{setting.classes, setting.thin}];
      if (made.empty()) made = make_truths(setting, objects, {240, 180}, seed);
    }
    parallel_for(static_cast<std::int64_t>(all.size()), available_cores(), [&](std::int64_t i) {
      const Setting& setting = all[static_cast<std::size_t>(i)];
      if (setting.name.find(only) == std::string::npos) return;
      scores[static_cast<std::size_t>(i)][static_cast<std::size_t>(s)] =
          play(setting, truths.at({setting.classes, setting.thin}), seed, options);
    });
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].name.find(only) == std::string::npos) continue;
    double majority = 0, ours = 0, fit = 0, worst = std::numeric_limits<double>::infinity();
    for (const Score& score : scores[i]) {
      majority += score.majority / seeds, ours += score.ours / seeds, fit += score.fit / seeds;
      worst = std::min(worst, score.ours / score.majority);
    }
    fmt::print("{}\n", nlohmann::json{{"setting", all[i].name},
                                      {"unequal", all[i].unequal},
                                      {"majority", majority},
                                      {"ours", ours},
                                      {"ratio", ours / majority},
                                      {"worst_ratio", worst},
                                      {"confidence_fit", fit}}
                           .dump());
  }
}

// Masks of any size: annotated scenes side by side.
std::vector<Mask> large_masks(imaging::Size size, const std::vector<Habit>& workers, int classes) {
  constexpr std::int64_t kTile = 1000;
  std::vector<std::vector<Mask>> tiles;
  for (std::uint64_t i = 0; i < 4; ++i) {
    const Mask truth = dataset::make_scene({{kTile, kTile}, classes, 11}, i).mask;
    tiles.emplace_back();
    for (std::size_t w = 0; w < workers.size(); ++w) {
      Random random = random_for(12, w, i);
      tiles.back().push_back(annotate(truth, classes, workers[w], random));
    }
  }
  std::vector<Mask> masks;
  for (std::size_t w = 0; w < workers.size(); ++w) {
    Mask& mask = masks.emplace_back(size);
    for (std::int64_t y = 0; y < size.height; ++y) {
      for (std::int64_t x = 0; x < size.width; x += kTile) {
        const Mask& tile = tiles[static_cast<std::size_t>((x / kTile + y / kTile * 3) % 4)][w];
        std::copy_n(tile.row(y % kTile), std::min(kTile, size.width - x), mask.row(y) + x);
      }
    }
  }
  return masks;
}

std::vector<Mask> noise_masks(imaging::Size size, int workers, int classes, int first = 0) {
  std::vector<Mask> masks;
  for (int w = first; w < first + workers; ++w) {
    Random random = random_for(13, static_cast<std::uint64_t>(w), 0);
    for (std::uint8_t& label : masks.emplace_back(size).bytes())
      label = static_cast<std::uint8_t>(random.below(classes));
  }
  return masks;
}

std::vector<Answer> as_answers(const std::vector<Mask>& masks) {
  std::vector<Answer> answers;
  for (std::size_t i = 0; i < masks.size(); ++i)
    answers.push_back({"worker-" + std::to_string(100 + i), &masks[i]});
  return answers;
}

// From decoded masks to the final raster: counting, estimating, consolidating.
double whole_work(const std::vector<Mask>& masks, int classes, int threads, Consolidated* result = nullptr) {
  const std::vector<Answer> answers = as_answers(masks);
  const double begin = seconds();
  JobVotes votes(classes);
  const Status added = votes.add(need(count_votes(answers, classes, threads)));
  if (!added) stop(added.error().message);
  ConsolidationOptions options;
  options.threads = threads;
  Consolidated made = need(consolidate(answers, WorkerSkills::estimate(votes), options));
  const double took = seconds() - begin;
  if (result != nullptr) *result = std::move(made);
  return took;
}

void report_speed(const std::string& name, const std::vector<Mask>& masks, int classes, int rounds) {
  double best = std::numeric_limits<double>::infinity();
  Consolidated result;
  for (int i = 0; i < rounds; ++i) best = std::min(best, whole_work(masks, classes, 1, &result));
  const double pixels = static_cast<double>(masks[0].size().area());
  fmt::print("{}\n", nlohmann::json{{"case", name},
                                    {"seconds", best},
                                    {"disputed", static_cast<double>(result.disputed_pixels) / pixels},
                                    {"megapixel_votes_per_s",
                                     pixels * static_cast<double>(masks.size()) / 1e6 / best}}
                         .dump());
}

void run_speed(int rounds) {
  const Habit usual{}, sloppy{.wobble = 2.5, .fray = 1.5, .miss = 0.1}, blobs{.spam = Habit::Spam::kBlobs};
  const std::vector<Habit> three(3, usual), nine(9, usual), spoiled = {usual, usual, blobs};
  const std::vector<Habit> mixed = {usual, usual, usual, usual, sloppy, sloppy, sloppy, blobs, blobs};
  const imaging::Size large{4000, 3000}, small{640, 480};
  report_speed("12 Mpx, 3 workers", large_masks(large, three, 4), 4, rounds);
  report_speed("12 Mpx, 9 workers", large_masks(large, nine, 4), 4, rounds);
  report_speed("12 Mpx, 3 workers, one paints random blobs", large_masks(large, spoiled, 4), 4, rounds);
  report_speed("12 Mpx, 9 workers, 3 sloppy, 2 random blobs", large_masks(large, mixed, 6), 6, rounds);
  report_speed("0.3 Mpx, 3 workers", large_masks(small, three, 4), 4, rounds * 5);
  report_speed("0.3 Mpx, 9 workers, 3 sloppy, 2 random blobs", large_masks(small, mixed, 6), 6, rounds * 5);
  // Not photo-like: what a hostile or broken worker could hand in.
  std::vector<Mask> one_noisy = large_masks({2000, 2000}, three, 4);
  one_noisy[2] = noise_masks({2000, 2000}, 1, 4)[0];
  report_speed("noise from 1 of 3 workers, 4 Mpx, 4 classes", one_noisy, 4, rounds);
  report_speed("noise from 3 of 3 workers, 4 Mpx, 4 classes", noise_masks({2000, 2000}, 3, 4), 4, 1);
  report_speed("noise from 9 of 9 workers, 1 Mpx, 254 classes", noise_masks({1000, 1000}, 9, 254), 254, 1);
}

void run_memory(bool noise, int threads) {
  const Habit usual{}, sloppy{.wobble = 2.5, .fray = 1.5, .miss = 0.1}, blobs{.spam = Habit::Spam::kBlobs};
  const imaging::Size size{10000, 10000};
  std::vector<Mask> masks =
      large_masks(size, {usual, usual, usual, usual, sloppy, sloppy, sloppy, blobs, blobs}, 6);
  if (noise) {
    for (int w = 6; w < 9; ++w) masks[static_cast<std::size_t>(w)] = std::move(noise_masks(size, 1, 6, w)[0]);
  }
  const double took = whole_work(masks, 6, threads);
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  fmt::print("{}\n", nlohmann::json{{"noise", noise},
                                    {"peak_gib", static_cast<double>(usage.ru_maxrss) / 1024 / 1024},
                                    {"seconds", took}}
                         .dump());
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Our side of script/bench consolidation");
  std::string mode, only;
  int seeds = 5, first_seed = 1, objects = 24, rounds = 5, threads = 0;
  bool noise = false;
  ConsolidationOptions options;
  app.add_option("mode", mode)->required()->check(CLI::IsMember({"settings", "speed", "memory"}));
  app.add_option("--seeds", seeds);
  app.add_option("--first-seed", first_seed);
  app.add_option("--objects", objects);
  app.add_option("--only", only, "settings whose name holds this text");
  app.add_option("--smoothing", options.smoothing);
  app.add_option("--sweeps", options.sweeps);
  app.add_option("--rounds", rounds);
  app.add_option("--threads", threads);
  app.add_flag("--noise", noise);
  CLI11_PARSE(app, argc, argv);
  if (mode == "settings") run_settings(seeds, first_seed, objects, options, only);
  if (mode == "speed") run_speed(rounds);
  if (mode == "memory") run_memory(noise, threads);
  return 0;
}
