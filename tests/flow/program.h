// The built program, or a script, as a child process. No sleeps: files are polled until a deadline.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace terrapin::flow {

// A folder of its own, removed at the end.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

struct Answer {
  int code = 0;  // exit code, or 1000 + signal
  std::string output, errors;
};

class Program {
 public:
  // Starts `executable` with `arguments`; its output goes to files in `folder`.
  Program(const std::filesystem::path& folder, const std::vector<std::string>& arguments,
          const char* executable = TERRAPIN_PROGRAM);
  ~Program();  // kills it if it still runs
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  pid_t pid() const { return pid_; }
  void send(int signal);
  bool running();
  // Waits for the end; past the deadline the program is killed and the code is 1009.
  Answer wait(std::chrono::seconds deadline = std::chrono::seconds(120));
  // True once `condition` holds; false when the program ended or the deadline passed first.
  bool wait_until(const std::function<bool()>& condition,
                  std::chrono::milliseconds deadline = std::chrono::seconds(60));
  // What it has written so far.
  std::string output() const;
  std::string errors() const;

 private:
  pid_t pid_ = -1;
  int status_ = 0;
  bool ended_ = false;
  std::filesystem::path output_, errors_;
};

// Runs the program to its end.
Answer run_program(const std::filesystem::path& folder, const std::vector<std::string>& arguments);

// Runs Debian's Python, which has Debian's modules, to its end.
Answer run_python(const std::filesystem::path& folder, const std::vector<std::string>& arguments);

}  // namespace terrapin::flow
