// What a job writes, line by line with times, in files of bounded size: its beginning and its end are kept.
// Format: docs/formats/jobs.md.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/descriptor.h"
#include "base/result.h"

namespace terrapin::jobs {

// The keeper's side. Not thread-safe; one writer per folder.
class OutputWriter {
 public:
  // `limit_bytes` for all files together, at least 4096.
  OutputWriter(std::filesystem::path folder, std::int64_t limit_bytes);

  // stream 1: standard output, 2: standard error. Whole lines are written; the rest waits for its end.
  // A disk that is full costs lines, never an error: the job goes on, and a remark follows when there is
  // room.
  void write(int stream, std::string_view bytes, Timestamp now);
  // Lines without an end so far are written as they are.
  void flush(Timestamp now);

 private:
  void put_line(int stream, std::string_view text, Timestamp now);
  bool put(std::string_view record);
  bool next_file();

  const std::filesystem::path folder_;
  const std::int64_t limit_;
  const std::size_t longest_line_;
  std::array<std::string, 3> pending_;  // by stream
  Descriptor file_;
  std::int64_t offset_ = 0;  // where the next record goes, counted from the job's first
  std::int64_t file_begin_ = 0;
  std::vector<std::int64_t> tail_;  // where the files after the first begin, those that are kept
  std::int64_t lost_lines_ = 0;     // that a full disk refused
};

struct OutputLine {
  Timestamp time;
  int stream = 0;                // 1, 2; 0: a remark of the keeper's
  std::string text;              // UTF-8
  std::int64_t next_offset = 0;  // where the line after it begins
};

struct OutputPage {
  std::vector<OutputLine> lines;
  std::int64_t next_offset = 0;  // ask here for more
};

// The lines from `offset` on (0, or a next_offset), at least one if there is any, else about `max_bytes`.
// What is no longer kept is a remark that says how much. An empty page: there is nothing more yet.
Result<OutputPage> read_output(const std::filesystem::path& folder, std::int64_t offset,
                               std::int64_t max_bytes);

}  // namespace terrapin::jobs
