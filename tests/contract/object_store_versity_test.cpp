// The contract over an S3 server that others wrote: what holds between our client and our gateway alone would
// prove little.
#include "contract/object_store_contract.h"
#include "contract/versity_gateway.h"
#include "storage/remote_store.h"
#include "unit/base/temporary_folder.h"

namespace terrapin::storage::test {
namespace {

class VersityUnderTest final : public StoreUnderTest {
 public:
  VersityUnderTest() {
    RemoteStoreOptions options;
    options.endpoint = gateway_.url();
    options.credentials = {terrapin::test::VersityGateway::kAccessKey,
                           terrapin::test::VersityGateway::kSecretKey, ""};
    options.memory_bytes = 1 << 20;
    options.spool_folder = folder_.path();
    store_ = open_remote_store(options).value();
  }
  ObjectStore& store() override { return *store_; }

 private:
  terrapin::test::TemporaryFolder folder_;
  terrapin::test::VersityGateway gateway_;
  std::unique_ptr<ObjectStore> store_;
};

ObjectStoreBackend versity() {
  ObjectStoreBackend backend{"versitygw", [] { return std::make_unique<VersityUnderTest>(); }, 0.2, 1900};
  // versitygw 1.8.0 with its posix backend, on a file system that gives a file's attributes 4 KiB.
  backend.path_keys = true;
  backend.may_say_more = true;
  backend.tags = 8;
  backend.ignores_missing = true;
  backend.missing = [] {
    return terrapin::test::VersityGateway::program().empty()
               ? "there is no versitygw: script/setup builds it where Go is installed, TERRAPIN_VERSITYGW "
                 "names another"
               : "";
  };
  return backend;
}

INSTANTIATE_TEST_SUITE_P(Independent, ObjectStoreContract, ::testing::Values(versity()),
                         [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace terrapin::storage::test
