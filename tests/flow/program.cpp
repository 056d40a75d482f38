#include "flow/program.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <stdexcept>
#include <thread>

#include "base/files.h"

namespace terrapin::flow {

namespace fs = std::filesystem;

TemporaryFolder::TemporaryFolder() {
  std::string pattern = (fs::temp_directory_path() / "terrapin-flow-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary folder");
  path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

Program::Program(const fs::path& folder, const std::vector<std::string>& arguments, const char* executable) {
  static std::atomic<int> count{0};
  const std::string name = "program-" + std::to_string(count++);
  output_ = folder / (name + ".out");
  errors_ = folder / (name + ".err");
  std::vector<char*> argv{const_cast<char*>(executable)};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  pid_ = ::fork();
  if (pid_ < 0) throw std::runtime_error("fork failed");
  if (pid_ > 0) return;
  const int out = ::open(output_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  const int err = ::open(errors_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  ::dup2(out, STDOUT_FILENO);
  ::dup2(err, STDERR_FILENO);
  ::execv(argv[0], argv.data());
  ::_exit(127);
}

Program::~Program() {
  if (!running()) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, &status_, 0);
}

void Program::send(int signal) {
  if (running()) ::kill(pid_, signal);
}

bool Program::running() {
  if (!ended_ && ::waitpid(pid_, &status_, WNOHANG) == pid_) ended_ = true;
  return !ended_;
}

bool Program::wait_until(const std::function<bool()>& condition, std::chrono::milliseconds deadline) {
  const auto end = std::chrono::steady_clock::now() + deadline;
  while (!condition()) {
    if (!running() || std::chrono::steady_clock::now() > end) return condition();
    std::this_thread::yield();
    ::usleep(2000);  // the poll's step, not a guess at how long the work takes
  }
  return true;
}

Answer Program::wait(std::chrono::seconds deadline) {
  wait_until([this] { return !running(); }, deadline);
  if (running()) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, &status_, 0);
    ended_ = true;
  }
  Answer answer;
  answer.code = WIFEXITED(status_) ? WEXITSTATUS(status_) : 1000 + WTERMSIG(status_);
  answer.output = output();
  answer.errors = errors();
  return answer;
}

std::string Program::output() const {
  return read_text_file(output_).value_or("");
}

std::string Program::errors() const {
  return read_text_file(errors_).value_or("");
}

Answer run_program(const fs::path& folder, const std::vector<std::string>& arguments) {
  return Program(folder, arguments).wait();
}

Answer run_python(const fs::path& folder, const std::vector<std::string>& arguments) {
  return Program(folder, arguments, "/usr/bin/python3").wait();
}

}  // namespace terrapin::flow
