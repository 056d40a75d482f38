#include "identity/base64url.h"

#include "base/base64.h"
#include "crypto/hash.h"

namespace terrapin::identity {

std::string encode_base64url(std::span<const std::uint8_t> bytes) {
  std::string text = base64(bytes);
  while (!text.empty() && text.back() == '=') text.pop_back();
  for (char& c : text) {
    if (c == '+') c = '-';
    if (c == '/') c = '_';
  }
  return text;
}

bool decode_base64url(std::string_view text, Bytes& bytes) {
  std::string standard(text);
  for (char& c : standard) {
    if (c == '+' || c == '/' || c == '=') return false;
    if (c == '-') c = '+';
    if (c == '_') c = '/';
  }
  while (standard.size() % 4 != 0) standard += '=';
  return crypto::decode_base64(standard, bytes);
}

}  // namespace terrapin::identity
