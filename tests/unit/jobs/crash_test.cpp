// kill -9 of server, keeper, guard and job at random moments: every job ends in a true state, once, and no
// process is left. TERRAPIN_KILLS says how often.
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <functional>
#include <map>
#include <random>

#include "base/files.h"
#include "jobs/job_store.h"
#include "jobs/keeper.h"
#include "jobs/process_id.h"
#include "unit/base/temporary_folder.h"
#include "unit/jobs/slurm_cluster.h"
#include "unit/jobs/wait_until.h"

extern char** environ;

namespace terrapin::jobs {
namespace {

namespace fs = std::filesystem;
using test::wait_until;

class Server {
 public:
  explicit Server(std::vector<std::string> arguments) : arguments_(std::move(arguments)) { start(); }
  ~Server() { kill(); }
  void start() {
    std::vector<char*> argv;
    for (std::string& text : arguments_) argv.push_back(text.data());
    argv.push_back(nullptr);
    ASSERT_EQ(::posix_spawn(&pid_, argv[0], nullptr, nullptr, argv.data(), environ), 0);
  }
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  std::vector<std::string> arguments_;
  pid_t pid_ = -1;
};

// Processes, zombies apart, that name `text` in their command line.
int processes_naming(const std::string& text) {
  int count = 0;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos || !process_id(std::stoi(name))) continue;
    const auto line = read_text_file(entry.path() / "cmdline", 1 << 20);
    if (line && line->find(text) != std::string::npos) ++count;
  }
  return count;
}

// `serve` makes, of the database's address and the folder of the jobs, the arguments of a server.
void kill_at_random(int kills,
                    const std::function<std::vector<std::string>(std::string, std::string)>& serve) {
  const unsigned seed = 11;
  std::mt19937 random(seed);
  test::TemporaryFolder folder;
  const std::string url = "sqlite:" + (folder / "state.db").string(), root = (folder / "jobs").string();
  auto database = storage::Database::open(url);
  ASSERT_TRUE(database) << database.error().message;
  auto store = JobStore::open(**database, system_clock());
  ASSERT_TRUE(store) << store.error().message;
  Server server(serve(url, root));

  const std::string begin = "echo run >> ../runs; ", done = " echo done > ../done";
  const std::string scripts[] = {
      begin + done,
      begin + "sleep 0.3;" + done,
      begin + "trap '' TERM; sleep 0.5;" + done,
      begin + "(setsid sleep 1000 &) ; sleep 1000 & sleep 0.2;" + done,
      begin + "yes | head -c 300000; sleep 0.1;" + done,
      begin + "sleep 1000;" + done,  // until it is stopped or killed
  };
  std::vector<std::string> ids, endless;
  for (int round = 0; round < kills; ++round) {
    for (int i = 0; i < 2; ++i) {
      Work work;
      const std::size_t script = random() % std::size(scripts);
      work.arguments = {"/bin/sh", "-c", scripts[script]};
      work.stop_grace = std::chrono::milliseconds(random() % 300);
      work.max_output_bytes = 65536;
      const auto job = store->create("test", "{}", work);
      ASSERT_TRUE(job) << job.error().message;
      ids.push_back(job->id);
      if (script + 1 == std::size(scripts)) endless.push_back(job->id);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % 400));
    if (random() % 3 == 0) (void)store->stop(ids[random() % ids.size()]);
    // One of the jobs that run, if there is any, and the server each second time.
    if (random() % 2 == 0) server.kill();
    std::vector<Started> running;
    for (const std::string& id : ids)
      if (const auto started = read_started({fs::path(root) / id}); started && is_alive(started->keeper))
        running.push_back(*started);
    if (!running.empty()) {
      const Started& victim = running[random() % running.size()];
      const unsigned which = 1 + random() % 7;
      if (which & 1) (void)send_signal(victim.keeper, SIGKILL);
      if (which & 2) (void)send_signal(victim.guard, SIGKILL);
      if (which & 4) (void)send_signal(victim.leader, SIGKILL);
    }
    server.kill();
    server.start();
  }
  // What sleeps for ever is stopped; what runs ends by itself.
  const auto all_ended = [&] {
    for (const std::string& id : ids) {
      const auto job = store->find(id);
      if (!job || !has_ended(job->state)) return false;
    }
    return true;
  };
  for (const std::string& id : endless) {
    const auto job = store->find(id);
    ASSERT_TRUE(job);
    if (!has_ended(job->state)) (void)store->stop(id);
  }
  EXPECT_TRUE(wait_until(all_ended, std::chrono::seconds(60)));
  std::map<std::string, int> states;
  for (const std::string& id : ids) {
    const auto job = store->find(id);
    ASSERT_TRUE(job);
    ++states[job_state_name(job->state)];
    const JobFolder place{fs::path(root) / id};
    const bool done_there = fs::exists(place.path / "done");
    const auto runs = read_text_file(place.path / "runs");
    EXPECT_LE(runs ? runs->size() : 0, 4u) << "job " << id << " ran more than once";
    if (job->state == JobState::kCompleted) {
      EXPECT_TRUE(done_there) << id;
      ASSERT_TRUE(job->ending);
      EXPECT_EQ(job->ending->exit_code, 0) << id;
    }
    if (job->state == JobState::kFailed) {
      EXPECT_NE(job->failure, "") << id;
    }
    EXPECT_TRUE(wait_until([&] { return processes_with(job_mark(id)).empty(); })) << id << " left a process";
    EXPECT_FALSE(fs::exists(place.started()) && !fs::exists(place.ending())) << id;
  }
  EXPECT_GT(states["Completed"], 0);
  server.kill();
  EXPECT_TRUE(wait_until([&] { return processes_naming(root) == 0; })) << "a keeper is left";
  fmt::print("{} jobs: {} Completed, {} Failed, {} Stopped\n", ids.size(), states["Completed"],
             states["Failed"], states["Stopped"]);
}

int wished_kills(int otherwise) {
  const char* const wish = ::getenv("TERRAPIN_KILLS");
  return wish != nullptr ? std::atoi(wish) : otherwise;
}

TEST(JobsThatAreKilled, EndInATrueStateAndLeaveNothing) {
  kill_at_random(wished_kills(30), [](const std::string& url, const std::string& root) {
    return std::vector<std::string>{TERRAPIN_JOBS_PROGRAM, "serve", url, root, "6"};
  });
}

TEST(JobsThatAreKilled, EndInATrueStateOnSlurmToo) {
  std::string why;
  test::SlurmCluster* const cluster = test::shared_slurm(&why);
  if (cluster == nullptr) GTEST_SKIP() << why;
  kill_at_random(wished_kills(10), [&](const std::string& url, const std::string& root) {
    return std::vector<std::string>{TERRAPIN_JOBS_PROGRAM, "serve-slurm", url, root,
                                    cluster->configuration().string()};
  });
}

}  // namespace
}  // namespace terrapin::jobs
