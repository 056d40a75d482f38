// What every Database keeps: values, failures, transactions, migrations.
#include <gmock/gmock.h>

#include <atomic>
#include <bit>
#include <cfloat>
#include <cmath>
#include <latch>
#include <limits>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include "base/random.h"
#include "contract/database_backends.h"

namespace terrapin::storage {
namespace {

using testing::HasSubstr;
using testing::Not;

INSTANTIATE_TEST_SUITE_P(Backends, DatabaseContract, testing::Values("sqlite", "postgresql"),
                         [](const auto& instance) { return instance.param; });

TEST_P(DatabaseContract, IntegersComeBackExactly) {
  define("CREATE TABLE numbers (id BIGINT PRIMARY KEY, value BIGINT)");
  const std::vector<std::int64_t> values = {
      0, 1, -1, 42, INT64_C(1) << 31, -(INT64_C(1) << 40), INT64_MAX, INT64_MIN, INT64_MAX - 1};
  ASSERT_TRUE(database_->write([&](Transaction& transaction) -> Status {
    for (std::size_t i = 0; i < values.size(); ++i) {
      TERRAPIN_TRY(const std::int64_t changed,
                   transaction.run("INSERT INTO numbers (id, value) VALUES (?, ?)", i, values[i]));
      EXPECT_EQ(changed, 1);
    }
    return {};
  }));
  ASSERT_TRUE(database_->read([&](Transaction& transaction) -> Status {
    TERRAPIN_TRY(const auto rows, transaction.select<std::int64_t>("SELECT value FROM numbers ORDER BY id"));
    EXPECT_EQ(rows.size(), values.size());
    for (std::size_t i = 0; i < rows.size(); ++i) EXPECT_EQ(std::get<0>(rows[i]), values[i]);
    // As a condition, in arithmetic, as a limit.
    TERRAPIN_TRY(const auto found,
                 transaction.select<std::int64_t>("SELECT value FROM numbers WHERE value = ?", INT64_MIN));
    EXPECT_EQ(found.size(), 1U);
    TERRAPIN_TRY(const auto sum, transaction.select_one<std::int64_t>("SELECT ? + 1", INT64_MAX - 1));
    EXPECT_EQ(std::get<0>(sum.value()), INT64_MAX);
    TERRAPIN_TRY(const auto two,
                 transaction.select<std::int64_t>("SELECT value FROM numbers ORDER BY id LIMIT ?", 2));
    EXPECT_EQ(two.size(), 2U);
    TERRAPIN_TRY(const auto compared,
                 transaction.select<bool>("SELECT value > ? FROM numbers WHERE id < 3 ORDER BY id", 0));
    EXPECT_EQ(compared, (std::vector<std::tuple<bool>>{{false}, {true}, {false}}));
    return {};
  }));
}

TEST_P(DatabaseContract, DoublesComeBackBitForBit) {
  define("CREATE TABLE numbers (id BIGINT PRIMARY KEY, value DOUBLE PRECISION)");
  std::vector<double> values = {0.0,
                                0.1,
                                1.0 / 3,
                                -2.5,
                                5.0,
                                1e20,
                                -1e-300,
                                DBL_MAX,
                                -DBL_MAX,
                                DBL_MIN,
                                std::numeric_limits<double>::denorm_min(),
                                9007199254740993.0,
                                M_PI};
  Random random(20);
  while (values.size() < 500) {
    const double value = std::bit_cast<double>(random.next_u64());
    if (std::isfinite(value)) values.push_back(value);
  }
  ASSERT_TRUE(database_->write([&](Transaction& transaction) -> Status {
    for (std::size_t i = 0; i < values.size(); ++i) {
      TERRAPIN_TRY_STATUS(transaction.run("INSERT INTO numbers (id, value) VALUES (?, ?)", i, values[i]));
    }
    return {};
  }));
  ASSERT_TRUE(database_->read([&](Transaction& transaction) -> Status {
    TERRAPIN_TRY(const auto rows, transaction.select<double>("SELECT value FROM numbers ORDER BY id"));
    EXPECT_EQ(rows.size(), values.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
      EXPECT_EQ(std::bit_cast<std::uint64_t>(std::get<0>(rows[i])), std::bit_cast<std::uint64_t>(values[i]))
          << values[i];
      TERRAPIN_TRY(const auto found, transaction.select_one<std::int64_t>(
                                         "SELECT id FROM numbers WHERE id = ? AND value = ?", i, values[i]));
      EXPECT_TRUE(found) << values[i];
    }
    return {};
  }));
}

TEST_P(DatabaseContract, TextsComeBackExactly) {
  define("CREATE TABLE texts (id BIGINT PRIMARY KEY, value TEXT)");
  std::vector<std::string> values = {"",
                                     "plain",
                                     "it's \"quoted\" `so`",
                                     "? :name ::text $1 @a #b -- c",
                                     "\\n \\",
                                     "\n\r\t",
                                     "Schildkröte 亀 🐢",
                                     " ends with a space ",
                                     "NULL",
                                     "0123",
                                     "1e5"};
  std::string all;
  for (char c = 1; c < 127; ++c) all += c;
  values.push_back(all);
  std::string large;
  while (large.size() < 5'000'000) large += "ein längerer Text 亀 ";
  values.push_back(large);
  ASSERT_TRUE(database_->write([&](Transaction& transaction) -> Status {
    for (std::size_t i = 0; i < values.size(); ++i) {
      TERRAPIN_TRY_STATUS(transaction.run("INSERT INTO texts (id, value) VALUES (?, ?)", i, values[i]));
    }
    return {};
  }));
  ASSERT_TRUE(database_->read([&](Transaction& transaction) -> Status {
    for (std::size_t i = 0; i < values.size(); ++i) {
      TERRAPIN_TRY(const auto row, transaction.select_one<std::string>(
                                       "SELECT value FROM texts WHERE id = ? AND value = ?", i, values[i]));
      EXPECT_TRUE(row && std::get<0>(*row) == values[i]) << values[i].substr(0, 100);
    }
    return {};
  }));
}

TEST_P(DatabaseContract, NullIsNeitherZeroNorEmpty) {
  define("CREATE TABLE things (id BIGINT PRIMARY KEY, n BIGINT, d DOUBLE PRECISION, t TEXT)");
  const std::optional<std::string> no_text;
  const std::optional<std::int64_t> no_number;
  ASSERT_TRUE(write("INSERT INTO things (id, n, d, t) VALUES (?, ?, ?, ?)", 1, no_number, nullptr, no_text));
  ASSERT_TRUE(write("INSERT INTO things (id, n, d, t) VALUES (?, ?, ?, ?)", 2, 0, 0.0, ""));
  ASSERT_TRUE(write("INSERT INTO things (id, n, d, t) VALUES (?, ?, ?, ?)", 3, no_number, 1.5, no_text));
  ASSERT_TRUE(database_->read([&](Transaction& transaction) -> Status {
    using Row = std::tuple<std::optional<std::int64_t>, std::optional<double>, std::optional<std::string>>;
    TERRAPIN_TRY(
        const auto rows,
        (transaction.select<std::optional<std::int64_t>, std::optional<double>, std::optional<std::string>>(
            "SELECT n, d, t FROM things ORDER BY id")));
    EXPECT_EQ(rows, (std::vector<Row>{Row(std::nullopt, std::nullopt, std::nullopt), Row(0, 0.0, ""),
                                      Row(std::nullopt, 1.5, std::nullopt)}));
    // A filter that may be left out.
    for (const std::optional<std::string>& filter : {no_text, std::optional<std::string>("")}) {
      TERRAPIN_TRY(const auto found, transaction.select<std::int64_t>(
                                         "SELECT id FROM things WHERE ? IS NULL OR t = ?", filter, filter));
      EXPECT_EQ(found.size(), filter ? 1U : 3U);
    }
    return {};
  }));
  const Status null_number = database_->read([&](Transaction& transaction) -> Status {
    TERRAPIN_TRY_STATUS(transaction.select<std::int64_t>("SELECT n FROM things WHERE id = 1"));
    return {};
  });
  ASSERT_FALSE(null_number);
  EXPECT_EQ(null_number.error().code, ErrorCode::kInternal);
  EXPECT_THAT(null_number.error().message, HasSubstr("SELECT n FROM things"));
}

TEST_P(DatabaseContract, ValuesThatNoBackendKeepsAreRefused) {
  define("CREATE TABLE things (id BIGINT, d DOUBLE PRECISION, t TEXT)");
  const auto refused = [&](const auto& number, const std::string& text) {
    const Status status = write("INSERT INTO things (id, d, t) VALUES (1, ?, ?)", number, text);
    return !status && status.error().code == ErrorCode::kInvalidArgument;
  };
  EXPECT_TRUE(refused(1.0, std::string("a\0b", 3)));
  EXPECT_TRUE(refused(1.0, "\xff"));
  EXPECT_TRUE(refused(1.0, "caf\xc3"));
  EXPECT_TRUE(refused(std::numeric_limits<double>::quiet_NaN(), "a"));
  EXPECT_TRUE(refused(std::numeric_limits<double>::infinity(), "a"));
  EXPECT_EQ(number(*database_, "SELECT COUNT(*) FROM things"), 0);
}

TEST_P(DatabaseContract, QuestionMarksInQuotesAndCommentsAreNoParameters) {
  ASSERT_TRUE(database_->read([&](Transaction& transaction) -> Status {
    TERRAPIN_TRY(const auto row,
                 (transaction.select_one<std::string, std::string, std::int64_t>(
                     "SELECT 'a?''?:b' AS \"what?\", -- is it?: yes\n ? /* ?:x */, 7;", "c?")));
    EXPECT_EQ(row.value(), std::make_tuple("a?'?:b", "c?", 7));
    return {};
  }));
}

TEST_P(DatabaseContract, TextIsOrderedByItsBytes) {
  define(
      "CREATE TABLE names (name TEXT PRIMARY KEY);\n"
      "ALTER TABLE names ADD COLUMN other TEXT;\n"
      "CREATE INDEX names_other ON names (other)");
  const std::vector<std::string> ordered = {"", "B", "Z", "_", "a", "a-b", "a/b", "ab", "b", "é", "亀"};
  for (auto name = ordered.rbegin(); name != ordered.rend(); ++name) {
    ASSERT_TRUE(write("INSERT INTO names (name, other) VALUES (?, ?)", *name, *name));
  }
  ASSERT_TRUE(database_->read([&](Transaction& transaction) -> Status {
    for (const char* const sql :
         {"SELECT name FROM names ORDER BY name", "SELECT other FROM names ORDER BY other"}) {
      TERRAPIN_TRY(const auto rows, transaction.select<std::string>(sql));
      std::vector<std::string> names;
      for (const auto& [name] : rows) names.push_back(name);
      EXPECT_EQ(names, ordered) << sql;
    }
    TERRAPIN_TRY(const auto after, transaction.select<std::string>(
                                       "SELECT name FROM names WHERE name > ? AND name < ?", "Z", "ab"));
    EXPECT_EQ(after.size(), 4U);
    // LIKE tells a from A.
    TERRAPIN_TRY(const auto like, transaction.select<std::string>(
                                      "SELECT name FROM names WHERE name LIKE ? ESCAPE '\\'", "b%"));
    EXPECT_EQ(like.size(), 1U);
    return {};
  }));
}

TEST_P(DatabaseContract, ConstraintsHaveTheirCodes) {
  define(
      "CREATE TABLE teams (id TEXT PRIMARY KEY, name TEXT UNIQUE, size BIGINT NOT NULL CHECK (size < 100));\n"
      "CREATE TABLE members (team TEXT NOT NULL REFERENCES teams (id), secret TEXT NOT NULL)");
  ASSERT_TRUE(write("INSERT INTO teams (id, name, size) VALUES ('a', 'A', 1)"));
  struct Case {
    const char* sql;
    ErrorCode code;
  };
  for (const Case& each : std::vector<Case>{
           {"INSERT INTO teams (id, name, size) VALUES ('a', 'B', 1)", ErrorCode::kAlreadyExists},
           {"INSERT INTO teams (id, name, size) VALUES ('b', 'A', 1)", ErrorCode::kAlreadyExists},
           {"UPDATE teams SET size = NULL", ErrorCode::kInvalidArgument},
           {"INSERT INTO teams (id, name, size) VALUES ('b', 'B', 100)", ErrorCode::kInvalidArgument},
           {"INSERT INTO members (team, secret) VALUES ('b', 'x')", ErrorCode::kInvalidArgument},
           {"INSERT INTO nowhere VALUES (1)", ErrorCode::kInternal},
           {"INSERTED INTO teams", ErrorCode::kInternal},
           {"DELETE FROM teams; DELETE FROM members", ErrorCode::kInternal}}) {
    const Status status = write(each.sql);
    ASSERT_FALSE(status) << each.sql;
    EXPECT_EQ(status.error().code, each.code) << each.sql << ": " << status.error().message;
    EXPECT_THAT(status.error().message, HasSubstr(std::string(each.sql).substr(0, 20)));
  }
  // The same statement, again and well.
  ASSERT_TRUE(write("INSERT INTO members (team, secret) VALUES (?, ?)", "a", "x"));
  const Status no_team = write("INSERT INTO members (team, secret) VALUES (?, ?)", nullptr, "hunter2");
  ASSERT_FALSE(no_team);
  EXPECT_EQ(no_team.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(no_team.error().message, Not(HasSubstr("hunter2")));
  ASSERT_TRUE(write("INSERT INTO members (team, secret) VALUES (?, ?)", "a", "y"));
  EXPECT_EQ(number(*database_, "SELECT COUNT(*) FROM members"), 2);
  EXPECT_EQ(number(*database_, "SELECT COUNT(*) FROM teams"), 1);
}

TEST_P(DatabaseContract, RowsChangedAreCounted) {
  define("CREATE TABLE things (id BIGINT PRIMARY KEY, n BIGINT)");
  ASSERT_TRUE(database_->write([&](Transaction& transaction) -> Status {
    const auto changed = [&](const char* sql) { return transaction.run(sql).value_or(-1); };
    EXPECT_EQ(changed("INSERT INTO things (id, n) VALUES (1, 0), (2, 0), (3, 1)"), 3);
    EXPECT_EQ(changed("SELECT COUNT(*) FROM things"), 0);
    EXPECT_EQ(changed("UPDATE things SET n = n WHERE n = 0"), 2);
    EXPECT_EQ(changed("UPDATE things SET n = 5 WHERE id = 9"), 0);
    EXPECT_EQ(changed("INSERT INTO things (id, n) VALUES (1, 7) ON CONFLICT DO NOTHING"), 0);
    EXPECT_EQ(
        changed("INSERT INTO things (id, n) VALUES (1, 7) ON CONFLICT (id) DO UPDATE SET n = excluded.n"), 1);
    TERRAPIN_TRY(const auto given,
                 transaction.select<std::int64_t>("UPDATE things SET n = n + 1 RETURNING id"));
    EXPECT_EQ(given.size(), 3U);
    EXPECT_EQ(changed("DELETE FROM things"), 3);
    EXPECT_EQ(changed("DELETE FROM things"), 0);
    return {};
  }));
}

TEST_P(DatabaseContract, AnAnswerOfOtherColumnsIsAnError) {
  const Status status = database_->read([&](Transaction& transaction) -> Status {
    return transaction.select<std::int64_t>("SELECT 1, 2").map([](const auto&) {});
  });
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kInternal);
  EXPECT_FALSE(write("SELECT ?, ?", 1));
  EXPECT_FALSE(write("SELECT :name"));
}

TEST_P(DatabaseContract, MoreStatementsThanAreKeptPrepared) {
  define("CREATE TABLE things (id BIGINT PRIMARY KEY)");
  for (int round = 0; round < 2; ++round) {
    ASSERT_TRUE(database_->write([&](Transaction& transaction) -> Status {
      for (int i = 0; i < 700; ++i) {
        TERRAPIN_TRY_STATUS(
            transaction.run(fmt::format("INSERT INTO things (id) VALUES (? + {})", round * 1000 + i), 0));
      }
      return {};
    }));
  }
  EXPECT_EQ(number(*database_, "SELECT COUNT(*) FROM things"), 1400);
}

TEST_P(DatabaseContract, CommitsWaitForTheDisk) {
  const auto setting = [&](const char* sql) {
    std::string value;
    EXPECT_TRUE(database_->write([&](Transaction& transaction) -> Status {
      TERRAPIN_TRY(const auto row, transaction.select_one<std::string>(sql));
      value = std::get<0>(row.value());
      return {};
    }));
    return value;
  };
  if (is_sqlite()) {
    EXPECT_EQ(setting("PRAGMA journal_mode"), "wal");
    EXPECT_EQ(setting("PRAGMA synchronous"), "2");
    EXPECT_EQ(setting("PRAGMA foreign_keys"), "1");
  } else {
    EXPECT_EQ(setting("SHOW synchronous_commit"), "on");
    EXPECT_EQ(setting("SHOW transaction_isolation"), "read committed");
  }
}

TEST_P(DatabaseContract, AnErrorUndoesTheWork) {
  define("CREATE TABLE things (id BIGINT PRIMARY KEY)");
  const Status status = database_->write([&](Transaction& transaction) -> Status {
    TERRAPIN_TRY_STATUS(transaction.run("INSERT INTO things (id) VALUES (1)"));
    return fail(ErrorCode::kConflict, "the job is Completed");
  });
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kConflict);
  EXPECT_EQ(status.error().message, "the job is Completed");
  EXPECT_EQ(number(*database_, "SELECT COUNT(*) FROM things"), 0);
}

TEST_P(DatabaseContract, AnExceptionUndoesTheWorkAndIsThrownOn) {
  define("CREATE TABLE things (id BIGINT PRIMARY KEY)");
  const auto work = [&](Transaction& transaction) -> Status {
    (void)transaction.run("INSERT INTO things (id) VALUES (1)");
    throw std::out_of_range("from the work");
  };
  EXPECT_THROW((void)database_->write(work), std::out_of_range);
  EXPECT_THROW(
      (void)database_->read([](Transaction&) -> Status { throw std::out_of_range("from the work"); }),
      std::out_of_range);
  EXPECT_EQ(number(*database_, "SELECT COUNT(*) FROM things"), 0);
  EXPECT_TRUE(write("INSERT INTO things (id) VALUES (1)"));
}

TEST_P(DatabaseContract, NothingGoesOnAfterAFailedStatement) {
  define("CREATE TABLE things (id BIGINT PRIMARY KEY)");
  ASSERT_TRUE(write("INSERT INTO things (id) VALUES (1)"));
  const Status status = database_->write([&](Transaction& transaction) -> Status {
    EXPECT_FALSE(transaction.run("INSERT INTO things (id) VALUES (1)"));
    const auto next = transaction.run("INSERT INTO things (id) VALUES (2)");
    EXPECT_FALSE(next);
    EXPECT_EQ(next.error().code, ErrorCode::kAlreadyExists);
    return {};
  });
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kAlreadyExists);
  EXPECT_EQ(number(*database_, "SELECT COUNT(*) FROM things"), 1);
}

