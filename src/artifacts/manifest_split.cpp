#include "artifacts/manifest_split.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

#include "artifacts/manifest.h"
#include "base/digest.h"

namespace terrapin::artifacts {
namespace {

struct Line {
  std::string text, rank;
};

bool has_mask(const ManifestRecord& record, const std::string& attribute) {
  return std::any_of(record.labels.begin(), record.labels.end(), [&](const LabelReference& label) {
    return label.attribute == attribute && !label.mask_uri.empty();
  });
}

std::string rank_of(const std::string& source) {
  return sha256_hex({reinterpret_cast<const std::uint8_t*>(source.data()), source.size()}) + source;
}

}  // namespace

Result<ManifestSplit> split_manifest(std::string_view text, const std::string& attribute,
                                     double validation_share) {
  ManifestSplit split;
  std::vector<Line> lines;
  std::int64_t number = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    std::string line(text.substr(begin, end - begin));
    begin = end + 1;
    ++number;
    if (line.ends_with('\r')) line.pop_back();
    if (line.find_first_not_of(" \t") == std::string::npos) continue;
    const auto record = parse_manifest_line(line, number);
    if (!record)
      return fail(ErrorCode::kInvalidArgument, "line {} of the manifest: {}", number, record.error().message);
    if (!has_mask(*record, attribute)) {
      ++split.left_out;
      continue;
    }
    lines.push_back({std::move(line), rank_of(record->source_uri)});
  }
  const auto count = static_cast<std::int64_t>(lines.size());
  if (count < 2)
    return fail(
        ErrorCode::kInvalidArgument,
        "the manifest has {} lines with a mask under '{}': two are needed at least, one to learn from and "
        "one to validate",
        count, attribute);
  const auto wanted = static_cast<std::int64_t>(std::llround(validation_share * static_cast<double>(count)));
  split.validation_photos = std::clamp<std::int64_t>(wanted, 1, count - 1);
  split.train_photos = count - split.validation_photos;
  std::vector<std::size_t> order(lines.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return lines[a].rank < lines[b].rank; });
  const std::set<std::size_t> chosen(order.begin(), order.begin() + split.validation_photos);
  for (std::size_t i = 0; i < lines.size(); ++i)
    (chosen.contains(i) ? split.validation : split.train) += lines[i].text + "\n";
  return split;
}

}  // namespace terrapin::artifacts
