// What every Runner must do. A runner joins with one INSTANTIATE_TEST_SUITE_P.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "jobs/keeper.h"
#include "jobs/process_id.h"
#include "jobs/runner.h"
#include "unit/base/temporary_folder.h"
#include "unit/jobs/wait_until.h"

namespace terrapin::jobs::test {

struct RunnerBackend {
  std::string name;
  // One that keeps its jobs' folders in `root`, lends 4 cores and 2 GPUs at least, and names the first GPU 0.
  std::function<std::unique_ptr<Runner>(const std::filesystem::path& root)> make;
  // Why it cannot run here; empty: it can.
  std::function<std::string()> missing = [] { return std::string(); };
};
inline std::ostream& operator<<(std::ostream& out, const RunnerBackend& backend) {
  return out << backend.name;
}

inline Work shell(const std::string& script) {
  Work work;
  work.arguments = {"/bin/sh", "-c", script};
  return work;
}

// Jobs of a runner, and what a test asks about them.
class RunnerJobs : public testing::Test {
 protected:
  ~RunnerJobs() override {
    for (const std::string& id : ids_)
      for (const ProcessId& process : processes_with(job_mark(id))) (void)send_signal(process, SIGKILL);
  }

  virtual Runner& runner() = 0;
  JobFolder folder(const std::string& id) const { return {root_ / id}; }

  std::string handle(const std::string& id, const Work& work) {
    const auto place = runner().reserve(id, work);
    EXPECT_TRUE(place) << place.error().message;
    EXPECT_TRUE(place && *place) << "no place is free";
    return place && *place ? **place : "";
  }
  void start(const std::string& id, const Work& work) {
    ids_.push_back(id);
    const Status started = runner().start(id, handle(id, work), work);
    EXPECT_TRUE(started) << started.error().message;
  }
  Sight look(const std::string& id) {
    const auto sight = runner().look(id, "");
    EXPECT_TRUE(sight) << sight.error().message;
    return sight ? *sight : Sight{};
  }
  Ending ending(const std::string& id) {
    Sight sight;
    EXPECT_TRUE(terrapin::test::wait_until([&] { return (sight = look(id)).phase == Sight::Phase::kEnded; }))
        << "it does not end";
    return sight.ending;
  }
  Ending run(const std::string& id, const Work& work) {
    start(id, work);
    return ending(id);
  }
  std::vector<std::string> lines(const std::string& id) {
    const auto page = runner().output(id, 0, 1 << 30);
    std::vector<std::string> texts;
    if (page)
      for (const OutputLine& line : page->lines) texts.push_back(line.text);
    return texts;
  }
  bool says(const std::string& id, const std::string& text) {
    const auto all = lines(id);
    return std::find(all.begin(), all.end(), text) != all.end();
  }
  Started started(const std::string& id) {
    const auto read = read_started(folder(id));
    EXPECT_TRUE(read) << read.error().message;
    return read ? *read : Started{};
  }
  static bool none_left(const std::string& id) { return processes_with(job_mark(id)).empty(); }

  terrapin::test::TemporaryFolder folder_;
  const std::filesystem::path root_ = folder_ / "jobs";
  std::vector<std::string> ids_;
};

class RunnerContract : public RunnerJobs, public testing::WithParamInterface<RunnerBackend> {
 protected:
  void SetUp() override {
    if (const std::string reason = GetParam().missing(); !reason.empty()) GTEST_SKIP() << reason;
    runner_ = GetParam().make(root_);
  }
  Runner& runner() override { return *runner_; }

 private:
  std::unique_ptr<Runner> runner_;
};

}  // namespace terrapin::jobs::test
