#include "control/process/saying.h"

#include <cstdio>
#include <mutex>

#include "base/files.h"
#include "control/process/training_work.h"
#include "jobs/ending.h"

namespace terrapin::control {
void write_lines(std::string_view lines) {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  std::fwrite(lines.data(), 1, lines.size(), stdout);
  std::fflush(stdout);
}

void keep_reason(const std::filesystem::path& folder, const std::string& reason) {
  const Status written =
      write_file_atomically(folder / kFailureFile, jobs::first_characters(reason, jobs::kFailureCharacters));
  if (!written) say("{}", written.error().message);
}

}  // namespace terrapin::control
