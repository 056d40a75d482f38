#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "api/sagemaker/model_validation.h"
#include "base/json_text.h"
#include "unit/api/sagemaker_fixture.h"

namespace terrapin::api {
namespace {

using nlohmann::json;

struct Validation : test::SageMakerTest {
  json request_ = job_request("arn:aws:sagemaker:us-east-1:111122223333:workteam/private-crowd/painters");

  static AwsError error_of(const std::string& operation, const json& request) {
    auto read = ServiceModel::sagemaker().read_request(operation, json_text(request));
    EXPECT_FALSE(read.has_value()) << request;
    return read ? AwsError{} : read.error();
  }
  // Puts `value` at the JSON pointer and expects this one complaint.
  void expect(const char* pointer, const json& value, const std::string& fault,
              const std::string& code = "ValidationException") {
    json request = request_;
    request[json::json_pointer(pointer)] = value;
    const AwsError error = error_of("CreateLabelingJob", request);
    EXPECT_EQ(error.code, code);
    EXPECT_EQ(error.message, (code == "ValidationException" ? "1 validation error detected: " : "") + fault);
  }
};

TEST_F(Validation, TheSeedsRequestPasses) {
  const auto read = ServiceModel::sagemaker().read_request("CreateLabelingJob", json_text(request_));
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(*read, request_);
}

TEST_F(Validation, LiteralPlaceholdersAreRefusedInTheModelsWords) {
  expect("/HumanTaskConfig/NumberOfHumanWorkersPerDataObject", 123,
         "Value '123' at 'humanTaskConfig.numberOfHumanWorkersPerDataObject' failed to satisfy constraint: "
         "Member "
         "must have value less than or equal to 9");
  expect(
      "/StoppingConditions/MaxPercentageOfInputDatasetLabeled", 123,
      "Value '123' at 'stoppingConditions.maxPercentageOfInputDatasetLabeled' failed to satisfy constraint: "
      "Member must have value less than or equal to 100");
  expect(
      "/RoleArn", "arn:aws:iam::*:role/*",
      "Value 'arn:aws:iam::*:role/*' at 'roleArn' failed to satisfy constraint: Member must satisfy regular "
      "expression pattern: arn:aws[a-z\\-]*:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+");
  expect("/HumanTaskConfig/WorkteamArn", "arn:aws:sagemaker:region:*:workteam/private-crowd/*",
         "Value 'arn:aws:sagemaker:region:*:workteam/private-crowd/*' at 'humanTaskConfig.workteamArn' "
         "failed to "
         "satisfy constraint: Member must satisfy regular expression pattern: "
         "arn:aws[a-z\\-]*:sagemaker:[a-z0-9\\-]*:[0-9]{12}:workteam/.*");
}

TEST_F(Validation, EachKindOfConstraint) {
  expect("/HumanTaskConfig/NumberOfHumanWorkersPerDataObject", 0,
         "Value '0' at 'humanTaskConfig.numberOfHumanWorkersPerDataObject' failed to satisfy constraint: "
         "Member must "
         "have value greater than or equal to 1");
  expect("/HumanTaskConfig/TaskTitle", std::string(129, 'x'),
         "Value '" + std::string(129, 'x') +
             "' at 'humanTaskConfig.taskTitle' failed to satisfy constraint: Member must have length less "
             "than or "
             "equal to 128");
  expect("/InputConfig/DataAttributes/ContentClassifiers/1", "FreeOfCats",
         "Value 'FreeOfCats' at 'inputConfig.dataAttributes.contentClassifiers.2.member' failed to satisfy "
         "constraint: Member must satisfy enum value set: [FreeOfPersonallyIdentifiableInformation, "
         "FreeOfAdultContent]");
  expect("/HumanTaskConfig/TaskKeywords", json::array(),
         "Value '[]' at 'humanTaskConfig.taskKeywords' failed to satisfy constraint: Member must have length "
         "greater "
         "than or equal to 1");
  expect("/HumanTaskConfig/TaskKeywords", {"a", "b", "c", "d", "e", "f"},
         "Value '[a, b, c, d, e, f]' at 'humanTaskConfig.taskKeywords' failed to satisfy constraint: Member "
         "must "
         "have length less than or equal to 5");
  expect("/Tags/0/Value", nullptr,
         "Value null at 'tags.1.member.value' failed to satisfy constraint: Member must not be null");
  expect("/Tags/0", nullptr,
         "Value null at 'tags.1.member' failed to satisfy constraint: Member must not be null");
  expect(
      "/HumanTaskConfig/TaskDescription", std::string("a\0b", 3),
      "Value '" + std::string("a\0b", 3) +
          "' at 'humanTaskConfig.taskDescription' failed to satisfy constraint: Member must not contain the "
          "character U+0000");
  // A title of 128 characters outside ASCII has more bytes than that.
  std::string title;
  for (int i = 0; i < 128; ++i) title += "ß";
  request_["HumanTaskConfig"]["TaskTitle"] = title;
  EXPECT_TRUE(ServiceModel::sagemaker().read_request("CreateLabelingJob", json_text(request_)).has_value());
}

TEST_F(Validation, UnknownMembersAreNamed) {
  expect("/OutputConfig/S3OutputUri", "s3://b/k",
         "Unknown member \"S3OutputUri\" at 'outputConfig'; allowed: KmsKeyId, S3OutputPath, SnsTopicArn");
  expect("/labelingJobName", "x",
         "Unknown member \"labelingJobName\"; allowed: HumanTaskConfig, InputConfig, LabelAttributeName, "
         "LabelCategoryConfigS3Uri, LabelingJobAlgorithmsConfig, LabelingJobName, OutputConfig, RoleArn, "
         "StoppingConditions, Tags");
}

TEST_F(Validation, SeveralFaultsAreToldTogether) {
  json request = request_;
  request.erase("RoleArn");
  request["HumanTaskConfig"].erase("TaskTitle");
  request["StoppingConditions"]["MaxPercentageOfInputDatasetLabeled"] = 101;
  const AwsError error = error_of("CreateLabelingJob", request);
  EXPECT_EQ(
      error.message,
      "3 validation errors detected: Value null at 'roleArn' failed to satisfy constraint: Member must not "
      "be "
      "null; Value null at 'humanTaskConfig.taskTitle' failed to satisfy constraint: Member must not be "
      "null; "
      "Value '101' at 'stoppingConditions.maxPercentageOfInputDatasetLabeled' failed to satisfy constraint: "
      "Member must have value less than or equal to 100");
  json tags = json::array();
  for (int i = 0; i < 49; ++i) tags.push_back({{"Key", ";"}, {"Value", ";"}});
  const AwsError many = error_of("AddTags", {{"ResourceArn", "x"}, {"Tags", tags}});
  EXPECT_EQ(many.message.rfind("99 validation errors detected: ", 0), 0U);
  EXPECT_NE(many.message.find("; and 79 more"), std::string::npos);
  EXPECT_LT(many.message.size(), 10'000U);
}

TEST_F(Validation, WrongTypesAreSerializationExceptions) {
  const std::string code = "SerializationException";
  expect("/LabelingJobName", 5, "NUMBER_VALUE can not be converted to a String, at 'labelingJobName'", code);
  expect("/LabelingJobName", 5.5, "DECIMAL_VALUE can not be converted to a String, at 'labelingJobName'",
         code);
  expect("/LabelingJobName", true, "TRUE_VALUE can not be converted to a String, at 'labelingJobName'", code);
  const std::string workers = "humanTaskConfig.numberOfHumanWorkersPerDataObject";
  const char* pointer = "/HumanTaskConfig/NumberOfHumanWorkersPerDataObject";
  expect(pointer, "3", "STRING_VALUE can not be converted to an Integer, at '" + workers + "'", code);
  expect(pointer, 2.5, "DECIMAL_VALUE can not be converted to an Integer, at '" + workers + "'", code);
  expect(pointer, std::int64_t{1} << 40,
         "NUMBER_VALUE can not be converted to an Integer, at '" + workers + "'", code);
  expect(pointer, ~std::uint64_t{0}, "NUMBER_VALUE can not be converted to an Integer, at '" + workers + "'",
         code);
  expect("/Tags", json::object(),
         "Start of structure or map found where not expected, at 'tags': a list is expected", code);
  expect("/InputConfig", json::array(),
         "Start of list found where not expected, at 'inputConfig': a structure is expected", code);
  expect("/InputConfig", "x", "STRING_VALUE can not be converted to a structure, at 'inputConfig'", code);
  const AwsError time = error_of("ListLabelingJobs", {{"CreationTimeAfter", "2022-01-01"}});
  EXPECT_EQ(time.message,
            "STRING_VALUE can not be converted to milliseconds since epoch, at 'creationTimeAfter'");
}

TEST_F(Validation, HostileBodies) {
  const ServiceModel& model = ServiceModel::sagemaker();
  for (const std::string& text :
       {std::string("{"), std::string("nonsense"), std::string("{\"a\":1}}"), std::string("[]"),
        std::string("7"), std::string("{\"NameContains\": \"\xff\"}"),
        std::string("{\"NameContains\": 1e999}"), std::string("{\"NameContains\": \"\\ud800\"}"),
        std::string(1'000'000, '['), std::string("{\"NameContains\":") + std::string(500'000, '{'),
        "{\"NameContains\":\"" + std::string(std::size_t{1} << 20, 'a') + "\"}"}) {
    const auto read = model.read_request("ListLabelingJobs", text);
    ASSERT_FALSE(read.has_value()) << text.substr(0, 50);
    EXPECT_EQ(read.error().code, "SerializationException") << read.error().message;
    EXPECT_LT(read.error().message.size(), 300U);
  }
  EXPECT_TRUE(model.read_request("ListLabelingJobs", "").has_value());
  EXPECT_TRUE(model.read_request("ListLabelingJobs", "{\"NameContains\": null}").has_value());
  // Long values are cut in the message; brackets in strings do not count as depth.
  const auto long_value =
      model.read_request("ListLabelingJobs", "{\"NameContains\":\"" + std::string(900'000, '[') + "\"}");
  ASSERT_FALSE(long_value.has_value());
  EXPECT_EQ(long_value.error().code, "ValidationException");
  EXPECT_LT(long_value.error().message.size(), 1000U);
}

TEST_F(Validation, SecretsAreNotRepeated) {
  json config{
      {"ClientId", "id"}, {"ClientSecret", "gehe\nim"}, {"Issuer", "https://i"}, {"JwksUri", "https://j"}};
  for (const char* name : {"AuthorizationEndpoint", "TokenEndpoint", "UserInfoEndpoint", "LogoutEndpoint"}) {
    config[name] = "https://x";
  }
  const AwsError error = error_of("CreateWorkforce", {{"WorkforceName", "w"}, {"OidcConfig", config}});
  EXPECT_EQ(error.message.find("gehe"), std::string::npos) << error.message;
  EXPECT_NE(error.message.find("***Sensitive Data Redacted***"), std::string::npos);
}

TEST_F(Validation, MapsAreChecked) {
  json config{{"ClientId", "id"}, {"ClientSecret", "s"}, {"Issuer", "https://i"}, {"JwksUri", "https://j"}};
  for (const char* name : {"AuthorizationEndpoint", "TokenEndpoint", "UserInfoEndpoint", "LogoutEndpoint"}) {
    config[name] = "https://x";
  }
  config["AuthenticationRequestExtraParams"] = {{"prompt", std::string(513, 'x')}};
  const AwsError error = error_of("CreateWorkforce", {{"WorkforceName", "w"}, {"OidcConfig", config}});
  EXPECT_NE(
      error.message.find("at 'oidcConfig.authenticationRequestExtraParams.prompt.value' failed to satisfy "
                         "constraint: Member must have length less than or equal to 512"),
      std::string::npos)
      << error.message;
}

TEST_F(Validation, ABrokenModelIsNamed) {
  for (const char* text :
       {"{", "{}", R"({"shapes":{"A":{}},"operations":{}})",
        R"({"shapes":{"A":{"type":"string","pattern":"("}},"operations":{}})",
        R"({"shapes":{"A":{"type":"list"}},"operations":{}})",
        R"({"shapes":{"A":{"type":"structure","members":{"x":{"shape":"B"}}}},"operations":{}})",
        R"({"shapes":{},"operations":{"O":{"input":{"shape":"B"}}}})"}) {
    const auto model = ServiceModel::parse(text);
    ASSERT_FALSE(model.has_value()) << text;
    EXPECT_EQ(model.error().code, ErrorCode::kCorrupt);
  }
}

}  // namespace
}  // namespace terrapin::api
