#include "training/run_device.h"

#if __has_include(<malloc.h>)
#include <malloc.h>
#endif

namespace terrapin::training {

Result<torch::Device> choose_device(DeviceChoice choice, int local_rank) {
  const bool cuda = torch::cuda::is_available();
  if (choice == DeviceChoice::kCuda && !cuda) {
    return fail(ErrorCode::kUnsupported,
                "device cuda: this build of libtorch or this machine has no CUDA device; use auto or cpu");
  }
  if (choice == DeviceChoice::kCpu || !cuda) return torch::Device(torch::kCPU);
  if (local_rank < 0) return torch::Device(torch::kCUDA);
  const auto devices = static_cast<int>(torch::cuda::device_count());
  if (local_rank >= devices) {
    return fail(
        ErrorCode::kUnsupported,
        "process {} of this machine has no CUDA device of its own: there are {}; start {} processes here, "
        "or use device cpu",
        local_rank, devices, devices);
  }
  return torch::Device(torch::kCUDA, static_cast<c10::DeviceIndex>(local_rank));
}

void keep_freed_memory() {
#ifdef __GLIBC__
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, -1);  // never
  mallopt(M_TOP_PAD, 64 << 20);
#endif
}

}  // namespace terrapin::training
