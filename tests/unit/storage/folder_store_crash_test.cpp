// A process that writes objects is killed at any moment; what it was told to be done is there.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <map>

#include "base/random.h"
#include "storage/folder_store.h"
#include "unit/base/temporary_folder.h"
#include "unit/storage/md5.h"

namespace terrapin::storage {
namespace {

using terrapin::test::md5;

// Keys in one another's way, with and without headers that do not fit on the file.
const std::vector<std::string> kKeys{"a", "a/b", "a/b/c", "plain", "dir//x", "large"};

std::string text_of(std::int32_t step) {
  return std::string(static_cast<std::size_t>(1 + step % 7), 'x') + std::to_string(step);
}

// Step n writes a key, in one piece or in parts; then it tells n.
void work(const std::filesystem::path& root, std::int32_t first, int acknowledgements, bool attributes) {
  FolderStoreOptions options;
  options.use_attributes = attributes;
  const auto store = open_folder_store(root, system_clock(), options).value();
  for (std::int32_t step = first;; ++step) {
    const ObjectName name{"photos", kKeys[static_cast<std::size_t>(step) % kKeys.size()]};
    ObjectHeaders headers;
    headers.metadata["step"] = std::to_string(step);
    if (name.key == "large") headers.metadata["more"] = std::string(8000, 'm');
    const std::string text = text_of(step);
    if (step % 5 == 3) {
      const auto id = store->start_upload(name, headers);
      if (!id || !store->put_part(name, *id, 1, *bytes_source(text)) ||
          !store->complete_upload(name, *id, {{1, md5(text)}})) {
        std::_Exit(1);
      }
    } else if (!store->put(name, *bytes_source(text), headers, {})) {
      std::_Exit(1);
    }
    if (::write(acknowledgements, &step, sizeof step) != sizeof step) std::_Exit(1);
  }
}

class FolderStoreCrash : public ::testing::TestWithParam<bool> {};

TEST_P(FolderStoreCrash, LosesNothingThatWasDone) {
  const test::TemporaryFolder folder;
  const auto root = folder / "objects";
  ASSERT_TRUE(open_folder_store(root, system_clock()).value()->create_bucket("photos"));
  Random random(GetParam() ? 1 : 2);
  std::int32_t last = -1;
  for (int kill = 0; kill < 8; ++kill) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ::close(ends[0]);
      work(root, last + 1, ends[1], GetParam());
    }
    ::close(ends[1]);
    const std::int64_t wanted = 3 + random.below(25);
    std::int32_t step = 0;
    for (std::int64_t i = 0; i < wanted; ++i) {
      ASSERT_EQ(::read(ends[0], &step, sizeof step), static_cast<ssize_t>(sizeof step));
      last = step;
    }
    ::kill(child, SIGKILL);
    while (::read(ends[0], &step, sizeof step) == static_cast<ssize_t>(sizeof step)) last = step;
    ::close(ends[0]);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status));

    FolderStoreOptions options;
    options.use_attributes = GetParam();
    const auto store = open_folder_store(root, system_clock(), options).value();
    std::map<std::string, std::int32_t> expected;
    for (std::int32_t done = 0; done <= last; ++done)
      expected[kKeys[static_cast<std::size_t>(done) % kKeys.size()]] = done;
    for (const auto& [key, done] : expected) {
      const auto object = store->get({"photos", key});
      ASSERT_TRUE(object) << key << ": " << object.error().message;
      const std::string content = read_all_text(*object->content, 1 << 20).value();
      // The one step under way may have come through without being told.
      const std::int32_t stored = std::stoi(object->info.headers.metadata.at("step"));
      EXPECT_TRUE(stored == done || stored == last + 1) << key << " " << stored << " " << done;
      EXPECT_EQ(content, text_of(stored)) << key;
      if (object->info.etag.find('-') == std::string::npos) {
        EXPECT_EQ(object->info.etag, md5(content)) << key;
      }
      EXPECT_EQ(object->info.headers.metadata.contains("more"), key == "large");
    }
    const auto page = store->list("photos", {});
    ASSERT_TRUE(page);
    for (const auto& [key, done] : expected) {
      EXPECT_EQ(std::count_if(page->objects.begin(), page->objects.end(),
                              [&key = key](const ObjectInfo& info) { return info.key == key; }),
                1)
          << key;
    }
    if (HasFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Records, FolderStoreCrash, ::testing::Bool(),
                         [](const auto& tested) { return tested.param ? "on_the_file" : "beside"; });

}  // namespace
}  // namespace terrapin::storage
