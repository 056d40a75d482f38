#include "labeling/workforces/addresses.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

namespace terrapin::labeling {
namespace {

constexpr int kIpv4PrefixBits = 96;

bool is_ipv4(const std::string& text) {
  return text.find(':') == std::string::npos;
}

std::optional<Address> read(const std::string& text) {
  Address address{};
  if (is_ipv4(text)) {
    address[10] = address[11] = 0xff;
    if (::inet_pton(AF_INET, text.c_str(), &address[12]) != 1) return std::nullopt;
    return address;
  }
  if (::inet_pton(AF_INET6, text.c_str(), address.data()) != 1) return std::nullopt;
  return address;
}

}  // namespace

std::optional<Address> parse_address(std::string_view text) {
  if (text.size() >= 2 && text.front() == '[' && text.back() == ']') text = text.substr(1, text.size() - 2);
  const std::size_t zone = text.find('%');
  if (zone != std::string_view::npos) text = text.substr(0, zone);
  if (text.find('\0') != std::string_view::npos) return std::nullopt;
  return read(std::string(text));
}

bool AddressRange::contains(const Address& other) const {
  for (int bit = 0; bit < prefix_bits; bit += 8) {
    const auto index = static_cast<std::size_t>(bit / 8);
    const int kept = std::min(8, prefix_bits - bit);
    const auto mask = static_cast<std::uint8_t>(0xff00U >> static_cast<unsigned>(kept));
    if (((address[index] ^ other[index]) & mask) != 0) return false;
  }
  return true;
}

Result<AddressRange> parse_cidr(std::string_view text) {
  const auto refuse = [&] {
    return fail(
        ErrorCode::kInvalidArgument,
        "'{}' is no range of addresses; write an IPv4 one as 192.0.2.0/24 (0 to 32 bits) or an IPv6 one "
        "as 2001:db8::/32 (0 to 128 bits)",
        text);
  };
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos || text.find('\0') != std::string_view::npos) return refuse();
  const std::string address(text.substr(0, slash));
  const std::string_view bits = text.substr(slash + 1);
  const std::optional<Address> parsed = read(address);
  int prefix = 0;
  const auto [end, error] = std::from_chars(bits.data(), bits.data() + bits.size(), prefix);
  if (!parsed || error != std::errc() || end != bits.data() + bits.size() || prefix < 0 ||
      prefix > (is_ipv4(address) ? 32 : 128)) {
    return refuse();
  }
  return AddressRange{*parsed, prefix + (is_ipv4(address) ? kIpv4PrefixBits : 0)};
}

bool address_allowed(const std::vector<std::string>& cidrs, std::string_view remote_address) {
  if (cidrs.empty()) return true;
  const std::optional<Address> address = parse_address(remote_address);
  if (!address) return false;
  return std::any_of(cidrs.begin(), cidrs.end(), [&](const std::string& cidr) {
    const auto range = parse_cidr(cidr);
    return range && range->contains(*address);
  });
}

}  // namespace terrapin::labeling