TEST_P(DatabaseContract, ReadingCannotWrite) {
  define("CREATE TABLE things (id BIGINT PRIMARY KEY)");
  const Status status = database_->read([](Transaction& transaction) -> Status {
    return transaction.run("INSERT INTO things (id) VALUES (1)").map([](std::int64_t) {});
  });
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kInternal);
  EXPECT_EQ(number(*database_, "SELECT COUNT(*) FROM things"), 0);
}

TEST_P(DatabaseContract, TransactionsDoNotNest) {
  const auto nothing = [](Transaction&) -> Status { return {}; };
  const auto inside = [&](bool outer_writes, bool inner_writes) {
    Status inner;
    const auto work = [&](Transaction&) -> Status {
      inner = inner_writes ? database_->write(nothing) : database_->read(nothing);
      return {};
    };
    EXPECT_TRUE(outer_writes ? database_->write(work) : database_->read(work));
    return inner;
  };
  for (const bool outer : {false, true}) {
    for (const bool inner : {false, true}) {
      const Status status = inside(outer, inner);
      ASSERT_FALSE(status);
      EXPECT_EQ(status.error().code, ErrorCode::kInternal);
    }
  }
}

TEST_P(DatabaseContract, AReadKeepsItsSnapshotWhileOthersWrite) {
  define("CREATE TABLE things (id BIGINT PRIMARY KEY)");
  ASSERT_TRUE(write("INSERT INTO things (id) VALUES (1)"));
  ASSERT_TRUE(database_->read([&](Transaction& transaction) -> Status {
    const auto count = [&]() -> std::int64_t {
      const auto row = transaction.select_one<std::int64_t>("SELECT COUNT(*) FROM things");
      return row ? std::get<0>(row->value()) : -1;
    };
    EXPECT_EQ(count(), 1);
    // The writer does not wait for this reader, nor does another reader.
    std::thread other([&] {
      EXPECT_TRUE(write("INSERT INTO things (id) VALUES (2)"));
      EXPECT_EQ(number(*database_, "SELECT COUNT(*) FROM things"), 2);
    });
    other.join();
    EXPECT_EQ(count(), 1);
    return {};
  }));
  EXPECT_EQ(number(*database_, "SELECT COUNT(*) FROM things"), 2);
}

