// Where a training computes, and how it keeps its memory.
#pragma once

#include <torch/torch.h>

#include "base/result.h"
#include "training/recipe.h"

namespace terrapin::training {

// kUnsupported for kCuda without a device. `local_rank`: which of this machine's devices, for the processes
// that share them.
Result<torch::Device> choose_device(DeviceChoice choice, int local_rank = -1);

// Every step frees and asks again for the same large tensors. Handing them back to the system each time, as
// glibc does, costs a third of the step in page faults; from now on the heap keeps them instead.
void keep_freed_memory();

}  // namespace terrapin::training
