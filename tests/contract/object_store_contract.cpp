#include "contract/object_store_contract.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "base/base64.h"
#include "base/random.h"
#include "crypto/hash.h"
#include "unit/storage/md5.h"

namespace terrapin::storage::test {
namespace {

using terrapin::test::md5;

ByteSourcePtr bytes(std::string_view text) {
  return bytes_source(text);
}

std::string content(ObjectStore& store, const ObjectName& name) {
  const auto object = store.get(name);
  if (!object) return "(" + object.error().message + ")";
  EXPECT_EQ(object->info.size, object->content->size());
  return read_all_text(*object->content, 1 << 30).value();
}

template <class T>
ErrorCode code_of(const Result<T>& result) {
  EXPECT_FALSE(result);
  return result ? ErrorCode::kInternal : result.error().code;
}

std::vector<std::string> keys_of(ObjectStore& store, const std::string& bucket) {
  std::vector<std::string> keys;
  EXPECT_TRUE(for_each_object(store, bucket, "", [&](const ObjectInfo& info) -> Status {
    keys.push_back(info.key);
    return {};
  }));
  return keys;
}

// What list() must answer, from all keys.
ListPage naive_page(const std::set<std::string>& keys, const ListQuery& query) {
  ListPage page;
  if (query.max_keys == 0) return page;
  std::string last;
  for (const std::string& key : keys) {
    if (!key.starts_with(query.prefix)) continue;
    std::string item = key;
    bool group = false;
    if (!query.delimiter.empty()) {
      const std::size_t found = key.find(query.delimiter, query.prefix.size());
      group = found != std::string::npos;
      if (group) item = key.substr(0, found + query.delimiter.size());
    }
    if (item <= query.start_after) continue;
    if (group && !page.prefixes.empty() && page.prefixes.back() == item) continue;
    if (static_cast<int>(page.objects.size() + page.prefixes.size()) == query.max_keys) {
      page.truncated = true;
      page.next_start_after = last;
      break;
    }
    last = item;
    if (group) {
      page.prefixes.push_back(item);
    } else {
      page.objects.push_back({item, 0, "", {}, {}});
    }
  }
  return page;
}

void expect_same_page(const ListPage& actual, const ListPage& expected, const ListQuery& query) {
  std::vector<std::string> actual_keys, expected_keys;
  for (const ObjectInfo& info : actual.objects) actual_keys.push_back(info.key);
  for (const ObjectInfo& info : expected.objects) expected_keys.push_back(info.key);
  const std::string label = fmt::format("prefix '{}' delimiter '{}' after '{}' max {}", query.prefix,
                                        query.delimiter, query.start_after, query.max_keys);
  EXPECT_EQ(actual_keys, expected_keys) << label;
  EXPECT_EQ(actual.prefixes, expected.prefixes) << label;
  EXPECT_EQ(actual.truncated, expected.truncated) << label;
  if (expected.truncated) {
    EXPECT_EQ(actual.next_start_after, expected.next_start_after) << label;
  }
}

const std::vector<std::string>& awkward_keys() {
  static const std::vector<std::string> kKeys = [] {
    std::vector<std::string> keys{"a",
                                  "a/b",
                                  "a/b/c",
                                  "a/",
                                  "a//",
                                  "a//b",
                                  "a-b",
                                  "a0",
                                  "A",
                                  "A/b",
                                  "/",
                                  "//",
                                  "/a",
                                  "//a",
                                  ".",
                                  "..",
                                  "../a",
                                  "../../etc/passwd",
                                  "a/../b",
                                  "a/./b",
                                  "./a",
                                  "...",
                                  ".hidden",
                                  ".terrapin",
                                  ".terrapin/format",
                                  "%",
                                  "%=",
                                  "%=a",
                                  "%-a/b",
                                  "%+a/b",
                                  "%2F",
                                  "%25",
                                  "100% sure",
                                  "with space/and more ",
                                  "ends.",
                                  "plus+plus",
                                  "tilde~",
                                  "quote\"'",
                                  "back\\slash",
                                  "star*?",
                                  "colon:",
                                  "<tag>&amp;",
                                  "line\nbreak",
                                  "tab\there",
                                  "control\x01\x1f",
                                  "naïve/müßig",
                                  "日本語/写真.jpg",
                                  "🐢",
                                  "UPPER/lower",
                                  "upper/lower",
                                  "con",
                                  "photo.JPG",
                                  "photo.jpg"};
    keys.push_back(std::string(255, 'x'));
    keys.push_back(std::string(256, 'x'));
    keys.push_back(std::string(256, 'x') + "/y");
    keys.push_back(std::string(255, 'x') + "/y");
    keys.push_back(std::string(1024, 'z'));
    keys.push_back(std::string(1023, 'z'));
    keys.push_back(std::string(1022, 'z') + "/z");
    keys.push_back(std::string(500, '/'));
    std::string turtles;
    while (turtles.size() + 4 <= 1024) turtles += "🐢";
    keys.push_back(turtles);
    std::string percents = "a";
    while (percents.size() + 3 <= 1024) percents += "%=/";
    keys.push_back(percents);
    std::string deep;
    while (deep.size() + 2 <= 1024) deep += "d/";
    keys.push_back(deep);
    keys.push_back(deep + "");
    std::string dots;
    while (dots.size() + 3 <= 1024) dots += "../";
    keys.push_back(dots);
    std::sort(keys.begin(), keys.end());
    keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
    return keys;
  }();
  return kKeys;
}

// Whether a service that keeps objects at the paths of their keys can hold the key beside those.
bool fits_paths(const std::string& key, const std::set<std::string>& beside) {
  const auto is_control = [](char c) {
    return static_cast<unsigned char>(c) < ' ' && c != '\t' && c != '\n' && c != '\r';
  };
  if (std::any_of(key.begin(), key.end(), is_control)) return false;
  for (std::size_t begin = 0; begin <= key.size();) {
    const std::size_t end = std::min(key.find('/', begin), key.size());
    const std::string part = key.substr(begin, end - begin);
    if (part.empty() || part == "." || part == ".." || part.size() > 255) return false;
    if (end < key.size() && beside.contains(key.substr(0, end))) return false;
    begin = end + 1;
  }
  const auto below = beside.lower_bound(key + "/");
  return key.size() <= 1000 && (below == beside.end() || !below->starts_with(key + "/"));
}

std::vector<std::string> awkward_keys_of(const ObjectStoreBackend& backend) {
  if (!backend.path_keys) return awkward_keys();
  std::set<std::string> keys;
  for (const std::string& key : awkward_keys())
    if (fits_paths(key, keys)) keys.insert(key);
  return {keys.begin(), keys.end()};
}

TEST_P(ObjectStoreContract, MakesFindsListsAndRemovesBuckets) {
  ASSERT_TRUE(store().create_bucket("a.second-bucket1"));
  EXPECT_EQ(code_of(store().create_bucket("photos")), ErrorCode::kAlreadyExists);
  EXPECT_EQ(store().head_bucket("photos")->name, "photos");
  const auto buckets = store().list_buckets();
  ASSERT_TRUE(buckets);
  ASSERT_EQ(buckets->size(), 2U);
  EXPECT_EQ((*buckets)[0].name, "a.second-bucket1");
  EXPECT_EQ((*buckets)[1].name, "photos");
  EXPECT_EQ((*buckets)[1].created, store().head_bucket("photos")->created);
  ASSERT_TRUE(store().put({"photos", "x/y"}, *bytes("1")));
  EXPECT_EQ(code_of(store().delete_bucket("photos")), ErrorCode::kConflict);
  EXPECT_EQ(content(store(), {"photos", "x/y"}), "1");
  ASSERT_TRUE(store().remove({"photos", "x/y"}));
  ASSERT_TRUE(store().delete_bucket("photos"));
  EXPECT_EQ(code_of(store().head_bucket("photos")), ErrorCode::kNotFound);
  EXPECT_EQ(code_of(store().delete_bucket("photos")), ErrorCode::kNotFound);
  EXPECT_TRUE(store().create_bucket("photos"));
}

TEST_P(ObjectStoreContract, RefusesBucketNamesThatS3Refuses) {
  for (const char* name : {"", "ab", "Upper", "under_score", ".dot", "-dash", "dash-", "a..b", "192.168.0.1",
                           "slash/es", "..", "a b", "_", ".terrapin"}) {
    EXPECT_EQ(code_of(store().create_bucket(name)), ErrorCode::kInvalidArgument) << name;
    EXPECT_FALSE(store().get({name, "k"})) << name;
  }
  EXPECT_EQ(code_of(store().create_bucket(std::string(64, 'a'))), ErrorCode::kInvalidArgument);
  EXPECT_TRUE(store().create_bucket(std::string(63, 'a')));
  EXPECT_TRUE(store().create_bucket("1.2.3.4.5"));
}

TEST_P(ObjectStoreContract, NamesWhatIsMissing) {
  const ObjectName no_bucket{"nowhere", "k"}, no_key{"photos", "k"};
  EXPECT_EQ(code_of(store().get(no_bucket)), ErrorCode::kNotFound);
  EXPECT_EQ(code_of(store().put(no_bucket, *bytes("x"))), ErrorCode::kNotFound);
  EXPECT_EQ(code_of(store().remove(no_bucket)), ErrorCode::kNotFound);
  EXPECT_EQ(code_of(store().list("nowhere", {})), ErrorCode::kNotFound);
  EXPECT_EQ(code_of(store().start_upload(no_bucket, {})), ErrorCode::kNotFound);
  EXPECT_EQ(code_of(store().get(no_key)), ErrorCode::kNotFound);
  EXPECT_EQ(code_of(store().head(no_key)), ErrorCode::kNotFound);
  EXPECT_EQ(code_of(store().copy(no_key, {"photos", "other"}, {})), ErrorCode::kNotFound);
  EXPECT_EQ(code_of(store().set_tags(no_key, {})), ErrorCode::kNotFound);
  EXPECT_TRUE(store().remove(no_key));
  const std::string no_upload(32, 'u');
  EXPECT_EQ(code_of(store().put_part(no_key, no_upload, 1, *bytes("x"))), ErrorCode::kNotFound);
  EXPECT_EQ(code_of(store().head_upload(no_key, no_upload)), ErrorCode::kNotFound);
  EXPECT_EQ(code_of(store().abort_upload(no_key, "../../x")), ErrorCode::kNotFound);
  EXPECT_EQ(code_of(store().complete_upload(no_key, no_upload, {{1, md5("x")}})), ErrorCode::kNotFound);
  for (const std::string& key :
       {std::string(), std::string(1025, 'k'), std::string("a\0b", 3), std::string("\xff")}) {
    EXPECT_EQ(code_of(store().put({"photos", key}, *bytes("x"))), ErrorCode::kInvalidArgument);
    EXPECT_FALSE(store().get({"photos", key}));
  }
}

TEST_P(ObjectStoreContract, GivesBackBytesAndHeaders) {
  ObjectHeaders headers;
  headers.content_type = "image/png; charset=\"x\"";
  headers.content_encoding = "gzip";
  headers.content_disposition = "attachment; filename=\"a b.png\"";
  headers.content_language = "de, en";
  headers.cache_control = "max-age=3";
  headers.expires = "Thu, 01 Jan 2026 00:00:00 GMT";
  headers.metadata = {{"worker", "anna"}, {"empty", ""}};
  headers.tags = {{"a", "b c"}, {"k", ""}};
  const std::string text = "some\0bytes\xff and more";
  const ObjectName name{"photos", "x.png"};
  const auto stored = store().put(name, *bytes(text), headers, {});
  ASSERT_TRUE(stored) << stored.error().message;
  EXPECT_EQ(stored->etag, md5(text));
  EXPECT_EQ(stored->size, static_cast<std::int64_t>(text.size()));
  const auto head = store().head(name);
  ASSERT_TRUE(head);
  EXPECT_EQ(head->key, "x.png");
  EXPECT_EQ(head->etag, stored->etag);
  EXPECT_EQ(head->size, stored->size);
  EXPECT_EQ(head->headers.content_type, headers.content_type);
  EXPECT_EQ(head->headers.content_encoding, headers.content_encoding);
  EXPECT_EQ(head->headers.content_disposition, headers.content_disposition);
  EXPECT_EQ(head->headers.content_language, headers.content_language);
  EXPECT_EQ(head->headers.cache_control, headers.cache_control);
  EXPECT_EQ(head->headers.expires, headers.expires);
  EXPECT_EQ(head->headers.metadata, headers.metadata);
  EXPECT_EQ(head->headers.tags, headers.tags);
  EXPECT_EQ(content(store(), name), text);
  const auto page = store().list("photos", {});
  ASSERT_EQ(page->objects.size(), 1U);
  EXPECT_EQ(page->objects[0].etag, stored->etag);
  EXPECT_EQ(page->objects[0].size, stored->size);
  EXPECT_EQ(page->objects[0].modified, head->modified);
}

TEST_P(ObjectStoreContract, KeepsEmptyAndLargeObjects) {
  ASSERT_TRUE(store().put({"photos", "empty"}, *bytes("")));
  EXPECT_EQ(content(store(), {"photos", "empty"}), "");
  EXPECT_EQ(store().head({"photos", "empty"})->etag, "d41d8cd98f00b204e9800998ecf8427e");
  std::string large(3'000'001, '\0');
  for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>(i * 31 + i / 257);
  ASSERT_TRUE(store().put({"photos", "large"}, *bytes(large)));
  EXPECT_TRUE(content(store(), {"photos", "large"}) == large);
  EXPECT_EQ(store().head({"photos", "large"})->etag, md5(large));
}

TEST_P(ObjectStoreContract, AnOpenObjectStaysWhatItWas) {
  const ObjectName name{"photos", "k"};
  ASSERT_TRUE(store().put(name, *bytes("old bytes")));
  const auto open = store().get(name);
  ASSERT_TRUE(open);
  ASSERT_TRUE(store().put(name, *bytes("new")));
  EXPECT_EQ(content(store(), name), "new");
  EXPECT_EQ(read_all_text(*open->content, 100).value(), "old bytes");
  ASSERT_TRUE(store().remove(name));
  EXPECT_EQ(read_all_text(*open->content, 100).value(), "old bytes");
  EXPECT_EQ(code_of(store().get(name)), ErrorCode::kNotFound);
}

TEST_P(ObjectStoreContract, AReplacedObjectHasOnlyItsOwnHeaders) {
  const ObjectName name{"photos", "k"};
  ObjectHeaders headers;
  const std::size_t half = GetParam().metadata_bytes / 2;
  headers.metadata = {{"large", std::string(half, 'm')}, {"other", std::string(half, 'n')}};
  ASSERT_TRUE(store().put(name, *bytes("same size"), headers, {}));
  EXPECT_EQ(store().head(name)->headers.metadata, headers.metadata);
  ASSERT_TRUE(store().put(name, *bytes("size same"), "text/plain"));
  EXPECT_EQ(store().head(name)->headers.metadata.size(), 0U);
  EXPECT_EQ(store().head(name)->headers.content_type, "text/plain");
  EXPECT_EQ(store().head(name)->etag, md5("size same"));
}

TEST_P(ObjectStoreContract, KeepsKeysThatNoFileSystemHolds) {
  std::vector<std::string> keys = awkward_keys_of(GetParam());
  EXPECT_GT(keys.size(), 25U);
  const std::vector<std::string> sorted = keys;
  Random random = random_for(7, 0, 0);
  for (int round = 0; round < rounds(2); ++round) {
    shuffle(keys, random);
    for (const std::string& key : keys) {
      const auto stored = store().put({"photos", key}, *bytes("bytes of " + key));
      ASSERT_TRUE(stored) << key << ": " << stored.error().message;
    }
    for (const std::string& key : keys) EXPECT_EQ(content(store(), {"photos", key}), "bytes of " + key);
    EXPECT_EQ(keys_of(store(), "photos"), sorted);
    shuffle(keys, random);
    std::set<std::string> left(keys.begin(), keys.end());
    for (std::size_t i = 0; i < keys.size() / 2; ++i) {
      ASSERT_TRUE(store().remove({"photos", keys[i]})) << keys[i];
      left.erase(keys[i]);
    }
    EXPECT_EQ(keys_of(store(), "photos"), std::vector<std::string>(left.begin(), left.end()));
    for (const std::string& key : keys)
      EXPECT_EQ(content(store(), {"photos", key}) == "bytes of " + key, left.contains(key)) << key;
  }
  for (const std::string& key : keys) ASSERT_TRUE(store().remove({"photos", key}));
  EXPECT_EQ(keys_of(store(), "photos"), std::vector<std::string>());
  EXPECT_TRUE(store().delete_bucket("photos"));
}

TEST_P(ObjectStoreContract, ListsAwkwardKeysByEveryPrefix) {
  std::set<std::string> keys;
  for (const std::string& key : awkward_keys_of(GetParam())) {
    if (key.size() > 300) continue;
    ASSERT_TRUE(store().put({"photos", key}, *bytes("x")));
    keys.insert(key);
  }
  for (const std::string& key : keys) {
    for (const std::size_t size : {std::size_t{1}, key.size() / 2, key.size()}) {
      const std::string prefix = key.substr(0, size);
      for (const std::string delimiter : {"", "/"}) {
        ListQuery query{prefix, delimiter, "", 1000};
        const auto page = store().list("photos", query);
        ASSERT_TRUE(page);
        expect_same_page(*page, naive_page(keys, query), query);
      }
    }
  }
}

TEST_P(ObjectStoreContract, ListsLikeANaiveModel) {
  Random random = random_for(11, 0, 0);
  const auto draw = [&](int n) { return static_cast<int>(random.below(n)); };
  const std::vector<std::string> parts{"a", "b", "a-b", "a0", "", "ab", "é", "%=", "b.c", "-"};
  const auto random_key = [&] {
    std::string key;
    const int count = 1 + draw(4);
    for (int i = 0; i < count; ++i) {
      if (i > 0) key += '/';
      key += parts[static_cast<std::size_t>(draw(static_cast<int>(parts.size())))];
    }
    return key;
  };
  std::set<std::string> keys;
  const int count = rounds(400);
  for (int i = 0; i < count; ++i) {
    const std::string key = random_key();
    if (key.empty() || (GetParam().path_keys && !fits_paths(key, keys))) continue;
    ASSERT_TRUE(store().put({"photos", key}, *bytes("x"))) << key;
    keys.insert(key);
  }
  const std::vector<std::string> delimiters{"", "/", "-", "a/", "/b", "b", "é"};
  for (int i = 0; i < rounds(2000); ++i) {
    ListQuery query;
    const std::string prefix = random_key();
    if (draw(3) > 0)
      query.prefix = prefix.substr(0, static_cast<std::size_t>(draw(static_cast<int>(prefix.size()) + 2)));
    if (draw(8) == 0) query.prefix += "/";
    query.delimiter = delimiters[static_cast<std::size_t>(draw(static_cast<int>(delimiters.size())))];
    if (draw(3) > 0) query.start_after = random_key();
    if (draw(10) == 0) query.start_after += "/";
    query.max_keys = draw(4) == 0 ? 1000 : draw(12);
    auto page = store().list("photos", query);
    ASSERT_TRUE(page) << page.error().message;
    ListPage expected = naive_page(keys, query);
    if (GetParam().may_say_more && page->truncated && !expected.truncated) {
      ListQuery rest = query;
      rest.start_after = page->next_start_after;
      const auto nothing = store().list("photos", rest);
      ASSERT_TRUE(nothing) << nothing.error().message;
      EXPECT_TRUE(nothing->objects.empty() && nothing->prefixes.empty() && !nothing->truncated);
      page->truncated = false;
    }
    expect_same_page(*page, expected, query);
    if (HasFailure()) return;
  }
  // Pages of every size put together are the whole.
  for (const int max_keys : {1, 7, 100}) {
    std::vector<std::string> all;
    ListQuery query;
    query.max_keys = max_keys;
    for (;;) {
      const auto page = store().list("photos", query);
      ASSERT_TRUE(page);
      for (const ObjectInfo& info : page->objects) all.push_back(info.key);
      if (!page->truncated) break;
      query.start_after = page->next_start_after;
    }
    EXPECT_EQ(all, std::vector<std::string>(keys.begin(), keys.end()));
    if (GetParam().effort < 1) break;
  }
}

TEST_P(ObjectStoreContract, HoldsPutsToTheirConditions) {
  const ObjectName name{"photos", "k"};
  PutCondition free, matching;
  free.if_none_match = true;
  matching.if_match = md5("one");
  EXPECT_EQ(code_of(store().put(name, *bytes("x"), {}, matching)), ErrorCode::kNotFound);
  ASSERT_TRUE(store().put(name, *bytes("one"), {}, free));
  EXPECT_EQ(code_of(store().put(name, *bytes("two"), {}, free)), ErrorCode::kConflict);
  EXPECT_EQ(content(store(), name), "one");
  ASSERT_TRUE(store().put(name, *bytes("two"), {}, matching));
  EXPECT_EQ(code_of(store().put(name, *bytes("three"), {}, matching)), ErrorCode::kConflict);
  EXPECT_EQ(content(store(), name), "two");
}

TEST_P(ObjectStoreContract, OneOfManyWinsAFreeKey) {
  for (int round = 0; round < rounds(10); ++round) {
    const ObjectName name{"photos", fmt::format("race/{}", round)};
    std::atomic<int> won{0};
    std::atomic<int> winner{-1};
    std::vector<std::thread> threads;
    for (int t = 0; t < 8; ++t) {
      threads.emplace_back([&, t] {
        PutCondition free;
        free.if_none_match = true;
        if (store().put(name, *bytes(std::to_string(t)), {}, free)) {
          ++won;
          winner = t;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(won, 1);
    EXPECT_EQ(content(store(), name), std::to_string(winner));
  }
}

TEST_P(ObjectStoreContract, CountsUpUnderIfMatchWithoutLoss) {
  const ObjectName name{"photos", "counter"};
  ASSERT_TRUE(store().put(name, *bytes("0")));
  constexpr int kThreads = 6;
  const int each = rounds(10);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int done = 0; done < each;) {
        const auto open = store().get(name);
        ASSERT_TRUE(open);
        const int value = std::stoi(read_all_text(*open->content, 100).value());
        PutCondition unchanged;
        unchanged.if_match = open->info.etag;
        if (store().put(name, *bytes(std::to_string(value + 1)), {}, unchanged)) ++done;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(content(store(), name), std::to_string(kThreads * each));
}

TEST_P(ObjectStoreContract, ManyThreadsOnKeysThatAreFoldersOfOneAnother) {
  if (GetParam().path_keys) GTEST_SKIP() << "the service keeps keys as paths: none can be another's folder";
  std::vector<std::thread> threads;
  std::mutex mutex;
  std::vector<std::string> wrong;  // guarded by mutex
  const auto note = [&](const char* what, const ObjectName& name) {
    const std::lock_guard lock(mutex);
    wrong.push_back(fmt::format("{} {}", what, name.key));
  };
  constexpr int kThreads = 32;
  // Thread t owns the key of depth t / 4 and branch t % 4; all of a branch are in one another's way.
  const auto key_of = [](int t) {
    std::string key = fmt::format("branch{}", t % 4);
    for (int depth = 0; depth < t / 4; ++depth) key += "/x";
    return key;
  };
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      Random random = random_for(5, 0, static_cast<std::uint64_t>(t));
      const ObjectName name{"photos", key_of(t)};
      for (int round = 0; round < rounds(30); ++round) {
        const std::string text = fmt::format("{} {}", t, round);
        if (!store().put(name, *bytes(text))) note("put", name);
        if (content(store(), name) != text) note("get after put", name);
        if (random.below(2) == 0) {
          const auto page = store().list("photos", {"", "", "", 1000});
          if (!page || std::none_of(page->objects.begin(), page->objects.end(),
                                    [&](const ObjectInfo& info) { return info.key == name.key; })) {
            note("list", name);
          }
        }
        if (random.below(2) == 0) {
          if (!store().remove(name)) note("remove", name);
          if (store().get(name)) note("get after remove", name);
        }
      }
      if (!store().put(name, *bytes("last " + name.key))) note("last put", name);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<std::string>());
  for (int t = 0; t < kThreads; ++t) EXPECT_EQ(content(store(), {"photos", key_of(t)}), "last " + key_of(t));
  EXPECT_EQ(keys_of(store(), "photos").size(), static_cast<std::size_t>(kThreads));
}

TEST_P(ObjectStoreContract, Copies) {
  ASSERT_TRUE(store().create_bucket("copies"));
  ObjectHeaders headers;
  headers.content_type = "text/plain";
  headers.metadata = {{"a", "1"}};
  const ObjectName from{"photos", "from"}, to{"copies", "deep/to"};
  ASSERT_TRUE(store().put(from, *bytes("bytes"), headers, {}));
  const auto copied = store().copy(from, to, std::nullopt);
  ASSERT_TRUE(copied) << copied.error().message;
  EXPECT_EQ(copied->etag, md5("bytes"));
  EXPECT_EQ(content(store(), to), "bytes");
  EXPECT_EQ(store().head(to)->headers.metadata, headers.metadata);
  ObjectHeaders other;
  other.content_type = "image/png";
  ASSERT_TRUE(store().copy(to, to, other));
  EXPECT_EQ(content(store(), to), "bytes");
  EXPECT_EQ(store().head(to)->headers.content_type, "image/png");
  EXPECT_TRUE(store().head(to)->headers.metadata.empty());
  EXPECT_EQ(store().head(from)->headers.content_type, "text/plain");
}

TEST_P(ObjectStoreContract, ReplacesTags) {
  const ObjectName name{"photos", "k"};
  ObjectHeaders headers;
  headers.metadata = {{"m", "1"}};
  headers.tags = {{"old", "1"}};
  ASSERT_TRUE(store().put(name, *bytes("x"), headers, {}));
  const auto before = store().head(name);
  std::map<std::string, std::string> tags;
  for (int i = 0; i < GetParam().tags; ++i)
    tags[fmt::format("key{}", i) + std::string(120, 'k')] = std::string(250, 'v');
  ASSERT_TRUE(store().set_tags(name, tags));
  const auto after = store().head(name);
  EXPECT_EQ(after->headers.tags, tags);
  EXPECT_EQ(after->headers.metadata, headers.metadata);
  EXPECT_EQ(after->etag, before->etag);
  EXPECT_EQ(after->modified, before->modified);
  ASSERT_TRUE(store().set_tags(name, {}));
  EXPECT_TRUE(store().head(name)->headers.tags.empty());
  EXPECT_EQ(store().head(name)->headers.metadata, headers.metadata);
}

TEST_P(ObjectStoreContract, PutsPartsTogether) {
  const ObjectName name{"photos", "movie/large"};
  ObjectHeaders headers;
  headers.content_type = "video/mp4";
  headers.metadata = {{"a", "b"}};
  const auto id = store().start_upload(name, headers);
  ASSERT_TRUE(id) << id.error().message;
  const std::string first(5 << 20, 'a'), second((5 << 20) + 1, 'b'), third = "c";
  EXPECT_EQ(store().put_part(name, *id, 7, *bytes(third))->etag, md5(third));
  ASSERT_TRUE(store().put_part(name, *id, 2, *bytes("replaced later")));
  ASSERT_TRUE(store().put_part(name, *id, 1, *bytes(first)));
  ASSERT_TRUE(store().put_part(name, *id, 2, *bytes(second)));
  EXPECT_EQ(code_of(store().put_part(name, *id, 0, *bytes("x"))), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of(store().put_part(name, *id, 10001, *bytes("x"))), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of(store().get(name)), ErrorCode::kNotFound);
  EXPECT_EQ(code_of(store().head_upload({"photos", "other"}, *id)), ErrorCode::kNotFound);

  const auto parts = store().list_parts(name, *id, 0, 1000);
  ASSERT_TRUE(parts);
  ASSERT_EQ(parts->size(), 3U);
  EXPECT_EQ((*parts)[1].number, 2);
  EXPECT_EQ((*parts)[1].size, static_cast<std::int64_t>(second.size()));
  EXPECT_EQ((*parts)[1].etag, md5(second));
  EXPECT_EQ(store().list_parts(name, *id, 1, 1)->at(0).number, 2);
  EXPECT_EQ(store().list_parts(name, *id, 7, 10)->size(), 0U);

  const auto complete = [&](const std::vector<ChosenPart>& chosen) {
    return store().complete_upload(name, *id, chosen);
  };
  EXPECT_EQ(code_of(complete({{1, md5("wrong")}})), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of(complete({{1, md5(first)}, {3, md5(third)}})), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of(complete({{2, md5(second)}, {1, md5(first)}})), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of(complete({})), ErrorCode::kInvalidArgument);
  const auto whole = complete({{1, md5(first)}, {2, md5(second)}, {7, md5(third)}});
  ASSERT_TRUE(whole) << whole.error().message;
  Bytes digests;
  for (const std::string& part : {first, second, third}) {
    const Bytes digest = crypto::hash(crypto::HashKind::kMd5, part);
    digests.insert(digests.end(), digest.begin(), digest.end());
  }
  const std::string etag = crypto::hex(crypto::hash(crypto::HashKind::kMd5, digests)) + "-3";
  EXPECT_EQ(whole->etag, etag);
  EXPECT_TRUE(content(store(), name) == first + second + third);
  const auto head = store().head(name);
  EXPECT_EQ(head->etag, etag);
  EXPECT_EQ(head->headers.content_type, "video/mp4");
  EXPECT_EQ(head->headers.metadata, headers.metadata);
  EXPECT_EQ(store().list("photos", {})->objects.at(0).etag, etag);
  EXPECT_EQ(code_of(store().head_upload(name, *id)), ErrorCode::kNotFound);
  EXPECT_TRUE(store().list_uploads("photos", "")->empty());

  const auto copied = store().copy(name, {"photos", "copy"}, std::nullopt);
  ASSERT_TRUE(copied);
  EXPECT_EQ(copied->size, whole->size);
}

TEST_P(ObjectStoreContract, RefusesSmallPartsButTheLast) {
  const ObjectName name{"photos", "k"};
  const auto id = store().start_upload(name, {});
  ASSERT_TRUE(store().put_part(name, *id, 1, *bytes("small")));
  ASSERT_TRUE(store().put_part(name, *id, 2, *bytes("last")));
  const auto refused = store().complete_upload(name, *id, {{1, md5("small")}, {2, md5("last")}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(refused.error().message.starts_with("EntityTooSmall")) << refused.error().message;
  // The upload is untouched.
  const auto whole = store().complete_upload(name, *id, {{2, md5("last")}});
  ASSERT_TRUE(whole);
  EXPECT_EQ(content(store(), name), "last");
  EXPECT_TRUE(whole->etag.ends_with("-1"));
}

TEST_P(ObjectStoreContract, RemovesUnderACondition) {
  const ObjectName name{"photos", "a/k"};
  const RemoveCondition any{"*"}, first{md5("first")};
  const bool strict = !GetParam().ignores_missing;
  if (strict) {
    EXPECT_EQ(code_of(store().remove(name, any)), ErrorCode::kNotFound);
    EXPECT_EQ(code_of(store().remove(name, first)), ErrorCode::kNotFound);
  }
  ASSERT_TRUE(store().put(name, *bytes("second")));
  EXPECT_EQ(code_of(store().remove(name, first)), ErrorCode::kConflict);
  EXPECT_EQ(content(store(), name), "second");
  EXPECT_TRUE(store().remove(name, RemoveCondition{md5("second")}));
  ASSERT_TRUE(store().put(name, *bytes("first")));
  EXPECT_TRUE(store().remove(name, strict ? any : first));
  EXPECT_EQ(code_of(store().get(name)), ErrorCode::kNotFound);
}

// Each thread replaces the object and removes what it put: no removal under If-Match takes another's bytes.
TEST_P(ObjectStoreContract, RemovalsTakeOnlyWhatTheyName) {
  const ObjectName name{"photos", "contended"};
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([&, t] {
      for (int round = 0; round < rounds(20); ++round) {
        const std::string text = fmt::format("{} {}", t, round);
        PutCondition free;
        free.if_none_match = true;
        if (!store().put(name, *bytes(text), {}, free)) continue;
        // Nobody else may replace or remove it now.
        if (store().remove(name, RemoveCondition{md5("other")})) ++wrong;
        if (content(store(), name) != text) ++wrong;
        if (!store().remove(name, RemoveCondition{md5(text)})) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST_P(ObjectStoreContract, CompletesUnderACondition) {
  const ObjectName name{"photos", "k"};
  const std::vector<ChosenPart> parts{{1, md5("part")}};
  Completion free, matching;
  free.condition.if_none_match = true;
  matching.condition.if_match = md5("present");
  const auto id = store().start_upload(name, {});
  ASSERT_TRUE(id) << id.error().message;
  ASSERT_TRUE(store().put_part(name, *id, 1, *bytes("part")));
  EXPECT_EQ(code_of(store().complete_upload(name, *id, parts, matching)), ErrorCode::kNotFound);
  ASSERT_TRUE(store().put(name, *bytes("present")));
  EXPECT_EQ(code_of(store().complete_upload(name, *id, parts, free)), ErrorCode::kConflict);
  EXPECT_EQ(content(store(), name), "present");
  EXPECT_EQ(store().list_parts(name, *id, 0, 10)->size(), 1U);
  ASSERT_TRUE(store().complete_upload(name, *id, parts, matching));
  EXPECT_EQ(content(store(), name), "part");
}

TEST_P(ObjectStoreContract, OneOfManyUploadsWinsAFreeKey) {
  for (int round = 0; round < rounds(8); ++round) {
    const ObjectName name{"photos", fmt::format("race/{}", round)};
    std::atomic<int> won{0}, winner{-1};
    std::vector<std::thread> threads;
    for (int t = 0; t < 6; ++t) {
      threads.emplace_back([&, t] {
        const std::string text = std::to_string(t);
        const auto id = store().start_upload(name, {});
        ASSERT_TRUE(id);
        ASSERT_TRUE(store().put_part(name, *id, 1, *bytes(text)));
        Completion free;
        free.condition.if_none_match = true;
        if (store().complete_upload(name, *id, {{1, md5(text)}}, free)) {
          ++won;
          winner = t;
        } else {
          EXPECT_TRUE(store().abort_upload(name, *id));
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(won, 1);
    EXPECT_EQ(content(store(), name), std::to_string(winner));
  }
}

TEST_P(ObjectStoreContract, KeepsTheChecksumsOfUploads) {
  const std::string first(5 << 20, 'a'), last = "b";
  const auto sha256 = [](const std::string& text) {
    return base64(crypto::hash(crypto::HashKind::kSha256, text));
  };
  const auto crc32 = [](const std::string& text) {
    return base64(crypto::hash(crypto::HashKind::kCrc32, text));
  };
  Bytes digests = crypto::hash(crypto::HashKind::kSha256, first);
  const Bytes of_last = crypto::hash(crypto::HashKind::kSha256, last);
  digests.insert(digests.end(), of_last.begin(), of_last.end());
  const std::string composite = base64(crypto::hash(crypto::HashKind::kSha256, digests)) + "-2";
  struct Round {
    UploadChecksum kept;
    std::function<std::string(const std::string&)> of;
    std::string whole;
  };
  for (const Round& round :
       {Round{{"sha256", false}, sha256, composite}, Round{{"crc32", true}, crc32, crc32(first + last)}}) {
    const ObjectName name{"photos", "summed/" + round.kept.name};
    const auto id = store().start_upload(name, {}, round.kept);
    ASSERT_TRUE(id) << id.error().message;
    const auto kept = store().upload_checksum(name, *id);
    ASSERT_TRUE(kept) << kept.error().message;
    EXPECT_EQ(*kept, round.kept);
    std::vector<ChosenPart> parts;
    for (const std::string& body : {first, last}) {
      const int number = static_cast<int>(parts.size()) + 1;
      const std::map<std::string, std::string> sums{{round.kept.name, round.of(body)}};
      const auto part = store().put_part(name, *id, number, *bytes(body), sums);
      ASSERT_TRUE(part) << part.error().message;
      parts.push_back({number, part->etag, sums});
    }
    const auto listed = store().list_parts(name, *id, 0, 10);
    ASSERT_TRUE(listed) << listed.error().message;
    ASSERT_EQ(listed->size(), 2U);
    EXPECT_EQ((*listed)[1].checksums, parts[1].checksums);
    const auto whole = store().complete_upload(name, *id, parts, {{}, {{round.kept.name, round.whole}}});
    ASSERT_TRUE(whole) << whole.error().message;
    EXPECT_EQ(store().head(name)->headers.checksums.at(round.kept.name), round.whole);
    EXPECT_EQ(store().get(name)->info.headers.checksums.at(round.kept.name), round.whole);
    EXPECT_EQ(code_of(store().upload_checksum(name, *id)), ErrorCode::kNotFound);
  }
}

TEST_P(ObjectStoreContract, ListsAndAbortsUploads) {
  const auto b2 = store().start_upload({"photos", "b/2"}, {});
  const auto a = store().start_upload({"photos", "a"}, {});
  const auto b1 = store().start_upload({"photos", "b/1"}, {});
  ASSERT_TRUE(store().put_part({"photos", "a"}, *a, 1, *bytes("x")));
  const auto all = store().list_uploads("photos", "");
  ASSERT_EQ(all->size(), 3U);
  EXPECT_EQ(all->at(0).key, "a");
  EXPECT_EQ(all->at(0).upload_id, *a);
  EXPECT_EQ(all->at(1).key, "b/1");
  EXPECT_EQ(all->at(2).key, "b/2");
  EXPECT_EQ(store().list_uploads("photos", "b/")->size(), 2U);
  EXPECT_EQ(code_of(store().delete_bucket("photos")), ErrorCode::kConflict);
  ASSERT_TRUE(store().abort_upload({"photos", "a"}, *a));
  EXPECT_EQ(code_of(store().put_part({"photos", "a"}, *a, 1, *bytes("x"))), ErrorCode::kNotFound);
  EXPECT_EQ(code_of(store().abort_upload({"photos", "a"}, *a)), ErrorCode::kNotFound);
  ASSERT_TRUE(store().abort_upload({"photos", "b/1"}, *b1));
  ASSERT_TRUE(store().abort_upload({"photos", "b/2"}, *b2));
  EXPECT_TRUE(store().delete_bucket("photos"));
}

}  // namespace
}  // namespace terrapin::storage::test
