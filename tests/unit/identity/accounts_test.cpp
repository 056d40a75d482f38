#include "identity/accounts.h"

#include <atomic>
#include <fstream>
#include <thread>

#include "base/files.h"

#include "unit/identity/identity_fixture.h"

namespace terrapin::identity {
namespace {

using namespace std::chrono_literals;
using test::kPassword;

class AccountsTest : public test::IdentityTest {
 protected:
  Invitation invite(NewInvitation wanted = {}) { return accounts->invite(wanted).value(); }
  ErrorCode accept_error(const Invitation& invitation, const std::string& name,
                         const std::string& password = kPassword) {
    const auto result = accounts->accept_invitation(invitation.token, name, "", password);
    return result ? ErrorCode::kInternal : result.error().code;
  }
  bool signs_in(const std::string& name, const std::string& password = kPassword) {
    return accounts->sign_in(name, password, "192.0.2.1").value().account.has_value();
  }
};

TEST_F(AccountsTest, AnInvitationMakesTheAccountItDescribes) {
  NewInvitation wanted;
  wanted.name = "Ann@Example.org";
  wanted.roles = {Role::kRequester, Role::kWorker};
  wanted.groups = {"turtles", "divers"};
  const Invitation invitation = invite(wanted);
  EXPECT_EQ(invitation.expires, clock.now() + std::chrono::hours(7 * 24));
  EXPECT_EQ(accounts->look_at_invitation(invitation.token)->name, "Ann@Example.org");
  EXPECT_TRUE(accounts->look_at_invitation(invitation.token)->token.empty());

  EXPECT_EQ(accept_error(invitation, "somebody@example.org"), ErrorCode::kInvalidArgument);
  const auto account = accounts->accept_invitation(invitation.token, "ann@example.org", "Ann", kPassword);
  ASSERT_TRUE(account) << account.error().message;
  EXPECT_EQ(account->roles, wanted.roles);
  EXPECT_EQ(account->groups, wanted.groups);
  EXPECT_EQ(account->display_name, "Ann");
  EXPECT_TRUE(signs_in("ANN@example.ORG"));
  EXPECT_FALSE(signs_in("ann@example.org", "correct horse batter"));
  EXPECT_EQ(accounts->account(account->id)->groups, wanted.groups);
}

TEST_F(AccountsTest, TokensAndPasswordsAreNotStored) {
  const Invitation invitation = invite();
  const Account account = make("ann");
  const auto reset = accounts->make_reset(account.id, "test").value();
  const auto session = sessions->create(account).value();
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    const auto bytes = read_text_file(entry.path());
    ASSERT_TRUE(bytes);
    for (const std::string& secret : {invitation.token, reset.token, session.token, kPassword})
      EXPECT_EQ(bytes->find(secret), std::string::npos) << entry.path();
  }
}

TEST_F(AccountsTest, AnInvitationIsGoodOnce) {
  const Invitation invitation = invite();
  EXPECT_EQ(accept_error(invitation, "a b"), ErrorCode::kInvalidArgument);
  EXPECT_EQ(accept_error(invitation, "ann", "short"), ErrorCode::kInvalidArgument);
  EXPECT_EQ(accept_error(invitation, "annabella1", "ANNABELLA1"), ErrorCode::kInvalidArgument);
  make("taken");
  EXPECT_EQ(accept_error(invitation, "Taken"), ErrorCode::kAlreadyExists);
  // None of these used it up.
  ASSERT_TRUE(accounts->accept_invitation(invitation.token, "ann", "", kPassword));
  EXPECT_EQ(accept_error(invitation, "bob"), ErrorCode::kNotFound);
  EXPECT_EQ(accounts->look_at_invitation(invitation.token).error().code, ErrorCode::kNotFound);
}

TEST_F(AccountsTest, OneOfSixteenConcurrentAcceptsWins) {
  const Invitation invitation = invite();
  std::atomic<int> won = 0, refused = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 16; ++i) {
    threads.emplace_back([&, i] {
      const auto result =
          accounts->accept_invitation(invitation.token, "w" + std::to_string(i), "", kPassword);
      if (result) {
        ++won;
      } else if (result.error().code == ErrorCode::kNotFound) {
        ++refused;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(won, 1);
  EXPECT_EQ(refused, 15);
  EXPECT_EQ(count("SELECT COUNT(*) FROM identity_accounts"), 1);
  EXPECT_LE(accounts->hasher().load().most_at_once, 2);
}

TEST_F(AccountsTest, InvitationsExpireAndCanBeRevoked) {
  const Invitation old = invite(), revoked = invite();
  ASSERT_TRUE(accounts->revoke_invitation(revoked.id));
  EXPECT_EQ(accept_error(revoked, "ann"), ErrorCode::kNotFound);
  EXPECT_EQ(accounts->revoke_invitation(revoked.id).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(accounts->open_invitations()->size(), 1u);
  clock.advance(std::chrono::hours(7 * 24) - 1s);
  EXPECT_TRUE(accounts->look_at_invitation(old.token));
  clock.advance(1s);
  EXPECT_EQ(accept_error(old, "ann"), ErrorCode::kNotFound);
  EXPECT_TRUE(accounts->open_invitations()->empty());
}

TEST_F(AccountsTest, WhatMayNotBeInvited) {
  const auto code = [&](const NewInvitation& wanted) {
    const auto made = accounts->invite(wanted);
    return made ? ErrorCode::kInternal : made.error().code;
  };
  NewInvitation wanted;
  wanted.roles = {};
  EXPECT_EQ(code(wanted), ErrorCode::kInvalidArgument);
  wanted.roles = {Role::kWorker, Role::kWorker};
  EXPECT_EQ(code(wanted), ErrorCode::kInvalidArgument);
  wanted = {};
  wanted.groups = {"two\nlines"};
  EXPECT_EQ(code(wanted), ErrorCode::kInvalidArgument);
  wanted.groups = {vendor_group("acme"), "turtles"};
  EXPECT_EQ(code(wanted), ErrorCode::kInvalidArgument);
  wanted.groups = {vendor_group("acme")};
  wanted.roles = {Role::kWorker, Role::kRequester};
  EXPECT_EQ(code(wanted), ErrorCode::kInvalidArgument);
  wanted.roles = {Role::kWorker};
  EXPECT_TRUE(accounts->invite(wanted));
  make("ann");
  wanted = {};
  wanted.name = "ANN";
  EXPECT_EQ(code(wanted), ErrorCode::kAlreadyExists);
}

TEST_F(AccountsTest, AResetSetsThePasswordOnceAndEndsSessions) {
  const Account account = make("ann");
  const auto session = sessions->create(account).value();
  const auto earlier = accounts->make_reset(account.id, "admin").value();
  const auto reset = accounts->make_reset(account.id, "admin").value();
  EXPECT_EQ(accounts->reset_password(earlier.token, "another password").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(accounts->reset_password(reset.token, "short").error().code, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(sessions->find(session.token)->has_value());
  ASSERT_TRUE(accounts->reset_password(reset.token, "another password"));
  EXPECT_FALSE(sessions->find(session.token)->has_value());
  EXPECT_EQ(accounts->reset_password(reset.token, "a third password").error().code, ErrorCode::kNotFound);
  EXPECT_FALSE(signs_in("ann"));
  EXPECT_TRUE(signs_in("ann", "another password"));
  // What was proved with the old password opens no session any more.
  EXPECT_EQ(sessions->create(account).error().code, ErrorCode::kDenied);

  const auto late = accounts->make_reset(account.id, "admin").value();
  clock.advance(24h);
  EXPECT_EQ(accounts->reset_password(late.token, "another password").error().code, ErrorCode::kNotFound);
  // One kind of token is no other.
  const Invitation invitation = invite();
  EXPECT_EQ(accounts->reset_password(invitation.token, "another password").error().code,
            ErrorCode::kNotFound);
}

TEST_F(AccountsTest, ChangingThePasswordNeedsTheOldOne) {
  const Account account = make("ann");
  const auto session = sessions->create(account).value();
  EXPECT_FALSE(accounts->change_password(account.id, "wrong password", "another password", "")->account);
  EXPECT_TRUE(sessions->find(session.token)->has_value());
  const auto changed = accounts->change_password(account.id, kPassword, "another password", "").value();
  ASSERT_TRUE(changed.account);
  EXPECT_FALSE(sessions->find(session.token)->has_value());
  EXPECT_TRUE(sessions->create(*changed.account));
  EXPECT_TRUE(signs_in("ann", "another password"));
}

TEST_F(AccountsTest, RemovalEndsSessionsAtOnceAndGivesLeasesBack) {
  make("boss", {Role::kAdmin});
  const Account account = make("ann");
  const auto session = sessions->create(account).value();
  const auto reset = accounts->make_reset(account.id, "admin").value();
  ASSERT_TRUE(accounts->remove(account.id));
  EXPECT_EQ(removed, std::vector<std::string>{account.id});
  EXPECT_FALSE(sessions->find(session.token)->has_value());
  EXPECT_FALSE(signs_in("ann"));
  EXPECT_EQ(accounts->reset_password(reset.token, "another password").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(sessions->create(account).error().code, ErrorCode::kDenied);
  EXPECT_EQ(accounts->make_reset(account.id, "admin").error().code, ErrorCode::kConflict);

  // The name is free; the record stays for the answers that name it.
  const Account namesake = make("Ann");
  EXPECT_NE(namesake.id, account.id);
  EXPECT_FALSE(accounts->account(account.id)->active);
  EXPECT_EQ(accounts->restore(account.id).error().code, ErrorCode::kAlreadyExists);
  ASSERT_TRUE(accounts->remove(namesake.id));
  ASSERT_TRUE(accounts->restore(account.id));
  EXPECT_FALSE(signs_in("ann"));  // its password went with it
  const auto again = accounts->make_reset(account.id, "admin").value();
  ASSERT_TRUE(accounts->reset_password(again.token, kPassword));
  EXPECT_TRUE(signs_in("ann"));
}

TEST_F(AccountsTest, AFailedCallbackIsToldAndCanBeRepeated) {
  make("boss", {Role::kAdmin});
  const Account account = make("ann");
  on_removed_result = fail(ErrorCode::kIo, "disk");
  EXPECT_EQ(accounts->remove(account.id).error().code, ErrorCode::kIo);
  on_removed_result = {};
  EXPECT_TRUE(accounts->remove(account.id));
  EXPECT_EQ(removed.size(), 2u);
}

TEST_F(AccountsTest, TheLastAdminStays) {
  const Account boss = make("boss", {Role::kAdmin});
  const auto session = sessions->create(boss).value();
  EXPECT_EQ(accounts->remove(boss.id).error().code, ErrorCode::kConflict);
  EXPECT_TRUE(sessions->find(session.token)->has_value());
  EXPECT_EQ(accounts->update(boss.id, "Boss", {Role::kWorker}, {}).error().code, ErrorCode::kConflict);
  const Account second = make("second", {Role::kAdmin, Role::kWorker});
  EXPECT_TRUE(accounts->update(boss.id, "Boss", {Role::kWorker}, {"turtles"}));
  EXPECT_EQ(accounts->remove(second.id).error().code, ErrorCode::kConflict);
}

TEST_F(AccountsTest, ListsByGroup) {
  make("b", {Role::kWorker}, {"turtles", "a%b"});
  make("a", {Role::kWorker}, {"TURTLES"});
  make("c", {Role::kWorker}, {"aXb", "turtles"});
  AccountFilter filter;
  filter.group = "turtles";
  const auto turtles = accounts->list(filter).value();
  ASSERT_EQ(turtles.size(), 2u);
  EXPECT_EQ(turtles[0].name, "b");
  EXPECT_EQ(turtles[1].name, "c");
  filter.group = "a%b";
  EXPECT_EQ(accounts->list(filter)->size(), 1u);
  filter = {};
  filter.offset = 1;
  filter.limit = 1;
  EXPECT_EQ(accounts->list(filter)->front().name, "b");
}

TEST_F(AccountsTest, FailuresSlowTheAccountDownWhereverTheyComeFrom) {
  make("ann");
  for (int i = 0; i < 5; ++i) {
    const auto outcome = accounts->sign_in("Ann", "wrong password", fmt::format("192.0.2.{}", i)).value();
    EXPECT_FALSE(outcome.account);
    EXPECT_EQ(outcome.retry_after.count(), 0);
  }
  // Not even the right one is looked at, and asking does not lengthen the wait.
  EXPECT_EQ(accounts->sign_in("ann", kPassword, "192.0.2.9")->retry_after, 1s);
  EXPECT_EQ(accounts->sign_in("ann", kPassword, "192.0.2.9")->retry_after, 1s);
  clock.advance(1s);
  EXPECT_FALSE(accounts->sign_in("ann", "wrong password", "192.0.2.9")->account);
  EXPECT_EQ(accounts->sign_in("ann", kPassword, "192.0.2.9")->retry_after, 2s);
  clock.advance(2s);
  EXPECT_TRUE(signs_in("ann"));
  EXPECT_FALSE(signs_in("ann", "wrong password"));
  EXPECT_TRUE(signs_in("ann"));
}

TEST_F(AccountsTest, FailuresSlowTheAddressDownWhateverTheName) {
  make("ann");
  for (int i = 0; i < 20; ++i) {
    const auto outcome =
        accounts->sign_in(fmt::format("nobody{}", i), "wrong password", "2001:db8::1").value();
    EXPECT_EQ(outcome.retry_after.count(), 0) << i;
  }
  EXPECT_GT(accounts->sign_in("ann", kPassword, "2001:db8::2")->retry_after.count(), 0);  // the same /64
  EXPECT_TRUE(accounts->sign_in("ann", kPassword, "2001:db8:0:1::2")->account);
}

TEST_F(AccountsTest, UnknownNamesAreTreatedAsKnownOnes) {
  make("ann");
  // Same answers, same waits, and a hash for each: no early way out.
  for (const char* name : {"ann", "nobody", "not a name!", "removed:x"}) {
    const std::int64_t before = accounts->hasher().load().runs;
    for (int i = 0; i < 5; ++i) {
      const auto outcome = accounts->sign_in(name, "wrong password", fmt::format("{}{}", name, i)).value();
      EXPECT_FALSE(outcome.account) << name;
      EXPECT_EQ(outcome.retry_after.count(), 0) << name;
    }
    EXPECT_EQ(accounts->hasher().load().runs, before + 5) << name;
    EXPECT_EQ(accounts->sign_in(name, "wrong password", "198.51.100.1")->retry_after, 1s) << name;
  }
}

TEST(PasswordHasher, AMissingHashIsNeverRight) {
  PasswordHasher hasher(1, 0);
  EXPECT_FALSE(*hasher.verify("", ""));
  EXPECT_FALSE(*hasher.verify("anything at all", ""));
  EXPECT_TRUE(*hasher.verify(kPassword, *hasher.hash(kPassword)));
}

TEST_F(AccountsTest, AProvidersPeopleBecomeWorkersAndStayRemoved) {
  make("boss", {Role::kAdmin});
  OpenIdIdentity who{"https://login.example.org",
                     "s-1",
                     "Ann",
                     {"turtles", "vendor:acme", "public-crowd", "a\nb", "turtles"}};
  const Account first = accounts->sign_in_with(who).value();
  EXPECT_EQ(first.roles, std::vector<Role>{Role::kWorker});
  EXPECT_EQ(first.groups, std::vector<std::string>{"turtles"});  // vendors' groups are ours to give
  who.name = "Ann B";
  who.groups = {"divers"};
  const Account again = accounts->sign_in_with(who).value();
  EXPECT_EQ(again.id, first.id);
  EXPECT_EQ(accounts->account(first.id)->display_name, "Ann B");
  EXPECT_EQ(accounts->account(first.id)->groups, std::vector<std::string>{"divers"});
  // Same subject of another issuer, and a local account of that name: other people.
  OpenIdIdentity other = who;
  other.issuer = "https://other.example.org";
  EXPECT_NE(accounts->sign_in_with(other)->id, first.id);
  EXPECT_NE(make("Ann").id, first.id);
  EXPECT_EQ(accounts->make_reset(first.id, "admin").error().code, ErrorCode::kConflict);

  ASSERT_TRUE(accounts->remove(first.id));
  EXPECT_EQ(accounts->sign_in_with(who).error().code, ErrorCode::kDenied);
  ASSERT_TRUE(accounts->restore(first.id));
  EXPECT_EQ(accounts->sign_in_with(who)->id, first.id);
}

class Sessions : public test::IdentityTest {};

TEST_F(Sessions, EndAfterTwelveHoursHoweverMuchTheyAreUsed) {
  const auto made = sessions->create(make("ann")).value();
  for (int hour = 0; hour < 11; ++hour) {
    clock.advance(1h);
    ASSERT_TRUE(sessions->find(made.token)->has_value()) << hour;
  }
  clock.advance(1h - 1s);
  EXPECT_TRUE(sessions->find(made.token)->has_value());
  clock.advance(1s);
  EXPECT_FALSE(sessions->find(made.token)->has_value());
}

TEST_F(Sessions, EndWhenIdleForTwoHours) {
  const auto made = sessions->create(make("ann")).value();
  clock.advance(2h - 1s);
  EXPECT_TRUE(sessions->find(made.token)->has_value());
  clock.advance(2h - 1s);
  EXPECT_TRUE(sessions->find(made.token)->has_value());
  clock.advance(2h);
  EXPECT_FALSE(sessions->find(made.token)->has_value());
}

TEST_F(Sessions, AreNotThoseABrowserBringsAlong) {
  const Account account = make("ann");
  const auto first = sessions->create(account).value();
  const auto second = sessions->create(account, first.token).value();
  EXPECT_NE(second.token, first.token);
  EXPECT_NE(second.session.csrf, first.session.csrf);
  EXPECT_FALSE(sessions->find(first.token)->has_value());
  const std::string planted(43, 'A');
  const auto third = sessions->create(account, planted).value();
  EXPECT_NE(third.token, planted);
  EXPECT_FALSE(sessions->find(planted)->has_value());
  for (const char* wrong : {"", "short", "' OR 1 = 1 --"}) EXPECT_FALSE(sessions->find(wrong)->has_value());
}

TEST_F(Sessions, SeeTheAccountAsItIsNow) {
  make("boss", {Role::kAdmin});
  const Account account = make("ann", {Role::kAdmin});
  const auto made = sessions->create(account).value();
  ASSERT_TRUE(accounts->update(account.id, "Ann", {Role::kWorker}, {"turtles"}));
  const auto found = sessions->find(made.token).value();
  ASSERT_TRUE(found);
  EXPECT_FALSE(found->account.has(Role::kAdmin));
  EXPECT_EQ(found->csrf, made.session.csrf);
  ASSERT_TRUE(sessions->end(made.token));
  EXPECT_FALSE(sessions->find(made.token)->has_value());
}

TEST_F(Sessions, SurviveARestart) {
  const auto made = sessions->create(make("ann")).value();
  sessions.reset();
  accounts.reset();
  database.reset();
  database = storage::Database::open("sqlite:" + (folder / "state.db").string()).value();
  sessions = identity::Sessions::open(*database, clock).value();
  EXPECT_TRUE(sessions->find(made.token)->has_value());
}

}  // namespace
}  // namespace terrapin::identity
