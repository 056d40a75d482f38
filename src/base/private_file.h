// A small text file that only its owner may read and that commands change beside a running server.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "base/result.h"

namespace terrapin {

// Thread-safe, also between processes.
class PrivateFile {
 public:
  explicit PrivateFile(std::filesystem::path path);
  ~PrivateFile();
  PrivateFile(const PrivateFile&) = delete;
  PrivateFile& operator=(const PrivateFile&) = delete;

  const std::filesystem::path& path() const { return path_; }
  // The file's text; the very same object while the file is unchanged, missing() while there is none. kDenied
  // if others than its owner may use it, kIo, kTooLarge; the message names the file.
  Result<std::shared_ptr<const std::string>> read();
  // An empty text.
  static const std::shared_ptr<const std::string>& missing();
  // Replaces the text by what `make_text` returns; while it runs no other process changes the file, so it may
  // read() and decide. Durable and 0600 on success; on a failure, also of `make_text`, the old text stays.
  // Makes the file if it is missing.
  Status change(const std::function<Result<std::string>()>& make_text);

 private:
  struct Content;
  const std::filesystem::path path_;
  std::mutex mutex_;
  std::shared_ptr<const Content> content_;  // guarded by mutex_
};

}  // namespace terrapin
