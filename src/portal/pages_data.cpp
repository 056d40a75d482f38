#include "portal/pages_data.h"

// The assembler copies the file: as a C++ array it would take the compiler half a minute.
asm(".section .rodata\n"
    ".balign 8\n"
    "terrapin_pages_begin:\n"
    ".incbin \"" TERRAPIN_PAGES_PACK
    "\"\n"
    "terrapin_pages_end:\n"
    ".byte 0\n"
    ".previous\n");
extern "C" const std::uint8_t terrapin_pages_begin[];
extern "C" const std::uint8_t terrapin_pages_end[];

namespace terrapin::portal {

std::span<const std::uint8_t> pages_pack() {
  return {terrapin_pages_begin, terrapin_pages_end};
}

}  // namespace terrapin::portal
