// What of this machine a job of an instance type gets.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"

namespace terrapin::control {

struct Slot {
  int cores = 0, gpus = 0;
};

struct Slots {
  Slot whole;                           // of this machine: what every type gets that the table does not name
  std::map<std::string, Slot> by_type;  // "ml.c5.xlarge"; not empty: no other types are known

  // kInvalidArgument naming the type and those that are known.
  Result<Slot> of(const std::string& instance_type) const;
  // What a job of `count` (1 to 1000) instances of the type gets, on one machine: of a type that the table
  // names, that many slots; without a table the instances share this machine, a core each at least, and a GPU
  // where there are any.
  Result<Slot> of(const std::string& instance_type, int count) const;
};

// "ml.c5.xlarge=4" or "ml.p3.2xlarge=8,1": cores and GPUs. kInvalidArgument naming the text.
Status add_slot(std::string_view text, Slots& slots);

}  // namespace terrapin::control
