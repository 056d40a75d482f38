#include "api/logs/filter_pattern.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "api/logs/logs_service.h"
#include "api/sagemaker/model_validation.h"

namespace terrapin::api {
namespace {

bool matches(const char* pattern, const char* line) {
  const auto parsed = FilterPattern::parse(pattern);
  EXPECT_TRUE(parsed) << pattern;
  return parsed && parsed->matches(line);
}

TEST(LogFilterPattern, Terms) {
  EXPECT_TRUE(matches("", "anything"));
  EXPECT_TRUE(matches("  ", ""));
  EXPECT_TRUE(matches("out memory", "memory ran out"));
  EXPECT_FALSE(matches("out memory", "memory"));
  EXPECT_FALSE(matches("Out", "out"));
  EXPECT_TRUE(matches("\"ran out\"", "memory ran out"));
  EXPECT_FALSE(matches("\"out ran\"", "memory ran out"));
  EXPECT_TRUE(matches("\"a \\\"b\\\"\"", "say a \"b\""));
}

TEST(LogFilterPattern, AnyAndNone) {
  EXPECT_TRUE(matches("?a ?b", "b"));
  EXPECT_FALSE(matches("?a ?b", "c"));
  EXPECT_TRUE(matches("a -b", "a"));
  EXPECT_FALSE(matches("a -\"b c\"", "a b c"));
  EXPECT_TRUE(matches("-", "a"));
}

TEST(LogFilterPattern, WhatIsNotServed) {
  for (const char* text : {"{ $.a = 1 }", "[ip, user]", "%a.*%", "\"open", "a \"open", "-\"open"})
    EXPECT_FALSE(FilterPattern::parse(text)) << text;
}

TEST(LogsModel, KnowsEveryOperationThatIsServed) {
  for (const std::string_view operation : LogsService::operations())
    EXPECT_TRUE(ServiceModel::logs().has_operation(operation)) << operation;
  const auto wrong = ServiceModel::logs().read_request("GetLogEvents", R"({"logGroupName": "a b"})");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().message.substr(0, 29), "2 validation errors detected:");
}

}  // namespace
}  // namespace terrapin::api
