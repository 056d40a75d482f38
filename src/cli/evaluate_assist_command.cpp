// terrapin evaluate-assist: how good masks from four clicks are, object by object, with a simulated
// annotator.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "artifacts/object_set.h"
#include "assist/assistant.h"
#include "base/interrupt.h"
#include "base/json_text.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "cli/command.h"
#include "imaging/codecs.h"
#include "metrics/simulated_annotator.h"

namespace terrapin::cli {
namespace {

namespace fs = std::filesystem;

struct EvaluateAssistOptions {
  std::vector<fs::path> data;
  std::string part = "unseen", method = "network";
  double min_share = 0.01;
  std::int64_t limit = 0;
  std::vector<double> jitter{3, 8};
  int clicks = 5;
  std::uint64_t seed = 1;
  int threads = 0;
  bool each = false;
  assist::AssistantOptions assistant;
};

struct ObjectScore {
  std::string name;
  double area_share = 0;
  double quadrilateral = 0;
  std::vector<double> jittered;          // by jitter
  std::vector<double> jittered_clicked;  // the same after a corrective click
  std::vector<double> clicked;           // [0] from the four true points, [k] after k corrective clicks
  double milliseconds = 0;               // of the first answer
};

class Evaluation {
 public:
  Evaluation(const EvaluateAssistOptions& options, const assist::Assistant& assistant)
      : options_(options), assistant_(assistant) {}

  Result<std::vector<ObjectScore>> score(const artifacts::MarkedPhoto& marked) const {
    TERRAPIN_TRY(imaging::Image image, imaging::read_photo(marked.photo));
    if (image.size() != marked.size) {
      return fail(ErrorCode::kInvalidArgument, "{} is {} x {}, its masks {} x {}", marked.photo.string(),
                  image.width(), image.height(), marked.size.width, marked.size.height);
    }
    TERRAPIN_TRY(const auto photo, assistant_.open(std::move(image)));
    std::vector<ObjectScore> scores;
    for (const artifacts::MarkedObject& object : marked.objects) {
      TERRAPIN_TRY(const imaging::Mask truth, artifacts::read_object(object));
      auto score = score_object(*photo, truth, object.name);
      if (!score) return with_context(score.error(), object.mask.string());
      scores.push_back(std::move(*score));
    }
    return scores;
  }

 private:
  Result<assist::Answer> ask(const assist::OpenPhoto& photo, const assist::Prompt& prompt) const {
    return assistant_.segment(photo, prompt);
  }

  // One click more on the answer, of which `mask` is the whole; false: nothing is wrong with it.
  static bool correct(assist::Prompt& prompt, const imaging::Mask& truth, const imaging::Mask& mask,
                      const assist::Answer& answer) {
    const auto next = metrics::next_click(truth, mask);
    if (!next) return false;
    (next->positive ? prompt.positive : prompt.negative).push_back(next->at);
    prompt.previous = answer.object;
    return true;
  }

