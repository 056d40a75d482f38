// A Slurm cluster of one node for the length of a test program: Debian's munged, slurmctld and slurmd, run by
// whoever runs the test, with their files in a temporary folder and free ports. It ends with the test
// program, however that ends.
#pragma once

#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

namespace terrapin::test {

class SlurmCluster {
 public:
  // Why there can be none here; "" if there can.
  static std::string missing();

  // Throws std::runtime_error with the daemons' own words if it does not become ready.
  SlurmCluster();
  ~SlurmCluster();
  SlurmCluster(const SlurmCluster&) = delete;
  SlurmCluster& operator=(const SlurmCluster&) = delete;

  std::filesystem::path configuration() const { return folder_ / "slurm.conf"; }
  // A program of Slurm's, by name: its standard output, or the words "failed: ..." if it exits with another
  // code than 0.
  std::string run(std::vector<std::string> command) const;
  // "stop slurmctld", "start slurmctld", "kill slurmctld"; the same of slurmd.
  void tell(const std::string& order);

 private:
  std::string answer();

  std::filesystem::path folder_;
  pid_t warden_ = -1;
  int orders_ = -1;
  std::FILE* answers_ = nullptr;
};

// The one cluster of this test program, started when first asked for. Null: `why` says why it cannot be had.
SlurmCluster* shared_slurm(std::string* why = nullptr);

}  // namespace terrapin::test
