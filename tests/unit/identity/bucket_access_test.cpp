#include "identity/bucket_access.h"

#include "unit/identity/identity_fixture.h"

namespace terrapin::identity {
namespace {

class BucketAccessTest : public test::IdentityTest {
 protected:
  bool may(const std::string& principal, const std::string& bucket, std::vector<std::string> allowed = {}) {
    return BucketAccess(*keys, *accounts, std::move(allowed)).may_use(principal, bucket).value();
  }
  std::unique_ptr<AccessKeys> keys = AccessKeys::open(folder.path(), clock).value();
};

TEST_F(BucketAccessTest, AccountsByTheirRole) {
  const Account admin = make("ada", {Role::kAdmin}), requester = make("rita", {Role::kRequester}),
                worker = make("ann", {Role::kWorker});
  EXPECT_TRUE(may(principal_of(requester), "photos"));
  EXPECT_FALSE(may(principal_of(worker), "photos"));
  // An installation may name the requesters' buckets; admins have all.
  EXPECT_TRUE(may(principal_of(requester), "photos", {"photos", "out"}));
  EXPECT_FALSE(may(principal_of(requester), "private", {"photos", "out"}));
  EXPECT_TRUE(may(principal_of(admin), "private", {"photos", "out"}));
}

TEST_F(BucketAccessTest, WhatIsTakenBackEndsAtOnce) {
  const Account rita = make("rita", {Role::kRequester}), other = make("eve", {Role::kRequester});
  (void)make("ada", {Role::kAdmin});
  ASSERT_TRUE(accounts->update(rita.id, "Rita", {Role::kWorker}, {}));
  EXPECT_FALSE(may(principal_of(rita), "photos"));
  ASSERT_TRUE(accounts->remove(other.id));
  EXPECT_FALSE(may(principal_of(other), "photos"));
  EXPECT_FALSE(may("account:person-unknown", "photos"));
}

TEST_F(BucketAccessTest, KeysByTheirScopeAndNeverForAnAccount) {
  const Account rita = make("rita", {Role::kRequester});
  ASSERT_TRUE(keys->create(Scope::kRequester, "robot", {"photos"}));
  ASSERT_TRUE(keys->create(Scope::kInvoke, "caller", {}));
  EXPECT_TRUE(may("robot", "photos"));
  EXPECT_FALSE(may("robot", "private"));
  EXPECT_FALSE(may("caller", "photos"));
  EXPECT_FALSE(may("nobody", "photos"));
  // An account is no key's owner, nor the other way round, however it is spelled.
  EXPECT_FALSE(may(rita.id, "photos"));
  EXPECT_FALSE(may("x:" + rita.id, "photos"));
  EXPECT_FALSE(may("account:account:" + rita.id, "photos"));
  EXPECT_FALSE(keys->create(Scope::kAdmin, principal_of(rita), {}));
  for (const char* odd : {"", ":", "account:", "account"}) EXPECT_FALSE(may(odd, "photos")) << odd;
}

TEST_F(BucketAccessTest, GroupsAreChangedOneByOne) {
  const Account ann = make("ann", {Role::kWorker}, {"day"}),
                vera = make("vera", {Role::kWorker}, {"vendor:acme"});
  EXPECT_EQ(accounts->join_group(ann.id, "night")->groups, (std::vector<std::string>{"day", "night"}));
  EXPECT_EQ(accounts->join_group(ann.id, "night")->groups.size(), 2U);
  EXPECT_EQ(accounts->leave_group(ann.id, "day")->groups, std::vector<std::string>{"night"});
  EXPECT_EQ(accounts->account(ann.id)->groups, std::vector<std::string>{"night"});
  EXPECT_FALSE(accounts->join_group(ann.id, "vendor:acme"));  // a worker of a vendor is in no other group
  EXPECT_EQ(accounts->join_group(vera.id, "night").error().code, ErrorCode::kConflict);
  EXPECT_EQ(accounts->leave_group(vera.id, "vendor:acme").error().code, ErrorCode::kConflict);
  EXPECT_EQ(accounts->join_group("none", "night").error().code, ErrorCode::kNotFound);
  const Account outside =
      accounts->sign_in_with({"https://login.example.org", "1", "olga", {"from-provider"}}).value();
  EXPECT_EQ(accounts->join_group(outside.id, "night").error().code, ErrorCode::kConflict);
  ASSERT_TRUE(accounts->remove(ann.id));
  EXPECT_EQ(accounts->join_group(ann.id, "day").error().code, ErrorCode::kConflict);

  AccountFilter filter;
  filter.without_vendors = true;
  for (const Account& account : accounts->list(filter).value()) EXPECT_NE(account.name, "vera");
  EXPECT_EQ(accounts->list(filter)->size(), 2U);
}

}  // namespace
}  // namespace terrapin::identity