  Result<ObjectScore> score_object(const assist::OpenPhoto& photo, const imaging::Mask& truth,
                                   const std::string& name) const {
    ObjectScore score;
    score.name = name;
    const imaging::Size size = photo.size();
    score.area_share = static_cast<double>(std::count(truth.bytes().begin(), truth.bytes().end(), 1)) /
                       static_cast<double>(size.area());
    assist::Prompt prompt;
    prompt.method = options_.method == "classical" ? assist::Method::kClassical : assist::Method::kNetwork;
    const auto extremes = metrics::extreme_points(truth);
    const std::vector<imaging::Pixel> points(extremes->begin(), extremes->end());
    imaging::Mask quadrilateral(size);
    imaging::fill_polygon(quadrilateral, points, 1);
    score.quadrilateral = metrics::overlap_of(truth, quadrilateral).iou();

    std::uint64_t stream = 0;
    for (const char c : name) stream = stream * 131 + static_cast<unsigned char>(c);
    Random random = random_for(options_.seed, 0, stream);
    for (const double jitter : options_.jitter) {
      const auto clicked = metrics::clicked_extremes(truth, {0, jitter}, random);
      prompt.extremes.assign(clicked->begin(), clicked->end());
      TERRAPIN_TRY(const assist::Answer answer, ask(photo, prompt));
      const imaging::Mask mask = assist::whole(answer.object, size);
      score.jittered.push_back(metrics::overlap_of(truth, mask).iou());
      if (options_.clicks == 0) continue;
      score.jittered_clicked.push_back(score.jittered.back());
      assist::Prompt corrected = prompt;
      if (!correct(corrected, truth, mask, answer)) continue;
      TERRAPIN_TRY(const assist::Answer better, ask(photo, corrected));
      score.jittered_clicked.back() = metrics::overlap_of(truth, assist::whole(better.object, size)).iou();
    }

    prompt.extremes = points;
    for (int click = 0; click <= options_.clicks; ++click) {
      TERRAPIN_TRY(assist::Answer answer, ask(photo, prompt));
      const imaging::Mask mask = assist::whole(answer.object, size);
      if (click == 0) score.milliseconds = answer.crop_ms + answer.compute_ms + answer.refine_ms;
      score.clicked.push_back(metrics::overlap_of(truth, mask).iou());
      if (!correct(prompt, truth, mask, answer)) {
        score.clicked.resize(static_cast<std::size_t>(options_.clicks) + 1, score.clicked.back());
        break;
      }
    }
    return score;
  }

