// The contract over a remote S3 service: our own gateway before a local folder, so that the store's requests
// and the service's answers are held against each other.
#include "api/gateway.h"
#include "api/s3/s3_service.h"
#include "contract/object_store_contract.h"
#include "http/server.h"
#include "storage/folder_store.h"
#include "storage/remote_store.h"
#include "unit/base/temporary_folder.h"

namespace terrapin::storage::test {
namespace {

class GatewayUnderTest final : public StoreUnderTest {
 public:
  GatewayUnderTest()
      : folder_store_(open_folder_store(folder_ / "objects", system_clock()).value()),
        service_(*folder_store_, system_clock(), api::Place{}),
        gateway_({api::Place{}, &GatewayUnderTest::find_key, &system_clock()}) {
    gateway_.add("s3", [this](const api::Exchange& exchange) { return service_.handle(exchange); });
    http::Router router;
    router.set_fallback([this](const http::Request& request) { return gateway_.handle(request); });
    http::ServerOptions server;
    server.handler_threads = 16;
    server_ = http::Server::start(std::move(router), server).value();
    RemoteStoreOptions options;
    options.endpoint = server_->url();
    options.credentials = {"TPIATEST", "secret", ""};
    options.attempts = 1;  // nothing here may need a second one
    options.memory_bytes = 1 << 20;
    options.spool_folder = folder_.path();
    store_ = open_remote_store(options).value();
  }
  ObjectStore& store() override { return *store_; }

 private:
  static Result<std::optional<identity::AccessKey>> find_key(const std::string& id) {
    return std::optional(identity::AccessKey{id, "secret", identity::Scope::kAdmin, "root", {}, {}});
  }
  terrapin::test::TemporaryFolder folder_;
  std::unique_ptr<ObjectStore> folder_store_;
  api::S3Service service_;
  api::Gateway gateway_;
  std::unique_ptr<http::Server> server_;
  std::unique_ptr<ObjectStore> store_;
};

INSTANTIATE_TEST_SUITE_P(Remote, ObjectStoreContract,
                         ::testing::Values(ObjectStoreBackend{
                             "gateway", [] { return std::make_unique<GatewayUnderTest>(); }, 0.2, 1900}),
                         [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace terrapin::storage::test
