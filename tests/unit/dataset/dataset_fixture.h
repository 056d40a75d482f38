// Small datasets in a temporary folder of their own.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "artifacts/manifest.h"
#include "base/files.h"
#include "imaging/codecs.h"

namespace terrapin::dataset {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "terrapin-test-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) std::abort();
    path_ = std::filesystem::canonical(pattern);
  }
  ~TemporaryFolder() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline void write_text(const std::filesystem::path& path, const std::string& text) {
  ASSERT_TRUE(write_file_atomically(path, text).has_value());
}

// Different bytes for each `shade`.
inline imaging::Image small_photo(int shade, imaging::Size size = {16, 12}) {
  imaging::Image photo(size, {static_cast<std::uint8_t>(shade), 90, 40});
  photo.set(1, 1, {static_cast<std::uint8_t>(shade / 256), 200, static_cast<std::uint8_t>(shade * 7)});
  return photo;
}

inline imaging::Mask small_mask(std::uint8_t label = 1, imaging::Size size = {16, 12}) {
  imaging::Mask mask(size);
  for (std::int64_t x = 2; x < 6; ++x) mask.set(x, 3, label);
  return mask;
}

inline const imaging::Palette& two_colors() {
  static const imaging::Palette palette = {{255, 255, 255}, {44, 160, 44}};
  return palette;
}

inline void put_photo(const std::filesystem::path& path, int shade, imaging::Size size = {16, 12}) {
  const bool png = path.extension() == ".png";
  const auto bytes =
      png ? imaging::encode_png(small_photo(shade, size)) : imaging::encode_jpeg(small_photo(shade, size));
  ASSERT_TRUE(write_file_atomically(path, *bytes).has_value());
}

inline void put_mask(const std::filesystem::path& path, const imaging::Mask& mask = small_mask(),
                     const imaging::Palette& palette = two_colors()) {
  ASSERT_TRUE(write_file_atomically(path, *imaging::encode_indexed_png(mask, palette)).has_value());
}

// An RGB mask: white, and where small_mask is 1 this colour.
inline void put_colors(const std::filesystem::path& path, imaging::Rgb color, imaging::Size size = {16, 12}) {
  imaging::Image colors(size, {255, 255, 255});
  for (std::int64_t x = 2; x < 6; ++x) colors.set(x, 3, color);
  ASSERT_TRUE(write_file_atomically(path, *imaging::encode_png(colors)).has_value());
}

inline artifacts::ClassList turtle_classes() {
  return {{{"BACKGROUND", {255, 255, 255}}, {"Turtle", {44, 160, 44}}}};
}

inline std::string manifest_line(const std::string& photo, const std::string& mask,
                                 const artifacts::ClassList& classes = turtle_classes(),
                                 const std::string& attribute = "job-ref") {
  std::string line = artifacts::format_manifest_line(photo, attribute, mask, classes, 0.5, true,
                                                     "2026-01-01T00:00:00.000000", "job");
  while (!line.empty() && line.back() == '\n') line.pop_back();
  return line + "\n";
}

// `count` good lines; photos a0.jpg, a1.jpg, ..., masks m0.png, ... beside output.manifest.
inline std::string good_lines(const std::filesystem::path& folder, int count) {
  std::string text;
  for (int i = 0; i < count; ++i) {
    put_photo(folder / ("a" + std::to_string(i) + ".jpg"), i * 5);
    put_mask(folder / ("m" + std::to_string(i) + ".png"));
    text += manifest_line("a" + std::to_string(i) + ".jpg", "m" + std::to_string(i) + ".png");
  }
  return text;
}

}  // namespace terrapin::dataset
