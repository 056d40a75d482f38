#include "storage/postgres_tools.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <string_view>

namespace terrapin::storage {
namespace {

constexpr std::size_t kShownBytes = 2048;
constexpr int kNoProgram = 127;

// All of it until the writer's end closes; the last part is kept.
std::string read_tail(int descriptor) {
  std::string tail;
  char buffer[4096];
  for (;;) {
    const ssize_t got = ::read(descriptor, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    tail.append(buffer, static_cast<std::size_t>(got));
    if (tail.size() > 2 * kShownBytes) tail.erase(0, tail.size() - kShownBytes);
  }
  while (!tail.empty() && (tail.back() == '\n' || tail.back() == ' ')) tail.pop_back();
  return tail;
}

}  // namespace

Status run_postgres_tool(const std::string& program, const std::vector<std::string>& arguments,
                         const std::string& password) {
  std::vector<std::string> words{program};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable)
    if (password.empty() || !std::string_view(*variable).starts_with("PGPASSWORD="))
      variables.emplace_back(*variable);
  if (!password.empty()) variables.push_back("PGPASSWORD=" + password);
  std::vector<char*> argv, envp;
  for (std::string& word : words) argv.push_back(word.data());
  for (std::string& variable : variables) envp.push_back(variable.data());
  argv.push_back(nullptr);
  envp.push_back(nullptr);

  int errors[2];
  if (::pipe2(errors, O_CLOEXEC) != 0)
    return fail(ErrorCode::kIo, "{}: cannot make a pipe: {}", program, std::strerror(errno));
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child == 0) {
    // Only calls that are allowed between fork and exec in a process with threads.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(kNoProgram);
    const int nothing = ::open("/dev/null", O_RDWR);
    ::dup2(nothing, 0);
    ::dup2(nothing, 1);
    ::dup2(errors[1], 2);
    ::execvpe(argv[0], argv.data(), envp.data());
    ::_exit(kNoProgram);
  }
  const int forked = errno;
  ::close(errors[1]);
  if (child < 0) {
    ::close(errors[0]);
    return fail(ErrorCode::kIo, "{}: cannot be started: {}", program, std::strerror(forked));
  }
  const std::string said = read_tail(errors[0]);
  ::close(errors[0]);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  if (WIFEXITED(status) && WEXITSTATUS(status) == kNoProgram && said.empty())
    return fail(ErrorCode::kNotFound,
                "there is no program {} in PATH: it copies PostgreSQL databases (Debian: apt-get install "
                "postgresql-client)",
                program);
  const std::string how = WIFEXITED(status) ? "exit code " + std::to_string(WEXITSTATUS(status)) : "a signal";
  return fail(
      ErrorCode::kIo, "{} ended with {}: {}", program, how,
      said.empty() ? "it said nothing" : said.substr(said.size() - std::min(said.size(), kShownBytes)));
}

}  // namespace terrapin::storage
