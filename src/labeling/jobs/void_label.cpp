#include "labeling/jobs/void_label.h"

#include <algorithm>

namespace terrapin::labeling {
namespace {

void rename(imaging::Mask& mask, std::uint8_t from, std::uint8_t to) {
  std::replace(mask.bytes().begin(), mask.bytes().end(), from, to);
}

std::uint8_t void_class(const JobRow& job) {
  return static_cast<std::uint8_t>(job.classes.size() - 1);
}

}  // namespace

void to_file_indices(const JobRow& job, imaging::Mask& mask) {
  if (job.has_void) rename(mask, void_class(job), imaging::Mask::kIgnore);
}

void to_class_indices(const JobRow& job, imaging::Mask& mask) {
  if (job.has_void) rename(mask, imaging::Mask::kIgnore, void_class(job));
}

imaging::Palette file_palette(const JobRow& job) {
  const artifacts::LabelCategories categories = job.categories();
  imaging::Palette palette = categories.classes.palette();
  if (!categories.void_label) return palette;
  const imaging::Palette more = imaging::default_palette(imaging::Mask::kIgnore);
  palette.insert(palette.end(), more.begin() + static_cast<std::ptrdiff_t>(palette.size()), more.end());
  palette.push_back(categories.void_label->color);
  return palette;
}

}  // namespace terrapin::labeling
