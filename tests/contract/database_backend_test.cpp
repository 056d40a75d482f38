// What only one of the databases has: files and backups of SQLite, lost connections of PostgreSQL.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <latch>
#include <thread>
#include <vector>

#include "base/files.h"
#include "contract/database_backends.h"

namespace terrapin::storage {
namespace {

namespace fs = std::filesystem;
using testing::AnyOf;
using testing::HasSubstr;
using testing::Not;

Error failure_of(const std::string& url) {
  const auto database = Database::open(url);
  return database ? Error{ErrorCode::kInternal, "opened"} : database.error();
}

TEST(DatabaseUrl, OtherSchemesAreRefused) {
  for (const char* const url :
       {"", "state.db", "mysql://root:s3cret@host/x", "sqlite",
        "sqlite:", "sqlite::memory:", "sqlite://host/state.db", "sqlite:/tmp/a\"b", "postgresql:s3cret"}) {
    const Error error = failure_of(url);
    EXPECT_EQ(error.code, ErrorCode::kInvalidArgument) << url;
    EXPECT_THAT(error.message, HasSubstr("sqlite:/"));
    EXPECT_THAT(error.message, Not(HasSubstr("s3cret")));
  }
}

TEST(DatabaseUrl, PasswordsNeverShow) {
  // A port that nobody listens on: bound, and not listened on, by this test.
  const int taken = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::bind(taken, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  socklen_t size = sizeof address;
  ASSERT_EQ(::getsockname(taken, reinterpret_cast<sockaddr*>(&address), &size), 0);
  const int port = ntohs(address.sin_port);

  const Error refused = failure_of(fmt::format("postgresql://eve:s3cret%20x@127.0.0.1:{}/tortoise", port));
  EXPECT_EQ(refused.code, ErrorCode::kIo);
  EXPECT_THAT(refused.message, HasSubstr("tortoise"));
  EXPECT_THAT(refused.message, HasSubstr("127.0.0.1"));
  EXPECT_THAT(refused.message, Not(HasSubstr("s3cret")));
  ::close(taken);
  for (const char* const url : {"postgresql://eve:s3cret@[::1/x", "postgresql://eve:s3cret%zz@host/x",
                                "postgresql://eve@host/x?password=s3cret&colour=green"}) {
    const Error error = failure_of(url);
    EXPECT_EQ(error.code, ErrorCode::kInvalidArgument) << error.message;
    EXPECT_THAT(error.message, Not(HasSubstr("s3cret")));
  }
}

class SqliteFile : public testing::Test {
 protected:
  std::unique_ptr<Database> open(const fs::path& path) {
    auto database = Database::open("sqlite:" + path.string());
    EXPECT_TRUE(database) << database.error().message;
    return database ? std::move(*database) : nullptr;
  }
  static mode_t mode(const fs::path& path) {
    struct stat status {};
    return ::stat(path.c_str(), &status) == 0 ? status.st_mode & 0777 : 0;
  }
  static void define(Database& database, const char* statements) {
    const Migration migration{1, statements};
    const Status status = database.migrate("test", {&migration, 1});
    ASSERT_TRUE(status) << status.error().message;
  }
  static Status run(Database& database, const std::string& sql) {
    return database.write(
        [&](Transaction& transaction) -> Status { return transaction.run(sql).map([](std::int64_t) {}); });
  }
  // The rows of both tables and whether they say the same, in one snapshot.
  static std::pair<std::int64_t, bool> count_pairs(Database& database) {
    std::int64_t count = -1;
    bool equal = false;
    const Status status = database.read([&](Transaction& transaction) -> Status {
      TERRAPIN_TRY(const auto row, (transaction.select_one<std::int64_t, std::int64_t, std::string>(
                                       "SELECT (SELECT COUNT(*) FROM a), (SELECT COUNT(*) FROM b), "
                                       "(SELECT * FROM pragma_integrity_check)")));
      count = std::get<0>(row.value());
      equal = count == std::get<1>(row.value()) && std::get<2>(row.value()) == "ok";
      return {};
    });
    EXPECT_TRUE(status) << status.error().message;
    return {count, equal};
  }

  test::TemporaryFolder folder_;
};

TEST_F(SqliteFile, IsMadeForItsOwnerAlone) {
  const fs::path path = folder_ / "new folder" / "deeper" / "state=1 .db";
  const auto database = open(path);
  define(*database, "CREATE TABLE a (id BIGINT)");
  EXPECT_EQ(mode(path.parent_path()), 0700U);
  EXPECT_EQ(mode(path.parent_path().parent_path()), 0700U);
  EXPECT_EQ(mode(path), 0600U);
  EXPECT_EQ(mode(path.string() + "-wal"), 0600U);
  EXPECT_EQ(mode(path.string() + "-shm"), 0600U);
  EXPECT_THAT(database->description(), HasSubstr(path.string()));
}

TEST_F(SqliteFile, IsOneFileWhenClosed) {
  const fs::path path = folder_ / "state.db";
  {
    const auto database = open(path);
    define(*database, "CREATE TABLE a (id BIGINT)");
  }
  EXPECT_FALSE(fs::exists(path.string() + "-wal"));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_.path()), fs::directory_iterator()), 1);
}

