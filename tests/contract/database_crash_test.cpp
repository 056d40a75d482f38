// What was acknowledged is there after kill -9, and other processes take their turn.
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <set>
#include <thread>
#include <vector>

#include "base/random.h"
#include "contract/database_backends.h"

namespace terrapin::storage {
namespace {

class DatabaseCrash : public DatabaseContract {
 protected:
  // A child process that runs `body` with the writing end of a pipe; this process has no other threads and
  // no open database meanwhile.
  struct Child {
    pid_t pid = -1;
    int output = -1;
  };
  static Child start(const std::function<void(int)>& body) {
    int ends[2];
    if (::pipe(ends) != 0) return {};
    const pid_t pid = ::fork();
    if (pid == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::close(ends[0]);
      body(ends[1]);
      ::_exit(0);
    }
    ::close(ends[1]);
    return {pid, ends[0]};
  }
};

INSTANTIATE_TEST_SUITE_P(Backends, DatabaseCrash, testing::Values("sqlite", "postgresql"),
                         [](const auto& instance) { return instance.param; });

constexpr int kWriters = 6;

// Each write adds one row and one to the counter; its id goes out when it is acknowledged.
void write_until_killed(const std::string& url, int output, int round) {
  auto database = Database::open(url);
  if (!database) ::_exit(1);
  std::vector<std::thread> writers;
  for (int writer = 0; writer < kWriters; ++writer) {
    writers.emplace_back([&, writer] {
      for (int i = 0;; ++i) {
        const std::int64_t id = (round * kWriters + writer) * INT64_C(1'000'000) + i;
        const Status status = (*database)->write([&](Transaction& transaction) -> Status {
          TERRAPIN_TRY_STATUS(
              transaction.run("INSERT INTO things (id, body) VALUES (?, ?)", id, std::string(500, 'x')));
          TERRAPIN_TRY_STATUS(transaction.run("UPDATE counter SET value = value + 1"));
          return {};
        });
        if (!status) ::_exit(2);
        if (::write(output, &id, sizeof id) != sizeof id) ::_exit(3);
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
}

TEST_P(DatabaseCrash, AcknowledgedWritesSurviveKill9) {
  define(
      "CREATE TABLE things (id BIGINT PRIMARY KEY, body TEXT NOT NULL);\n"
      "CREATE TABLE counter (value BIGINT NOT NULL);\n"
      "INSERT INTO counter VALUES (0)");
  const char* const wanted = ::getenv("TERRAPIN_KILLS");
  const int rounds = wanted == nullptr ? 5 : std::max(5, ::atoi(wanted));
  Random random(9);
  std::set<std::int64_t> acknowledged;
  for (int round = 0; round < rounds; ++round) {
    database_.reset();
    const Child child = start([&](int output) { write_until_killed(url_, output, round); });
    ASSERT_GT(child.pid, 0);
    const std::int64_t enough = 1 + random.below(300);
    std::int64_t id = 0, heard = 0;
    while (heard < enough && ::read(child.output, &id, sizeof id) == sizeof id) {
      acknowledged.insert(id);
      ++heard;
    }
    ::kill(child.pid, SIGKILL);
    // What it had still said before it died.
    while (::read(child.output, &id, sizeof id) == sizeof id) acknowledged.insert(id);
    ::close(child.output);
    int status = 0;
    ::waitpid(child.pid, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        << "the child ended on its own: " << status;
    ASSERT_EQ(heard, enough);

    database_ = open();
    ASSERT_TRUE(database_);
    // Waits for what the server may still be doing for the dead process.
    ASSERT_TRUE(write("UPDATE counter SET value = value"));
    std::set<std::int64_t> stored;
    std::int64_t counter = 0;
    ASSERT_TRUE(database_->read([&](Transaction& transaction) -> Status {
      TERRAPIN_TRY(const auto rows, transaction.select<std::int64_t>("SELECT id FROM things"));
      for (const auto& [each] : rows) stored.insert(each);
      TERRAPIN_TRY(const auto row, transaction.select_one<std::int64_t>("SELECT value FROM counter"));
      counter = std::get<0>(row.value());
      return {};
    }));
    for (const std::int64_t each : acknowledged)
      ASSERT_TRUE(stored.contains(each)) << each << ", round " << round;
    // No write is there by half. At most one of each killed writer was not heard of.
    ASSERT_EQ(counter, static_cast<std::int64_t>(stored.size()));
    ASSERT_LE(stored.size(), acknowledged.size() + kWriters * (round + 1));
  }
}

// Reads, computes here, writes: exact only if nobody comes in between.
Status add_one(Database& database) {
  return database.write([](Transaction& transaction) -> Status {
    TERRAPIN_TRY(const auto row, transaction.select_one<std::int64_t>("SELECT value FROM counter"));
    return transaction.run("UPDATE counter SET value = ?", std::get<0>(row.value()) + 1)
        .map([](std::int64_t) {});
  });
}

TEST_P(DatabaseCrash, SeveralProcessesTakeTurns) {
  define("CREATE TABLE counter (value BIGINT NOT NULL);\nINSERT INTO counter VALUES (0)");
  database_.reset();
  constexpr int kProcesses = 3, kThreads = 4, kWrites = 50;
  std::vector<Child> children;
  for (int i = 0; i < kProcesses; ++i) {
    children.push_back(start([&](int) {
      auto database = Database::open(url_);
      if (!database) ::_exit(1);
      std::atomic<int> good = 0;
      std::vector<std::thread> threads;
      for (int thread = 0; thread < kThreads; ++thread) {
        threads.emplace_back([&] {
          for (int k = 0; k < kWrites; ++k) good += add_one(**database) ? 1 : 0;
        });
      }
      for (std::thread& thread : threads) thread.join();
      database->reset();
      if (good != kThreads * kWrites) ::_exit(2);
    }));
  }
  for (const Child& child : children) {
    int status = -1;
    ::waitpid(child.pid, &status, 0);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
    ::close(child.output);
  }
  database_ = open();
  EXPECT_EQ(number(*database_, "SELECT value FROM counter"), kProcesses * kThreads * kWrites);
}

// Somebody who writes without a pause leaves others their turn (`terrapin keys create` beside a server).
TEST_P(DatabaseCrash, ABusyWriterStarvesNobody) {
  define("CREATE TABLE counter (value BIGINT NOT NULL);\nINSERT INTO counter VALUES (0)");
  const std::unique_ptr<Database> other = open();
  std::atomic<bool> enough = false;
  std::atomic<std::int64_t> written = 0;
  {
    std::vector<std::jthread> busy;
    for (int i = 0; i < 8; ++i) {
      busy.emplace_back([&] {
        while (!enough) written += add_one(*database_) ? 1 : 0;
      });
    }
    for (int i = 0; i < 20; ++i) {
      const Status status = add_one(*other);
      EXPECT_TRUE(status) << status.error().message;
      written += status ? 1 : 0;
    }
    enough = true;
  }
  EXPECT_EQ(number(*database_, "SELECT value FROM counter"), written);
}

}  // namespace
}  // namespace terrapin::storage
