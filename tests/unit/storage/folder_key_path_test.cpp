#include <gtest/gtest.h>

#include <map>

#include "base/utf8.h"

#include "base/random.h"
#include "storage/key_path.h"

namespace terrapin::storage {
namespace {

TEST(KeyPath, OrdinaryKeysStayAsTheyAre) {
  for (const char* key :
       {"a", "photos/2021/IMG_0001.JPG", "with space", ".hidden/x", "100%", "%41", "é/日本", "a...b"}) {
    EXPECT_EQ(key_path(key, NameRule::kExact).plain, key);
  }
  EXPECT_EQ(key_folder_path("photos/2021/", NameRule::kExact), "photos/2021");
  EXPECT_EQ(key_folder_path("", NameRule::kExact), "");
}

TEST(KeyPath, FollowsTheDocumentedTable) {
  const std::vector<std::pair<std::string, std::string>> table{
      {"a/", "a/%="},
      {"/a", "%-/a"},
      {"a//b", "a/%-/b"},
      {"..", "%=.."},
      {"../a", "%-../a"},
      {".", "%=."},
      {"%=a", "%=%25=a"},
      {"%-a/b", "%-%25-a/b"},
      {"%+/x", "%-%25+/x"},
      {std::string(256, 'x'), "%+" + std::string(250, 'x') + "/%=xxxxxx"},
      {std::string(256, 'x') + "/y", "%+" + std::string(250, 'x') + "/%-xxxxxx/y"},
  };
  for (const auto& [key, path] : table) {
    const KeyPath actual = key_path(key, NameRule::kExact);
    EXPECT_EQ(actual.plain.empty() ? actual.escaped : actual.plain, path) << key;
  }
  EXPECT_EQ(key_path("photos/a", NameRule::kExact).escaped, "photos/%=a");
  const KeyPath upper = key_path("Photos/A.JPG", NameRule::kFoldingCase);
  EXPECT_EQ(upper.plain, "");
  EXPECT_EQ(upper.escaped, "%-%50hotos/%=%41.%4A%50%47");
  EXPECT_EQ(key_path("photos/a.jpg", NameRule::kFoldingCase).plain, "photos/a.jpg");
}

TEST(KeyPath, EveryNameFitsAndReadsBack) {
  Random random = random_for(3, 0, 0);
  const std::vector<std::string> pieces{"a",
                                        "B",
                                        "/",
                                        "%",
                                        "%=",
                                        "%-",
                                        "%+",
                                        ".",
                                        "..",
                                        "é",
                                        "🐢",
                                        " ",
                                        "\n",
                                        "\\",
                                        std::string(100, 'x'),
                                        std::string(83, '%')};
  for (const NameRule rule : {NameRule::kExact, NameRule::kFoldingCase}) {
    std::map<std::string, std::string> key_of_path;
    for (int round = 0; round < 3000; ++round) {
      std::string key;
      const int count = 1 + static_cast<int>(random.below(14));
      for (int i = 0; i < count; ++i) key += pieces[random.next_u32() % pieces.size()];
      if (key.size() > 1024) continue;
      const KeyPath path = key_path(key, rule);
      for (const std::string& candidate : {path.plain, path.escaped}) {
        if (candidate.empty()) continue;
        EXPECT_LT(candidate.size(), 4096U);
        const auto [known, fresh] = key_of_path.emplace(candidate, key);
        EXPECT_EQ(known->second, key) << "two keys at " << candidate;
        std::string rest = candidate + '/';
        while (!rest.empty()) {
          const std::string name = rest.substr(0, rest.find('/'));
          rest.erase(0, name.size() + 1);
          EXPECT_FALSE(name.empty());
          EXPECT_LE(name.size(), 255U);
          EXPECT_NE(name, ".");
          EXPECT_NE(name, "..");
          EXPECT_TRUE(is_utf8(name));
        }
      }
      // The last part, whole, out of its names.
      const std::string part = key.substr(key.rfind('/') + 1);
      const std::string escaped = escaped_part(part, false, rule);
      std::string text;
      for (std::size_t begin = 0; begin <= escaped.size();) {
        const std::size_t end = std::min(escaped.find('/', begin), escaped.size());
        const bool last = end == escaped.size();
        const ReadName read = read_name(escaped.substr(begin, end - begin), !last, begin > 0, rule);
        EXPECT_EQ(read.kind, last ? ReadName::Kind::kPart : ReadName::Kind::kBegins) << escaped;
        text += read.text;
        begin = end + 1;
      }
      EXPECT_EQ(text, part);
    }
  }
}

TEST(KeyPath, NamesThatTheRuleDoesNotMakeAreNotOurs) {
  for (const char* name : {"%=%4", "%=%zz", "%=%4a", "\xff\xfe"})
    EXPECT_EQ(read_name(name, false, false, NameRule::kExact).kind, ReadName::Kind::kNotOurs) << name;
  EXPECT_EQ(read_name("%-x", false, false, NameRule::kExact).kind, ReadName::Kind::kNotOurs);
  EXPECT_EQ(read_name("%=x", true, false, NameRule::kExact).kind, ReadName::Kind::kNotOurs);
  EXPECT_EQ(read_name("plain", false, true, NameRule::kExact).kind, ReadName::Kind::kNotOurs);
  EXPECT_EQ(read_name("IMG.JPG", false, false, NameRule::kFoldingCase).kind, ReadName::Kind::kNotOurs);
}

TEST(KeyPath, KnowsUtf8) {
  for (const char* good : {"", "a", "é", "日本", "🐢", "\xf4\x8f\xbf\xbf"}) EXPECT_TRUE(is_utf8(good)) << good;
  for (const char* bad :
       {"\x80", "\xc3", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff", "a\xc3("})
    EXPECT_FALSE(is_utf8(bad));
}

}  // namespace
}  // namespace terrapin::storage
