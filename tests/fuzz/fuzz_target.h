// A function that takes any bytes. libFuzzer calls it (script/fuzz), and so does fuzz_corpus_tests with the
// kept files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

namespace terrapin::fuzz {

using Input = std::span<const std::uint8_t>;
using Target = void (*)(Input);

// Every target by its name, which is also that of its folder in corpus/.
inline std::map<std::string, Target>& targets() {
  static std::map<std::string, Target> all;
  return all;
}
struct Registration {
  Registration(const char* name, Target target) { targets().emplace(name, target); }
};

// What must hold whatever the bytes are.
inline void require(bool condition, const char* what) {
  if (!condition) throw std::logic_error(what);
}

inline std::string_view text_of(Input input) {
  return {reinterpret_cast<const char*>(input.data()), input.size()};
}

// Takes the first byte, 0 if there is none: it chooses among the ways to use the rest.
inline int take_byte(Input& input) {
  if (input.empty()) return 0;
  const int first = input.front();
  input = input.subspan(1);
  return first;
}

}  // namespace terrapin::fuzz

#ifdef TERRAPIN_LIBFUZZER
#define TERRAPIN_FUZZ_ENTRY(name)                                                      \
  extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) { \
    ::terrapin::fuzz::run_##name({bytes, size});                                       \
    return 0;                                                                          \
  }
#else
#define TERRAPIN_FUZZ_ENTRY(name) \
  static const ::terrapin::fuzz::Registration registration_##name(#name, &::terrapin::fuzz::run_##name);
#endif

// TERRAPIN_FUZZ_TARGET(png) { ... uses `input` ... }
#define TERRAPIN_FUZZ_TARGET(name) \
  namespace terrapin::fuzz {       \
  void run_##name(Input input);    \
  }                                \
  TERRAPIN_FUZZ_ENTRY(name)        \
  void ::terrapin::fuzz::run_##name([[maybe_unused]] Input input)