TEST_P(DatabaseContract, MoreReadersThanConnections) {
  define("CREATE TABLE things (id BIGINT PRIMARY KEY)");
  std::atomic<int> good = 0;
  {
    std::vector<std::jthread> readers;
    for (int i = 0; i < 40; ++i) {
      readers.emplace_back([&] {
        for (int k = 0; k < 20; ++k) good += number(*database_, "SELECT COUNT(*) FROM things") == 0 ? 1 : 0;
      });
    }
  }
  EXPECT_EQ(good, 800);
}

TEST_P(DatabaseContract, WritesOfManyThreadsAllCount) {
  define(
      "CREATE TABLE things (id TEXT PRIMARY KEY);\n"
      "CREATE TABLE counter (value BIGINT NOT NULL);\n"
      "INSERT INTO counter (value) VALUES (0)");
  constexpr int kThreads = 32, kWrites = 40;
  std::atomic<std::int64_t> stored = 0, refused = 0, thrown = 0;
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&, thread] {
        for (int i = 0; i < kWrites; ++i) {
          const auto work = [&](Transaction& transaction) -> Status {
            TERRAPIN_TRY(const auto row, transaction.select_one<std::int64_t>("SELECT value FROM counter"));
            TERRAPIN_TRY_STATUS(
                transaction.run("UPDATE counter SET value = ?", std::get<0>(row.value()) + 1));
            const std::string id = fmt::format("{}-{}", thread, i % 5 == 4 ? i - 1 : i);
            auto inserted = transaction.run("INSERT INTO things (id) VALUES (?)", id);
            if (!inserted) return tl::unexpected<Error>(inserted.error());
            if (i % 7 == 6) throw std::runtime_error("as some works do");
            return {};
          };
          try {
            const Status status = database_->write(work);
            if (!status) {
              EXPECT_EQ(status.error().code, ErrorCode::kAlreadyExists) << status.error().message;
            }
            (status ? stored : refused) += 1;
          } catch (const std::runtime_error&) {
            ++thrown;
          }
        }
      });
    }
  }
  EXPECT_GT(refused, 0);
  EXPECT_GT(thrown, 0);
  EXPECT_EQ(stored + refused + thrown, kThreads * kWrites);
  EXPECT_EQ(number(*database_, "SELECT COUNT(*) FROM things"), stored);
  EXPECT_EQ(number(*database_, "SELECT value FROM counter"), stored);
}

