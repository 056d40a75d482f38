#include "dataset/check.h"

#include <algorithm>
#include <set>

#include "base/digest.h"
#include "base/interrupt.h"
#include "base/parallel.h"
#include "base/progress.h"

namespace terrapin::dataset {
namespace {

// A decoder's message may begin with the path, which the report names itself.
std::string without_path(std::string message, const std::filesystem::path& path) {
  const std::string prefix = path.string() + ": ";
  if (message.starts_with(prefix)) message.erase(0, prefix.size());
  return message;
}

}  // namespace

CheckedPair check_pair(const SourceEntry& entry, const InputSource& source) {
  CheckedPair pair;
  if (entry.problem) {
    pair.problems.push_back(*entry.problem);
    return pair;
  }
  auto report = [&](const char* kind, const std::filesystem::path& file, const std::string& value,
                    const std::string& message) {
    pair.problems.push_back({kind, entry.line, file.string(), value, without_path(message, file)});
  };
  bool photo_good = false, mask_good = false;

  std::error_code error;
  if (!std::filesystem::exists(entry.photo, error)) {
    report("missing-photo", entry.photo, entry.key, "the photo does not exist");
  } else if (auto bytes = read_file(entry.photo); !bytes) {
    report("unreadable-photo", entry.photo, "", bytes.error().message);
  } else if (bytes->empty()) {
    report("unreadable-photo", entry.photo, "0 bytes", "the photo is an empty file");
  } else {
    pair.photo_bytes = std::move(*bytes);
    auto info = imaging::read_photo_info(pair.photo_bytes);
    auto photo = imaging::decode_photo(pair.photo_bytes);
    if (!info || !photo) {
      report("unreadable-photo", entry.photo, "", info ? photo.error().message : info.error().message);
    } else {
      pair.info = *info, pair.photo = std::move(*photo);
      pair.digest = sha256_hex(pair.photo_bytes);
      photo_good = true;
    }
  }

  if (!std::filesystem::exists(entry.mask, error)) {
    report("missing-mask", entry.mask, "", "the mask does not exist");
  } else if (auto bytes = read_file(entry.mask); !bytes) {
    report("unreadable-mask", entry.mask, "", bytes.error().message);
  } else if (bytes->empty()) {
    report("unreadable-mask", entry.mask, "0 bytes", "the mask is an empty file");
  } else if (auto file = imaging::decode_mask(*bytes); !file) {
    report("unreadable-mask", entry.mask, "", file.error().message);
  } else {
    pair.mask_bytes = std::move(*bytes);
    pair.mask_palette = file->palette;
    const imaging::Size size = file->colors ? file->colors->size() : file->labels->size();
    auto refuse = [&](const artifacts::SampleFault& fault) {
      report(artifacts::fault_name(fault.kind), entry.mask, fault.value, fault.message);
    };
    auto labels = artifacts::read_labels(std::move(*file), {.color_map = source.color_map,
                                                            .palette_decides = source.palette_decides,
                                                            .ignored_color = source.ignored_color,
                                                            .label_map = entry.label_map.get(),
                                                            .classes = &source.classes});
    if (!labels) refuse(labels.error());
    const auto differ = photo_good ? artifacts::compare_sizes(pair.photo.size(), size) : std::nullopt;
    if (differ) refuse(*differ);
    mask_good = labels && !differ;
    if (labels) pair.mask = std::move(*labels);
  }
  pair.usable = photo_good && mask_good;
  return pair;
}

std::optional<Problem> orientation_note(const SourceEntry& entry, const imaging::PhotoInfo& info) {
  if (info.exif_orientation == 1) return {};
  return Problem{"exif-orientation",
                 entry.line,
                 entry.key,
                 std::to_string(info.exif_orientation),
                 fmt::format("EXIF orientation {}; masks and training use the stored pixels, as they are",
                             info.exif_orientation),
                 false};
}

Status discover_classes(InputSource& source, bool show_progress) {
  if (source.classes.size() > 0) return {};
  TERRAPIN_TRY_STATUS(source.rewind());
  int highest = 0;
  imaging::Palette palette;
  ProgressBar progress("reading masks", source.count, show_progress);
  const int threads = available_cores();
  std::int64_t done = 0;
  for (bool more = true; more;) {
    std::vector<SourceEntry> chunk;
    while (chunk.size() < static_cast<std::size_t>(threads) * 16) {
      TERRAPIN_TRY(auto entry, source.next());
      if (!entry) {
        more = false;
        break;
      }
      ++done;
      if (!entry->problem) chunk.push_back(std::move(*entry));
    }
    std::vector<int> highest_of(chunk.size(), 0);
    std::vector<imaging::Palette> palette_of(chunk.size());
    parallel_for(static_cast<std::int64_t>(chunk.size()), threads, [&](std::int64_t i) {
      const auto at = static_cast<std::size_t>(i);
      if (interrupted()) return;
      auto file = imaging::read_mask(chunk[at].mask);
      if (!file) return;
      imaging::Palette drawn = file->palette;
      const auto labels = artifacts::read_labels(std::move(*file), {.label_map = chunk[at].label_map.get()});
      if (!labels) return;
      palette_of[at] = std::move(drawn);
      for (const std::uint8_t label : labels->bytes()) {
        if (label != imaging::Mask::kIgnore) highest_of[at] = std::max(highest_of[at], int{label});
      }
    });
    if (interrupted()) return fail(ErrorCode::kCancelled, "interrupted");
    for (std::size_t i = 0; i < chunk.size(); ++i) {
      highest = std::max(highest, highest_of[i]);
      if (palette.empty()) palette = palette_of[i];
    }
    progress.update(done);
  }
  progress.finish();
  // Two classes at least: a set of empty masks still has something to find.
  auto classes = artifacts::ClassList::with_default_names(std::max(highest, 1) + 1);
  const auto count = static_cast<std::size_t>(classes.size());
  if (palette.size() >= count &&
      std::set<imaging::Rgb>(palette.begin(), palette.begin() + static_cast<std::ptrdiff_t>(count)).size() ==
          count) {
    for (std::size_t i = 0; i < count; ++i) classes.classes[i].color = palette[i];
  }
  source.classes = std::move(classes);
  return source.rewind();
}

}  // namespace terrapin::dataset
