// The pages' pack that was compiled in (cmake/Pages.cmake); empty when it was built without Node.
#pragma once

#include <cstdint>
#include <span>

namespace terrapin::portal {

std::span<const std::uint8_t> pages_pack();

}  // namespace terrapin::portal