// Inside a shared transaction a work sees what earlier ones did, and another connection does not yet.
TEST_P(DatabaseContract, WaitingWritesShareACommit) {
  define("CREATE TABLE things (id BIGINT PRIMARY KEY)");
  const std::unique_ptr<Database> other = open();
  constexpr int kThreads = 24;
  std::latch calling(kThreads);
  std::atomic<int> not_yet_stored = 0, failed = 0;
  std::vector<std::jthread> threads;
  ASSERT_TRUE(database_->write([&](Transaction&) -> Status {
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&, i] {
        calling.count_down();
        const Status status = database_->write([&](Transaction& transaction) -> Status {
          TERRAPIN_TRY_STATUS(transaction.run("INSERT INTO things (id) VALUES (?)", i));
          TERRAPIN_TRY(const auto row, transaction.select_one<std::int64_t>("SELECT COUNT(*) FROM things"));
          if (std::get<0>(row.value()) > number(*other, "SELECT COUNT(*) FROM things") + 1) ++not_yet_stored;
          // Undone alone.
          return i % 3 == 0 ? Status(fail(ErrorCode::kConflict, "refused")) : Status();
        });
        if (!status) ++failed;
      });
    }
    calling.wait();
    return {};
  }));
  threads.clear();
  EXPECT_GT(not_yet_stored, 0);
  EXPECT_EQ(failed, kThreads / 3);
  EXPECT_EQ(number(*database_, "SELECT COUNT(*) FROM things"), kThreads - kThreads / 3);
  EXPECT_EQ(number(*database_, "SELECT COUNT(*) FROM things WHERE id % 3 = 0"), 0);
}

