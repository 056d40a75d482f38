#include "cli/train_data.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <numeric>
#include <string_view>

#include "artifacts/model_package.h"
#include "base/interrupt.h"
#include "base/parallel.h"
#include "base/random.h"

namespace terrapin::cli {
namespace {

namespace fs = std::filesystem;

bool is_folder(const std::string& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

// Every fifth photo of a fixed shuffle; both parts keep their order.
void split_off_validation(artifacts::SampleIndex& train, artifacts::SampleIndex& validation) {
  const std::size_t total = train.samples.size();
  std::vector<std::size_t> order(total);
  std::iota(order.begin(), order.end(), 0);
  Random random = random_for(0, 0, total);
  shuffle(order, random);
  std::vector<bool> held(total, false);
  for (std::size_t i = 0; i < std::max<std::size_t>(1, total / 5); ++i) held[order[i]] = true;
  artifacts::SampleIndex kept;
  kept.label_map = validation.label_map = train.label_map;
  for (std::size_t i = 0; i < total; ++i) {
    (held[i] ? validation : kept).samples.push_back(std::move(train.samples[i]));
  }
  train = std::move(kept);
}

void note_failed_lines(const artifacts::ManifestIndex& index, const fs::path& path, TrainData& data) {
  if (index.failed_lines > 0) {
    data.notes.push_back(
        fmt::format("{}: {} lines whose labeling failed were left out", path.string(), index.failed_lines));
  }
}

Result<TrainData> open_manifests(const fs::path& manifest, const TrainDataSource& source) {
  TrainData data;
  TERRAPIN_TRY(artifacts::ManifestIndex train, open_manifest(manifest, source));
  note_failed_lines(train, manifest, data);
  data.train = std::move(train.index);
  data.classes = std::move(train.classes);
  if (source.validation.empty()) {
    if (data.train.samples.size() < 2) {
      return fail(ErrorCode::kInvalidArgument,
                  "{}: {} labelled photos; at least 2 are needed to hold one out for validation",
                  manifest.string(), data.train.samples.size());
    }
    split_off_validation(data.train, data.validation);
    data.notes.push_back(fmt::format("no --validation: {} of {} photos are held out for validation",
                                     data.validation.samples.size(),
                                     data.validation.samples.size() + data.train.samples.size()));
    return data;
  }
  const auto other = manifest_of(source.validation);
  if (!other) {
    return fail(ErrorCode::kNotFound,
                "--validation {}: beside a manifest in --data it must be a manifest or a Ground Truth output "
                "folder too",
                source.validation);
  }
  TERRAPIN_TRY(artifacts::ManifestIndex validation, open_manifest(*other, source));
  note_failed_lines(validation, *other, data);
  TERRAPIN_TRY_STATUS(
      artifacts::require_same_names(data.classes, manifest.string(), validation.classes, other->string()));
  data.validation = std::move(validation.index);
  if (validation.classes.size() > data.classes.size()) data.classes = std::move(validation.classes);
  return data;
}

std::vector<std::pair<const char*, std::string>> channel_options(const TrainDataSource& source) {
  return {{"--train", source.train},
          {"--train-annotation", source.train_annotation},
          {"--validation", source.validation},
          {"--validation-annotation", source.validation_annotation}};
}

Result<TrainData> open_channels(const TrainDataSource& source) {
  for (const auto& [option, path] : channel_options(source)) {
    if (!is_folder(path)) return fail(ErrorCode::kNotFound, "{} {}: not a folder", option, path);
  }
  TrainData data;
  TERRAPIN_TRY(data.train, artifacts::index_channel(source.train, source.train_annotation));
  TERRAPIN_TRY(data.validation, artifacts::index_channel(source.validation, source.validation_annotation));
  if (source.label_map.empty()) return data;
  std::error_code ignored;
  const fs::path maps = source.label_map;
  if (!is_folder(source.label_map))
    return fail(ErrorCode::kNotFound, "--label-map {}: not a folder", source.label_map);
  if (fs::exists(maps / "train_label_map.json", ignored)) {
    TERRAPIN_TRY(data.train.label_map, artifacts::LabelMap::read(maps / "train_label_map.json"));
  }
  if (fs::exists(maps / "validation_label_map.json", ignored)) {
    TERRAPIN_TRY(data.validation.label_map, artifacts::LabelMap::read(maps / "validation_label_map.json"));
  }
  return data;
}

}  // namespace

Status check_options(const TrainDataSource& source) {
  TERRAPIN_TRY_STATUS(check_options(static_cast<const DataSource&>(source)));
  auto channels = channel_options(source);
  if (source.data.empty()) {
    for (const auto& [option, path] : channels) {
      if (!path.empty()) continue;
      return fail(ErrorCode::kInvalidArgument,
                  "{} is missing; give --data, or all of --train, --train-annotation, --validation, "
                  "--validation-annotation",
                  option);
    }
    return {};
  }
  channels.emplace_back("--label-map", source.label_map);
  for (const auto& [option, path] : channels) {
    if (path.empty() || option == std::string_view("--validation")) continue;
    return fail(ErrorCode::kInvalidArgument,
                "--data and {} exclude each other: channels are named one by one", option);
  }
  std::error_code ignored;
  if (!source.validation.empty() && fs::exists(source.data, ignored) && !manifest_of(source.data)) {
    return fail(ErrorCode::kInvalidArgument,
                "--validation goes with a manifest; --data {} is a dataset folder and has its own",
                source.data);
  }
  return {};
}

Result<TrainData> open_train_data(const TrainDataSource& source) {
  TERRAPIN_TRY_STATUS(check_options(source));
  if (source.data.empty()) return open_channels(source);
  if (const auto manifest = manifest_of(source.data)) return open_manifests(*manifest, source);
  TERRAPIN_TRY(artifacts::DatasetFolder folder, open_folder(source));
  TrainData data{std::move(folder.train), std::move(folder.validation), {}, {}};
  if (folder.classes) data.classes = std::move(*folder.classes);
  return data;
}

Status require_names_of_model(const fs::path& model, const artifacts::ClassList& classes) {
  TERRAPIN_TRY(const artifacts::ModelPackage package, artifacts::read_model_package(model));
  return artifacts::require_same_names(package.spec.classes, model.string(), classes, "the data");
}

Result<int> count_classes(const TrainData& data,
                          const std::function<void(std::int64_t, std::int64_t)>& progress) {
  const auto train_count = static_cast<std::int64_t>(data.train.samples.size());
  const std::int64_t total = train_count + static_cast<std::int64_t>(data.validation.samples.size());
  std::mutex mutex;
  std::int64_t done = 0;  // guarded by mutex, as the rest
  std::int64_t first_error = total;
  std::optional<Error> error;
  int highest = 1;
  parallel_for(total, available_cores(), [&](std::int64_t i) {
    if (interrupted()) return;
    const artifacts::SampleIndex& index = i < train_count ? data.train : data.validation;
    const auto mask = artifacts::read_sample_mask(
        index.samples[static_cast<std::size_t>(i < train_count ? i : i - train_count)], index.label_map);
    int top = 0;
    if (mask) {
      for (const std::uint8_t label : mask->bytes()) {
        if (label != imaging::Mask::kIgnore) top = std::max(top, int{label});
      }
    }
    const std::lock_guard lock(mutex);
    if (!mask && i < first_error) error = mask.error(), first_error = i;
    highest = std::max(highest, top);
    if (progress) progress(++done, total);
  });
  if (interrupted()) return fail(ErrorCode::kCancelled, "stopped while counting classes");
  if (error) return tl::unexpected<Error>(std::move(*error));
  return highest + 1;
}

Result<artifacts::ClassList> fit_classes(artifacts::ClassList known, int num_classes) {
  if (known.size() > num_classes) {
    std::string names;
    for (const artifacts::ClassEntry& entry : known.classes)
      names += (names.empty() ? "" : ", ") + entry.name;
    return fail(ErrorCode::kInvalidArgument,
                "hyperparameter num_classes={} but the data names {} classes ({}); allowed: {} to 254",
                num_classes, known.size(), names, known.size());
  }
  const artifacts::ClassList names = artifacts::ClassList::with_default_names(num_classes);
  const imaging::Palette colors = imaging::default_palette(254);
  std::size_t next_color = 0;
  const auto used = [&](imaging::Rgb color) {
    return std::any_of(known.classes.begin(), known.classes.end(),
                       [&](const auto& entry) { return entry.color == color; });
  };
  while (known.size() < num_classes) {
    artifacts::ClassEntry entry = names.classes[static_cast<std::size_t>(known.size())];
    while (used(entry.color) && next_color < colors.size()) entry.color = colors[next_color++];
    known.classes.push_back(std::move(entry));
  }
  return known;
}

}  // namespace terrapin::cli
