// Every kept input through its target: what a fuzzer once found stays mended, without clang.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "base/files.h"
#include "fuzz/fuzz_target.h"

namespace terrapin::fuzz {
namespace {

namespace fs = std::filesystem;

const fs::path kCorpus = fs::path(TERRAPIN_SOURCE_DIR) / "tests/fuzz/corpus";

std::vector<fs::path> files_in(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

class Corpus : public ::testing::TestWithParam<std::string> {};

TEST_P(Corpus, PassesItsTarget) {
  const Target target = targets().at(GetParam());
  const auto files = files_in(kCorpus / GetParam());
  EXPECT_GE(files.size(), 5U);
  for (const fs::path& file : files) {
    std::ifstream stream(file, std::ios::binary);
    const Bytes bytes{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
    // The memory behind a cut input ends with it, so that a sanitizer sees every step beyond.
    for (const std::size_t size :
         {bytes.size(), bytes.size() / 2, bytes.size() - std::min<std::size_t>(bytes.size(), 1)}) {
      const Bytes part(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
      try {
        target(part);
      } catch (const std::exception& error) {
        ADD_FAILURE() << file << ", its first " << size << " bytes: " << error.what();
      }
    }
  }
}

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const auto& [name, target] : targets()) all.push_back(name);
  return all;
}
INSTANTIATE_TEST_SUITE_P(Kept, Corpus, ::testing::ValuesIn(names()),
                         [](const auto& each) { return each.param; });

TEST(CorpusFolders, AreThoseOfTheTargetsAndSmall) {
  std::vector<std::string> folders;
  std::uintmax_t bytes = 0;
  for (const fs::path& folder : files_in(kCorpus)) {
    folders.push_back(folder.filename());
    for (const fs::path& file : files_in(folder)) bytes += fs::file_size(file);
  }
  EXPECT_EQ(folders, names());
  EXPECT_LT(bytes, 1U << 20);
}

}  // namespace
}  // namespace terrapin::fuzz
