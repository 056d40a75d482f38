#include "contract/postgres_cluster.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <functional>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <vector>

namespace terrapin::test {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;
using std::chrono::steady_clock;

// The server refuses to run as root.
const passwd* server_user() {
  if (::geteuid() != 0) return nullptr;
  const passwd* user = ::getpwnam("postgres");
  return user != nullptr ? user : ::getpwnam("nobody");
}

std::string text_of(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// Starts `command` as the server's user, its output to `log`; it dies with this process.
pid_t spawn(const std::vector<std::string>& command, const fs::path& folder, const fs::path& log) {
  const passwd* const user = server_user();
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) throw std::runtime_error("fork failed");
  if (child > 0) return child;
  if (user != nullptr &&
      (::setgroups(0, nullptr) != 0 || ::setgid(user->pw_gid) != 0 || ::setuid(user->pw_uid) != 0)) {
    ::_exit(126);
  }
  ::prctl(PR_SET_PDEATHSIG, SIGQUIT);
  if (::getppid() != parent) ::_exit(126);
  const int output = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  ::dup2(output, 1);
  ::dup2(output, 2);
  ::dup2(::open("/dev/null", O_RDONLY), 0);
  ::close_range(3, ~0U, 0);
  if (::chdir(folder.c_str()) != 0) ::_exit(126);
  ::setenv("LC_ALL", "C", 1);
  ::setenv("HOME", folder.c_str(), 1);
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  ::execv(arguments[0], arguments.data());
  ::_exit(127);
}

// False: not within the time.
bool wait_until(const std::function<bool()>& condition) {
  const auto deadline = steady_clock::now() + seconds(60);
  while (!condition()) {
    if (steady_clock::now() > deadline) return false;
    ::poll(nullptr, 0, 10);
  }
  return true;
}

}  // namespace

fs::path PostgresCluster::programs() {
  std::error_code none;
  fs::path newest;
  int newest_version = 0;
  for (const auto& entry : fs::directory_iterator("/usr/lib/postgresql", none)) {
    const int version = std::atoi(entry.path().filename().c_str());
    if (version > newest_version && fs::exists(entry.path() / "bin" / "postgres")) {
      newest_version = version;
      newest = entry.path() / "bin";
    }
  }
  return newest;
}

PostgresCluster::PostgresCluster() {
  // A socket's path holds 107 bytes: temp_directory_path() may be longer.
  std::string pattern = "/tmp/terrapin-pg-XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
  folder_ = pattern;
  if (const passwd* const user = server_user(); user != nullptr) {
    if (::chown(folder_.c_str(), user->pw_uid, user->pw_gid) != 0) throw std::runtime_error("chown failed");
  }
  // A language's order of text, where the server has one, shows who relies on the order of bytes.
  const std::vector<std::string> plain = {"initdb", "-D", "data", "-U",        "terrapin",        "-A",
                                          "trust",  "-E", "UTF8", "--no-sync", "--locale=C.UTF-8"};
  std::vector<std::string> with_language = plain;
  with_language.insert(with_language.end(), {"--locale-provider=icu", "--icu-locale=en-US"});
  if (!run(with_language).empty()) {
    fs::remove_all(folder_ / "data");
    if (const std::string failure = run(plain); !failure.empty()) throw std::runtime_error(failure);
  }
  start();
}

PostgresCluster::~PostgresCluster() {
  // Without writing anything more: the folder goes.
  stop({SIGQUIT, SIGKILL});
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

std::string PostgresCluster::run(std::vector<std::string> command) {
  const std::string program = command.front();
  command.front() = programs() / program;
  const fs::path log = folder_ / (program + ".log");
  const pid_t child = spawn(command, folder_, log);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return program + " failed: " + text_of(log);
}

void PostgresCluster::start() {
  const fs::path log = folder_ / "server.log";
  server_ = spawn({programs() / "postgres", "-D", "data", "-k", folder_, "-c", "listen_addresses=", "-c",
                   "shared_buffers=32MB", "-c", "max_connections=60"},
                  folder_, log);
  const bool ready = wait_until([&] {
    if (::waitpid(server_, nullptr, WNOHANG) == server_) {
      server_ = -1;
      return true;
    }
    return text_of(folder_ / "data" / "postmaster.pid").find("\nready") != std::string::npos;
  });
  if (!ready || server_ < 0) throw std::runtime_error("PostgreSQL did not start: " + text_of(log));
}

void PostgresCluster::stop(const std::vector<int>& signals) {
  if (server_ < 0) return;
  for (const int signal : signals) {
    ::kill(server_, signal);
    if (wait_until([&] { return ::waitpid(server_, nullptr, WNOHANG) == server_; })) break;
  }
  server_ = -1;
}

void PostgresCluster::restart(const std::function<void()>& while_down) {
  stop({SIGINT, SIGQUIT, SIGKILL});
  while_down();
  start();
}

std::string PostgresCluster::new_database() {
  std::string name = "t";
  name += std::to_string(++databases_);
  const std::string failure = run({"psql", "-q", "-h", folder_, "-U", "terrapin", "-d", "postgres", "-c",
                                   std::string("CREATE SCHEMA ").append(name)});
  if (!failure.empty()) throw std::runtime_error(failure);
  return "postgresql://terrapin@/postgres?host=" + folder_.string() + "&options=-csearch_path%3D" + name;
}

PostgresCluster* shared_cluster() {
  static const std::unique_ptr<PostgresCluster> cluster =
      PostgresCluster::programs().empty() ? nullptr : std::make_unique<PostgresCluster>();
  return cluster.get();
}

}  // namespace terrapin::test
