#include "identity/access_keys.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <set>

#include "base/files.h"
#include "unit/base/temporary_folder.h"

namespace terrapin::identity {
namespace {

const ManualClock& noon() {
  static const ManualClock clock(*parse_iso_text("2026-01-31T12:00:00.123456Z"));
  return clock;
}

std::filesystem::path file_of(const test::TemporaryFolder& folder) {
  return folder / "access-keys.json";
}

TEST(AccessKeys, StartsEmptyAndGivesBackWhatWasCreated) {
  const test::TemporaryFolder folder;
  auto keys = AccessKeys::open(folder.path(), noon());
  ASSERT_TRUE(keys) << keys.error().message;
  EXPECT_TRUE((*keys)->list()->empty());
  EXPECT_FALSE(std::filesystem::exists(file_of(folder)));
  const auto made = (*keys)->create(Scope::kRequester, "ada", {"photos"});
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->id.size(), 20U);
  EXPECT_EQ(made->id.substr(0, 4), "TPIA");
  EXPECT_EQ(made->secret.size(), 40U);
  EXPECT_EQ(iso_text(made->created, 6), "2026-01-31T12:00:00.123456");

  // Another opener, as after a restart.
  const auto again = AccessKeys::open(folder.path(), noon());
  ASSERT_TRUE(again);
  const auto found = (*again)->find(made->id);
  ASSERT_TRUE(found);
  ASSERT_TRUE(*found);
  EXPECT_EQ((*found)->secret, made->secret);
  EXPECT_EQ((*found)->scope, Scope::kRequester);
  EXPECT_EQ((*found)->owner, "ada");
  EXPECT_EQ((*found)->created, made->created);
  EXPECT_TRUE((*found)->may_use_bucket("photos"));
  EXPECT_FALSE((*found)->may_use_bucket("others"));
  const auto listed = (*again)->list();
  ASSERT_EQ(listed->size(), 1U);
  EXPECT_EQ(listed->front().id, made->id);
  EXPECT_EQ(listed->front().secret, "");
  EXPECT_FALSE(*(*again)->find("TPIAAAAAAAAAAAAAAAAA"));
}

TEST(AccessKeys, FileIsPrivateWhateverTheUmask) {
  const test::TemporaryFolder folder;
  const mode_t old = ::umask(0);
  auto keys = AccessKeys::open(folder.path(), noon());
  const bool made = (*keys)->create(Scope::kAdmin, "root", {}).has_value();
  ::umask(old);
  ASSERT_TRUE(made);
  struct stat info {};
  ASSERT_EQ(::stat(file_of(folder).c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600U);
}

TEST(AccessKeys, RefusesAFileThatOthersMayRead) {
  const test::TemporaryFolder folder;
  auto keys = AccessKeys::open(folder.path(), noon());
  const auto made = (*keys)->create(Scope::kAdmin, "root", {});
  ASSERT_TRUE(made);
  for (const mode_t mode : {0640, 0604, 0660}) {
    ASSERT_EQ(::chmod(file_of(folder).c_str(), mode), 0);
    EXPECT_EQ(AccessKeys::open(folder.path(), noon()).error().code, ErrorCode::kDenied);
    EXPECT_EQ((*keys)->find(made->id).error().code, ErrorCode::kDenied);
    EXPECT_EQ((*keys)->create(Scope::kAdmin, "root", {}).error().code, ErrorCode::kDenied);
  }
  EXPECT_NE((*keys)->list().error().message.find("access-keys.json"), std::string::npos);
  ASSERT_EQ(::chmod(file_of(folder).c_str(), 0600), 0);
  EXPECT_TRUE(*(*keys)->find(made->id));
}

TEST(AccessKeys, RevokedKeysAreGoneAtOnceForAll) {
  const test::TemporaryFolder folder;
  auto server = AccessKeys::open(folder.path(), noon());
  auto command = AccessKeys::open(folder.path(), noon());
  const auto first = (*command)->create(Scope::kAdmin, "root", {});
  const auto second = (*command)->create(Scope::kAdmin, "root", {});
  ASSERT_TRUE(first && second);
  EXPECT_TRUE(*(*server)->find(first->id));
  ASSERT_TRUE((*command)->revoke(first->id));
  EXPECT_FALSE(*(*server)->find(first->id));
  EXPECT_TRUE(*(*server)->find(second->id));
  EXPECT_EQ((*server)->revoke(first->id).error().code, ErrorCode::kNotFound);
  std::filesystem::remove(file_of(folder));
  EXPECT_FALSE(*(*server)->find(second->id));
}

TEST(AccessKeys, PrincipalReadsWhatAnyOfItsKeysMay) {
  const test::TemporaryFolder folder;
  auto keys = AccessKeys::open(folder.path(), noon());
  ASSERT_TRUE((*keys)->create(Scope::kRequester, "ada", {"photos"}));
  ASSERT_TRUE((*keys)->create(Scope::kInvoke, "ada", {}));
  const auto wide = (*keys)->create(Scope::kRequester, "bob", {});
  EXPECT_TRUE(*(*keys)->may_read("ada", "photos"));
  EXPECT_FALSE(*(*keys)->may_read("ada", "other"));
  EXPECT_TRUE(*(*keys)->may_read("bob", "other"));
  EXPECT_FALSE(*(*keys)->may_read("eve", "photos"));
  ASSERT_TRUE((*keys)->revoke(wide->id));
  EXPECT_FALSE(*(*keys)->may_read("bob", "other"));
}

TEST(AccessKeys, RefusesOwnersAndScopesThatMayNotBe) {
  const test::TemporaryFolder folder;
  auto keys = AccessKeys::open(folder.path(), noon());
  for (const std::string owner : {"", "a b", "a/b", "<x>"})
    EXPECT_EQ((*keys)->create(Scope::kAdmin, owner, {}).error().code, ErrorCode::kInvalidArgument) << owner;
  EXPECT_EQ((*keys)->create(Scope::kAdmin, "ada", {""}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(parse_scope("Admin").error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(*parse_scope("invoke"), Scope::kInvoke);
  EXPECT_EQ(AccessKeys::open(folder / "missing", noon()).error().code, ErrorCode::kIo);
}

TEST(AccessKeys, ProcessesLoseNoneOfEachOthersKeys) {
  const test::TemporaryFolder folder;
  constexpr int kProcesses = 4, kEach = 10;
  std::vector<pid_t> children;
  for (int p = 0; p < kProcesses; ++p) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      auto keys = AccessKeys::open(folder.path(), noon());
      for (int i = 0; keys && i < kEach; ++i)
        if (!(*keys)->create(Scope::kAdmin, "root", {})) ::_exit(1);
      ::_exit(keys ? 0 : 1);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  auto keys = AccessKeys::open(folder.path(), noon());
  std::set<std::string> ids;
  const auto listed = *(*keys)->list();
  for (const AccessKey& key : listed) ids.insert(key.id);
  EXPECT_EQ(ids.size(), static_cast<std::size_t>(kProcesses * kEach));
}

TEST(AccessKeys, NamesWhatIsWrongWithTheFile) {
  const auto good = nlohmann::json::parse(R"({"format":"terrapin-access-keys","version":1,"keys":[
    {"id":"TPIAX","secret":"s","scope":"admin","owner":"root","buckets":[],"created":"2026-01-31T12:00:00Z"}]})");
  struct Case {
    std::function<void(nlohmann::json&)> spoil;
    std::string names;
  };
  const std::vector<Case> cases = {
      {[](auto& j) { j["format"] = "x"; }, "format"},
      {[](auto& j) { j["version"] = 2; }, "version"},
      {[](auto& j) { j["keys"] = 5; }, "keys"},
      {[](auto& j) { j["keys"][0].erase("secret"); }, "secret"},
      {[](auto& j) { j["keys"][0]["scope"] = "king"; }, "king"},
      {[](auto& j) { j["keys"][0]["created"] = "now"; }, "created"},
      {[](auto& j) { j["keys"][0]["buckets"] = "b"; }, "buckets"},
      {[](auto& j) { j["keys"][0]["extra"] = "b"; }, "extra"},
      {[](auto& j) { j["keys"].push_back(j["keys"][0]); }, "TPIAX"},
      {[](auto& j) { j = 7; }, "JSON object"},
  };
  const test::TemporaryFolder folder;
  const auto put = [&](const nlohmann::json& json) {
    ASSERT_TRUE(write_file_atomically(file_of(folder), json.dump()));
    ASSERT_EQ(::chmod(file_of(folder).c_str(), 0600), 0);
  };
  put(good);
  ASSERT_TRUE(AccessKeys::open(folder.path(), noon()));
  for (const Case& item : cases) {
    nlohmann::json json = good;
    item.spoil(json);
    put(json);
    const auto opened = AccessKeys::open(folder.path(), noon());
    ASSERT_FALSE(opened) << item.names;
    EXPECT_EQ(opened.error().code, ErrorCode::kCorrupt);
    EXPECT_NE(opened.error().message.find(item.names), std::string::npos) << opened.error().message;
    EXPECT_NE(opened.error().message.find("access-keys.json"), std::string::npos);
    EXPECT_EQ(opened.error().message.find("\"s\""), std::string::npos);  // never a secret
  }
}

}  // namespace
}  // namespace terrapin::identity
