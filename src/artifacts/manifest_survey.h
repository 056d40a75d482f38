// What one pass over a manifest tells: which labels it carries, and the classes they name.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "artifacts/class_list.h"
#include "artifacts/manifest.h"
#include "base/result.h"

namespace terrapin::artifacts {

// The classes that the lines of a manifest name. A line may list only the classes of its photo, or none;
// index, name and colour must be those of every line before.
class ClassCollector {
 public:
  struct Conflict {
    std::string value, message;  // the name or colour of this line; what an earlier line says, and which
  };
  // What `color_map`, of line `line`, says otherwise than an earlier line that was added.
  std::optional<Conflict> conflict(const std::vector<ColorMapEntry>& color_map, std::int64_t line) const;
  // Lines are added in their order. A line in conflict adds nothing.
  void add(const std::vector<ColorMapEntry>& color_map, std::int64_t line);
  // Positions are indices: a gap gets a default colour and a name of its own. 255 is "ignore", never a class.
  ClassList classes() const;
  // The union of the lines' maps, sorted by index.
  std::vector<ColorMapEntry> color_map() const;

 private:
  struct Seen {
    ColorMapEntry entry;
    std::int64_t line;
  };
  std::map<int, Seen> by_index_;
  std::map<std::string, int> index_of_;  // name -> index
};

enum class BadLines { kRefuse, kPassOver };

struct ManifestSurvey {
  std::int64_t lines = 0;  // blank ones aside
  std::string attribute;   // the label attribute to read
  ClassCollector classes;  // of that attribute, lines that failed aside
};
// `wanted` empty: the only "-ref" attribute. kInvalidArgument for a manifest without lines, without label
// attributes or without the wanted one, and for several to choose from (they are listed with their lines).
Result<ManifestSurvey> survey_manifest(const std::filesystem::path& manifest, const std::string& wanted,
                                       BadLines bad_lines);

}  // namespace terrapin::artifacts
