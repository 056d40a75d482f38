// A PostgreSQL server of Debian's packages for the length of a test: its own data in a temporary folder,
// reached through a socket in that folder alone, run by an ordinary user even if the test runs as root. It
// ends with the test program, however that ends.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>

namespace terrapin::test {

class PostgresCluster {
 public:
  // The folder of the newest server's programs; empty if none is installed.
  static std::filesystem::path programs();

  // Throws std::runtime_error with the server's own words if it does not start.
  PostgresCluster();
  ~PostgresCluster();
  PostgresCluster(const PostgresCluster&) = delete;
  PostgresCluster& operator=(const PostgresCluster&) = delete;

  // An empty database of its own; its address for Database::open.
  std::string new_database();

  // All connections are lost; the data stays.
  void restart();

 private:
  void start();
  void stop();
  std::string run(const std::string& program, const std::string& arguments);

  std::filesystem::path folder_;
  pid_t server_ = -1;
  int databases_ = 0;
};

// The one server of this test program, started when first asked for; null if PostgreSQL is not installed.
PostgresCluster* shared_cluster();

}  // namespace terrapin::test