TEST_F(SqliteFile, WhatIsNoDatabaseIsRefused) {
  const fs::path text = folder_ / "notes.txt";
  ASSERT_TRUE(write_file_atomically(text, std::string(5000, 'n')));
  const Error no_database = failure_of("sqlite:" + text.string());
  EXPECT_EQ(no_database.code, ErrorCode::kCorrupt);
  EXPECT_THAT(no_database.message, HasSubstr("notes.txt"));
  EXPECT_EQ(read_text_file(text).value(), std::string(5000, 'n'));

  EXPECT_EQ(failure_of("sqlite:" + folder_.path().string()).code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(failure_of("sqlite:" + (text / "state.db").string()).code,
              AnyOf(ErrorCode::kIo, ErrorCode::kNotFound));

  // Damage behind a sound first page.
  const fs::path path = folder_ / "state.db";
  {
    const auto database = open(path);
    define(*database, "CREATE TABLE a (id BIGINT, body TEXT)");
    for (int i = 0; i < 50; ++i) {
      ASSERT_TRUE(run(*database, fmt::format("INSERT INTO a VALUES (1, '{}')", std::string(3000, 'x'))));
    }
  }
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(4096);
  const std::string garbage(static_cast<std::size_t>(fs::file_size(path) - 4096), '\xA5');
  file.write(garbage.data(), static_cast<std::streamsize>(garbage.size()));
  file.close();
  const auto damaged = Database::open("sqlite:" + path.string());
  Status status;
  if (damaged) {
    status = (*damaged)->read([](Transaction& transaction) -> Status {
      return transaction.select<std::string>("SELECT body FROM a").map([](const auto&) {});
    });
  } else {
    status = tl::unexpected<Error>(damaged.error());
  }
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kCorrupt) << status.error().message;
}

TEST_F(SqliteFile, AFullDiskIsSaidAndBreaksNothing) {
  const auto database = open(folder_ / "state.db");
  define(*database, "CREATE TABLE a (id BIGINT PRIMARY KEY, body TEXT)");
  const auto limit_pages = [&](int pages) {
    ASSERT_TRUE(database->write([&](Transaction& transaction) -> Status {
      return transaction.query(fmt::format("PRAGMA max_page_count = {}", pages), 1).map([](const auto&) {});
    }));
  };
  limit_pages(60);
  // Small writes and large ones share commits: only the large ones find no room.
  constexpr int kThreads = 16;
  std::latch calling(kThreads);
  std::atomic<int> large_refused = 0, small_refused = 0;
  std::vector<std::jthread> threads;
  ASSERT_TRUE(database->write([&](Transaction&) -> Status {
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&, i] {
        calling.count_down();
        const bool large = i % 4 == 0;
        const Status status = database->write([&](Transaction& transaction) -> Status {
          return transaction
              .run("INSERT INTO a (id, body) VALUES (?, ?)", i, std::string(large ? 1'000'000 : 10, 'x'))
              .map([](std::int64_t) {});
        });
        if (status) return;
        EXPECT_EQ(status.error().code, ErrorCode::kNoSpace) << status.error().message;
        ++(large ? large_refused : small_refused);
      });
    }
    calling.wait();
    return {};
  }));
  threads.clear();
  EXPECT_EQ(large_refused, kThreads / 4);
  EXPECT_EQ(small_refused, 0);
  limit_pages(1'000'000);
  EXPECT_TRUE(run(*database, "INSERT INTO a (id, body) SELECT id + 100, body FROM a"));
  ASSERT_TRUE(database->read([](Transaction& transaction) -> Status {
    TERRAPIN_TRY(const auto row, (transaction.select_one<std::int64_t, std::string>(
                                     "SELECT COUNT(*), (SELECT * FROM pragma_integrity_check) FROM a")));
    EXPECT_EQ(row.value(), std::make_tuple(std::int64_t{2 * (kThreads - kThreads / 4)}, "ok"));
    return {};
  }));
}

