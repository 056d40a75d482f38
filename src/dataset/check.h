// The checks of one photo and its mask, shared by transform and inspect.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/files.h"
#include "dataset/problem.h"
#include "dataset/source.h"
#include "imaging/codecs.h"

namespace terrapin::dataset {

struct CheckedPair {
  std::vector<Problem> problems;
  bool usable = false;  // everything below is set then
  Bytes photo_bytes;
  std::string digest;  // SHA-256 of the photo file, hexadecimal
  imaging::PhotoInfo info;
  imaging::Image photo;  // decoded: a file that cannot be decoded to its end is not usable
  Bytes mask_bytes;
  imaging::Mask mask;             // class indices, 255 = ignore
  imaging::Palette mask_palette;  // of the file; empty for grey and colour files
};

// Reads both files completely and holds them against what `source` says of its masks. Thread-safe.
CheckedPair check_pair(const SourceEntry& entry, const InputSource& source);

// Worth knowing about a photo that is not wrong: an EXIF orientation, which nothing here applies.
std::optional<Problem> orientation_note(const SourceEntry& entry, const imaging::PhotoInfo& info);

// Sets the classes of an input that names none: as many as the highest label in its masks, in the colours of
// the first palette mask if those differ from each other, else default colours. Reads every mask, on all
// cores, and rewinds the source.
Status discover_classes(InputSource& source, bool show_progress);

}  // namespace terrapin::dataset
