#include "unit/jobs/slurm_cluster.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <stdexcept>

#include "jobs/short_command.h"

extern char** environ;

namespace terrapin::test {
namespace {

namespace fs = std::filesystem;

// Debian's daemons are not on an ordinary user's PATH.
fs::path program(const std::string& name) {
  for (const char* const folder : {"/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"})
    if (::access((fs::path(folder) / name).c_str(), X_OK) == 0) return fs::path(folder) / name;
  return {};
}

}  // namespace

std::string SlurmCluster::missing() {
  for (const char* const name : {"munged", "slurmctld", "slurmd", "sbatch"})
    if (program(name).empty())
      return std::string("there is no ") + name + " (Debian: munge, slurmctld, slurmd, slurm-client)";
  return "";
}

SlurmCluster::SlurmCluster() {
  // A socket's path holds 107 bytes: temp_directory_path() may be longer.
  std::string pattern = "/tmp/terrapin-slurm-XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
  folder_ = pattern;
  // The ends that stay here are closed by this process's end alone, so no child may have them.
  int orders[2], answers[2];
  if (::pipe2(orders, O_CLOEXEC) != 0 || ::pipe2(answers, O_CLOEXEC) != 0)
    throw std::runtime_error("pipe2 failed");
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, orders[0], 0);
  ::posix_spawn_file_actions_adddup2(&actions, answers[1], 1);
  std::string program = TERRAPIN_JOBS_PROGRAM, verb = "slurm", folder = folder_.string();
  char* argv[] = {program.data(), verb.data(), folder.data(), nullptr};
  const int problem = ::posix_spawn(&warden_, argv[0], &actions, nullptr, argv, environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(orders[0]);
  ::close(answers[1]);
  orders_ = orders[1];
  answers_ = ::fdopen(answers[0], "r");
  if (problem != 0) throw std::runtime_error(program + " cannot be started");
  if (const std::string word = answer(); word != "ready") throw std::runtime_error(word);
}

SlurmCluster::~SlurmCluster() {
  ::close(orders_);
  if (warden_ > 0)
    while (::waitpid(warden_, nullptr, 0) < 0 && errno == EINTR) {
    }
  std::fclose(answers_);
}

std::string SlurmCluster::answer() {
  std::string line;
  for (int c = std::fgetc(answers_); c != EOF && c != '\n'; c = std::fgetc(answers_))
    line += static_cast<char>(c);
  return line;
}

void SlurmCluster::tell(const std::string& order) {
  const std::string line = order + "\n";
  if (::write(orders_, line.data(), line.size()) != static_cast<ssize_t>(line.size()) || answer() != "done")
    throw std::runtime_error("the warden of the Slurm cluster is gone");
}

std::string SlurmCluster::run(std::vector<std::string> command) const {
  const std::string name = command.front();
  command.front() = program(name);
  const auto answer =
      jobs::ask({command, {"PATH=/usr/bin:/bin", "LANG=C.UTF-8", "SLURM_CONF=" + configuration().string()}});
  if (!answer) return "failed: " + answer.error().message;
  if (answer->exit_code != 0) return "failed: " + answer->errors;
  return answer->output;
}

SlurmCluster* shared_slurm(std::string* why) {
  static std::string problem = SlurmCluster::missing();
  static const std::unique_ptr<SlurmCluster> cluster = []() -> std::unique_ptr<SlurmCluster> {
    if (!problem.empty()) return nullptr;
    try {
      return std::make_unique<SlurmCluster>();
    } catch (const std::runtime_error& error) {
      problem = std::string("Slurm does not run here: ") + error.what();
      return nullptr;
    }
  }();
  if (why != nullptr) *why = problem;
  return cluster.get();
}

}  // namespace terrapin::test
