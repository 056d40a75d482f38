// Captured invocations: lines, names of objects, and that they get there.
#include "control/endpoint_capture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "storage/folder_store.h"
#include "unit/base/temporary_folder.h"

namespace terrapin::control {
namespace {

using nlohmann::json;

std::span<const std::uint8_t> bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

CapturedInvocation invocation() {
  CapturedInvocation made;
  made.endpoint = "Turtles";
  made.variant = "a";
  made.event_id = "11111111-2222-4333-8444-555555555555";
  made.time = *parse_iso_text("2026-01-31T12:05:06.789Z");
  made.input_type = "image/jpeg";
  made.input = bytes("\xff\xd8 photo");
  made.output_type = "application/json; charset=utf-8";
  made.output = bytes(R"({"shape":[1,2]})");
  return made;
}

CaptureSpec spec(std::vector<std::string> modes) {
  CaptureSpec made;
  made.destination = "s3://bucket/captured";
  made.modes = std::move(modes);
  made.json_types = {"application/json"};
  return made;
}

TEST(EndpointCaptureLine, HoldsWhatIsAskedFor) {
  const std::string line = capture_line(spec({"Input", "Output"}), invocation());
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  EXPECT_EQ(json::parse(line), json::parse(R"({"captureData":{
    "endpointInput":{"observedContentType":"image/jpeg","mode":"INPUT","data":"/9ggcGhvdG8=","encoding":"BASE64"},
    "endpointOutput":{"observedContentType":"application/json; charset=utf-8","mode":"OUTPUT","data":"{\"shape\":[1,2]}","encoding":"JSON"}},
    "eventMetadata":{"eventId":"11111111-2222-4333-8444-555555555555","inferenceTime":"2026-01-31T12:05:06Z"},"eventVersion":"0"})"));
  EXPECT_FALSE(
      json::parse(capture_line(spec({"Input"}), invocation()))["captureData"].contains("endpointOutput"));
  EXPECT_EQ(json::parse(capture_line(spec({"InputAndOutput"}), invocation()))["captureData"].size(), 2U);
}

TEST(EndpointCaptureLine, NamesAndAttributesAreTold) {
  CapturedInvocation named = invocation();
  named.inference_id = "seven";
  named.custom_attributes = "a=\"b\"";
  const json event = json::parse(capture_line(spec({"Input"}), named))["eventMetadata"];
  EXPECT_EQ(event["inferenceId"], "seven");
  EXPECT_EQ(event["customAttributes"], json::array({"a=\"b\""}));
}

TEST(EndpointCaptureObject, LiesByEndpointVariantAndHour) {
  for (const char* destination : {"s3://bucket/captured", "s3://bucket/captured/"}) {
    const auto name = capture_object(destination, invocation(), "u");
    EXPECT_EQ(storage::s3_uri(name), "s3://bucket/captured/Turtles/a/2026/01/31/12/05-06-789-u.jsonl");
  }
  EXPECT_EQ(capture_object("s3://bucket", invocation(), "u").key,
            "Turtles/a/2026/01/31/12/05-06-789-u.jsonl");
}

class EndpointCaptures : public testing::Test {
 protected:
  void SetUp() override {
    store_ = std::move(*storage::open_folder_store(folder_ / "objects", system_clock()));
    ASSERT_TRUE(store_->create_bucket("bucket"));
  }
  std::vector<std::string> lines(const std::string& bucket = "bucket") {
    std::vector<std::string> all;
    const auto page = store_->list(bucket, {});
    for (const storage::ObjectInfo& object : page->objects) {
      const auto opened = store_->get({bucket, object.key});
      std::istringstream text(*read_all_text(*opened->content, 1 << 20));
      for (std::string line; std::getline(text, line);) all.push_back(line);
    }
    return all;
  }

  test::TemporaryFolder folder_;
  std::unique_ptr<storage::ObjectStore> store_;
};

TEST_F(EndpointCaptures, AreGatheredIntoObjects) {
  EndpointCapture capture(*store_);
  for (int i = 0; i < 3; ++i) capture.add(spec({"Input"}), invocation());
  CapturedInvocation other = invocation();
  other.variant = "b";
  capture.add(spec({"Input"}), other);
  EXPECT_TRUE(capture.flush());
  EXPECT_EQ(store_->list("bucket", {})->objects.size(), 2U);
  EXPECT_EQ(lines().size(), 4U);
  EXPECT_TRUE(capture.flush());
  EXPECT_EQ(lines().size(), 4U) << "nothing is written twice";
}

TEST_F(EndpointCaptures, AreWrittenByThemselvesAndAtTheEnd) {
  {
    EndpointCapture capture(*store_, {.interval = std::chrono::hours(1), .max_object_bytes = 200});
    capture.start();
    capture.add(spec({"Input"}), invocation());
    capture.add(spec({"Output"}), invocation());
  }
  EXPECT_EQ(lines().size(), 2U);
}

TEST_F(EndpointCaptures, ABucketThatIsNotThereIsTold) {
  EndpointCapture capture(*store_);
  CaptureSpec nowhere = spec({"Input"});
  nowhere.destination = "s3://no-such-bucket/x";
  capture.add(nowhere, invocation());
  EXPECT_FALSE(capture.flush());
  capture.add(nowhere, invocation());
  EXPECT_FALSE(capture.flush());
  EXPECT_TRUE(lines("bucket").empty());
  ASSERT_TRUE(store_->create_bucket("no-such-bucket"));
  EXPECT_TRUE(capture.flush()) << "what could not be written waited";
  EXPECT_EQ(store_->list("no-such-bucket", {})->objects.size(), 1U);
  EXPECT_EQ(lines("no-such-bucket").size(), 2U);
}

TEST_F(EndpointCaptures, WhatCannotBeWrittenIsBounded) {
  const auto one = static_cast<std::int64_t>(capture_line(spec({"Input"}), invocation()).size());
  EndpointCapture capture(*store_, {.max_waiting_bytes = 2 * one + one / 2});
  CaptureSpec nowhere = spec({"Input"});
  nowhere.destination = "s3://no-such-bucket/x";
  for (int i = 0; i < 3; ++i) {
    capture.add(nowhere, invocation());
    EXPECT_FALSE(capture.flush());
  }
  ASSERT_TRUE(store_->create_bucket("no-such-bucket"));
  EXPECT_TRUE(capture.flush());
  EXPECT_EQ(lines("no-such-bucket").size(), 2U);
  capture.add(nowhere, invocation());  // what was written makes room
  EXPECT_TRUE(capture.flush());
  EXPECT_EQ(lines("no-such-bucket").size(), 3U);
}

}  // namespace
}  // namespace terrapin::control
