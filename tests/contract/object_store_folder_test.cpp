// The contract over local folders: as usual, without extended attributes, and with the names that file
// systems take where case does not count.
#include "contract/object_store_contract.h"
#include "storage/folder_store.h"
#include "unit/base/temporary_folder.h"

namespace terrapin::storage::test {
namespace {

class FolderUnderTest final : public StoreUnderTest {
 public:
  explicit FolderUnderTest(const FolderStoreOptions& options)
      : store_(open_folder_store(folder_ / "objects", system_clock(), options).value()) {}
  ObjectStore& store() override { return *store_; }

 private:
  terrapin::test::TemporaryFolder folder_;
  std::unique_ptr<ObjectStore> store_;
};

ObjectStoreBackend backend(const std::string& name, const FolderStoreOptions& options) {
  return {name, [options] { return std::make_unique<FolderUnderTest>(options); }};
}

INSTANTIATE_TEST_SUITE_P(Folder, ObjectStoreContract,
                         ::testing::Values(backend("folder", {}), backend("beside", {false, std::nullopt}),
                                           backend("folding", {true, true})),
                         [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace terrapin::storage::test
