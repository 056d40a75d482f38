// Folders in the layout of PASCAL VOC: JPEGImages, SegmentationClass, ImageSets/Segmentation. CVAT and others
// export it with a labelmap.txt of their own classes.
#pragma once

#include <filesystem>

#include "artifacts/class_list.h"
#include "base/result.h"

namespace terrapin::dataset {

// The 256 colours of the VOC devkit: bits of the index spread over red, green and blue.
imaging::Palette voc_palette();
// background and the 20 classes of VOC 2012, in its colours.
artifacts::ClassList voc_classes();
// The colour of the void border, drawn as index 255.
constexpr imaging::Rgb kVocVoid{224, 224, 192};

bool is_voc_folder(const std::filesystem::path& folder);

// "# label:color_rgb:parts:actions", then "name:r,g,b::" a line; index = order. Errors name file, line and
// value.
Result<artifacts::ClassList> read_label_colors(const std::filesystem::path& path);

}  // namespace terrapin::dataset
