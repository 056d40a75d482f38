// The MD5 of a text as object stores write it: ETags.
#pragma once

#include <string>
#include <string_view>

#include "crypto/hash.h"

namespace terrapin::test {

inline std::string md5(std::string_view text) {
  return crypto::hex(crypto::hash(crypto::HashKind::kMd5, text));
}

}  // namespace terrapin::test
