// What jobs with very many answers must not cost: which statements run, and by which index.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>

#include "unit/labeling/job_fixture.h"

namespace terrapin::labeling {
namespace {

using namespace std::chrono_literals;
using ::testing::Contains;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

struct Statement {
  std::string sql;
  std::vector<storage::Value> values;
};

class ListeningTransaction final : public storage::Transaction {
 public:
  ListeningTransaction(storage::Transaction& inner, std::vector<Statement>& heard)
      : inner_(inner), heard_(heard) {}
  Result<std::int64_t> execute(std::string_view sql, std::span<const storage::Value> values) override {
    note(sql, values);
    return inner_.execute(sql, values);
  }
  Result<std::vector<storage::TextRow>> query(std::string_view sql, int columns,
                                              std::span<const storage::Value> values) override {
    note(sql, values);
    return inner_.query(sql, columns, values);
  }

 private:
  void note(std::string_view sql, std::span<const storage::Value> values) {
    heard_.push_back({std::string(sql), {values.begin(), values.end()}});
  }
  storage::Transaction& inner_;
  std::vector<Statement>& heard_;
};

// Notes every statement that passes through. For one thread at a time.
class ListeningDatabase final : public storage::Database {
 public:
  explicit ListeningDatabase(std::unique_ptr<storage::Database> inner) : inner_(std::move(inner)) {}
  Status migrate(const std::string& module, std::span<const storage::Migration> migrations) override {
    return inner_->migrate(module, migrations);
  }
  Status write(const std::function<Status(storage::Transaction&)>& work) override {
    return inner_->write([&](storage::Transaction& state) { return listen(state, work); });
  }
  Status read(const std::function<Status(storage::Transaction&)>& work) override {
    return inner_->read([&](storage::Transaction& state) { return listen(state, work); });
  }
  Status backup_to(const std::string& path,
                   const std::function<Status(storage::Transaction&)>& look) override {
    return inner_->backup_to(path, look);
  }
  std::string description() const override { return inner_->description(); }
  Status check_backup() override { return inner_->check_backup(); }

  storage::Database& inner() { return *inner_; }
  std::vector<Statement> heard;

