// A PostgreSQL server of Debian's packages for the length of a test: its own data in a temporary folder,
// reached through a socket in that folder alone, run by an ordinary user even if the test runs as root. It
// ends with the test program, however that ends.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

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

  // The address, for Database::open, of an empty place for tables: a schema, because a database of its own
  // would be 300 files more.
  std::string new_database();

  // All connections are lost; the data stays. `while_down` runs before the server is started again.
  void restart(const std::function<void()>& while_down = [] {});

 private:
  void start();
  void stop(const std::vector<int>& signals);  // the next one if the last did not end it
  // The program's own words if it fails.
  std::string run(std::vector<std::string> command);

  std::filesystem::path folder_;
  pid_t server_ = -1;
  int databases_ = 0;
};

// The one server of this test program, started when first asked for; null if PostgreSQL is not installed.
PostgresCluster* shared_cluster();

}  // namespace terrapin::test
