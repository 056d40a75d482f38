#include "base/interrupt.h"

#include <unistd.h>
#include <csignal>

#include <atomic>
#include <mutex>

namespace terrapin {
namespace {

std::atomic<int> received{0};
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler may only touch lock-free atomics");

extern "C" void on_signal(int number) {
  if (number == SIGINT && received.load() != 0) ::_exit(130);
  received.store(number);
}

}  // namespace

void install_interrupt_handlers() {
  static std::once_flag once;
  std::call_once(once, [] {
    struct sigaction action {};
    action.sa_handler = on_signal;
    ::sigemptyset(&action.sa_mask);
    action.sa_flags = SA_RESTART;  // loops ask the flag; libraries need not know about EINTR
    ::sigaction(SIGTERM, &action, nullptr);
    ::sigaction(SIGINT, &action, nullptr);
  });
}

bool interrupted() {
  return received.load(std::memory_order_relaxed) != 0;
}

int interrupt_signal() {
  return received.load();
}

void clear_interrupt() {
  received.store(0);
}

}  // namespace terrapin
