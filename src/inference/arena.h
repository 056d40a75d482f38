// Places short-lived buffers in one block of memory.
#pragma once

#include <cstddef>
#include <vector>

namespace terrapin::inference {

// A buffer that must keep its bytes from step `first` to step `last`, both included.
struct BufferRequest {
  std::size_t bytes = 0;
  int first = 0, last = 0;
};

struct ArenaPlan {
  std::vector<std::size_t> offsets;  // one a request, multiples of 64
  std::size_t bytes = 0;
};

// Buffers whose lifetimes meet never overlap. Largest first, each at the lowest free offset.
ArenaPlan plan_arena(const std::vector<BufferRequest>& requests);

}  // namespace terrapin::inference