  const EvaluateAssistOptions& options_;
  const assist::Assistant& assistant_;
};

// Every so many objects, so that a limit shortens a set evenly.
void thin_out(artifacts::ObjectSet& set, std::int64_t limit) {
  const std::int64_t count = set.object_count();
  if (limit <= 0 || count <= limit) return;
  std::int64_t index = 0;
  for (artifacts::MarkedPhoto& photo : set.photos) {
    std::vector<artifacts::MarkedObject> kept;
    for (auto& object : photo.objects) {
      if (index * limit / count != (index + 1) * limit / count) kept.push_back(std::move(object));
      ++index;
    }
    photo.objects = std::move(kept);
  }
  std::erase_if(set.photos, [](const artifacts::MarkedPhoto& photo) { return photo.objects.empty(); });
}

double mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return values.empty() ? 0 : sum / static_cast<double>(values.size());
}

nlohmann::ordered_json summary(const std::string& name, const std::vector<ObjectScore>& scores,
                               const EvaluateAssistOptions& options) {
  const auto mean_of = [&](const auto& pick) {
    std::vector<double> values;
    for (const ObjectScore& score : scores) values.push_back(pick(score));
    return mean(values);
  };
  nlohmann::ordered_json json = {{"set", name}, {"part", options.part}, {"objects", scores.size()}};
  json["iou"] = mean_of([](const ObjectScore& s) { return s.clicked.front(); });
  for (std::size_t j = 0; j < options.jitter.size(); ++j) {
    json[fmt::format("iou_jitter{:g}", options.jitter[j])] =
        mean_of([&](const ObjectScore& s) { return s.jittered[j]; });
    if (options.clicks > 0)
      json[fmt::format("iou_jitter{:g}_after_click", options.jitter[j])] =
          mean_of([&](const ObjectScore& s) { return s.jittered_clicked[j]; });
  }
  nlohmann::ordered_json clicked = nlohmann::ordered_json::array();
  for (int k = 1; k <= options.clicks; ++k) {
    clicked.push_back(mean_of([&](const ObjectScore& s) { return s.clicked[static_cast<std::size_t>(k)]; }));
  }
  json["iou_after_clicks"] = std::move(clicked);
  // Clicks beyond the four; an object that does not get there counts as one more than were made.
  json["clicks_to_90"] = mean_of([&](const ObjectScore& s) {
    const auto there =
        std::find_if(s.clicked.begin(), s.clicked.end(), [](double iou) { return iou >= 0.9; });
    return static_cast<double>(there - s.clicked.begin());
  });
  std::vector<double> changes;
  for (const ObjectScore& score : scores) {
    if (options.clicks > 0 && score.clicked[0] >= 0.95)
      changes.push_back(score.clicked[1] - score.clicked[0]);
  }
  json["good_objects"] = changes.size();
  json["good_change_after_click"] = mean(changes);
  json["iou_quadrilateral"] = mean_of([](const ObjectScore& s) { return s.quadrilateral; });
  json["milliseconds"] = mean_of([](const ObjectScore& s) { return s.milliseconds; });
  if (options.each) {
    nlohmann::ordered_json each = nlohmann::ordered_json::array();
    for (const ObjectScore& score : scores) {
      each.push_back({{"object", score.name},
                      {"area_share", score.area_share},
                      {"iou", score.clicked},
                      {"iou_jittered", score.jittered},
                      {"iou_quadrilateral", score.quadrilateral}});
    }
    json["each"] = std::move(each);
  }
  return json;
}

Result<nlohmann::ordered_json> evaluate_set(const fs::path& folder, const EvaluateAssistOptions& options,
                                            const assist::Assistant& assistant, int workers,
                                            const Invocation& invocation) {
  artifacts::ObjectSetOptions scan;
  scan.part = options.part == "learn"   ? artifacts::ObjectPart::kLearn
              : options.part == "watch" ? artifacts::ObjectPart::kWatch
                                        : artifacts::ObjectPart::kUnseen;
  scan.min_area_share = options.min_share;
  scan.threads = workers;
  TERRAPIN_TRY(artifacts::ObjectSet set, artifacts::scan_objects(folder, scan));
  thin_out(set, options.limit);
  // A program is told so: it may go on.
  if (set.photos.empty() && invocation.json) return summary(set.name, {}, options);
  if (set.photos.empty()) {
    return fail(ErrorCode::kNotFound, "{}: no object of its {} part takes {:g} of its photo", folder.string(),
                options.part, options.min_share);
  }
  const Evaluation evaluation(options, assistant);
  const auto count = static_cast<std::int64_t>(set.photos.size());
  std::vector<std::vector<ObjectScore>> scores(set.photos.size());
  std::vector<std::optional<Error>> errors(set.photos.size());
  ProgressBar bar(set.name, count, !invocation.quiet && !invocation.json);
  std::mutex mutex;
  std::int64_t done = 0;  // guarded by mutex
  parallel_for(count, workers, [&](std::int64_t i) {
    const auto index = static_cast<std::size_t>(i);
    if (interrupted()) {
      errors[index] = Error{ErrorCode::kCancelled, "interrupted"};
      return;
    }
    auto result = evaluation.score(set.photos[index]);
    if (result) {
      scores[index] = std::move(*result);
    } else {
      errors[index] = result.error();
    }
    const std::lock_guard lock(mutex);
    bar.update(++done);
  });
  bar.finish();
  for (const auto& error : errors) {
    if (error) return tl::unexpected<Error>(*error);
  }
  std::vector<ObjectScore> all;
  for (auto& part : scores) std::move(part.begin(), part.end(), std::back_inserter(all));
  return summary(set.name, all, options);
}

void print_table(const nlohmann::ordered_json& sets, const EvaluateAssistOptions& options) {
  fmt::print("{:<16}{:>8}{:>8}", "set", "objects", "IoU");
  for (const double jitter : options.jitter) fmt::print("{:>10}", fmt::format("+-{:g} px", jitter));
  for (int k = 1; k <= options.clicks; ++k)
    fmt::print("{:>9}", fmt::format("{} click{}", k, k > 1 ? "s" : ""));
  fmt::print("{:>8}{:>8}{:>6}\n", "to 90 %", "quad", "ms");
  for (const auto& set : sets) {
    fmt::print("{:<16}{:>8}{:>8.4f}", set["set"].get<std::string>(), set["objects"].get<std::int64_t>(),
               set["iou"].get<double>());
    for (const double jitter : options.jitter) {
      fmt::print("{:>10.4f}", set[fmt::format("iou_jitter{:g}", jitter)].get<double>());
    }
    for (const auto& iou : set["iou_after_clicks"]) fmt::print("{:>9.4f}", iou.get<double>());
    fmt::print("{:>8.2f}{:>8.4f}{:>6.0f}\n", set["clicks_to_90"].get<double>(),
               set["iou_quadrilateral"].get<double>(), set["milliseconds"].get<double>());
  }
}

Result<int> run(const EvaluateAssistOptions& given, const Invocation& invocation) {
  EvaluateAssistOptions options = given;
  const int workers = options.threads > 0 ? options.threads : available_cores();
  options.assistant.threads = 1;
  options.assistant.at_a_time = workers;
  options.assistant.use_model = options.method == "network";
  TERRAPIN_TRY(const auto assistant, assist::Assistant::load(options.assistant));
  nlohmann::ordered_json sets = nlohmann::ordered_json::array();
  for (const fs::path& folder : options.data) {
    TERRAPIN_TRY(nlohmann::ordered_json set, evaluate_set(folder, options, *assistant, workers, invocation));
    sets.push_back(std::move(set));
  }
  if (invocation.json) {
    nlohmann::ordered_json json = {{"method", options.method},
                                   {"model", assistant->model_digest()},
                                   {"min_share", options.min_share},
                                   {"seed", options.seed}};
    json["sets"] = std::move(sets);
    fmt::print("{}\n", json_text(json, 2));
  } else {
    print_table(sets, options);
  }
  return 0;
}

}  // namespace

