// What every ObjectStore must do. A backend joins with one INSTANTIATE_TEST_SUITE_P.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <ostream>
#include <string>

#include "storage/object_store.h"

namespace terrapin::storage::test {

// A fresh, empty store and whatever it needs to live: a folder, a server.
class StoreUnderTest {
 public:
  virtual ~StoreUnderTest() = default;
  virtual ObjectStore& store() = 0;
};

struct ObjectStoreBackend {
  std::string name;
  std::function<std::unique_ptr<StoreUnderTest>()> make;
  // Multiplies the rounds of random tests: less for backends behind a network.
  double effort = 1;
  // Of all user metadata together; S3 takes 2,048 bytes with the names.
  std::size_t metadata_bytes = 6000;
  // What a service of others cannot do, each no more than that:
  // Keys are paths of its file system: none is another's folder, no "..", no "//"; and they are told as
  // XML 1.0 can hold them: no control characters.
  bool path_keys = false;
  bool may_say_more =
      false;      // a page that ends with the last key may call itself truncated: an empty one follows
  int tags = 10;  // of one object, each of 370 bytes
  bool ignores_missing = false;  // If-Match of a removal: nothing to remove is a success, "*" is an ETag
  // Why it cannot run here; empty: it can.
  std::function<std::string()> missing = [] { return std::string(); };
};
inline std::ostream& operator<<(std::ostream& out, const ObjectStoreBackend& backend) {
  return out << backend.name;
}

class ObjectStoreContract : public ::testing::TestWithParam<ObjectStoreBackend> {
 protected:
  void SetUp() override {
    if (const std::string reason = GetParam().missing(); !reason.empty()) GTEST_SKIP() << reason;
    under_test_ = GetParam().make();
    ASSERT_TRUE(store().create_bucket("photos"));
  }
  ObjectStore& store() { return under_test_->store(); }
  int rounds(int full) const { return std::max(1, static_cast<int>(full * GetParam().effort)); }

 private:
  std::unique_ptr<StoreUnderTest> under_test_;
};

}  // namespace terrapin::storage::test
