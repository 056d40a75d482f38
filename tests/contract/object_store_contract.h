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
};
inline std::ostream& operator<<(std::ostream& out, const ObjectStoreBackend& backend) {
  return out << backend.name;
}

class ObjectStoreContract : public ::testing::TestWithParam<ObjectStoreBackend> {
 protected:
  void SetUp() override {
    under_test_ = GetParam().make();
    if (!under_test_) GTEST_SKIP() << GetParam().name << " cannot run here";
    ASSERT_TRUE(store().create_bucket("photos"));
  }
  ObjectStore& store() { return under_test_->store(); }
  int rounds(int full) const { return std::max(1, static_cast<int>(full * GetParam().effort)); }

 private:
  std::unique_ptr<StoreUnderTest> under_test_;
};

}  // namespace terrapin::storage::test
