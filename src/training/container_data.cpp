// Channels of a container job -> samples.
#include <algorithm>

#include "artifacts/channels.h"
#include "base/text.h"
#include "imaging/codecs.h"
#include "training/container.h"
#include "training/container_records.h"

namespace terrapin::training {
namespace {

namespace fs = std::filesystem;

bool has_extension(const fs::path& path, std::initializer_list<std::string_view> extensions) {
  const std::string extension = lower_case(path.extension().string());
  return std::find(extensions.begin(), extensions.end(), extension) != extensions.end();
}

struct ChannelFiles {
  std::vector<fs::path> manifests, records;
  std::int64_t others = 0;
};

Result<ChannelFiles> look_into(const fs::path& folder) {
  TERRAPIN_TRY(const std::vector<fs::path> files, list_files(folder, true));
  ChannelFiles result;
  for (const fs::path& file : files) {
    if (has_extension(file, {".manifest", ".jsonl"})) {
      result.manifests.push_back(file);
    } else if (has_extension(file, {".rec", ".recordio"})) {
      result.records.push_back(file);
    } else {
      ++result.others;
    }
  }
  return result;
}

// Photo, label, photo, label, ... from `streams` into files of `scratch`.
Result<artifacts::SampleIndex> unpack_records(const std::string& channel,
                                              const std::vector<fs::path>& streams, const fs::path& scratch) {
  artifacts::SampleIndex index;
  for (const fs::path& stream : streams) {
    TERRAPIN_TRY(RecordReader reader, RecordReader::open(stream));
    while (true) {
      TERRAPIN_TRY(const std::optional<Bytes> photo, reader.next());
      if (!photo) break;
      TERRAPIN_TRY(const std::optional<Bytes> label, reader.next());
      if (!label) {
        return fail(ErrorCode::kCorrupt,
                    "channel {}: {}: record {} is a photo without its label; records alternate "
                    "photo, label (AttributeNames = [\"source-ref\", \"<label>-ref\"])",
                    channel, stream.string(), reader.count());
      }
      const auto check = [&](const Bytes& bytes, std::int64_t number, bool is_label) -> Status {
        const imaging::FileType type = imaging::detect_file_type(bytes);
        if (is_label ? type == imaging::FileType::kPng : type != imaging::FileType::kUnknown) return {};
        return fail(ErrorCode::kCorrupt, "channel {}: {}: record {} is {}; allowed: {}", channel,
                    stream.string(), number, imaging::file_type_name(type),
                    is_label ? "a PNG label" : "a JPEG, PNG or WebP photo");
      };
      TERRAPIN_TRY_STATUS(check(*photo, reader.count() - 1, false));
      TERRAPIN_TRY_STATUS(check(*label, reader.count(), true));
      artifacts::Sample sample;
      sample.name = fmt::format("{}-{:06}", channel, index.samples.size());
      sample.photo = scratch / channel / (sample.name + ".photo");
      sample.mask = scratch / channel / (sample.name + ".png");
      TERRAPIN_TRY_STATUS(write_file_atomically(sample.photo, *photo));
      TERRAPIN_TRY_STATUS(write_file_atomically(sample.mask, *label));
      index.samples.push_back(std::move(sample));
    }
  }
  if (index.samples.empty())
    return fail(ErrorCode::kInvalidArgument, "channel {}: its stream holds no record", channel);
  return index;
}

struct OpenChannel {
  artifacts::SampleIndex index;
  artifacts::ClassList classes;
  std::vector<std::string> notes;
};

Result<OpenChannel> open_manifest(const ContainerJob& job, const std::string& channel,
                                  const fs::path& manifest, const artifacts::S3Roots& roots) {
  std::string attribute;
  if (const auto it = job.channels.find(channel); it != job.channels.end()) {
    for (const std::string& name : it->second.attribute_names) {
      if (name != "source-ref") attribute = name;
    }
  }
  auto read = artifacts::index_manifest(manifest, attribute, roots);
  if (!read) return with_context(read.error(), fmt::format("channel {}", channel));
  OpenChannel result{std::move(read->index), std::move(read->classes), {}};
  if (read->failed_lines > 0) {
    result.notes.push_back(fmt::format("channel {}: {} lines that failed to be labelled were left out",
                                       channel, read->failed_lines));
  }
  return result;
}

Result<OpenChannel> open_channel(const ContainerJob& job, const std::string& channel,
                                 const artifacts::S3Roots& roots, const fs::path& scratch) {
  const fs::path folder = job.channel_folder(channel), fifo = folder.string() + "_0";
  std::error_code ignored;
  if (fs::is_fifo(fifo, ignored)) {
    TERRAPIN_TRY(artifacts::SampleIndex index, unpack_records(channel, {fifo}, scratch));
    return OpenChannel{std::move(index), {}, {}};
  }
  if (fs::is_regular_file(folder, ignored)) return open_manifest(job, channel, folder, roots);
  if (!fs::is_directory(folder, ignored)) {
    return fail(ErrorCode::kNotFound,
                "channel {} is missing: {} does not exist; required: train, train_annotation, validation, "
                "validation_annotation (with augmented manifests: train, validation)",
                channel, folder.string());
  }
  TERRAPIN_TRY(const ChannelFiles files, look_into(folder));
  if (files.manifests.size() > 1) {
    return fail(ErrorCode::kInvalidArgument, "channel {}: {} holds {} manifests; allowed: one", channel,
                folder.string(), files.manifests.size());
  }
  if (files.manifests.size() == 1) return open_manifest(job, channel, files.manifests.front(), roots);
  if (!files.records.empty() && files.others == 0) {
    TERRAPIN_TRY(artifacts::SampleIndex index, unpack_records(channel, files.records, scratch));
    return OpenChannel{std::move(index), {}, {}};
  }
  const fs::path annotations = job.channel_folder(channel + "_annotation");
  if (!fs::is_directory(annotations, ignored)) {
    return fail(ErrorCode::kNotFound, "channel {}_annotation is missing: {} does not exist", channel,
                annotations.string());
  }
  auto index = artifacts::index_channel(folder, annotations);
  if (!index) return with_context(index.error(), fmt::format("channel {}", channel));
  return OpenChannel{std::move(*index), {}, {}};
}

Status read_label_map(const fs::path& path, artifacts::SampleIndex& index) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return {};
  TERRAPIN_TRY(index.label_map, artifacts::LabelMap::read(path));
  return {};
}

Result<std::optional<fs::path>> find_model(const ContainerJob& job) {
  const fs::path folder = job.channel_folder("model");
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) return std::optional<fs::path>{};
  TERRAPIN_TRY(const std::vector<fs::path> files, list_files(folder, true));
  for (const fs::path& file : files) {
    if (file.filename() == "model.tar.gz") return std::optional(file);
  }
  for (const fs::path& file : files) {
    if (file.filename() == "model.json") return std::optional(file.parent_path());
  }
  return fail(ErrorCode::kNotFound, "channel model: {} holds no model.tar.gz", folder.string());
}

}  // namespace

