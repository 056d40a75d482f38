// People in a fresh database, under a clock that the test moves.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "identity/accounts.h"
#include "identity/sessions.h"
#include "storage/database.h"
#include "unit/base/temporary_folder.h"

namespace terrapin::test {

inline const Timestamp kStart =
    Timestamp(std::chrono::sys_days(std::chrono::year(2026) / 1 / 31)) + std::chrono::hours(9);
inline const std::string kPassword = "correct horse battery";

class IdentityTest : public ::testing::Test {
 protected:
  explicit IdentityTest(identity::AccountOptions options = {}) {
    options.on_removed = [this](const identity::Account& account) {
      removed.push_back(account.id);
      return on_removed_result;
    };
    auto opened = storage::Database::open("sqlite:" + (folder / "state.db").string());
    if (!opened) throw std::runtime_error(opened.error().message);
    database = std::move(*opened);
    accounts = identity::Accounts::open(*database, clock, options).value();
    sessions = identity::Sessions::open(*database, clock).value();
  }

  identity::Account make(const std::string& name,
                         std::vector<identity::Role> roles = {identity::Role::kWorker},
                         std::vector<std::string> groups = {}) {
    identity::NewInvitation wanted;
    wanted.roles = std::move(roles);
    wanted.groups = std::move(groups);
    wanted.made_by = "test";
    const auto invitation = accounts->invite(wanted).value();
    return accounts->accept_invitation(invitation.token, name, name + " shown", kPassword).value();
  }

  std::int64_t count(const std::string& sql) {
    std::int64_t result = -1;
    (void)database->read([&](storage::Transaction& transaction) -> Status {
      TERRAPIN_TRY(const auto row, transaction.select_one<std::int64_t>(sql));
      result = std::get<0>(*row);
      return {};
    });
    return result;
  }

  TemporaryFolder folder;
  ManualClock clock{kStart};
  std::unique_ptr<storage::Database> database;
  std::unique_ptr<identity::Accounts> accounts;
  std::unique_ptr<identity::Sessions> sessions;
  std::vector<std::string> removed;
  Status on_removed_result;
};

}  // namespace terrapin::test