 private:
  Status listen(storage::Transaction& state, const std::function<Status(storage::Transaction&)>& work) {
    ListeningTransaction listening(state, heard);
    return work(listening);
  }
  std::unique_ptr<storage::Database> inner_;
};

class Statements : public test::JobTest {
 protected:
  void SetUp() override {
    test::JobTest::SetUp();
    auto listening = std::make_unique<ListeningDatabase>(std::move(database_));
    database_listening_ = listening.get();
    database_ = std::move(listening);
    open();
  }
  // The statements that `work` runs on `table`.
  template <class Work>
  std::vector<Statement> of(const std::string& table, const Work& work) {
    database_listening_->heard.clear();
    work();
    std::vector<Statement> result;
    for (const Statement& statement : database_listening_->heard)
      if (statement.sql.find(table) != std::string::npos) result.push_back(statement);
    return result;
  }
  // How SQLite carries them out, one line a step.
  std::vector<std::string> plan(const std::vector<Statement>& statements) {
    std::vector<std::string> steps;
    for (const Statement& statement : statements) {
      EXPECT_OK(database_listening_->inner().read([&](storage::Transaction& state) -> Status {
        TERRAPIN_TRY(const auto rows,
                     state.query("EXPLAIN QUERY PLAN " + statement.sql, 4, statement.values));
        for (const auto& row : rows) steps.push_back(row[3].value_or(""));
        return {};
      }));
    }
    return steps;
  }
  ListeningDatabase* database_listening_ = nullptr;
};

TEST_F(Statements, AcceptingLooksAtWhatTheWorkerHoldsNotAtAllTheyEverDid) {
  put_photos(2);
  create(spec());
  const auto steps = plan(of("FROM labeling_assignments a JOIN", [&] { accept("anna"); }));
  EXPECT_THAT(steps, Contains(HasSubstr("labeling_assignments_held")));
}

TEST_F(Statements, ListsAndTasksDoNotReadTemplateAndClasses) {
  put_photos(2);
  create(spec());
  const auto statements = of("template", [&] {
    EXPECT_OK(jobs().list({}));
    EXPECT_OK(jobs().describe("job"));
    EXPECT_OK(tasks().jobs(worker("anna")));
    const Assignment first = accept("anna");
    EXPECT_OK(tasks().give_back(worker("anna"), first.id));
    EXPECT_OK(jobs().objects("job", {}));
    ASSERT_OK(service_->run_pending());
  });
  EXPECT_THAT(statements, IsEmpty());
  // To submit, the classes are needed once: before the write that all others wait for.
  const Assignment task = accept("anna");
  EXPECT_EQ(of("template", [&] { submit("anna", task, rectangle(1)); }).size(), 1U);
}

TEST_F(Statements, ProgressReadsAnIndexAndOnlyTheTotalsWhileNothingChanges) {
  put_photos(3);
  create(spec());
  submit("anna", accept("anna"), rectangle(1));
  const auto look = [&] {
    return of("FROM labeling_assignments", [&] { EXPECT_OK(jobs().progress("job")); });
  };
  const auto first = look();
  EXPECT_EQ(first.size(), 4U);
  for (const Statement& statement : first)
    EXPECT_THAT(plan({statement}), Contains(HasSubstr("COVERING INDEX labeling_assignments_answers")))
        << statement.sql;
  EXPECT_EQ(look().size(), 2U);
  clock_.advance(1s);
  submit("anna", accept("anna"), rectangle(1));
  EXPECT_EQ(look().size(), 4U);
  EXPECT_EQ(jobs().progress("job")->answers, 2);
  clock_.advance(2h);
  EXPECT_EQ(look().size(), 2U);
  EXPECT_EQ(jobs().progress("job")->answers_last_hour, 0);
}

TEST_F(Statements, TheMostDisputedAreReadInOrder) {
  put_photos(2);
  create(spec());
  for (const ObjectFilter& filter :
       {ObjectFilter{.state = {}, .most_disputed_first = true},
        ObjectFilter{.state = ObjectState::kLabeled, .most_disputed_first = true},
        ObjectFilter{.state = {}, .min_disagreement = 0.5, .most_disputed_first = true}}) {
    const auto steps = plan(of("FROM labeling_objects", [&] { EXPECT_OK(jobs().objects("job", filter)); }));
    EXPECT_THAT(steps, Contains(HasSubstr("labeling_objects_by_dispute")));
    EXPECT_THAT(steps, Each(Not(HasSubstr("TEMP B-TREE"))));
  }
}

TEST_F(Statements, TakingAWorkersAnswersOutCostsTheSameHoweverManyThereAre) {
  put_photos(20);
  std::vector<std::size_t> counts;
  for (const int answers : {1, 15}) {
    const std::string name = "job" + std::to_string(answers);
    create(spec(name));
    for (int i = 0; i < answers; ++i) submit("mallory", accept("mallory", name), rectangle(1));
    counts.push_back(of("labeling", [&] { EXPECT_OK(jobs().withdraw_worker(name, "mallory")); }).size());
  }
  EXPECT_EQ(counts[0], counts[1]);
}

TEST_F(Statements, SkillsAreEstimatedAgainOnlyWhenATenthMoreIsKnown) {
  put_photos(14);
  JobSpec wanted = spec();
  wanted.workers_per_object = 2;
  create(wanted);
  const auto label = [&](int count) {
    for (int i = 0; i < count; ++i)
      for (const char* id : {"anna", "bert"}) submit(id, accept(id), rectangle(id[0] == 'a' ? 1 : 2));
    run();
  };
  const auto estimates = [&] {
    return !of("SELECT idx, votes FROM labeling_votes", [&] { EXPECT_OK(jobs().workers("job")); }).empty();
  };
  label(11);
  EXPECT_TRUE(estimates());
  EXPECT_FALSE(estimates());
  label(1);
  EXPECT_FALSE(estimates());
  EXPECT_TRUE(jobs().workers("job")->front().reliability.has_value());
  label(1);
  EXPECT_TRUE(estimates());
  label(1);
  ASSERT_EQ(describe().status, JobStatus::kCompleted);
  EXPECT_TRUE(estimates());  // the final pass changed what is known
  EXPECT_FALSE(estimates());
}

}  // namespace
}  // namespace terrapin::labeling
