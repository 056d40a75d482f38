// The databases that the suites of Database run over.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "contract/postgres_cluster.h"
#include "storage/database.h"
#include "unit/base/temporary_folder.h"

namespace terrapin::storage {

// GetParam(): "sqlite" or "postgresql". A fresh database for each test.
class DatabaseContract : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (GetParam() == "sqlite") {
      url_ = "sqlite:" + (folder_ / "state.db").string();
    } else if (test::shared_cluster() == nullptr) {
      GTEST_SKIP() << "PostgreSQL is not installed (Debian's package postgresql): its part of the database "
                      "contract is NOT tested";
    } else {
      url_ = test::shared_cluster()->new_database();
    }
    database_ = open();
  }

  bool is_sqlite() const { return GetParam() == "sqlite"; }

  std::unique_ptr<Database> open() const {
    auto database = Database::open(url_);
    EXPECT_TRUE(database) << database.error().message;
    return database ? std::move(*database) : nullptr;
  }

  // Tables for a test, as a migration.
  void define(const char* statements) {
    const Migration migration{1, statements};
    const Status status = database_->migrate("test", {&migration, 1});
    ASSERT_TRUE(status) << status.error().message;
  }

  template <class... Args>
  Status write(const char* sql, const Args&... args) {
    return database_->write([&](Transaction& transaction) -> Status {
      return transaction.run(sql, args...).map([](std::int64_t) {});
    });
  }

  // The one integer of an answer.
  template <class... Args>
  static std::int64_t number(Database& database, const char* sql, const Args&... args) {
    std::int64_t result = -1;
    const Status status = database.read([&](Transaction& transaction) -> Status {
      TERRAPIN_TRY(const auto row, transaction.select_one<std::int64_t>(sql, args...));
      result = std::get<0>(row.value());
      return {};
    });
    EXPECT_TRUE(status) << status.error().message;
    return result;
  }

  test::TemporaryFolder folder_;
  std::string url_;
  std::unique_ptr<Database> database_;
};

}  // namespace terrapin::storage