// A constraint that is held against the whole transaction spoils the commit of all who share it.
TEST_P(DatabaseContract, WhoSpoilsASharedCommitFailsAlone) {
  define(
      "CREATE TABLE teams (id BIGINT PRIMARY KEY);\n"
      "CREATE TABLE members (team BIGINT NOT NULL REFERENCES teams (id) DEFERRABLE INITIALLY DEFERRED)");
  constexpr int kThreads = 16;
  std::latch calling(kThreads);
  std::atomic<int> failed = 0, runs = 0;
  std::vector<std::jthread> threads;
  ASSERT_TRUE(database_->write([&](Transaction&) -> Status {
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&, i] {
        calling.count_down();
        const Status status = database_->write([&](Transaction& transaction) -> Status {
          ++runs;
          TERRAPIN_TRY_STATUS(transaction.run("INSERT INTO members (team) VALUES (?)", i));
          if (i == 5) return {};
          return transaction.run("INSERT INTO teams (id) VALUES (?)", i).map([](std::int64_t) {});
        });
        if (status) return;
        ++failed;
        EXPECT_EQ(i, 5) << status.error().message;
        EXPECT_EQ(status.error().code, ErrorCode::kInvalidArgument) << status.error().message;
      });
    }
    calling.wait();
    return {};
  }));
  threads.clear();
  EXPECT_EQ(failed, 1);
  EXPECT_GT(runs, kThreads);
  EXPECT_EQ(number(*database_, "SELECT COUNT(*) FROM members"), kThreads - 1);
  EXPECT_EQ(number(*database_, "SELECT COUNT(*) FROM teams"), kThreads - 1);
}