TEST_F(SqliteFile, TheLogDoesNotGrowWithoutEnd) {
  const fs::path path = folder_ / "state.db";
  const auto database = open(path);
  define(*database, "CREATE TABLE a (id BIGINT PRIMARY KEY, body TEXT)");
  for (int i = 0; i < 60; ++i) {
    ASSERT_TRUE(
        run(*database,
            fmt::format("INSERT INTO a VALUES (1, '{}') ON CONFLICT (id) DO UPDATE SET body = excluded.body",
                        std::string(900'000, 'a' + i % 26))));
  }
  // Each write is 220 pages; the log begins anew once 1000 pages are copied.
  EXPECT_LT(fs::file_size(path.string() + "-wal"), 12'000'000U);
}

TEST_F(SqliteFile, ABackupMadeWhileOthersWriteIsConsistent) {
  const fs::path path = folder_ / "state.db";
  const auto database = open(path);
  define(*database,
         "CREATE TABLE a (id BIGINT PRIMARY KEY);\nCREATE TABLE b (id BIGINT PRIMARY KEY, body TEXT)");
  std::atomic<std::int64_t> written = 0;
  std::atomic<bool> enough = false;
  std::vector<std::jthread> writers;
  for (int writer = 0; writer < 4; ++writer) {
    writers.emplace_back([&, writer] {
      for (std::int64_t i = writer; !enough; i += 4) {
        const Status status = database->write([&](Transaction& transaction) -> Status {
          TERRAPIN_TRY_STATUS(transaction.run("INSERT INTO a (id) VALUES (?)", i));
          return transaction.run("INSERT INTO b (id, body) VALUES (?, ?)", i, std::string(2000, 'b'))
              .map([](std::int64_t) {});
        });
        EXPECT_TRUE(status) << status.error().message;
        ++written;
      }
    });
  }
  std::int64_t last = 0;
  for (int i = 0; i < 4; ++i) {
    const fs::path backup = folder_ / "backups" / "state.db";
    const std::int64_t acknowledged = written;
    const Status status = database->backup_to(backup.string());
    ASSERT_TRUE(status) << status.error().message;
    EXPECT_EQ(mode(backup), 0600U);
    const auto copy = open(backup);
    const auto [count, equal] = count_pairs(*copy);
    EXPECT_TRUE(equal);
    EXPECT_GE(count, acknowledged);
    EXPECT_GE(count, last);
    last = count;
  }
  enough = true;
  writers.clear();
  // Only the backup, nothing half-made.
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_ / "backups"), fs::directory_iterator()), 1);
  EXPECT_EQ(count_pairs(*database), std::make_pair(written.load(), true));
}

TEST_F(SqliteFile, ABackupIsPutBackWhereNothingIs) {
  const fs::path backup = folder_ / "backup.db";
  {
    const auto database = open(folder_ / "state.db");
    ASSERT_TRUE(run(*database, "CREATE TABLE here (id BIGINT)"));
    ASSERT_TRUE(database->check_backup());
    ASSERT_TRUE(database->backup_to(backup.string()));
  }
  const std::string other = "sqlite:" + (folder_ / "other.db").string();
  const Status restored = Database::restore(other, backup.string(), false);
  ASSERT_TRUE(restored) << restored.error().message;
  EXPECT_EQ(Database::restore(other, backup.string(), false).error().code, ErrorCode::kAlreadyExists);
  EXPECT_TRUE(Database::restore(other, backup.string(), true));
  EXPECT_TRUE(run(*open(folder_ / "other.db"), "INSERT INTO here (id) VALUES (1)"));
  fs::resize_file(backup, 100);
  EXPECT_FALSE(Database::restore("sqlite:" + (folder_ / "third.db").string(), backup.string(), false));
}

TEST_F(SqliteFile, ABackupOverTheDatabaseIsRefused) {
  const fs::path path = folder_ / "state.db";
  const auto database = open(path);
  EXPECT_EQ(database->backup_to(path.string()).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(database->backup_to(folder_.path().string()).error().code, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(run(*database, "CREATE TABLE still_here (id BIGINT)"));
}

class PostgresServer : public testing::Test {
 protected:
  void SetUp() override {
    server_ = test::shared_cluster();
    if (server_ == nullptr) {
      GTEST_SKIP()
          << "PostgreSQL is not installed (Debian's package postgresql): lost connections are NOT tested";
    }
    url_ = server_->new_database();
    database_ = Database::open(url_).value();
    define(1, "CREATE TABLE things (id BIGINT PRIMARY KEY)");
  }
  void define(int version, const char* statements) {
    const Migration migration{1, statements};
    const Status status = database_->migrate("test" + std::to_string(version), {&migration, 1});
    ASSERT_TRUE(status) << status.error().message;
  }
  Status insert(int id) {
    return database_->write([&](Transaction& transaction) -> Status {
      return transaction.run("INSERT INTO things (id) VALUES (?)", id).map([](std::int64_t) {});
    });
  }
  std::int64_t count() {
    std::int64_t result = -1;
    const Status status = database_->read([&](Transaction& transaction) -> Status {
      TERRAPIN_TRY(const auto row, transaction.select_one<std::int64_t>("SELECT COUNT(*) FROM things"));
      result = std::get<0>(row.value());
      return {};
    });
    EXPECT_TRUE(status) << status.error().message;
    return result;
  }

  test::PostgresCluster* server_ = nullptr;
  std::string url_;
  std::unique_ptr<Database> database_;
};

TEST_F(PostgresServer, ConnectionsAreMadeAnewAfterARestart) {
  ASSERT_TRUE(insert(1));
  EXPECT_EQ(count(), 1);
  server_->restart();
  EXPECT_EQ(count(), 1);
  EXPECT_TRUE(insert(2));
  server_->restart();
  EXPECT_TRUE(insert(3));
  EXPECT_EQ(count(), 3);
}

TEST_F(PostgresServer, AConnectionLostInTheMiddleUndoesTheWork) {
  int runs = 0;
  const Status status = database_->write([&](Transaction& transaction) -> Status {
    ++runs;
    TERRAPIN_TRY_STATUS(transaction.run("INSERT INTO things (id) VALUES (1)"));
    return transaction.query("SELECT pg_terminate_backend(pg_backend_pid())", 1).map([](const auto&) {});
  });
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kIo) << status.error().message;
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(count(), 0);
  EXPECT_TRUE(insert(1));
}

TEST_F(PostgresServer, AnUnknownCommitIsSaidAndNotRepeated) {
  // The connection ends while the server commits.
  define(2,
         "CREATE FUNCTION hang_up() RETURNS trigger LANGUAGE plpgsql AS "
         "'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END';\n"
         "CREATE CONSTRAINT TRIGGER hang_up AFTER INSERT ON things DEFERRABLE INITIALLY DEFERRED "
         "FOR EACH ROW WHEN (new.id = 13) EXECUTE FUNCTION hang_up()");
  int runs = 0;
  const Status status = database_->write([&](Transaction& transaction) -> Status {
    ++runs;
    return transaction.run("INSERT INTO things (id) VALUES (13)").map([](std::int64_t) {});
  });
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kIo);
  EXPECT_THAT(status.error().message, HasSubstr("is not known"));
  EXPECT_EQ(runs, 1);
  EXPECT_TRUE(insert(14));
  EXPECT_EQ(count(), 1);
}

TEST_F(PostgresServer, AServerThatIsGoneIsAnError) {
  server_->restart([&] {
    const Status status = insert(1);
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, ErrorCode::kIo);
  });
  EXPECT_EQ(count(), 0);
  EXPECT_TRUE(insert(1));
}

