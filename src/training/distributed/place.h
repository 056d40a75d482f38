// Where a process stands among those that train together: the usual variables of torch's launchers. Free of
// torch.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"

namespace terrapin::training {

struct Place {
  int rank = 0, world_size = 1;
  int local_rank = 0, local_size = 1;  // among those of this machine, which share its cores and GPUs
  std::string master;                  // where the processes meet: an address or a name
  int port = 0;
  bool serves = false;         // this process opens the meeting point, none is there before
  std::string interface_name;  // whose address is listened on; empty: the one that leads to `master`

  bool alone() const { return world_size == 1; }
};

// The value of an environment variable; empty where it is not set.
using Variables = std::function<std::string(const std::string&)>;
Variables environment();

// From WORLD_SIZE, RANK, LOCAL_RANK, LOCAL_WORLD_SIZE, MASTER_ADDR, MASTER_PORT and GLOO_SOCKET_IFNAME. Alone
// without WORLD_SIZE or with 1. kInvalidArgument names the variable, its value and what is allowed.
Result<Place> place_from(const Variables& variable);

// OMP_NUM_THREADS, as far as it is one number: what this process was told to compute with. 0: it was not
// told.
int threads_told(const Variables& variable);

// The variable with which a launcher says that it has opened the meeting point itself.
inline constexpr const char* kLauncherMeets = "TERRAPIN_LAUNCHER_MEETS";

// This machine's address that the processes talk through, as digits: of the named interface, else the one
// from which `master` is reached. Never the unspecified address; a public one only of an interface that was
// named. kInvalidArgument lists the interfaces there are.
Result<std::string> listening_address(const Place& place);

}  // namespace terrapin::training
