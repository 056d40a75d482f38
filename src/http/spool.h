// A large request body on its way to a handler.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <span>

#include "base/byte_source.h"
#include "base/result.h"

namespace terrapin::http {

// How many bytes all temporary files may hold together. Thread-safe.
class SpoolBudget {
 public:
  explicit SpoolBudget(std::int64_t limit) : limit_(limit) {}
  std::int64_t limit() const { return limit_; }
  std::int64_t taken() const;

 private:
  friend class SpoolShare;
  bool take(std::int64_t bytes);
  void give_back(std::int64_t bytes);

  const std::int64_t limit_;
  mutable std::mutex mutex_;
  std::int64_t taken_ = 0;  // guarded by mutex_
};

// A file's part of the budget, given back at its end. Not thread-safe.
class SpoolShare {
 public:
  SpoolShare() = default;  // without limit
  explicit SpoolShare(std::shared_ptr<SpoolBudget> budget) : budget_(std::move(budget)) {}
  ~SpoolShare();
  SpoolShare(SpoolShare&& other) noexcept;
  SpoolShare& operator=(SpoolShare&&) = delete;

  // False, with nothing changed, if the budget has no room for it. Never becomes smaller.
  bool grow_to(std::int64_t bytes);

 private:
  std::shared_ptr<SpoolBudget> budget_;
  std::int64_t bytes_ = 0;
};

// A temporary file that has no name, so nothing is left behind however the program ends. Not thread-safe.
class SpoolFile {
 public:
  // kTmpfile asks the system for a file without a name and makes a named one, removed at once, where the file
  // system has none; kNamed goes the second way at once.
  enum class Creation { kTmpfile, kNamed };

  // Touches no disk yet. `folder` must exist when the first bytes are written.
  explicit SpoolFile(std::filesystem::path folder, SpoolShare share = {},
                     Creation creation = Creation::kTmpfile)
      : folder_(std::move(folder)), creation_(creation), share_(std::move(share)) {}
  ~SpoolFile();
  SpoolFile(const SpoolFile&) = delete;
  SpoolFile& operator=(const SpoolFile&) = delete;

  // Makes room for so many bytes in all: see SpoolShare::grow_to. May be called while another thread writes.
  bool reserve(std::int64_t bytes) { return share_.grow_to(bytes); }
  // Appends. kNoSpace if disk, quota or the largest file size are exhausted, else kIo; names the folder.
  Status write(std::span<const std::uint8_t> bytes);
  // What was written; it, and its share of the budget, live as long as the source. Nothing can be written any
  // more.
  ByteSourcePtr finish();

 private:
  Status open();
  Status open_named();

  std::filesystem::path folder_;
  Creation creation_;
  int descriptor_ = -1;
  std::int64_t size_ = 0;
  SpoolShare share_;  // given back when the file is closed
};

}  // namespace terrapin::http