TEST_F(PostgresServer, ABackupIsPutBackIntoAnEmptyDatabase) {
  const test::TemporaryFolder folder;
  const std::string archive = (folder / "state.dump").string();
  ASSERT_TRUE(insert(1));
  EXPECT_TRUE(database_->check_backup());
  std::int64_t seen = 0;
  const Status made = database_->backup_to(archive, [&](Transaction& copied) -> Status {
    // What is written now is not of the moment that the copy holds.
    EXPECT_TRUE(insert(2));
    TERRAPIN_TRY(const auto row, copied.select_one<std::int64_t>("SELECT COUNT(*) FROM things"));
    seen = std::get<0>(*row);
    return {};
  });
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(seen, 1);
  EXPECT_EQ(fs::status(archive).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_EQ(count(), 2);

  EXPECT_EQ(Database::restore(url_, archive, false).error().code, ErrorCode::kAlreadyExists);
  EXPECT_EQ(count(), 2);
  // Told to, it takes the place of what is there.
  database_.reset();
  const Status restored = Database::restore(url_, archive, true);
  ASSERT_TRUE(restored) << restored.error().message;
  database_ = Database::open(url_).value();
  EXPECT_EQ(count(), 1);
  // The tests' databases are schemas of one: what the copy holds belongs into its own.
  EXPECT_EQ(Database::restore(server_->new_database(), archive, false).error().code,
            ErrorCode::kInvalidArgument);

  fs::resize_file(archive, fs::file_size(archive) / 2);
  EXPECT_FALSE(Database::restore(server_->new_database(), archive, false));
  EXPECT_FALSE(database_->backup_to("/nowhere/state.dump"));
}

TEST_F(PostgresServer, PasswordsMayHoldAnyCharacter) {
  // SOCI takes connect strings apart itself.
  auto url = url_;
  url.insert(url.find('@'), ":a%20%22b%22%27%5C%3D%26");
  const auto database = Database::open(url);
  ASSERT_TRUE(database) << database.error().message;
  EXPECT_THAT((*database)->description(), Not(HasSubstr("b\"")));
}

}  // namespace
}  // namespace terrapin::storage
