// terrapin evaluate: a model's scores on labelled photos.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <regex>
#include <string>
#include <vector>

#include "artifacts/channels.h"
#include "base/files.h"
#include "base/json_text.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "cli/command.h"
#include "cli/data_source.h"
#include "imaging/codecs.h"
#include "imaging/drawing.h"
#include "imaging/resize.h"
#include "inference/predictor.h"
#include "inference/scoring.h"
#include "metrics/confusion.h"

namespace terrapin::cli {
namespace {

namespace fs = std::filesystem;

struct EvaluateOptions {
  DataSource source;
  std::string model, split, photos, masks, output, backend = "auto";
  std::int64_t long_side = -1, tile_pixels = inference::PredictorOptions().max_tile_pixels;
  int threads = 0;
  bool flip = false;
};

// What is scored.
struct Data {
  std::vector<artifacts::SampleIndex> parts;
  artifacts::ClassList classes;  // empty: the data names none
  std::string origin;            // of the names
};

// The parts of a dataset folder that --split names.
Result<std::vector<artifacts::SampleIndex>> open_split(const artifacts::DatasetFolder& folder,
                                                       const EvaluateOptions& options) {
  std::vector<artifacts::SampleIndex> parts;
  std::string rest = options.split.empty() ? "validation" : options.split;
  while (!rest.empty()) {
    const std::string name = rest.substr(0, rest.find('+'));
    rest = name.size() < rest.size() ? rest.substr(name.size() + 1) : "";
    if (name == "train") {
      parts.push_back(folder.train);
    } else if (name == "validation") {
      parts.push_back(folder.validation);
    } else if (folder.test) {
      parts.push_back(*folder.test);
    } else {
      return fail(ErrorCode::kNotFound, "{} has no test/ and test_annotation/ folders", options.source.data);
    }
  }
  return parts;
}

// What CLI11 cannot say of the options, before anything is read.
Status check_usage(const EvaluateOptions& options) {
  if (options.source.data.empty() && options.photos.empty())
    return fail(ErrorCode::kInvalidArgument, "--data, or --photos and --masks, is missing");
  TERRAPIN_TRY_STATUS(check_options(options.source));
  static const std::regex split_form("(train|validation|test)(\\+(train|validation|test))*");
  if (!options.split.empty() && !std::regex_match(options.split, split_form)) {
    return fail(ErrorCode::kInvalidArgument,
                "--split is train, validation, test, or several joined by '+', not '{}'", options.split);
  }
  if (!options.split.empty() && manifest_of(options.source.data)) {
    return fail(ErrorCode::kInvalidArgument,
                "--split goes with a dataset folder; --data {} is a manifest, of which every photo is scored",
                options.source.data);
  }
  return {};
}

Result<Data> open_data(const EvaluateOptions& options) {
  Data data;
  data.origin = options.source.data;
  if (!options.photos.empty()) {
    TERRAPIN_TRY(auto index, artifacts::index_channel(options.photos, options.masks));
    data.parts.push_back(std::move(index));
  } else if (const auto manifest = manifest_of(options.source.data)) {
    TERRAPIN_TRY(auto read, open_manifest(*manifest, options.source));
    data.parts.push_back(std::move(read.index));
    data.classes = std::move(read.classes);
    data.origin = manifest->string();
  } else {
    TERRAPIN_TRY(const auto folder, open_folder(options.source));
    TERRAPIN_TRY(data.parts, open_split(folder, options));
    if (folder.classes) data.classes = *folder.classes;
  }
  return data;
}

nlohmann::json number(const std::optional<double>& value) {
  return value ? nlohmann::json(*value) : nlohmann::json();
}

nlohmann::json to_json(const inference::Scores& scores, const artifacts::ClassList& classes) {
  const metrics::ConfusionMatrix& confusion = scores.confusion;
  nlohmann::json per_class = nlohmann::json::array(), matrix = nlohmann::json::array(),
                 photos = nlohmann::json::array();
  for (int c = 0; c < confusion.class_count(); ++c) {
    per_class.push_back({{"index", c},
                         {"name", classes.classes[static_cast<std::size_t>(c)].name},
                         {"iou", number(confusion.iou(c))},
                         {"precision", number(confusion.precision(c))},
                         {"recall", number(confusion.recall(c))},
                         {"boundary_f1", number(scores.boundary_f1[static_cast<std::size_t>(c)])}});
    nlohmann::json row = nlohmann::json::array();
    for (int p = 0; p < confusion.class_count(); ++p) row.push_back(confusion.count(c, p));
    matrix.push_back(std::move(row));
  }
  for (const auto& photo : scores.photos)
    photos.push_back({{"name", photo.name}, {"mean_iou", photo.mean_iou}});
  return {{"photos_scored", scores.photos.size()},
          {"pixels", confusion.total()},
          {"mean_iou", confusion.mean_iou()},
          {"pixel_accuracy", confusion.pixel_accuracy()},
          {"frequency_weighted_iou", confusion.frequency_weighted_iou()},
          {"mean_boundary_f1", scores.mean_boundary_f1},
          {"classes", std::move(per_class)},
          {"confusion_matrix", std::move(matrix)},
          {"photos", std::move(photos)}};
}

std::string percent(const std::optional<double>& value) {
  return value ? fmt::format("{:.2f}", *value * 100) : "-";
}

void print_table(const inference::Scores& scores, const artifacts::ClassList& classes) {
  const metrics::ConfusionMatrix& confusion = scores.confusion;
  std::size_t width = 5;
  for (const auto& entry : classes.classes) width = std::max(width, entry.name.size());
  fmt::print("{:<{}}  {:>7}  {:>9}  {:>7}  {:>11}  {:>12}\n", "class", width, "IoU %", "precision", "recall",
             "boundary F1", "true pixels");
  for (int c = 0; c < confusion.class_count(); ++c) {
    std::int64_t truth = 0;
    for (int p = 0; p < confusion.class_count(); ++p) truth += confusion.count(c, p);
    fmt::print("{:<{}}  {:>7}  {:>9}  {:>7}  {:>11}  {:>12}\n",
               classes.classes[static_cast<std::size_t>(c)].name, width, percent(confusion.iou(c)),
               percent(confusion.precision(c)), percent(confusion.recall(c)),
               percent(scores.boundary_f1[static_cast<std::size_t>(c)]), truth);
  }
  fmt::print("\n{} photos, {} pixels\n", scores.photos.size(), confusion.total());
  fmt::print("mean IoU                {:.4f}\npixel accuracy          {:.4f}\n", confusion.mean_iou(),
             confusion.pixel_accuracy());
  fmt::print("frequency-weighted IoU  {:.4f}\nboundary F1             {:.4f}\n",
             confusion.frequency_weighted_iou(), scores.mean_boundary_f1);
  if (confusion.class_count() > 12) {
    fmt::print("(the confusion matrix has {0} x {0} cells: see --json)\n", confusion.class_count());
    return;
  }
  fmt::print("\nconfusion: rows = truth, columns = predicted class, pixels\n");
  for (int t = 0; t < confusion.class_count(); ++t) {
    fmt::print("{:<{}}", classes.classes[static_cast<std::size_t>(t)].name, width);
    for (int p = 0; p < confusion.class_count(); ++p) fmt::print("  {:>12}", confusion.count(t, p));
    fmt::print("\n");
  }
}

constexpr imaging::Size kCell{320, 240};  // of a sheet

// Photo, truth and answer side by side for the lowest and highest scores.
Status write_pictures(inference::Predictor& predictor, const std::vector<artifacts::SampleIndex>& data,
                      const inference::Scores& scores, const fs::path& folder) {
  std::vector<inference::PhotoScore> order = scores.photos;
  std::stable_sort(order.begin(), order.end(),
                   [](const auto& a, const auto& b) { return a.mean_iou < b.mean_iou; });
  const imaging::Palette palette = predictor.spec().classes.palette();
  const auto sheet = [&](bool worst) -> Status {
    std::vector<imaging::SheetCell> cells;
    for (std::size_t k = 0; k < std::min<std::size_t>(6, order.size()); ++k) {
      const auto& at = worst ? order[k] : order[order.size() - 1 - k];
      const artifacts::SampleIndex& part = data[at.index_number];
      TERRAPIN_TRY(const auto labeled, artifacts::read_sample(part.samples[at.sample], part.label_map));
      TERRAPIN_TRY(const auto prediction, predictor.predict(labeled.photo));
      const imaging::Size size = imaging::kept_for_cell(labeled.photo.size(), kCell);
      const imaging::Image photo = imaging::resize(labeled.photo, size);
      const auto tinted = [&](const imaging::Mask& mask) {
        return imaging::overlay(photo, imaging::resize_nearest(mask, size), palette);
      };
      cells.push_back({photo, at.name});
      cells.push_back({tinted(labeled.mask), "truth"});
      cells.push_back({tinted(prediction.mask), fmt::format("predicted, mIoU {:.3f}", at.mean_iou)});
    }
    TERRAPIN_TRY(const Bytes picture, imaging::encode_jpeg(imaging::contact_sheet(cells, 3, kCell)));
    return write_file_atomically(folder / (worst ? "worst.jpg" : "best.jpg"), picture);
  };
  TERRAPIN_TRY_STATUS(sheet(true));
  return sheet(false);
}

Result<int> run(const EvaluateOptions& options, const Invocation& invocation) {
  require_usage(check_usage(options));
  TERRAPIN_TRY(const auto data, open_data(options));
  const int cores = options.threads > 0 ? options.threads : available_cores();
  inference::PredictorOptions engine;
  engine.backend = options.backend;
  engine.threads = 1;
  if (options.long_side >= 0) engine.long_side = options.long_side;
  engine.max_tile_pixels = options.tile_pixels;
  engine.flip = options.flip;
  TERRAPIN_TRY(const auto predictor, inference::Predictor::load(options.model, engine));
  const artifacts::ClassList& classes = predictor->spec().classes;
  TERRAPIN_TRY_STATUS(
      artifacts::require_same_names(classes, "the model " + options.model, data.classes, data.origin));
  std::int64_t count = 0;
  for (const auto& part : data.parts) count += static_cast<std::int64_t>(part.samples.size());
  ProgressBar bar("evaluate", count, !invocation.quiet && !invocation.json);
  TERRAPIN_TRY(const auto scores,
               inference::score(*predictor, data.parts, cores, [&](std::int64_t done) { bar.update(done); }));
  bar.finish();

  const nlohmann::json json = to_json(scores, classes);
  if (!options.output.empty()) {
    TERRAPIN_TRY_STATUS(
        write_file_atomically(fs::path(options.output) / "scores.json", json_text(json, 2) + "\n"));
    TERRAPIN_TRY_STATUS(write_pictures(*predictor, data.parts, scores, options.output));
  }
  if (invocation.json) {
    fmt::print("{}\n", json_text(json, 2));
  } else {
    print_table(scores, classes);
    if (!options.output.empty()) fmt::print("\nPictures: {0}/worst.jpg, {0}/best.jpg\n", options.output);
  }
  return 0;
}

}  // namespace

void add_evaluate_command(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<EvaluateOptions>();
  CLI::App* command =
      app.add_subcommand("evaluate", "A model's scores on labelled photos, at the photos' own size");
  command->add_option("--model", options->model, "model.tar.gz, or its unpacked folder")->required();
  CLI::Option* data = command->add_option("--data", options->source.data, kDataHelp);
  CLI::Option* split = command->add_option("--split", options->split,
                                           "Of a dataset folder: train, validation (the default), test, or "
                                           "several: validation+test");
  CLI::Option* attribute = command->add_option("--label-attribute", options->source.label_attribute,
                                               "Which labels of the manifest, if it carries several");
  CLI::Option* roots = command->add_option("--s3-root", options->source.s3_roots,
                                           "bucket=folder: where s3://bucket/... lies here; repeatable");
  CLI::Option* photos =
      command->add_option("--photos", options->photos, "Instead of --data: a folder of photos ...");
  CLI::Option* masks =
      command->add_option("--masks", options->masks, "... and the folder of their PNG masks")->needs(photos);
  photos->needs(masks);
  for (CLI::Option* other : {data, split, attribute, roots}) photos->excludes(other);
  command->add_option("--output", options->output,
                      "Folder for scores.json and pictures of the worst and best photos");
  add_long_side_option(*command, options->long_side);
  command
      ->add_option("--tile-pixels", options->tile_pixels, "Larger network inputs are cut into blended tiles")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_flag("--flip", options->flip, "Average with the mirrored photo");
  command->add_option("--threads", options->threads, "Photos scored at a time (default: all cores)")
      ->check(CLI::NonNegativeNumber);
  add_backend_option(*command, options->backend);
  command->add_flag("--json", invocation.json, "Print the scores as JSON");
  command->add_flag("--quiet", invocation.quiet, "No progress bar");
  command->callback([options, &invocation] {
    invocation.action = [options, &invocation] { return run(*options, invocation); };
  });
}

}  // namespace terrapin::cli