void add_evaluate_assist_command(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<EvaluateAssistOptions>();
  CLI::App* command = app.add_subcommand(
      "evaluate-assist", "Score masks from four clicks, and corrections, against marked objects");
  command
      ->add_option("--data", options->data,
                   "Folders of photos with marked objects (docs/formats/object-masks.md)")
      ->required();
  command->add_option("--part", options->part, "unseen, watch or learn")
      ->check(CLI::IsMember(std::vector<std::string>{"unseen", "watch", "learn"}))
      ->capture_default_str();
  command->add_option("--method", options->method, "network or classical")
      ->check(CLI::IsMember(std::vector<std::string>{"network", "classical"}))
      ->capture_default_str();
  command->add_option("--model", options->assistant.model,
                      "assist.safetensors, or train-assist's folder (default: the one that ships)");
  command->add_option("--min-share", options->min_share, "Objects that take less of the photo are left out")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command
      ->add_option("--limit", options->limit, "At most this many objects a set, evenly picked (default: all)")
      ->check(CLI::NonNegativeNumber);
  command
      ->add_option("--jitter", options->jitter, "Also with points off by up to this many pixels in x and y")
      ->check(CLI::Range(0.0, 1000.0))
      ->capture_default_str();
  command->add_option("--clicks", options->clicks, "Corrective clicks to simulate")
      ->check(CLI::Range(0, 100))
      ->capture_default_str();
  command->add_option("--seed", options->seed, "Of the jitter")->capture_default_str();
  command->add_option("--edge-radius", options->assistant.refine.radius, "Of the edge filter; 0 = off")
      ->check(CLI::Range(0, 64))
      ->capture_default_str();
  command
      ->add_option("--edge-epsilon", options->assistant.refine.epsilon,
                   "Variance of colour that the edge filter takes for an edge")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command
      ->add_option("--beyond-share", options->assistant.refine.beyond_share,
                   "How far a mask may pass the clicked box, as a share of its side")
      ->check(CLI::Range(0.0, 10.0))
      ->capture_default_str();
  command->add_option("--threads", options->threads, "Objects scored at a time (default: all cores)")
      ->check(CLI::NonNegativeNumber);
  command->add_flag("--each", options->each, "Every object's scores too (with --json)");
  command->add_flag("--json", invocation.json, "Print the scores as one JSON document");
  command->add_flag("--quiet", invocation.quiet, "No progress bar");
  command->callback([options, &invocation] {
    invocation.action = [options, &invocation] { return run(*options, invocation); };
  });
}

}  // namespace terrapin::cli
