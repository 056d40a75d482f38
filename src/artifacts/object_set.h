// Folders of photos with single objects marked: what assistance learns from and is measured on. Format page:
// docs/formats/object-masks.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "imaging/image.h"
#include "imaging/regions.h"

namespace terrapin::artifacts {

// Which photos. A folder's own table decides what is for learning; where it has none, an eighth of the names,
// picked by their digest, is kept unseen. Of the photos to learn from, a sixteenth is only watched: scores
// while training come from there.
enum class ObjectPart { kLearn, kWatch, kUnseen };
const char* object_part_name(ObjectPart part);  // learn, watch, unseen

struct MarkedObject {
  enum class Kind {
    kLabel,   // every pixel of `label`
    kRegion,  // the connected pixels of `label` around `inside`
    kWhole,   // the connected pixels of any label but 0 around `inside`
  };
  Kind kind = Kind::kLabel;
  std::string name;  // unique in its folder
  std::filesystem::path mask;
  std::uint8_t label = 1;
  imaging::Pixel inside;
  imaging::Box box;
  std::int64_t area = 0;
};

struct MarkedPhoto {
  std::string name;
  std::filesystem::path photo;
  imaging::Size size;  // of the masks
  std::vector<MarkedObject> objects;
};

struct ObjectSet {
  std::string name;  // the folder's
  std::vector<MarkedPhoto> photos;
  std::int64_t object_count() const;
};

struct ObjectSetOptions {
  ObjectPart part = ObjectPart::kLearn;
  // Smaller objects are left out: share of the photo, pixels, and pixels of the shorter side of their box.
  double min_area_share = 0.002;
  std::int64_t min_area = 150, min_side = 8;
  int threads = 1;
  std::function<void(std::int64_t done, std::int64_t total)> progress;  // may be empty
};

// Reads every mask of the chosen part once, and the header of its photo, which must be of that size.
// kNotFound, kCorrupt, kInvalidArgument name the file or folder and what was expected there.
Result<ObjectSet> scan_objects(const std::filesystem::path& folder, const ObjectSetOptions& options);

// The object's pixels at the photo's size: 1 = object, 255 = void in the mask file, 0 = anything else.
Result<imaging::Mask> read_object(const MarkedObject& object);

}  // namespace terrapin::artifacts
