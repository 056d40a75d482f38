// Archives: as they are, and as the tar inside with its checksums made right.
#include <zlib.h>

#include <cstring>

#include "artifacts/archive.h"
#include "artifacts/tar_header.h"
#include "fuzz/fuzz_target.h"
#include "fuzz/memory_file.h"

using namespace terrapin;

namespace {

constexpr artifacts::ArchiveLimits kLimits{4 << 20, 1000};

Bytes gzipped(const Bytes& bytes) {
  z_stream stream{};
  fuzz::require(::deflateInit2(&stream, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK, "zlib");
  Bytes packed(::deflateBound(&stream, bytes.size()) + 64);
  stream.next_in = const_cast<Bytef*>(bytes.data());
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = packed.data();
  stream.avail_out = static_cast<uInt>(packed.size());
  fuzz::require(::deflate(&stream, Z_FINISH) == Z_STREAM_END, "zlib");
  packed.resize(stream.total_out);
  ::deflateEnd(&stream);
  return packed;
}

// What looks like a header gets the checksum that it needs.
Bytes with_right_header_sums(fuzz::Input input) {
  Bytes bytes(input.begin(), input.end());
  for (std::size_t at = 0; at + 512 <= bytes.size(); at += 512) {
    if (std::memcmp(bytes.data() + at + 257, "ustar", 5) != 0) continue;
    std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(at) + 148, 8, ' ');
    unsigned sum = 0;
    for (std::size_t i = 0; i < 512; ++i) sum += bytes[at + i];
    const std::string text = fmt::format("{:06o}", sum);
    std::copy(text.begin(), text.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at) + 148);
    bytes[at + 154] = 0;
  }
  return bytes;
}

void read_archive(const Bytes& archive) {
  const fuzz::MemoryFile file(archive);
  const auto files = artifacts::read_tar_gz(file.path(), kLimits);
  if (!files) return;
  std::int64_t total = 0;
  for (const auto& [name, content] : *files) {
    total += static_cast<std::int64_t>(content.size());
    const auto safe = artifacts::safe_entry_name(name);
    fuzz::require(safe && *safe == name, "names stay below the folder");
    fuzz::require(name.find('\0') == std::string::npos && name[0] != '/' && name != ".." &&
                      name.rfind("../", 0) != 0 && name.find("/../") == std::string::npos,
                  "by this look at them too");
  }
  fuzz::require(total <= kLimits.max_total_bytes, "not more than the limit");
}

void check_header(fuzz::Input input) {
  if (input.size() < 512) return;
  artifacts::TarBlock block;
  std::memcpy(block.data(), input.data(), block.size());
  const auto header = artifacts::parse_tar_header(block);
  if (!header || !*header || !artifacts::fits_ustar(**header)) return;
  const auto again = artifacts::parse_tar_header(artifacts::format_tar_header(**header));
  fuzz::require(again && *again, "our own header reads");
  fuzz::require((*again)->name == (*header)->name && (*again)->size == (*header)->size &&
                    (*again)->type == (*header)->type,
                "and says the same");
}

}  // namespace

TERRAPIN_FUZZ_TARGET(tar) {
  const Bytes raw(input.begin(), input.end()), fixed = with_right_header_sums(input);
  read_archive(raw);
  read_archive(gzipped(raw));
  read_archive(gzipped(fixed));
  check_header(fixed);
}