TEST_P(DatabaseContract, MigrationsRunOnceAndInOrder) {
  const Migration steps[] = {
      {1, "CREATE TABLE a (id BIGINT PRIMARY KEY, note TEXT);\nINSERT INTO a VALUES (1, 'x;\ny')"},
      {2, "-- a second step; with a comment\nALTER TABLE a ADD COLUMN n BIGINT NOT NULL DEFAULT 7"},
      {3, "UPDATE a SET n = n + 1"}};
  ASSERT_TRUE(database_->migrate("first", std::span(steps).first(1)));
  EXPECT_EQ(number(*database_, "SELECT COUNT(*) FROM a WHERE note = 'x;\ny'"), 1);
  for (int i = 0; i < 2; ++i) {
    const Status status = database_->migrate("first", steps);
    ASSERT_TRUE(status) << status.error().message;
    EXPECT_EQ(number(*database_, "SELECT n FROM a"), 8);
  }
  // Modules count apart.
  const Migration other{1, "CREATE TABLE b (id BIGINT PRIMARY KEY)"};
  ASSERT_TRUE(database_->migrate("second", {&other, 1}));
  EXPECT_EQ(number(*database_, "SELECT version FROM schema_versions WHERE module = 'first'"), 3);
  EXPECT_EQ(number(*database_, "SELECT version FROM schema_versions WHERE module = 'second'"), 1);

  const Status older_program = database_->migrate("first", std::span(steps).first(2));
  ASSERT_FALSE(older_program);
  EXPECT_EQ(older_program.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(older_program.error().message, HasSubstr("version 3"));
  EXPECT_THAT(older_program.error().message, HasSubstr("up to 2"));
}

TEST_P(DatabaseContract, AFailedMigrationLeavesNothing) {
  const Migration steps[] = {{1, "CREATE TABLE a (id BIGINT PRIMARY KEY)"},
                             {2, "CREATE TABLE b (id BIGINT PRIMARY KEY);\nCREATE TABLE a (id BIGINT)"}};
  const Status status = database_->migrate("test", steps);
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, HasSubstr("migration 2 of test"));
  const Migration good{1, "CREATE TABLE a (id BIGINT PRIMARY KEY);\nCREATE TABLE b (id BIGINT)"};
  EXPECT_TRUE(database_->migrate("test", {&good, 1}));
  const Migration misnumbered{2, "CREATE TABLE c (id BIGINT)"};
  EXPECT_EQ(database_->migrate("other", {&misnumbered, 1}).error().code, ErrorCode::kInternal);
}

