// Assistants of several model files, as many as are asked for and not more than memory is meant for.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>

#include "assist/assistant.h"
#include "base/result.h"

namespace terrapin::assist {

// Thread-safe. A path names one content for ever: a model that changes gets another name.
class Assistants {
 public:
  using Load = std::function<Result<std::shared_ptr<const Assistant>>(const std::filesystem::path& model)>;
  // `most` are kept: the least recently used goes, and ends when the last question to it does.
  Assistants(std::size_t most, Load load) : most_(most), load_(std::move(load)) {}

  // Loaded at the first question: who asks for the same model meanwhile waits, others do not. A file
  // that is no model is not read again while it is remembered.
  Result<std::shared_ptr<const Assistant>> of(const std::filesystem::path& model);
  std::size_t kept();

 private:
  struct Entry {
    std::mutex mutex;
    std::optional<Result<std::shared_ptr<const Assistant>>> loaded;  // guarded by mutex
    std::uint64_t last_used = 0;                                     // guarded by Assistants::mutex_
  };
  const std::size_t most_;
  const Load load_;
  std::mutex mutex_;
  std::map<std::filesystem::path, std::shared_ptr<Entry>> entries_;  // guarded by mutex_
  std::uint64_t turn_ = 0;                                           // guarded by mutex_
};

}  // namespace terrapin::assist
