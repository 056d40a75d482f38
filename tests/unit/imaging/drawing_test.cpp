#include "imaging/drawing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <stdexcept>

#include "unit/imaging/sample_pictures.h"

namespace terrapin::imaging {
namespace {

constexpr Rgb kBlack{}, kWhite{255, 255, 255};

std::int64_t count_of(const Image& image, Rgb color) {
  std::int64_t count = 0;
  for (std::int64_t y = 0; y < image.height(); ++y) {
    for (std::int64_t x = 0; x < image.width(); ++x) count += image.at(x, y) == color;
  }
  return count;
}

TEST(Palette, HexColours) {
  EXPECT_EQ(*parse_hex_color("#2CA02c"), (Rgb{0x2c, 0xa0, 0x2c}));
  EXPECT_EQ(to_hex({0x2c, 0xa0, 0x2c}), "#2ca02c");
  for (const char* text : {"", "#", "2ca02c", "#2ca02", "#2ca02cc", "#2ca02g", "# ca02c", "#+1+1+1"}) {
    const auto color = parse_hex_color(text);
    ASSERT_FALSE(color) << text;
    EXPECT_EQ(color.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(color.error().message, ::testing::HasSubstr(std::string("'") + text + "'"));
  }
}

TEST(Palette, DefaultsFollowGroundTruth) {
  EXPECT_TRUE(default_palette(0).empty());
  EXPECT_EQ(default_palette(2), (Palette{kWhite, {0x2c, 0xa0, 0x2c}}));
  const Palette three = default_palette(3);
  EXPECT_EQ(to_hex(three[1]), "#1f77b4");
  EXPECT_EQ(to_hex(three[2]), "#ff7f0e");
  EXPECT_EQ(to_hex(default_palette(11)[10]), "#17becf");
  const Palette all = default_palette(256);
  ASSERT_EQ(all.size(), 256U);
  EXPECT_EQ(std::set<Rgb>(all.begin(), all.end()).size(), 256U) << "colours must tell classes apart";
  EXPECT_TRUE(std::equal(three.begin(), three.end(), all.begin()));
}

TEST(Overlay, TintsOutlinesAndLeavesBackgroundAlone) {
  const Image photo({9, 9}, {100, 100, 100});
  Mask mask({9, 9});
  for (std::int64_t y = 2; y < 7; ++y) {
    for (std::int64_t x = 2; x < 7; ++x) mask.set(x, y, 1);
  }
  const Image drawn = overlay(photo, mask, {kWhite, {200, 0, 0}}, 0.5);
  EXPECT_EQ(drawn.at(0, 0), (Rgb{100, 100, 100}));
  EXPECT_EQ(drawn.at(1, 4), (Rgb{100, 100, 100})) << "outside the outline";
  EXPECT_EQ(drawn.at(2, 4), (Rgb{200, 0, 0})) << "the outline is the full colour";
  EXPECT_EQ(drawn.at(4, 4), (Rgb{150, 50, 50})) << "the inside is tinted";
  EXPECT_EQ(overlay(photo, mask, {}, 0.5, 1).at(4, 4), (Rgb{100, 100, 100})) << "class 1 is transparent now";
  EXPECT_THROW(overlay(photo, Mask({9, 8}), {}), std::invalid_argument);
}

TEST(Overlay, IgnoredIsGreyWhateverThePalette) {
  const Image drawn = overlay(Image({3, 3}, {0, 0, 0}), Mask({3, 3}, 255), Palette(256, Rgb{255, 0, 0}), 1.0);
  EXPECT_EQ(count_of(drawn, {128, 128, 128}), 9);
}

TEST(Text, DrawsItsGlyphs) {
  Image image({5, 7}, kWhite);
  draw_text(image, 0, 0, "T", kBlack);
  std::string rows;
  for (std::int64_t y = 0; y < 7; ++y) {
    for (std::int64_t x = 0; x < 5; ++x) rows += image.at(x, y) == kBlack ? '#' : '.';
    rows += '\n';
  }
  EXPECT_EQ(rows, "#####\n..#..\n..#..\n..#..\n..#..\n..#..\n..#..\n");
}

TEST(Text, EveryCharacterDiffersFromEveryOther) {
  std::set<std::string> pictures;
  for (char c = ' '; c <= '~'; ++c) {
    Image image({6, 8}, kWhite);
    draw_text(image, 0, 0, std::string(1, c), kBlack);
    pictures.emplace(image.bytes().begin(), image.bytes().end());
  }
  EXPECT_EQ(pictures.size(), 95U);
}

TEST(Text, UnknownCharactersAreQuestionMarksAndScaleScales) {
  Image question({20, 8}, kWhite), other({20, 8}, kWhite);
  draw_text(question, 0, 0, "a?b", kBlack);
  draw_text(other, 0, 0,
            "a\xc3\xa4"
            "b",
            kBlack);
  EXPECT_EQ(question, other) << "one letter of two bytes is one question mark";
  Image twice({40, 16}, kWhite);
  draw_text(twice, 0, 0, "a?b", kBlack, 2);
  EXPECT_EQ(count_of(twice, kBlack), 4 * count_of(question, kBlack));
}

TEST(Text, IsClippedAtEveryEdge) {
  for (const auto& [x, y] : {std::pair{-3, -3}, {17, 3}, {-100, 2}, {3, 17}, {1000, 1000}}) {
    Image image({20, 20}, kWhite);
    draw_text(image, x, y, "WWWWWWWWWW", kBlack, 3);
    EXPECT_EQ(image.bytes().size(), 1200U);
  }
}

TEST(Sheet, LaysCellsInRows) {
  const Image red({10, 20}, {255, 0, 0}), blue({400, 100}, {0, 0, 255});
  const Image sheet = contact_sheet({{red, "one"}, {blue, "two"}, {Image(), "empty"}}, 2, {60, 40});
  EXPECT_EQ(sheet.at(0, 0), kWhite);
  EXPECT_EQ(count_of(sheet, {255, 0, 0}), 20 * 40) << "fitted with its shape kept";
  EXPECT_EQ(count_of(sheet, {0, 0, 255}), 60 * 15);
  EXPECT_GT(sheet.height(), 2 * 40);
  EXPECT_GT(sheet.width(), 2 * 60);
  EXPECT_LT(sheet.width(), 3 * 60);
  EXPECT_GT(count_of(sheet, {30, 30, 30}), 30) << "captions";
  EXPECT_FALSE(contact_sheet({}, 3, {10, 10}).empty());
  EXPECT_THROW(contact_sheet({}, 0, {10, 10}), std::invalid_argument);
}

TEST(Sheet, PicturesAreKeptNoLargerThanTwiceTheirCell) {
  constexpr Size kCell{320, 240};
  EXPECT_EQ(kept_for_cell({8000, 6000}, kCell), (Size{640, 480}));
  EXPECT_EQ(kept_for_cell({6000, 8000}, kCell), (Size{360, 480}));
  EXPECT_EQ(kept_for_cell({641, 480}, kCell), (Size{640, 479}));
  EXPECT_EQ(kept_for_cell({640, 480}, kCell), (Size{640, 480}));
  EXPECT_EQ(kept_for_cell({5, 7}, kCell), (Size{5, 7}));
  EXPECT_EQ(kept_for_cell({100'000, 3}, kCell), (Size{640, 1}));
}

TEST(Sheet, LongCaptionsStayInTheirCell) {
  const SheetCell cell{Image({50, 50}, {255, 0, 0}), std::string(500, 'W')};
  const Image sheet = contact_sheet({cell}, 1, {50, 50});
  for (std::int64_t y = 0; y < sheet.height(); ++y) EXPECT_EQ(sheet.at(sheet.width() - 1, y), kWhite);
}

}  // namespace
}  // namespace terrapin::imaging
