// Which network addresses a workforce's people may come from.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace terrapin::labeling {

// An IPv4 or IPv6 address in 16 bytes; IPv4 as ::ffff:a.b.c.d, so both forms of one address are equal.
using Address = std::array<std::uint8_t, 16>;

// "192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1", each also with a zone ("%eth0") or in brackets; nullopt for
// anything else.
std::optional<Address> parse_address(std::string_view text);

struct AddressRange {
  Address address{};
  int prefix_bits = 128;  // of the 16 bytes
  bool contains(const Address& other) const;
};
// "192.0.2.0/24", "2001:db8::/32". kInvalidArgument names the text and says what is allowed.
Result<AddressRange> parse_cidr(std::string_view text);

// True if `cidrs` is empty or one of them holds the address; false for an address that cannot be read.
bool address_allowed(const std::vector<std::string>& cidrs, std::string_view remote_address);

}  // namespace terrapin::labeling
