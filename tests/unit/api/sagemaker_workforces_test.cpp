#include "unit/api/sagemaker_fixture.h"

namespace terrapin::api::test {
namespace {

struct SageMakerWorkforces : SageMakerTest {
  static json oidc() {
    return {{"ClientId", "client"},
            {"ClientSecret", "do-not-tell"},
            {"Issuer", "https://i.example"},
            {"AuthorizationEndpoint", "https://a.example"},
            {"TokenEndpoint", "https://t.example"},
            {"UserInfoEndpoint", "https://u.example"},
            {"LogoutEndpoint", "https://l.example"},
            {"JwksUri", "https://j.example"},
            {"Scope", "openid email"},
            {"AuthenticationRequestExtraParams", {{"prompt", "login"}}}};
  }
  static json group(const std::string& name) {
    return {{"CognitoMemberDefinition",
             {{"UserPool", "us-east-1_terrapin"}, {"UserGroup", name}, {"ClientId", "terrapin"}}}};
  }
};

TEST_F(SageMakerWorkforces, TheDefaultWorkforce) {
  const json expected{{"WorkforceName", "default"},
                      {"WorkforceArn", "arn:aws:sagemaker:us-east-1:111122223333:workforce/default"},
                      {"CreateDate", 1644514864.801793},
                      {"LastUpdatedDate", 1644514864.801793},
                      {"Status", "Active"},
                      {"SourceIpConfig", {{"Cidrs", json::array()}}},
                      {"SubDomain", "labels.example.org"},
                      {"CognitoConfig", {{"UserPool", "us-east-1_terrapin"}, {"ClientId", "terrapin"}}}};
  EXPECT_EQ(ok("DescribeWorkforce", {{"WorkforceName", "default"}}), (json{{"Workforce", expected}}));
  EXPECT_EQ(ok("ListWorkforces", json::object()), (json{{"Workforces", {expected}}}));
  EXPECT_EQ(ok("ListWorkforces", {{"NameContains", "x"}}), (json{{"Workforces", json::array()}}));
}

TEST_F(SageMakerWorkforces, ASecondOneIsRefused) {
  refused("CreateWorkforce", {{"WorkforceName", "mine"}, {"OidcConfig", oidc()}}, "ValidationException",
          "there is a private workforce already: \"default\"");
}

TEST_F(SageMakerWorkforces, AProviderOfOnesOwn) {
  ok("DeleteWorkforce", {{"WorkforceName", "default"}});
  EXPECT_EQ(ok("CreateWorkforce", {{"WorkforceName", "mine"},
                                   {"OidcConfig", oidc()},
                                   {"SourceIpConfig", {{"Cidrs", {"192.0.2.0/24", "2001:db8::/32"}}}},
                                   {"Tags", {{{"Key", "a"}, {"Value", "1"}}}}}),
            (json{{"WorkforceArn", "arn:aws:sagemaker:us-east-1:111122223333:workforce/mine"}}));
  json expected = oidc();
  expected.erase("ClientSecret");
  const json told = ok("DescribeWorkforce", {{"WorkforceName", "mine"}})["Workforce"];
  EXPECT_EQ(told["OidcConfig"], expected);
  EXPECT_EQ(told["SourceIpConfig"]["Cidrs"], (json{"192.0.2.0/24", "2001:db8::/32"}));
  EXPECT_FALSE(told.contains("CognitoConfig"));
  EXPECT_EQ(workforces_->private_workforce().value()->openid->client_secret, "do-not-tell");
  EXPECT_EQ(ok("ListTags", {{"ResourceArn", told["WorkforceArn"]}})["Tags"].size(), 1U);

  json other = oidc();
  other["ClientId"] = "other";
  other.erase("Scope");
  const json changed = ok("UpdateWorkforce", {{"WorkforceName", "mine"}, {"OidcConfig", other}})["Workforce"];
  EXPECT_EQ(changed["OidcConfig"]["ClientId"], "other");
  EXPECT_FALSE(changed["OidcConfig"].contains("Scope"));
  make_team();
  refused("UpdateWorkforce", {{"WorkforceName", "mine"}, {"OidcConfig", oidc()}}, "ConflictException",
          "only while it has no work team");
  refused("DeleteWorkforce", {{"WorkforceName", "mine"}}, "ValidationException", "has 1 work team: painters");
}

TEST_F(SageMakerWorkforces, WorkforcesAreChecked) {
  ok("DeleteWorkforce", {{"WorkforceName", "default"}});
  const json cognito{{"UserPool", "us-east-1_x"}, {"ClientId", "c"}};
  refused("CreateWorkforce", {{"WorkforceName", "mine"}}, "ValidationException", "the request has neither");
  refused("CreateWorkforce", {{"WorkforceName", "mine"}, {"OidcConfig", oidc()}, {"CognitoConfig", cognito}},
          "ValidationException", "the request has both");
  refused("CreateWorkforce",
          {{"WorkforceName", "mine"}, {"CognitoConfig", cognito}, {"IpAddressType", "dualstack"}},
          "ValidationException", "IpAddressType is not served");
  refused("CreateWorkforce",
          {{"WorkforceName", "mine"}, {"CognitoConfig", cognito}, {"WorkforceVpcConfig", json::object()}},
          "ValidationException", "WorkforceVpcConfig is not served");
  refused("CreateWorkforce",
          {{"WorkforceName", "mine"},
           {"CognitoConfig", cognito},
           {"SourceIpConfig", {{"Cidrs", std::vector<std::string>(11, "10.0.0.0/8")}}}},
          "ValidationException", "at most 10");
  refused(
      "CreateWorkforce",
      {{"WorkforceName", "mine"}, {"CognitoConfig", cognito}, {"SourceIpConfig", {{"Cidrs", {"10.0.0.0"}}}}},
      "ValidationException", "at 'sourceIpConfig.cidrs.1.member' failed to satisfy constraint");
  for (const char* operation : {"DescribeWorkforce", "UpdateWorkforce", "DeleteWorkforce"}) {
    refused(operation, {{"WorkforceName", "nobody"}}, "ValidationException",
            "Could not find workforce \"arn:aws:sagemaker:us-east-1:111122223333:workforce/nobody\".");
  }
  ok("CreateWorkforce", {{"WorkforceName", "mine"}, {"CognitoConfig", cognito}});
  EXPECT_EQ(ok("DescribeWorkforce", {{"WorkforceName", "mine"}})["Workforce"]["CognitoConfig"], cognito);
  refused("UpdateWorkforce", {{"WorkforceName", "mine"}, {"OidcConfig", oidc()}}, "ValidationException",
          "delete it and create it");
}

TEST_F(SageMakerWorkforces, AllowedAddressesChange) {
  const json set =
      ok("UpdateWorkforce", {{"WorkforceName", "default"}, {"SourceIpConfig", {{"Cidrs", {"10.0.0.0/8"}}}}});
  EXPECT_EQ(set["Workforce"]["SourceIpConfig"]["Cidrs"], json{"10.0.0.0/8"});
  EXPECT_FALSE(address_allowed(*workforces_->private_workforce().value(), "192.0.2.1"));
  ok("UpdateWorkforce", {{"WorkforceName", "default"}, {"SourceIpConfig", {{"Cidrs", json::array()}}}});
  EXPECT_TRUE(address_allowed(*workforces_->private_workforce().value(), "192.0.2.1"));
}

TEST_F(SageMakerWorkforces, AWorkteamsLife) {
  const json members{group("painters"), {{"OidcMemberDefinition", {{"Groups", {"a", "b"}}}}}};
  const std::string arn = "arn:aws:sagemaker:us-east-1:111122223333:workteam/private-crowd/painters";
  EXPECT_EQ(ok("CreateWorkteam", {{"WorkteamName", "painters"},
                                  {"WorkforceName", "default"},
                                  {"Description", "people"},
                                  {"MemberDefinitions", members},
                                  {"NotificationConfiguration", json::object()},
                                  {"Tags", {{{"Key", "a"}, {"Value", "1"}}}}}),
            (json{{"WorkteamArn", arn}}));
  json expected{{"WorkteamName", "painters"},
                {"WorkteamArn", arn},
                {"WorkforceArn", "arn:aws:sagemaker:us-east-1:111122223333:workforce/default"},
                {"Description", "people"},
                {"MemberDefinitions", members},
                {"CreateDate", 1644514864.801793},
                {"LastUpdatedDate", 1644514864.801793},
                {"SubDomain", "labels.example.org"}};
  EXPECT_EQ(ok("DescribeWorkteam", {{"WorkteamName", "painters"}}), (json{{"Workteam", expected}}));
  EXPECT_EQ(ok("ListTags", {{"ResourceArn", arn}})["Tags"].size(), 1U);
  refused("CreateWorkteam",
          {{"WorkteamName", "painters"}, {"Description", "x"}, {"MemberDefinitions", {group("g")}}},
          "ResourceInUse", arn);
  clock_.advance(std::chrono::seconds(2));
  expected["Description"] = "new";
  expected["MemberDefinitions"] = {group("others")};
  expected["LastUpdatedDate"] = 1644514866.801793;
  EXPECT_EQ(
      ok("UpdateWorkteam",
         {{"WorkteamName", "painters"}, {"Description", "new"}, {"MemberDefinitions", {group("others")}}}),
      (json{{"Workteam", expected}}));
  EXPECT_EQ(workforces_->teams_of({"others"}).value(), std::vector<std::string>{arn});

  jobs_.team_busy = true;
  refused("DeleteWorkteam", {{"WorkteamName", "painters"}}, "ValidationException", "have not ended");
  jobs_.team_busy = false;
  EXPECT_EQ(ok("DeleteWorkteam", {{"WorkteamName", "painters"}}), (json{{"Success", true}}));
  for (const char* operation : {"DescribeWorkteam", "UpdateWorkteam", "DeleteWorkteam"}) {
    refused(operation, {{"WorkteamName", "painters"}}, "ValidationException",
            "Could not find workteam \"" + arn + "\".");
  }
}

TEST_F(SageMakerWorkforces, WorkteamsAreChecked) {
  json team{{"WorkteamName", "a"}, {"Description", "x"}, {"MemberDefinitions", {group("g")}}};
  const auto with = [&](const char* member, const json& value) {
    json changed = team;
    changed[member] = value;
    return changed;
  };
  refused("CreateWorkteam",
          with("NotificationConfiguration",
               {{"NotificationTopicArn", "arn:aws:sns:us-east-1:111122223333:topic"}}),
          "ValidationException", "NotificationTopicArn is not served");
  refused("CreateWorkteam",
          with("WorkerAccessConfiguration",
               {{"S3Presign",
                 {{"IamPolicyConstraints", {{"SourceIp", "Enabled"}, {"VpcSourceIp", "Disabled"}}}}}}),
          "ValidationException", "IamPolicyConstraints.SourceIp 'Enabled' is not served");
  refused("CreateWorkteam", with("MemberDefinitions", json::array({json::object()})), "ValidationException",
          "MemberDefinitions.1: give exactly one");
  refused("CreateWorkteam", with("MemberDefinitions", json::array()), "ValidationException",
          "greater than or equal to 1");
  refused("CreateWorkteam", with("MemberDefinitions", json::array({group("vendor:acme")})),
          "ValidationException", "'vendor:acme' is kept");
  refused("CreateWorkteam", with("WorkforceName", "elsewhere"), "ValidationException", "\"elsewhere\"");
  refused("CreateWorkteam", with("Tags", {{{"Key", "aws:a"}, {"Value", ""}}}), "ValidationException", "aws:");
  EXPECT_TRUE(workforces_->list_teams({})->items.empty());
  ok("CreateWorkteam", with("WorkerAccessConfiguration",
                            {{"S3Presign", {{"IamPolicyConstraints", {{"SourceIp", "Disabled"}}}}}}));
}

TEST_F(SageMakerWorkforces, WorkteamsArePaged) {
  for (int i = 0; i < 23; ++i) {
    make_team(fmt::format("team-{:02}", i));
    clock_.advance(std::chrono::seconds(1));
  }
  json input{{"MaxResults", 10}, {"SortBy", "Name"}, {"SortOrder", "Descending"}};
  std::vector<std::string> names;
  for (int page = 0; page < 5; ++page) {
    const json answer = ok("ListWorkteams", input);
    for (const json& team : answer["Workteams"]) names.push_back(team["WorkteamName"]);
    if (!answer.contains("NextToken")) break;
    input["NextToken"] = answer["NextToken"];
  }
  ASSERT_EQ(names.size(), 23U);
  EXPECT_EQ(names.front(), "team-22");
  EXPECT_EQ(names.back(), "team-00");
  EXPECT_EQ(ok("ListWorkteams", {{"NameContains", "TEAM-1"}})["Workteams"].size(), 10U);
}

TEST_F(SageMakerWorkforces, SubscribedTeams) {
  ASSERT_TRUE(workforces_->add_vendor({"acme", "Acme", "labels", "Acme Inc", "prod-7"}).has_value());
  ASSERT_TRUE(workforces_->add_vendor({"bare", "", "", "", ""}).has_value());
  const json acme{{"WorkteamArn", "arn:aws:sagemaker:us-east-1:111122223333:workteam/vendor-crowd/acme"},
                  {"ListingId", "prod-7"},
                  {"MarketplaceTitle", "Acme"},
                  {"MarketplaceDescription", "labels"},
                  {"SellerName", "Acme Inc"}};
  EXPECT_EQ(ok("DescribeSubscribedWorkteam", {{"WorkteamArn", acme["WorkteamArn"]}}),
            (json{{"SubscribedWorkteam", acme}}));
  const json first = ok("ListSubscribedWorkteams", {{"MaxResults", 1}});
  EXPECT_EQ(first["SubscribedWorkteams"], json{acme});
  const json second = ok("ListSubscribedWorkteams", {{"MaxResults", 1}, {"NextToken", first["NextToken"]}});
  EXPECT_EQ(second["SubscribedWorkteams"][0]["ListingId"], "vendor-bare");
  EXPECT_FALSE(second.contains("NextToken"));
  EXPECT_EQ(ok("ListSubscribedWorkteams", {{"NameContains", "cm"}})["SubscribedWorkteams"].size(), 1U);
  refused("DescribeSubscribedWorkteam", {{"WorkteamArn", make_team()}}, "ValidationException",
          "Could not find subscribed workteam");
}

}  // namespace
}  // namespace terrapin::api::test