Result<ContainerData> open_container_data(const ContainerJob& job, const artifacts::S3Roots& roots,
                                          const fs::path& scratch) {
  TERRAPIN_TRY(OpenChannel train, open_channel(job, "train", roots, scratch));
  TERRAPIN_TRY(OpenChannel validation, open_channel(job, "validation", roots, scratch));
  const fs::path maps = job.channel_folder("label_map");
  TERRAPIN_TRY_STATUS(read_label_map(maps / "train_label_map.json", train.index));
  TERRAPIN_TRY_STATUS(read_label_map(maps / "validation_label_map.json", validation.index));
  TERRAPIN_TRY_STATUS(artifacts::require_same_names(train.classes, "channel train", validation.classes,
                                                    "channel validation"));
  ContainerData result;
  result.classes = train.classes.size() >= validation.classes.size() ? train.classes : validation.classes;
  std::error_code ignored;
  if (result.classes.classes.empty() && fs::exists(maps / "classes.json", ignored)) {
    TERRAPIN_TRY(result.classes, artifacts::read_classes_file(maps / "classes.json"));
  }
  TERRAPIN_TRY(result.model, find_model(job));
  result.train = std::move(train.index);
  result.validation = std::move(validation.index);
  result.notes = std::move(train.notes);
  result.notes.insert(result.notes.end(), validation.notes.begin(), validation.notes.end());
  return result;
}

}  // namespace terrapin::training
