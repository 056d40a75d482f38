#include "labeling/workforces/workforces.h"

#include <gtest/gtest.h>

#include <memory>

#include "labeling/workforces/addresses.h"
#include "unit/base/temporary_folder.h"

namespace terrapin::labeling {
namespace {

class WorkforcesTest : public ::testing::Test {
 protected:
  WorkforcesTest() : clock_(from_microseconds(1'644'514'864'801'793)) { open(); }
  void open() {
    workforces_.reset();
    database_ = storage::Database::open("sqlite:" + (folder_ / "state.db").string()).value();
    workforces_ = Workforces::open(*database_, {}, clock_).value();
  }
  static Workteam team_of(const std::string& name, const std::string& group) {
    Workteam team;
    team.name = name;
    team.description = "people";
    team.members = {{"us-east-1_pool", "client", group, {}}};
    return team;
  }
  static OpenIdProvider provider() {
    return {"client",
            "secret",
            "https://i.example",
            "https://a.example",
            "https://t.example",
            "https://u.example",
            "https://l.example",
            "https://j.example",
            "openid email",
            {{"prompt", "login"}}};
  }
  template <class T>
  static ErrorCode code(const Result<T>& result) {
    EXPECT_FALSE(result.has_value());
    return result ? ErrorCode::kInternal : result.error().code;
  }
  static std::vector<std::string> names(const WorkforcePage<Workteam>& page) {
    std::vector<std::string> result;
    for (const Workteam& team : page.items) result.push_back(team.name);
    return result;
  }

  terrapin::test::TemporaryFolder folder_;
  ManualClock clock_;
  std::unique_ptr<storage::Database> database_;
  std::unique_ptr<Workforces> workforces_;
};

TEST_F(WorkforcesTest, OnePrivateWorkforceExistsFromTheStart) {
  const Workforce workforce = workforces_->workforce("default").value();
  ASSERT_TRUE(workforce.pool.has_value());
  EXPECT_EQ(workforce.pool->user_pool, "us-east-1_terrapin");
  EXPECT_FALSE(workforce.openid.has_value());
  EXPECT_EQ(workforce.created, clock_.now());
  EXPECT_EQ(workforces_->workforce_arn("default"),
            "arn:aws:sagemaker:us-east-1:111122223333:workforce/default");

  Workforce second;
  second.name = "second";
  second.openid = provider();
  const auto refused = workforces_->create_workforce(second);
  EXPECT_EQ(code(refused), ErrorCode::kConflict);
  EXPECT_NE(refused.error().message.find("\"default\""), std::string::npos);

  // Deleted, it does not come back by itself.
  ASSERT_TRUE(workforces_->delete_workforce("default").has_value());
  open();
  EXPECT_EQ(code(workforces_->workforce("default")), ErrorCode::kNotFound);
  EXPECT_FALSE(workforces_->private_workforce().value().has_value());
  EXPECT_EQ(code(workforces_->create_team(team_of("a", "g"))), ErrorCode::kNotFound);
  ASSERT_TRUE(workforces_->create_workforce(second).has_value());
  open();
  const Workforce kept = workforces_->workforce("second").value();
  ASSERT_TRUE(kept.openid.has_value());
  EXPECT_EQ(kept.openid->client_secret, "secret");
  EXPECT_EQ(kept.openid->extra_parameters.at("prompt"), "login");
  EXPECT_EQ(kept.openid->jwks_uri, "https://j.example");
  EXPECT_EQ(kept.openid->scope, "openid email");
}

TEST_F(WorkforcesTest, WorkforcesAreChecked) {
  ASSERT_TRUE(workforces_->delete_workforce("default").has_value());
  Workforce workforce;
  workforce.name = "w";
  EXPECT_EQ(code(workforces_->create_workforce(workforce)), ErrorCode::kInvalidArgument);
  workforce.pool = AccountPool{"p_1", "c"};
  workforce.openid = provider();
  EXPECT_EQ(code(workforces_->create_workforce(workforce)), ErrorCode::kInvalidArgument);
  workforce.pool.reset();
  workforce.openid->issuer = "http://plain.example";
  EXPECT_EQ(code(workforces_->create_workforce(workforce)), ErrorCode::kInvalidArgument);
  workforce.openid = provider();
  workforce.cidrs.assign(11, "10.0.0.0/8");
  const auto many = workforces_->create_workforce(workforce);
  EXPECT_EQ(code(many), ErrorCode::kInvalidArgument);
  EXPECT_NE(many.error().message.find("at most 10"), std::string::npos);
  workforce.cidrs = {"10.0.0.0/8", "nonsense"};
  EXPECT_NE(workforces_->create_workforce(workforce).error().message.find("'nonsense'"), std::string::npos);
  workforce.cidrs = {"10.0.0.0/8", "2001:db8::/32"};
  EXPECT_TRUE(workforces_->create_workforce(workforce).has_value());
  EXPECT_EQ(workforces_->workforce("w").value().cidrs, workforce.cidrs);
}

TEST_F(WorkforcesTest, UpdatesAndDeletionWaitForTheTeams) {
  clock_.advance(std::chrono::seconds(5));
  const Workforce changed =
      workforces_->update_workforce("default", std::nullopt, std::vector<std::string>{"192.0.2.0/24"})
          .value();
  EXPECT_EQ(changed.cidrs, std::vector<std::string>{"192.0.2.0/24"});
  EXPECT_EQ(changed.modified - changed.created, std::chrono::seconds(5));
  EXPECT_TRUE(
      workforces_->update_workforce("default", std::nullopt, std::vector<std::string>{})->cidrs.empty());
  EXPECT_EQ(code(workforces_->update_workforce("default", provider(), std::nullopt)),
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(code(workforces_->update_workforce("other", std::nullopt, std::nullopt)), ErrorCode::kNotFound);

  ASSERT_TRUE(workforces_->create_team(team_of("a", "g")).has_value());
  const auto kept = workforces_->delete_workforce("default");
  EXPECT_EQ(code(kept), ErrorCode::kConflict);
  EXPECT_NE(kept.error().message.find("1 work team: a"), std::string::npos) << kept.error().message;
  ASSERT_TRUE(workforces_->delete_team("a").has_value());
  ASSERT_TRUE(workforces_->delete_workforce("default").has_value());
  EXPECT_EQ(code(workforces_->delete_workforce("default")), ErrorCode::kNotFound);

  Workforce second;
  second.name = "second";
  second.openid = provider();
  ASSERT_TRUE(workforces_->create_workforce(second).has_value());
  OpenIdProvider other = provider();
  other.client_id = "other";
  EXPECT_EQ(workforces_->update_workforce("second", other, std::nullopt)->openid->client_id, "other");
  ASSERT_TRUE(workforces_->create_team(team_of("a", "g")).has_value());
  EXPECT_EQ(code(workforces_->update_workforce("second", provider(), std::nullopt)), ErrorCode::kConflict);
  EXPECT_EQ(workforces_->workforce("second")->openid->client_id, "other");
}

TEST_F(WorkforcesTest, TeamsAreKept) {
  Workteam team = team_of("painters", "group-1");
  team.members.push_back({"us-east-1_pool", "client", "group-2", {}});
  team.members.push_back({"", "", "", {"claims-b", "claims-a"}});
  const Workteam made = workforces_->create_team(team).value();
  EXPECT_EQ(made.arn, "arn:aws:sagemaker:us-east-1:111122223333:workteam/private-crowd/painters");
  EXPECT_EQ(made.workforce, "default");
  EXPECT_EQ(code(workforces_->create_team(team)), ErrorCode::kAlreadyExists);
  open();
  const Workteam kept = workforces_->team("painters").value();
  ASSERT_EQ(kept.members.size(), 3U);
  EXPECT_EQ(kept.members[1].user_group, "group-2");
  EXPECT_EQ(kept.members[1].client_id, "client");
  EXPECT_EQ(kept.members[2].openid_groups, (std::vector<std::string>{"claims-b", "claims-a"}));
  EXPECT_EQ(kept.description, "people");
  EXPECT_EQ(kept.created, clock_.now());

  clock_.advance(std::chrono::seconds(1));
  const Workteam changed =
      workforces_->update_team("painters", "new words", std::vector<TeamMember>{{"", "", "", {"only"}}})
          .value();
  EXPECT_EQ(changed.description, "new words");
  EXPECT_EQ(workforces_->team("painters")->members.size(), 1U);
  EXPECT_EQ(workforces_->team("painters")->modified, clock_.now());
  EXPECT_TRUE(workforces_->teams_of({"group-1"})->empty());
  EXPECT_EQ(code(workforces_->update_team("nobody", "x", std::nullopt)), ErrorCode::kNotFound);
  ASSERT_TRUE(workforces_->delete_team("painters").has_value());
  EXPECT_EQ(code(workforces_->delete_team("painters")), ErrorCode::kNotFound);
  EXPECT_EQ(code(workforces_->team("painters")), ErrorCode::kNotFound);
  EXPECT_TRUE(workforces_->teams_of({"only"})->empty());
}

TEST_F(WorkforcesTest, TeamsAreChecked) {
  for (const char* name : {"", "-a", "a-", "a_b", "a/b"}) {
    EXPECT_EQ(code(workforces_->create_team(team_of(name, "g"))), ErrorCode::kInvalidArgument) << name;
  }
  EXPECT_EQ(code(workforces_->create_team(team_of(std::string(64, 'a'), "g"))), ErrorCode::kInvalidArgument);
  Workteam team = team_of("a", "g");
  team.members.clear();
  EXPECT_EQ(code(workforces_->create_team(team)), ErrorCode::kInvalidArgument);
  team.members = {{"p", "c", "g", {"also"}}};
  EXPECT_EQ(code(workforces_->create_team(team)), ErrorCode::kInvalidArgument);
  team.members = {{"p", "c", "g", {}}, {"q", "c", "g", {}}};
  EXPECT_EQ(code(workforces_->create_team(team)), ErrorCode::kInvalidArgument);
  team = team_of("a", "g");
  team.workforce = "elsewhere";
  EXPECT_EQ(code(workforces_->create_team(team)), ErrorCode::kNotFound);
  team.workforce.clear();
  team.description = std::string("a\0b", 3);
  EXPECT_EQ(code(workforces_->create_team(team)), ErrorCode::kInvalidArgument);
}

// Nobody gets into a vendor's team, or a vendor's people into a private one, by a group's name.
TEST_F(WorkforcesTest, ReservedGroupsAreRefusedInTeams) {
  ASSERT_TRUE(workforces_->add_vendor({"acme", "Acme", "labels", "Acme Inc", ""}).has_value());
  for (const char* group : {"vendor:acme", "vendor:", "public-crowd"}) {
    const auto refused = workforces_->create_team(team_of("a", group));
    EXPECT_EQ(code(refused), ErrorCode::kInvalidArgument);
    EXPECT_NE(refused.error().message.find(group), std::string::npos);
    EXPECT_TRUE(Workforces::is_reserved_group(group));
  }
  ASSERT_TRUE(workforces_->create_team(team_of("a", "g")).has_value());
  EXPECT_EQ(code(workforces_->update_team("a", std::nullopt, team_of("a", "vendor:acme").members)),
            ErrorCode::kInvalidArgument);
  EXPECT_FALSE(Workforces::is_reserved_group("vendors"));
}

TEST_F(WorkforcesTest, TeamsOfGroups) {
  Workteam both = team_of("both", "one");
  both.members.push_back({"", "", "", {"two", "three"}});
  ASSERT_TRUE(workforces_->create_team(both).has_value());
  ASSERT_TRUE(workforces_->create_team(team_of("second", "one")).has_value());
  ASSERT_TRUE(workforces_->add_vendor({"acme", "", "", "", ""}).has_value());
  const std::string first = workforces_->team_arn(TeamKind::kPrivate, "both");
  const std::string second = workforces_->team_arn(TeamKind::kPrivate, "second");
  using Arns = std::vector<std::string>;
  EXPECT_EQ(workforces_->teams_of({}).value(), Arns());
  EXPECT_EQ(workforces_->teams_of({"One", "on"}).value(), Arns());
  EXPECT_EQ(workforces_->teams_of({"one"}).value(), (Arns{first, second}));
  EXPECT_EQ(workforces_->teams_of({"three", "two"}).value(), Arns{first});
  EXPECT_EQ(workforces_->teams_of({"vendor:acme", "vendor:other"}).value(),
            Arns{"arn:aws:sagemaker:us-east-1:111122223333:workteam/vendor-crowd/acme"});
  EXPECT_EQ(workforces_->teams_of({"public-crowd"}).value(),
            Arns{"arn:aws:sagemaker:us-east-1:394669845002:workteam/public-crowd/default"});
}

TEST_F(WorkforcesTest, AnyTeamIsFoundByItsArn) {
  ASSERT_TRUE(workforces_->create_team(team_of("a", "g")).has_value());
  ASSERT_TRUE(workforces_->add_vendor({"acme", "Acme", "labels", "Acme Inc", ""}).has_value());
  const auto found = [&](const std::string& arn) { return workforces_->find_team(arn).value(); };
  EXPECT_EQ(found(workforces_->team_arn(TeamKind::kPrivate, "a"))->kind, TeamKind::kPrivate);
  const auto vendor = found(workforces_->team_arn(TeamKind::kVendor, "acme"));
  ASSERT_TRUE(vendor.has_value());
  EXPECT_EQ(vendor->kind, TeamKind::kVendor);
  EXPECT_EQ(vendor->listing_id, "vendor-acme");
  EXPECT_EQ(vendor->seller, "Acme Inc");
  EXPECT_EQ(found(workforces_->team_arn(TeamKind::kPublic, "default"))->kind, TeamKind::kPublic);
  EXPECT_FALSE(found(workforces_->team_arn(TeamKind::kPublic, "other")).has_value());
  EXPECT_FALSE(found(workforces_->team_arn(TeamKind::kPrivate, "acme")).has_value());
  EXPECT_FALSE(found(workforces_->team_arn(TeamKind::kPrivate, "")).has_value());
  EXPECT_FALSE(found("arn:aws:sagemaker:eu-west-1:111122223333:workteam/private-crowd/a").has_value());
  EXPECT_FALSE(found("").has_value());
}

TEST_F(WorkforcesTest, ListsAreFilteredSortedAndPaged) {
  for (const char* name : {"b-Birds", "a-birds", "c-cats"}) {
    ASSERT_TRUE(workforces_->create_team(team_of(name, "g")).has_value());
    clock_.advance(std::chrono::seconds(1));
  }
  using Names = std::vector<std::string>;
  EXPECT_EQ(names(workforces_->list_teams({}).value()), (Names{"b-Birds", "a-birds", "c-cats"}));
  WorkforceFilter filter;
  filter.sort_by = WorkforceFilter::SortBy::kName;
  filter.descending = true;
  EXPECT_EQ(names(workforces_->list_teams(filter).value()), (Names{"c-cats", "b-Birds", "a-birds"}));
  filter.name_contains = "bird";
  filter.limit = 1;
  const auto first = workforces_->list_teams(filter).value();
  EXPECT_EQ(names(first), Names{"b-Birds"});
  EXPECT_TRUE(first.more);
  filter.offset = 1;
  const auto second = workforces_->list_teams(filter).value();
  EXPECT_EQ(names(second), Names{"a-birds"});
  EXPECT_FALSE(second.more);
  filter.offset = 99;
  EXPECT_TRUE(workforces_->list_teams(filter)->items.empty());
  EXPECT_EQ(workforces_->list_workforces({})->items.size(), 1U);
}

TEST_F(WorkforcesTest, Vendors) {
  EXPECT_EQ(code(workforces_->add_vendor({"a b", "", "", "", ""})), ErrorCode::kInvalidArgument);
  EXPECT_EQ(workforces_->add_vendor({"acme", "Acme", "labels", "Acme Inc", "prod-7"})->listing_id, "prod-7");
  EXPECT_EQ(code(workforces_->add_vendor({"acme", "", "", "", ""})), ErrorCode::kAlreadyExists);
  EXPECT_EQ(names(workforces_->list_vendors({}).value()), std::vector<std::string>{"acme"});
  EXPECT_TRUE(workforces_->list_teams({})->items.empty());
  ASSERT_TRUE(workforces_->remove_vendor("acme").has_value());
  EXPECT_EQ(code(workforces_->remove_vendor("acme")), ErrorCode::kNotFound);
}

TEST_F(WorkforcesTest, TagsKnowWhatAResourceWasMadeWith) {
  const std::string arn = "arn:aws:sagemaker:us-east-1:111122223333:labeling-job/a";
  EXPECT_FALSE(workforces_->tags(arn).value().has_value());
  EXPECT_EQ(workforces_->add_tags(arn, {{"b", "2"}}, {{"a", "1"}}).value(), (Tags{{"a", "1"}, {"b", "2"}}));
  // From then on the stored ones count.
  EXPECT_EQ(workforces_->add_tags(arn, {{"b", "3"}}, {{"z", "9"}}).value(), (Tags{{"a", "1"}, {"b", "3"}}));
  ASSERT_TRUE(workforces_->remove_tags(arn, {"a", "b", "unknown"}).has_value());
  open();
  EXPECT_EQ(workforces_->tags(arn).value(), std::optional<Tags>(Tags{}));
  ASSERT_TRUE(workforces_->forget_tags(arn).has_value());
  EXPECT_FALSE(workforces_->tags(arn).value().has_value());
  Tags fifty;
  for (int i = 0; i < 50; ++i) fifty["k" + std::to_string(i)] = "v";
  ASSERT_TRUE(workforces_->add_tags(arn, fifty).has_value());
  EXPECT_EQ(code(workforces_->add_tags(arn, {{"one more", ""}})), ErrorCode::kInvalidArgument);
  EXPECT_EQ(workforces_->tags(arn).value()->size(), 50U);
}

TEST_F(WorkforcesTest, TagsGoWithTheirResource) {
  ASSERT_TRUE(workforces_->create_team(team_of("a", "g")).has_value());
  const std::string team = workforces_->team_arn(TeamKind::kPrivate, "a");
  ASSERT_TRUE(workforces_->add_tags(team, {{"k", "v"}}).has_value());
  ASSERT_TRUE(workforces_->delete_team("a").has_value());
  EXPECT_FALSE(workforces_->tags(team).value().has_value());
}

TEST(WorkforcesAddresses, Ranges) {
  const std::vector<std::string> cidrs{"192.0.2.0/25", "10.1.2.3/8", "2001:db8::/33"};
  for (const char* inside : {"192.0.2.1", "192.0.2.127", "10.255.0.1", "::ffff:10.0.0.1", "2001:db8:7fff::1",
                             "[2001:db8::1]", "2001:db8::1%eth0"}) {
    EXPECT_TRUE(address_allowed(cidrs, inside)) << inside;
  }
  for (const char* outside : {"192.0.2.128", "11.0.0.1", "2001:db8:8000::1", "::1", "127.0.0.1", "",
                              "nonsense", "10.0.0.1.example", "10.0.0", "::ffff:11.0.0.1", "::a00:1"}) {
    EXPECT_FALSE(address_allowed(cidrs, outside)) << outside;
  }
  EXPECT_TRUE(address_allowed(std::vector<std::string>{}, "anything"));
  EXPECT_TRUE(address_allowed(std::vector<std::string>{"0.0.0.0/0"}, "203.0.113.9"));
  EXPECT_FALSE(address_allowed(std::vector<std::string>{"0.0.0.0/0"}, "2001:db8::1"));
  EXPECT_TRUE(address_allowed(std::vector<std::string>{"::/0"}, "2001:db8::1"));
  EXPECT_TRUE(address_allowed(std::vector<std::string>{"192.0.2.7/32"}, "192.0.2.7"));
  EXPECT_FALSE(address_allowed(std::vector<std::string>{"192.0.2.7/32"}, "192.0.2.6"));
  // A range that cannot be read allows nobody.
  EXPECT_FALSE(address_allowed(std::vector<std::string>{"nonsense"}, "192.0.2.7"));
  Workforce workforce;
  workforce.cidrs = {"192.0.2.0/24"};
  EXPECT_TRUE(address_allowed(workforce, "192.0.2.9"));
  EXPECT_FALSE(address_allowed(workforce, "192.0.3.9"));
}

TEST(WorkforcesAddresses, BrokenRangesAreNamed) {
  for (const char* text :
       {"", "10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8x", "10.0.0/8", "010.0.0.0/8",
        "2001:db8::/129", "fe80::1%eth0/64", "/8", "10.0.0.0/ 8"}) {
    const auto range = parse_cidr(text);
    ASSERT_FALSE(range.has_value()) << text;
    EXPECT_EQ(range.error().code, ErrorCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace terrapin::labeling
