// Where the folder backend keeps an object: docs/formats/object-folder.md states the rule.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace terrapin::storage {

// Which names a file system takes as they are.
enum class NameRule {
  kExact,       // any bytes but '/' and zero; upper and lower case differ
  kFoldingCase  // names that differ in case only are one file (exFAT, many network and desktop file systems)
};

// Paths are relative to the bucket's folder, with '/' between parts.
struct KeyPath {
  std::string plain;    // the key itself; empty if no file can have that path
  std::string escaped;  // used where `plain` is empty or a folder has that name
};
KeyPath key_path(std::string_view key, NameRule rule);

// The folder of all keys that begin with `prefix`, which is empty or ends with '/'.
std::string key_folder_path(std::string_view prefix, NameRule rule);

// What a name in a bucket's folder says.
struct ReadName {
  enum class Kind {
    kPart,     // a part of a key, whole
    kBegins,   // a folder that holds the rest of a long part
    kNotOurs,  // nothing the rule makes: not shown
  };
  Kind kind = Kind::kNotOurs;
  bool escaped = false;
  std::string text;  // decoded
};
// `piece`: the name lies in a folder of kind kBegins.
ReadName read_name(std::string_view name, bool is_folder, bool piece, NameRule rule);

// The escaped name (with '/' if it needs several) of one part; what read_name must have come from.
std::string escaped_part(std::string_view part, bool is_folder, NameRule rule);
// Whether a file or folder may have the part as its name.
bool is_plain_part(std::string_view part, NameRule rule);

}  // namespace terrapin::storage
