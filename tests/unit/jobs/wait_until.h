#pragma once

#include <chrono>
#include <functional>
#include <thread>

namespace terrapin::test {

// False if it is not so after a time that is long enough on any machine.
inline bool wait_until(const std::function<bool()>& is_so,
                       std::chrono::seconds most = std::chrono::seconds(60)) {
  const auto give_up = std::chrono::steady_clock::now() + most;
  while (!is_so()) {
    if (std::chrono::steady_clock::now() >= give_up) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

}  // namespace terrapin::test
