#include "artifacts/archive.h"

#include <zlib.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <numeric>

#include "artifacts/safetensors.h"
#include "artifacts/tar_header.h"
#include "unit/artifacts/failures.h"
#include "unit/base/hostile_bytes.h"
#include "unit/base/temporary_folder.h"

namespace terrapin::artifacts {
namespace {

using test::bytes_of;
using test::expect_failure;
using test::must;

class ArchiveTest : public ::testing::Test {
 protected:
  // The tar program, run inside `in`; the archive lies outside it.
  void tar(const std::string& arguments) {
    const std::string command =
        "cd '" + in().string() + "' && tar -czf '" + path_.string() + "' " + arguments + " 2>/dev/null";
    ASSERT_EQ(std::system(command.c_str()), 0) << command;
  }
  // An archive of these blocks as they stand.
  void write_raw(const std::vector<TarBlock>& blocks) {
    gzFile file = gzopen(path_.c_str(), "wb");
    for (const TarBlock& block : blocks) gzwrite(file, block.data(), kTarBlock);
    gzclose(file);
  }
  std::filesystem::path in() const { return folder_ / "in"; }
  void SetUp() override { std::filesystem::create_directories(in()); }
  void refuse(ErrorCode code, const std::string& part, const ArchiveLimits& limits = {}) {
    expect_failure(read_tar_gz(path_, limits), code, part);
  }
  test::TemporaryFolder folder_;
  std::filesystem::path path_ = folder_ / "a.tar.gz";
};

TEST_F(ArchiveTest, AFoldersFilesAsIfTheyHadBeenInMemory) {
  const std::string deep = "deep/" + std::string(120, 'n') + "/" + std::string(120, 'm');
  const std::map<std::string, Bytes> files = {
      {"a", bytes_of("A")}, {"empty", {}}, {deep, Bytes(3'000'000, 7)}};
  for (const auto& [name, body] : files) must(write_file_atomically(in() / name, body));
  must(write_file_atomically(in() / ".hidden", bytes_of("h")));
  must(write_folder_tar_gz(path_, in()));
  EXPECT_EQ(must(read_tar_gz(path_)), files);
  const Bytes streamed = must(read_file(path_));
  must(write_tar_gz(path_, files));
  EXPECT_EQ(must(read_file(path_)), streamed);
  expect_failure(write_folder_tar_gz(path_, in() / "missing"), ErrorCode::kNotFound, "missing");
}

TEST_F(ArchiveTest, RoundTripIsExactAndDeterministic) {
  std::map<std::string, Bytes> files{
      {"model.json", bytes_of("{}")}, {"empty", {}}, {"a/b/c.txt", bytes_of("deep")}};
  files["big"] = Bytes(3'000'001);
  for (std::size_t i = 0; i < files["big"].size(); ++i)
    files["big"][i] = static_cast<std::uint8_t>(i * i >> 7);
  files[std::string(100, 'n')] = Bytes(512, 1);
  files[std::string(90, 'p') + "/" + std::string(90, 'q')] = Bytes(513, 2);  // prefix
  files[std::string(300, 'x')] = Bytes(5, 3);                                // pax
  must(write_tar_gz(path_, files));
  EXPECT_EQ(must(read_tar_gz(path_)), files);
  const Bytes first = must(read_file(path_));
  must(write_tar_gz(path_, files));
  EXPECT_EQ(must(read_file(path_)), first);
  must(write_tar_gz(path_, {}, 0));
  EXPECT_TRUE(must(read_tar_gz(path_)).empty());
}

TEST_F(ArchiveTest, TheTarProgramReadsOurs) {
  const std::string deep = std::string(120, 'd') + "/" + std::string(140, 'e') + ".bin";
  must(write_tar_gz(path_, {{"x/y.txt", bytes_of("hello")}, {deep, bytes_of("far")}}));
  const std::string command = "cd '" + in().string() + "' && tar -xzf '" + path_.string() + "'";
  ASSERT_EQ(std::system(command.c_str()), 0);
  EXPECT_EQ(must(read_text_file(in() / "x/y.txt")), "hello");
  EXPECT_EQ(must(read_text_file(in() / deep)), "far");
}

TEST_F(ArchiveTest, ReadsWhatTheTarProgramWrites) {
  const std::string deep = std::string(120, 'd') + "/" + std::string(140, 'e') + ".bin";
  test::write_text(in() / "model.json", "{}");
  test::write_text(in() / "sub/x", "y");
  test::write_text(in() / deep, "far");
  const std::map<std::string, Bytes> expected{
      {"model.json", bytes_of("{}")}, {"sub/x", bytes_of("y")}, {deep, bytes_of("far")}};
  for (const char* format : {"gnu", "pax", "oldgnu"}) {
    tar("--format=" + std::string(format) + " .");
    EXPECT_EQ(must(read_tar_gz(path_)), expected) << format;
  }
}

TEST_F(ArchiveTest, RefusesLinksAndDevices) {
  test::write_text(in() / "a", "x");
  std::filesystem::create_symlink("/etc/passwd", in() / "evil");
  tar("evil");
  refuse(ErrorCode::kCorrupt,
         path_.string() + ": entry 'evil' is a symbolic link; only regular files and folders");
  std::filesystem::create_hard_link(in() / "a", in() / "b");
  tar("a b");
  refuse(ErrorCode::kCorrupt, "entry 'b' is a hard link");
  for (const auto& [type, words] : {std::pair('3', "a character device"), std::pair('4', "a block device"),
                                    std::pair('6', "a named pipe"), std::pair('Q', "of unknown type 0x51")}) {
    write_raw({format_tar_header({"dev", 0, type}), {}, {}});
    refuse(ErrorCode::kCorrupt, std::string("entry 'dev' is ") + words);
  }
  write_raw({format_tar_header({"holes", 0, 'S'}), {}, {}});
  refuse(ErrorCode::kUnsupported, "entry 'holes' is a sparse file");
}

TEST_F(ArchiveTest, RefusesNamesThatLeaveTheirFolder) {
  test::write_text(in() / "a", "x");
  tar("-P '" + (in() / "a").string() + "'");
  refuse(ErrorCode::kCorrupt, "has an absolute name");
  tar("-P ../in/a");
  refuse(ErrorCode::kCorrupt, "entry '../in/a' leaves its folder by '..'");
  tar("--format=pax --transform 's,^a$,/" + std::string(200, 'z') + ",' -P a");
  refuse(ErrorCode::kCorrupt, "has an absolute name");
  write_raw({format_tar_header({"x/../../y", 0, '0'}), {}, {}});
  refuse(ErrorCode::kCorrupt, "leaves its folder");
  write_raw({format_tar_header({"./", 0, '0'}), {}, {}});
  refuse(ErrorCode::kCorrupt, "a file without a name");
  write_raw({format_tar_header({"a", 0, '0'}), format_tar_header({"./a", 0, '0'}), {}, {}});
  refuse(ErrorCode::kCorrupt, "entry 'a' occurs twice");
}

TEST_F(ArchiveTest, StopsABomb) {
  must(write_tar_gz(path_, {{"zeros", Bytes(20'000'000)}}));
  EXPECT_LT(std::filesystem::file_size(path_), 100'000u);
  refuse(ErrorCode::kTooLarge, "entry 'zeros' of 20000000 bytes", {.max_total_bytes = 1'000'000});
  // A header that promises more than the file holds costs no memory.
  write_raw({format_tar_header({"lie", std::int64_t{7} << 30, '0'}), {}});
  refuse(ErrorCode::kCorrupt, "the archive ends inside entry 'lie'");
  must(write_tar_gz(path_, {{"a", {}}, {"b", {}}, {"c", {}}}));
  refuse(ErrorCode::kTooLarge, "more than 2 entries", {.max_entries = 2});
  write_raw(std::vector<TarBlock>(4000));
  refuse(ErrorCode::kTooLarge, "after the archive's end mark", {.max_total_bytes = 100'000});
  write_raw(std::vector<TarBlock>(40, format_tar_header({"n", 0, 'L'})));
  refuse(ErrorCode::kCorrupt, "too many headers before it");
}

TEST_F(ArchiveTest, RefusesDamage) {
  must(write_tar_gz(path_, {{"a.bin", bytes_of(std::string(5000, 'a') + "end")}}));
  const Bytes whole = must(read_file(path_));
  for (const std::size_t size : {whole.size() - 1, whole.size() - 9, whole.size() / 2, std::size_t{20}}) {
    must(write_file_atomically(path_, std::span(whole).first(size)));
    EXPECT_FALSE(read_tar_gz(path_)) << size;
  }
  refuse(ErrorCode::kCorrupt, "the file is cut");
  Bytes wrong = whole;
  wrong[wrong.size() - 6] ^= 1;  // the checksum of the content
  must(write_file_atomically(path_, wrong));
  refuse(ErrorCode::kCorrupt, "the gzip stream is damaged");
  test::write_text(path_, "plainly not gzip");
  refuse(ErrorCode::kCorrupt, "not a gzip file");
  test::write_text(path_, "");
  refuse(ErrorCode::kCorrupt, "not a gzip file");
  TarBlock block = format_tar_header({"a", 0, '0'});
  block[0] = 'b';
  write_raw({block});
  refuse(ErrorCode::kCorrupt, "checksum is wrong");
  TarBlock half = format_tar_header({"pax", 20, 'x'});
  TarBlock records{};
  std::copy_n("99 path=x\n", 10, records.begin());
  write_raw({half, records, format_tar_header({"a", 0, '0'})});
  refuse(ErrorCode::kCorrupt, "a pax header is damaged");
  write_raw({format_tar_header({"n", 0, 'L'}), {}, {}});
  refuse(ErrorCode::kCorrupt, "a header without its entry");
  refuse(ErrorCode::kCorrupt, path_.string());
  path_ = folder_ / "none";
  refuse(ErrorCode::kNotFound, "cannot open");
}

TEST_F(ArchiveTest, PaxSizesAndGlobalHeaders) {
  const auto pax = [](char type, const std::string& text) {
    TarBlock body{};
    std::copy(text.begin(), text.end(), body.begin());
    return std::pair(format_tar_header({"pax", static_cast<std::int64_t>(text.size()), type}), body);
  };
  TarBlock data{};
  data[0] = 'd';
  auto [header, body] = pax('x', "10 size=1\n");
  write_raw({header, body, format_tar_header({"a", 0, '0'}), data, {}, {}});
  EXPECT_EQ(must(read_tar_gz(path_)), (std::map<std::string, Bytes>{{"a", bytes_of("d")}}));
  std::tie(header, body) = pax('x', "11 size=-1\n");
  write_raw({header, body, format_tar_header({"a", 0, '0'}), {}, {}});
  refuse(ErrorCode::kCorrupt, "a pax header gives the size '-1'");
  std::tie(header, body) = pax('g', "13 comment=x\n");
  write_raw({header, body, format_tar_header({"a", 0, '0'}), {}, {}});
  EXPECT_EQ(must(read_tar_gz(path_)).size(), 1u);
  std::tie(header, body) = pax('g', "10 path=x\n");
  write_raw({header, body, format_tar_header({"a", 0, '0'}), {}, {}});
  refuse(ErrorCode::kUnsupported, "a global pax header sets 'path'");
  std::tie(header, body) = pax('x', "22 GNU.sparse.major=1\n");
  write_raw({header, body, format_tar_header({"a", 0, '0'}), {}, {}});
  refuse(ErrorCode::kUnsupported, "a sparse file");
}

TEST_F(ArchiveTest, WritesOnlyPlainRelativeNames) {
  for (const char* name : {"", "/abs", "../x", "a//b", "./a", "a/"}) {
    EXPECT_FALSE(write_tar_gz(path_, {{name, {}}})) << name;
  }
  expect_failure(write_tar_gz(path_, {{"./a", {}}}), ErrorCode::kInvalidArgument,
                 "not a plain relative file name");
  expect_failure(write_tar_gz(path_, {{"a", {}}}, 11), ErrorCode::kInvalidArgument, "compression level 11");
  EXPECT_FALSE(std::filesystem::exists(path_));
}

// The first header's checksum made right again, so that damage reaches what lies behind it.
void mend_checksum(Bytes& tar) {
  if (tar.size() < kTarBlock) return;
  std::fill_n(tar.begin() + 148, 8, ' ');
  const int sum = std::accumulate(tar.begin(), tar.begin() + kTarBlock, 0);
  const std::string digits = fmt::format("{:06o}", sum);
  std::copy(digits.begin(), digits.end(), tar.begin() + 148);
  tar[154] = 0;
}

TEST(Hostile, DamagedArchivesNeverCrash) {
  test::TemporaryFolder folder;
  const auto path = folder / "a.tar.gz";
  must(write_tar_gz(path, {{"model.json", bytes_of("{}")},
                           {std::string(300, 'x'), Bytes(700, 3)},
                           {std::string(90, 'p') + "/" + std::string(90, 'q'), Bytes(5, 2)}}));
  const Bytes whole = must(read_file(path));
  Bytes tar(20'000);
  gzFile unpacked = gzopen(path.c_str(), "rb");
  tar.resize(static_cast<std::size_t>(gzread(unpacked, tar.data(), static_cast<unsigned>(tar.size()))));
  gzclose(unpacked);
  Random random(4);
  test::HostileRounds loop(600);
  for (std::int64_t round = loop.next(); round >= 0; round = loop.next()) {
    if (round % 3 == 0) {
      const Bytes bytes = test::damaged(whole, random);
      std::ofstream(path, std::ios::binary)
          .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    } else {
      Bytes bytes = test::damaged(tar, random);
      if (round % 3 == 1) mend_checksum(bytes);
      gzFile packed = gzopen(path.c_str(), "wb1");
      gzwrite(packed, bytes.data(), static_cast<unsigned>(bytes.size()));
      gzclose(packed);
    }
    const auto files = read_tar_gz(path, {.max_total_bytes = 1'000'000});
    if (!files) {
      ASSERT_THAT(files.error().message, ::testing::HasSubstr(path.string())) << round;
      continue;
    }
    for (const auto& [name, bytes] : *files) {
      ASSERT_TRUE(safe_entry_name(name)) << round << ": " << name;
      ASSERT_LE(bytes.size(), 1'000'000u) << round;
    }
  }
}

TEST(Hostile, DamagedSafetensorsNeverCrash) {
  TensorFile file;
  file.metadata["format"] = "pt";
  file.tensors["a.flags"] = from_float32(std::vector<float>{1, 0, 1}, {3}, DType::kU8);
  file.tensors["b.weight"] = from_float32(std::vector<float>{1, -2.5f, 3.25f, 0, 1e-3f, 7}, {2, 3});
  const Bytes whole = serialize_safetensors(file);
  Random random(5);
  test::HostileRounds loop(3000);
  for (std::int64_t round = loop.next(); round >= 0; round = loop.next()) {
    const auto parsed = parse_safetensors(test::damaged(whole, random));
    if (!parsed) {
      ASSERT_FALSE(parsed.error().message.empty()) << round;
      continue;
    }
    for (const auto& [name, tensor] : parsed->tensors) (void)to_float32(tensor);
    ASSERT_TRUE(parse_safetensors(serialize_safetensors(*parsed))) << round;
  }
}

}  // namespace
}  // namespace terrapin::artifacts
