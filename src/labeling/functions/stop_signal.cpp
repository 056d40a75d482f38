#include "labeling/functions/stop_signal.h"

#include <sys/eventfd.h>
#include <unistd.h>

namespace terrapin::labeling {

StopSignal::StopSignal() : descriptor_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

StopSignal::~StopSignal() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void StopSignal::set() {
  const std::lock_guard lock(mutex_);
  set_ = true;
  if (descriptor_ >= 0) (void)::eventfd_write(descriptor_, 1);
  changed_.notify_all();
}

bool StopSignal::is_set() const {
  const std::lock_guard lock(mutex_);
  return set_;
}

bool StopSignal::wait_for(std::chrono::milliseconds time) const {
  std::unique_lock lock(mutex_);
  return !changed_.wait_for(lock, time, [&] { return set_; });
}

}  // namespace terrapin::labeling
