#include "dataset/voc.h"

#include <array>
#include <cstdio>

#include "base/files.h"
#include "base/text.h"

namespace terrapin::dataset {

imaging::Palette voc_palette() {
  imaging::Palette palette(256);
  for (unsigned index = 0; index < 256; ++index) {
    unsigned red = 0, green = 0, blue = 0;
    for (unsigned bit = 0, rest = index; bit < 8; ++bit, rest >>= 3) {
      red |= (rest & 1) << (7 - bit), green |= (rest >> 1 & 1) << (7 - bit),
          blue |= (rest >> 2 & 1) << (7 - bit);
    }
    palette[index] = {static_cast<std::uint8_t>(red), static_cast<std::uint8_t>(green),
                      static_cast<std::uint8_t>(blue)};
  }
  return palette;
}

artifacts::ClassList voc_classes() {
  static constexpr std::array<const char*, 21> kNames = {
      "background", "aeroplane", "bicycle",     "bird",  "boat",        "bottle", "bus",
      "car",        "cat",       "chair",       "cow",   "diningtable", "dog",    "horse",
      "motorbike",  "person",    "pottedplant", "sheep", "sofa",        "train",  "tvmonitor"};
  const imaging::Palette palette = voc_palette();
  artifacts::ClassList classes;
  for (std::size_t i = 0; i < kNames.size(); ++i) classes.classes.push_back({kNames[i], palette[i]});
  return classes;
}

bool is_voc_folder(const std::filesystem::path& folder) {
  std::error_code error;
  return std::filesystem::is_directory(folder / "JPEGImages", error) &&
         std::filesystem::is_directory(folder / "SegmentationClass", error);
}

Result<artifacts::ClassList> read_label_colors(const std::filesystem::path& path) {
  TERRAPIN_TRY(const std::vector<TextLine> lines, read_text_lines(path, 1 << 20));
  artifacts::ClassList classes;
  for (const auto& [number, line] : lines) {
    if (line.front() == '#') continue;
    const std::size_t colon = line.find(':');
    int red = -1, green = -1, blue = -1;
    auto byte = [](int value) { return value >= 0 && value <= 255; };
    if (colon == std::string::npos || colon == 0 ||
        std::sscanf(line.c_str() + colon + 1, "%d,%d,%d", &red, &green, &blue) != 3 || !byte(red) ||
        !byte(green) || !byte(blue)) {
      return fail(ErrorCode::kInvalidArgument, "{}: line {}: '{}' is not name:red,green,blue:: with 0..255",
                  path.string(), number, line);
    }
    const imaging::Rgb color{static_cast<std::uint8_t>(red), static_cast<std::uint8_t>(green),
                             static_cast<std::uint8_t>(blue)};
    const std::string name = line.substr(0, colon);
    if (const int first = classes.index_of(name); first >= 0) {
      return fail(ErrorCode::kInvalidArgument, "{}: line {}: '{}' is the name of class {} already",
                  path.string(), number, name, first);
    }
    for (const artifacts::ClassEntry& known : classes.classes) {
      if (known.color == color) {
        return fail(ErrorCode::kInvalidArgument, "{}: line {}: '{}' has the colour of '{}'", path.string(),
                    number, name, known.name);
      }
    }
    classes.classes.push_back({name, color});
  }
  if (classes.size() < 1 || classes.size() > 255) {
    return fail(ErrorCode::kInvalidArgument, "{}: {} classes; allowed are 1 to 255", path.string(),
                classes.size());
  }
  return classes;
}

}  // namespace terrapin::dataset
