#include "jobs/output_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>
#include <system_error>

#include "jobs/ending.h"

namespace terrapin::jobs {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLongestLine = 1 << 16;
constexpr std::string_view kPrefix = "output-", kSuffix = ".log";

// Zeros in front, so that names sort as their numbers do.
std::string file_name(std::int64_t begin) {
  return fmt::format("{}{:018}{}", kPrefix, begin, kSuffix);
}

std::optional<std::int64_t> parse_number(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0) return std::nullopt;
  return number;
}

// Where the files begin, ascending.
Result<std::vector<std::int64_t>> files_of(const fs::path& folder) {
  std::vector<std::int64_t> begins;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) continue;
    if (const auto begin = parse_number(
            std::string_view(name).substr(kPrefix.size(), name.size() - kPrefix.size() - kSuffix.size())))
      begins.push_back(*begin);
  }
  if (error && error != std::errc::no_such_file_or_directory)
    return fail(ErrorCode::kIo, "{}: {}", folder.string(), error.message());
  std::sort(begins.begin(), begins.end());
  return begins;
}

OutputLine parse_line(std::string_view record) {
  OutputLine line;
  const std::size_t space = record.find(' ');
  std::optional<std::int64_t> time;
  if (space != std::string_view::npos) time = parse_number(record.substr(0, space));
  if (time && record.size() >= space + 3 && record[space + 1] >= '0' && record[space + 1] <= '2' &&
      record[space + 2] == ' ') {
    line.time = from_microseconds(*time);
    line.stream = record[space + 1] - '0';
    record.remove_prefix(space + 3);
  }
  line.text = first_characters(std::string(record), record.size());
  return line;
}

}  // namespace

OutputWriter::OutputWriter(fs::path folder, std::int64_t limit_bytes)
    : folder_(std::move(folder)),
      limit_(limit_bytes),
      longest_line_(std::min<std::size_t>(kLongestLine, static_cast<std::size_t>(limit_bytes / 8))) {}

void OutputWriter::write(int stream, std::string_view bytes, Timestamp now) {
  std::string& pending = pending_[static_cast<std::size_t>(stream)];
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const std::size_t room = longest_line_ - pending.size();
    const std::size_t take = std::min(end == std::string_view::npos ? bytes.size() : end, room);
    pending.append(bytes.substr(0, take));
    bytes.remove_prefix(take);
    if (take == end) {
      bytes.remove_prefix(1);
    } else if (pending.size() < longest_line_) {
      return;
    }
    put_line(stream, pending, now);
    pending.clear();
  }
}

void OutputWriter::flush(Timestamp now) {
  for (int stream : {1, 2}) {
    std::string& pending = pending_[static_cast<std::size_t>(stream)];
    if (pending.empty()) continue;
    put_line(stream, pending, now);
    pending.clear();
  }
}

void OutputWriter::put_line(int stream, std::string_view text, Timestamp now) {
  if (lost_lines_ > 0) {
    if (!put(fmt::format("{} 0 {} lines were lost: they could not be written\n", to_microseconds(now),
                         lost_lines_))) {
      ++lost_lines_;
      return;
    }
    lost_lines_ = 0;
  }
  if (!put(fmt::format("{} {} {}\n", to_microseconds(now), stream, text))) ++lost_lines_;
}

bool OutputWriter::next_file() {
  const std::string path = (folder_ / file_name(offset_)).string();
  Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file.is_open()) return false;
  file_ = std::move(file);
  file_begin_ = offset_;
  if (offset_ == 0) return true;
  tail_.push_back(offset_);
  if (tail_.size() > 2) {
    std::error_code ignored;
    fs::remove(folder_ / file_name(tail_.front()), ignored);
    tail_.erase(tail_.begin());
  }
  return true;
}

bool OutputWriter::put(std::string_view record) {
  // Half for the beginning, two quarters for the end.
  const std::int64_t most = file_begin_ == 0 ? limit_ / 2 : limit_ / 4;
  const std::int64_t size = static_cast<std::int64_t>(record.size());
  if (!file_.is_open() || (offset_ > file_begin_ && offset_ - file_begin_ + size > most)) {
    if (!next_file()) return false;
  }
  std::size_t done = 0;
  while (done < record.size()) {
    const ssize_t put = ::write(file_.get(), record.data() + done, record.size() - done);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) {
      // Half a line would be read as one.
      if (::ftruncate(file_.get(), offset_ - file_begin_) != 0 ||
          ::lseek(file_.get(), offset_ - file_begin_, SEEK_SET) < 0)
        file_.reset();
      return false;
    }
    done += static_cast<std::size_t>(put);
  }
  offset_ += size;
  return true;
}

Result<OutputPage> read_output(const fs::path& folder, std::int64_t offset, std::int64_t max_bytes) {
  if (offset < 0)
    return fail(ErrorCode::kInvalidArgument, "an offset into a job's output is {}; it must be 0 or more",
                offset);
  OutputPage page;
  page.next_offset = offset;
  TERRAPIN_TRY(const std::vector<std::int64_t> begins, files_of(folder));
  std::int64_t left = std::max<std::int64_t>(max_bytes, 1);
  for (std::size_t i = 0; i < begins.size() && left > 0; ++i) {
    const std::string path = (folder / file_name(begins[i])).string();
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.is_open()) {
      if (errno == ENOENT) continue;  // given up meanwhile: a gap
      return fail(ErrorCode::kIo, "{}: {}", path, std::generic_category().message(errno));
    }
    struct stat info {};
    if (::fstat(file.get(), &info) != 0)
      return fail(ErrorCode::kIo, "{}: {}", path, std::generic_category().message(errno));
    const std::int64_t end = begins[i] + info.st_size;
    if (end <= page.next_offset) continue;
    const bool gap = begins[i] > page.next_offset;
    const std::int64_t gap_bytes = begins[i] - page.next_offset;
    if (gap) page.next_offset = begins[i];

    // A whole line at the least, however long.
    const std::int64_t wanted = std::min(
        end - page.next_offset, std::max<std::int64_t>(left, static_cast<std::int64_t>(kLongestLine) + 64));
    std::string bytes(static_cast<std::size_t>(wanted), '\0');
    std::size_t filled = 0;
    while (filled < bytes.size()) {
      const ssize_t got = ::pread(file.get(), bytes.data() + filled, bytes.size() - filled,
                                  page.next_offset - begins[i] + static_cast<std::int64_t>(filled));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return fail(ErrorCode::kIo, "{}: {}", path, std::generic_category().message(errno));
      if (got == 0) break;
      filled += static_cast<std::size_t>(got);
    }
    bytes.resize(filled);
    std::size_t at = 0;
    while (left > 0) {
      const std::size_t newline = bytes.find('\n', at);
      if (newline == std::string::npos) break;  // still being written
      OutputLine line = parse_line(std::string_view(bytes).substr(at, newline - at));
      if (gap && at == 0)
        page.lines.push_back(
            {line.time, 0, fmt::format("{} bytes of output are not kept", gap_bytes), page.next_offset});
      left -= static_cast<std::int64_t>(newline + 1 - at);
      page.next_offset += static_cast<std::int64_t>(newline + 1 - at);
      line.next_offset = page.next_offset;
      page.lines.push_back(std::move(line));
      at = newline + 1;
    }
  }
  return page;
}

}  // namespace terrapin::jobs
