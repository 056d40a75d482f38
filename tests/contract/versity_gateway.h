// An S3 server that is not ours, versitygw before a temporary folder, for the length of a test.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>

#include "unit/base/temporary_folder.h"

namespace terrapin::test {

class VersityGateway {
 public:
  // $TERRAPIN_VERSITYGW, else what script/setup built beside the sources; empty if there is none.
  static std::filesystem::path program();

  // Throws std::runtime_error with the server's own words if it does not start. It ends with the test
  // program, however that ends.
  VersityGateway();
  ~VersityGateway();
  VersityGateway(const VersityGateway&) = delete;
  VersityGateway& operator=(const VersityGateway&) = delete;

  std::string url() const;
  static constexpr const char* kAccessKey = "contractaccess";
  static constexpr const char* kSecretKey = "contractsecret";

 private:
  bool start(int port);

  TemporaryFolder folder_;
  pid_t server_ = -1;
  int port_ = 0;
};

}  // namespace terrapin::test
