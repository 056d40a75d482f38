// terrapin predict: photos -> indexed PNG masks, overlays, probabilities.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/interrupt.h"
#include "base/json_text.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "base/text.h"
#include "cli/command.h"
#include "imaging/codecs.h"
#include "imaging/drawing.h"
#include "inference/npy.h"
#include "inference/predictor.h"

namespace terrapin::cli {
namespace {

namespace fs = std::filesystem;

struct PredictOptions {
  std::string model, output, probabilities;
  std::vector<std::string> inputs;
  bool overlay = false, flip = false;
  std::int64_t long_side = -1, tile_pixels = inference::PredictorOptions().max_tile_pixels;
  int threads = 0;
  std::string backend = "auto";
};

// One photo and the names of what is made from it.
struct Job {
  fs::path photo, mask, overlay, probabilities;
  std::string error;     // empty: done
  bool untried = false;  // an interrupt came first
};

bool looks_like_photo(const fs::path& path) {
  const std::string extension = lower_case(path.extension().string());
  return extension == ".jpg" || extension == ".jpeg" || extension == ".png" || extension == ".webp";
}

// Photos with the path that their answers take below the output folder, without extension. A folder keeps its
// subfolders.
Result<std::vector<std::pair<fs::path, fs::path>>> find_photos(const std::vector<std::string>& inputs) {
  std::vector<std::pair<fs::path, fs::path>> photos;
  for (const std::string& input : inputs) {
    std::error_code error;
    if (fs::is_directory(input, error)) {
      TERRAPIN_TRY(const auto files, list_files(input, true));
      std::size_t found = 0;
      for (const fs::path& file : files) {
        if (!looks_like_photo(file)) continue;
        photos.emplace_back(file, file.lexically_relative(input));
        ++found;
      }
      if (found == 0) return fail(ErrorCode::kNotFound, "{} holds no .jpg, .jpeg, .png or .webp file", input);
    } else {
      photos.emplace_back(input, fs::path(input).filename());
    }
  }
  return photos;
}

Result<std::vector<Job>> plan_jobs(const PredictOptions& options) {
  TERRAPIN_TRY(const auto photos, find_photos(options.inputs));
  std::map<fs::path, int> stems;
  std::set<fs::path> sources;
  for (const auto& [photo, relative] : photos) {
    ++stems[fs::path(relative).replace_extension()];
    sources.insert(fs::weakly_canonical(photo));
  }
  std::set<fs::path> taken;
  std::vector<Job> jobs;
  for (const auto& [photo, relative] : photos) {
    // Two photos of one stem keep their extensions; two of one whole name are numbered.
    const fs::path stem = fs::path(relative).replace_extension();
    const fs::path base = stems[stem] > 1 ? relative : stem;
    fs::path name = base;
    for (int copy = 2; !taken.insert(name).second; ++copy) name = fmt::format("{}-{}", base.string(), copy);
    const fs::path target = fs::path(options.output) / name;
    Job job{photo, target.string() + ".png", {}, {}, {}};
    if (options.overlay) job.overlay = target.string() + ".overlay.jpg";
    if (!options.probabilities.empty()) job.probabilities = target.string() + ".npy";
    for (const fs::path& made : {job.mask, job.overlay, job.probabilities}) {
      if (!made.empty() && sources.contains(fs::weakly_canonical(made))) {
        return fail(ErrorCode::kInvalidArgument,
                    "{} is one of the photos and would be overwritten; choose another --output",
                    made.string());
      }
    }
    jobs.push_back(std::move(job));
  }
  return jobs;
}

Status predict_one(inference::Predictor& predictor, const PredictOptions& options, const Job& job) {
  TERRAPIN_TRY(const imaging::Image photo, imaging::read_photo(job.photo));
  const bool with_probabilities = !job.probabilities.empty();
  const auto answer = predictor.predict(photo, with_probabilities);
  if (!answer) return with_context(answer.error(), job.photo.string());
  const inference::Prediction& prediction = *answer;
  const imaging::Palette palette = predictor.spec().classes.palette();
  TERRAPIN_TRY(const Bytes mask, imaging::encode_indexed_png(prediction.mask, palette));
  if (!job.overlay.empty()) {
    TERRAPIN_TRY(const Bytes picture,
                 imaging::encode_jpeg(imaging::overlay(photo, prediction.mask, palette)));
    TERRAPIN_TRY_STATUS(write_file_atomically(job.overlay, picture));
  }
  if (with_probabilities) {
    const auto type =
        options.probabilities == "float32" ? inference::NpyType::kFloat32 : inference::NpyType::kFloat16;
    TERRAPIN_TRY_STATUS(inference::write_npy(job.probabilities, *prediction.probabilities, type));
  }
  return write_file_atomically(job.mask, mask);
}

void report(const std::vector<Job>& jobs, const PredictOptions& options, bool json) {
  if (json) {
    nlohmann::json list = nlohmann::json::array();
    for (const Job& job : jobs) {
      nlohmann::json entry{{"photo", job.photo.string()}};
      if (!job.error.empty()) {
        entry["error"] = job.error;
      } else {
        entry["mask"] = job.mask.string();
        if (!job.overlay.empty()) entry["overlay"] = job.overlay.string();
        if (!job.probabilities.empty()) entry["probabilities"] = job.probabilities.string();
      }
      list.push_back(std::move(entry));
    }
    fmt::print("{}\n", json_text({{"photos", std::move(list)}}, 2));
    return;
  }
  const auto made = std::count_if(jobs.begin(), jobs.end(), [](const Job& job) { return job.error.empty(); });
  fmt::print("{} masks in {}\n", made, options.output);
}

// Everything that has no mask, as one error.
Status failures(const std::vector<Job>& jobs) {
  std::size_t failed = 0, untried = 0;
  std::string list;
  for (const Job& job : jobs) {
    if (job.untried) ++untried;
    if (job.error.empty() || job.untried) continue;
    ++failed;
    list += "\n  " + job.error;
  }
  std::string text;
  if (untried > 0) text = fmt::format("{} photos not predicted: interrupted", untried);
  if (failed > 0) text += fmt::format("{}{} photos without a mask:{}", untried > 0 ? "\n" : "", failed, list);
  if (text.empty()) return {};
  return fail(untried > 0 ? ErrorCode::kCancelled : ErrorCode::kInvalidArgument, "{}", text);
}

Result<int> run(const PredictOptions& options, const Invocation& invocation) {
  TERRAPIN_TRY(std::vector<Job> jobs, plan_jobs(options));
  const int cores = options.threads > 0 ? options.threads : available_cores();
  // Many photos: one thread each, so that decoding and encoding use all cores too. Few: all threads for one
  // photo.
  const int workers = static_cast<std::int64_t>(jobs.size()) >= 2 * cores ? cores : 1;

  inference::PredictorOptions engine;
  engine.backend = options.backend;
  engine.threads = workers > 1 ? 1 : cores;
  if (options.long_side >= 0) engine.long_side = options.long_side;
  engine.max_tile_pixels = options.tile_pixels;
  engine.flip = options.flip;
  TERRAPIN_TRY(const auto predictor, inference::Predictor::load(options.model, engine));

  ProgressBar bar("predict", static_cast<std::int64_t>(jobs.size()), !invocation.quiet && !invocation.json);
  std::mutex mutex;
  std::int64_t done = 0;  // guarded by mutex
  parallel_for(static_cast<std::int64_t>(jobs.size()), workers, [&](std::int64_t index) {
    Job& job = jobs[static_cast<std::size_t>(index)];
    if (interrupted()) {
      job.error = job.photo.string() + ": not predicted, interrupted";
      job.untried = true;
      return;
    }
    const Status status = predict_one(*predictor, options, job);
    if (!status) job.error = status.error().message;
    const std::lock_guard lock(mutex);
    bar.update(++done, job.photo.filename().string());
  });
  bar.finish();
  report(jobs, options, invocation.json);
  const Status status = failures(jobs);
  if (interrupted()) {
    if (!status) fmt::print(stderr, "terrapin predict: {}\n", status.error().message);
    return 128 + interrupt_signal();
  }
  TERRAPIN_TRY_STATUS(status);
  return 0;
}

}  // namespace

void add_predict_command(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<PredictOptions>();
  CLI::App* command = app.add_subcommand("predict", "Masks for photos, made by a trained model");
  command->add_option("--model", options->model, "model.tar.gz, or its unpacked folder")->required();
  command
      ->add_option("--output", options->output,
                   "Folder for the masks: one indexed PNG a photo, of the photo's size")
      ->required();
  command->add_option("PHOTO", options->inputs, "Photos, or folders of photos (subfolders included)")
      ->required();
  command->add_flag("--overlay", options->overlay,
                    "Also NAME.overlay.jpg: the photo with its classes tinted");
  command
      ->add_flag("--probabilities{float16}", options->probabilities,
                 "Also NAME.npy: class probabilities; --probabilities=float32 for full precision")
      ->check(CLI::IsMember(std::vector<std::string>{"float16", "float32"}));
  add_long_side_option(*command, options->long_side);
  command
      ->add_option("--tile-pixels", options->tile_pixels,
                   "Larger network inputs are cut into blended tiles of this many pixels")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_flag("--flip", options->flip, "Average with the mirrored photo: slower, a little better");
  command->add_option("--threads", options->threads, "Cores to use (default: all)")
      ->check(CLI::NonNegativeNumber);
  add_backend_option(*command, options->backend);
  command->add_flag("--json", invocation.json, "Print what was made as JSON");
  command->add_flag("--quiet", invocation.quiet, "No progress bar");
  command->callback([options, &invocation] {
    invocation.action = [options, &invocation] { return run(*options, invocation); };
  });
}

}  // namespace terrapin::cli
