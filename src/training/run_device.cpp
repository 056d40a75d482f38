#include "training/run_device.h"

#if __has_include(<malloc.h>)
#include <malloc.h>
#endif

namespace terrapin::training {

Result<torch::Device> choose_device(DeviceChoice choice) {
  const bool cuda = torch::cuda::is_available();
  if (choice == DeviceChoice::kCuda && !cuda) {
    return fail(ErrorCode::kUnsupported,
                "device cuda: this build of libtorch or this machine has no CUDA device; use auto or cpu");
  }
  return torch::Device(choice != DeviceChoice::kCpu && cuda ? torch::kCUDA : torch::kCPU);
}

void keep_freed_memory() {
#ifdef __GLIBC__
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, -1);  // never
  mallopt(M_TOP_PAD, 64 << 20);
#endif
}

}  // namespace terrapin::training