TEST_P(DatabaseContract, MigrationsOfSeveralProgramsAtOnceRunOnce) {
  const Migration steps[] = {{1, "CREATE TABLE a (n BIGINT);\nINSERT INTO a VALUES (0)"},
                             {2, "UPDATE a SET n = n + 1"}};
  std::atomic<int> good = 0;
  {
    std::vector<std::jthread> programs;
    for (int i = 0; i < 6; ++i) {
      programs.emplace_back([&] {
        const std::unique_ptr<Database> own = open();
        const Status status = own->migrate("test", steps);
        EXPECT_TRUE(status) << status.error().message;
        good += status && number(*own, "SELECT SUM(n) FROM a") == 1 ? 1 : 0;
      });
    }
  }
  EXPECT_EQ(good, 6);
}

// Statements prepared before tables changed, in the writer and in readers.
TEST_P(DatabaseContract, StatementsFollowAMigration) {
  const Migration steps[] = {{1, "CREATE TABLE a (id BIGINT PRIMARY KEY);\nINSERT INTO a VALUES (1)"},
                             {2, "ALTER TABLE a ADD COLUMN note TEXT"}};
  ASSERT_TRUE(database_->migrate("test", std::span(steps).first(1)));
  const auto columns = [&](int count) {
    const auto work = [&](Transaction& transaction) -> Status {
      return transaction.query("SELECT * FROM a", count).map([](const auto&) {});
    };
    const Status written = database_->write(work), read = database_->read(work);
    EXPECT_TRUE(written) << written.error().message;
    EXPECT_TRUE(read) << read.error().message;
  };
  columns(1);
  ASSERT_TRUE(database_->migrate("test", steps));
  columns(2);
}

}  // namespace
}  // namespace terrapin::storage
