#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "artifacts/label_categories.h"
#include "artifacts/manifest.h"
#include "artifacts/manifest_write.h"

namespace terrapin::artifacts {
namespace {

using ::testing::HasSubstr;

TEST(ManifestWrite, AddsToALineWithoutTouchingTheRest) {
  EXPECT_EQ(with_label("{\"a\" : 1.50, \"b\":\"\\u00e9\" }", "x-ref", "\"m\"", "{\"k\":1}").value(),
            "{\"a\" : 1.50, \"b\":\"\\u00e9\",\"x-ref\":\"m\",\"x-ref-metadata\":{\"k\":1}}");
  EXPECT_EQ(with_label("{}", "x", "", "{}").value(), "{\"x-metadata\":{}}");
}

TEST(ManifestWrite, ReplacesALabelThatIsThere) {
  EXPECT_EQ(
      with_label("{\"s\":1,\"x-ref\":\"old\",\"x-ref-metadata\":{},\"z\":2}", "x-ref", "\"new\"", "{\"k\":1}")
          .value(),
      "{\"s\":1,\"z\":2,\"x-ref\":\"new\",\"x-ref-metadata\":{\"k\":1}}");
  EXPECT_FALSE(with_label("[1]", "x", "", "{}"));
}

TEST(ManifestWrite, WritesWhatTheReaderReads) {
  const ClassList classes{{{"BACKGROUND", {255, 255, 255}}, {"Turtle", {44, 160, 44}}}};
  const std::string line =
      with_label("{\"source-ref\":\"s3://b/p.jpg\"}", "t-ref", json_string("s3://b/m.png"),
                 mask_metadata_json({classes, std::nullopt},
                                    {0.25988, true, "2022-02-10T17:41:04.801793", "labeling-job/t", ""}))
          .value();
  const auto record = parse_manifest_line(line, 1);
  ASSERT_TRUE(record);
  ASSERT_EQ(record->labels.size(), 1U);
  EXPECT_EQ(record->labels[0].mask_uri, "s3://b/m.png");
  EXPECT_EQ(record->labels[0].color_map.at(1).class_name, "Turtle");
  const auto failed = parse_manifest_line(
      with_label("{\"source-ref\":\"s3://b/p.jpg\"}", "t-ref", "", failure_metadata_json("dark", 0, "d", "j"))
          .value(),
      1);
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->labels.at(0).failure_reason, "dark");
}

TEST(LabelCategories, ReadsBothSpellings) {
  const auto a = parse_label_categories(
      R"({"document-version":"2018-11-28","labels":[{"label":"Turtle"},{"label":"Diver"}]})");
  const auto b = parse_label_categories(R"({"labels":["Turtle",{"label":"Diver"}]})");
  ASSERT_TRUE(a && b);
  EXPECT_EQ(*a, *b);
  EXPECT_EQ(a->classes.classes[0].name, "BACKGROUND");
  EXPECT_EQ(a->classes.index_of("Diver"), 2);
  EXPECT_FALSE(a->void_label);
  EXPECT_EQ(parse_label_categories(format_label_categories(*a)).value(), *a);
  const auto one = parse_label_categories(R"({"labels":[{"label":"Turtle"}]})");
  EXPECT_EQ(imaging::to_hex(one->classes.classes[1].color), "#2ca02c");
}

TEST(LabelCategories, OneLabelMayBeVoid) {
  const auto read = parse_label_categories(
      R"({"labels":["Turtle",{"label":"Ignore","void":true},{"label":"Diver","void":false}]})");
  ASSERT_TRUE(read) << read.error().message;
  // The others keep contiguous indices and the colours they would have without it.
  const auto without = parse_label_categories(R"({"labels":["Turtle","Diver"]})");
  EXPECT_EQ(read->classes, without->classes);
  EXPECT_EQ(read->void_label, (ClassEntry{"Ignore", {128, 128, 128}}));
  EXPECT_EQ(parse_label_categories(format_label_categories(*read)).value(), *read);

  const auto message = [](const char* text) { return parse_label_categories(text).error().message; };
  EXPECT_THAT(message(R"({"labels":[{"label":"a","void":true},"b",{"label":"c","void":true}]})"),
              HasSubstr("labels[0] and labels[2] are both void"));
  EXPECT_THAT(message(R"({"labels":[{"label":"a","void":1}]})"), HasSubstr("labels[0].void is 1"));
  EXPECT_THAT(message(R"({"labels":[{"label":"a","void":true}]})"),
              HasSubstr("no label beside the void one"));
  EXPECT_THAT(message(R"({"labels":["a",{"label":"a","void":true}]})"), HasSubstr("'a' again"));
}

TEST(LabelCategories, HoldAtMost253LabelsAndAVoidOne) {
  const auto categories = [](int labels, bool with_void) {
    nlohmann::json list = nlohmann::json::array();
    for (int i = 0; i < labels; ++i) list.push_back("label " + std::to_string(i));
    if (with_void) list.push_back({{"label", "Ignore"}, {"void", true}});
    return parse_label_categories(nlohmann::json{{"labels", list}}.dump());
  };
  for (const bool with_void : {false, true}) {
    const auto most = categories(253, with_void);
    ASSERT_TRUE(most) << most.error().message;
    EXPECT_EQ(most->classes.size(), 254);
    EXPECT_EQ(most->void_label.has_value(), with_void);
    EXPECT_THAT(categories(254, with_void).error().message, HasSubstr("has 254 labels"));
  }
}

TEST(ManifestWrite, NamesTheVoidLabelAs255) {
  const auto categories = parse_label_categories(R"({"labels":["Turtle",{"label":"Ignore","void":true}]})");
  const auto metadata = nlohmann::json::parse(mask_metadata_json(*categories, {0.5, true, "d", "j", ""}));
  EXPECT_EQ(metadata["internal-color-map"].size(), 3U);
  EXPECT_EQ(metadata["internal-color-map"]["255"]["class-name"], "Ignore");
  EXPECT_EQ(metadata["internal-color-map"]["255"]["hex-color"], "#808080");
  EXPECT_EQ(metadata["internal-color-map"]["1"]["class-name"], "Turtle");
}

TEST(LabelCategories, NamesWhatIsWrong) {
  const auto message = [](const char* text) { return parse_label_categories(text).error().message; };
  EXPECT_THAT(message("[]"), HasSubstr("not a JSON object"));
  EXPECT_THAT(message("{\"labels\":[]}"), HasSubstr("1 to 253"));
  EXPECT_THAT(message(R"({"labels":["a","a"]})"), HasSubstr("labels[1] is 'a' again"));
  EXPECT_THAT(message(R"({"labels":["BACKGROUND"]})"), HasSubstr("BACKGROUND"));
  EXPECT_THAT(message(R"({"labels":[""]})"), HasSubstr("0 characters"));
  EXPECT_THAT(message(R"({"labels":[7]})"), HasSubstr("not a text"));
  EXPECT_THAT(message(R"({"document-version":"2017","labels":["a"]})"), HasSubstr("2018-11-28"));
  EXPECT_THAT(message(R"({"labels":[{"label":"a","hex-color":"#ffffff"}]})"), HasSubstr("is taken"));
  const std::string long_name = R"({"labels":[")" + std::string(257, 'x') + "\"]}";
  EXPECT_THAT(message(long_name.c_str()), HasSubstr("257 characters"));
}

}  // namespace
}  // namespace terrapin::artifacts
