#include "base/public_address.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>

#include "base/text.h"

namespace terrapin {
namespace {

using enum AddressKind;

struct RangeV4 {
  std::uint32_t network;
  int bits;
  AddressKind kind;
};
constexpr RangeV4 kSpecialV4[] = {
    {0x00000000, 8, kNever},     // "this network", 0.0.0.0
    {0xe0000000, 4, kNever},     // multicast
    {0xf0000000, 4, kNever},     // reserved, broadcast
    {0xa9fea9fe, 32, kNever},    // 169.254.169.254, metadata of most clouds
    {0xa9feaa02, 32, kNever},    // 169.254.170.2 and .23, credentials of containers
    {0xa9feaa17, 32, kNever},    //
    {0x646464c8, 32, kNever},    // 100.100.100.200
    {0xa83f8110, 32, kNever},    // 168.63.129.16
    {0xc00000c0, 32, kNever},    // 192.0.0.192
    {0x0a000000, 8, kPrivate},   // 10.0.0.0
    {0x64400000, 10, kPrivate},  // 100.64.0.0, shared by a provider's customers
    {0x7f000000, 8, kPrivate},   // loopback
    {0xa9fe0000, 16, kPrivate},  // link-local
    {0xac100000, 12, kPrivate},  // 172.16.0.0
    {0xc0000000, 24, kPrivate},  // 192.0.0.0, protocol assignments
    {0xc0000200, 24, kPrivate},  // 192.0.2.0, documentation
    {0xc0586300, 24, kPrivate},  // 192.88.99.0, 6to4 relays
    {0xc0a80000, 16, kPrivate},  // 192.168.0.0
    {0xc6120000, 15, kPrivate},  // 198.18.0.0, benchmarks
    {0xc6336400, 24, kPrivate},  // 198.51.100.0, documentation
    {0xcb007100, 24, kPrivate},  // 203.0.113.0, documentation
};

AddressKind kind_v4(std::uint32_t address) {
  for (const RangeV4& range : kSpecialV4)
    if ((address ^ range.network) >> (32 - range.bits) == 0) return range.kind;
  return kPublic;
}

using BytesV6 = std::array<std::uint8_t, 16>;

std::uint32_t v4_at(const BytesV6& bytes, std::size_t at) {
  return std::uint32_t{bytes[at]} << 24 | std::uint32_t{bytes[at + 1]} << 16 |
         std::uint32_t{bytes[at + 2]} << 8 | bytes[at + 3];
}

bool starts_with(const BytesV6& bytes, std::initializer_list<std::uint8_t> prefix) {
  return std::equal(prefix.begin(), prefix.end(), bytes.begin());
}

AddressKind stricter(AddressKind a, AddressKind b) {
  return std::max(a, b);
}

AddressKind kind_v6(const BytesV6& bytes) {
  static constexpr BytesV6 kUnspecified{};
  static constexpr BytesV6 kLoopback{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  static constexpr BytesV6 kMetadata[] = {
      {0xfd, 0x00, 0x0e, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54},  // fd00:ec2::254
      {0xfd, 0x00, 0x0e, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x23},     // fd00:ec2::23
      {0xfd, 0x20, 0x00, 0xce, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54},  // fd20:ce::254
  };
  if (bytes == kUnspecified || bytes[0] == 0xff) return kNever;
  if (std::find(std::begin(kMetadata), std::end(kMetadata), bytes) != std::end(kMetadata)) return kNever;
  if (bytes == kLoopback) return kPrivate;
  if (starts_with(bytes, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff})) return kind_v4(v4_at(bytes, 12));
  if (starts_with(bytes, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}))  // IPv4-compatible, given up in RFC 4291
    return stricter(kPrivate, kind_v4(v4_at(bytes, 12)));
  if (starts_with(bytes, {0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0})) return kind_v4(v4_at(bytes, 12));
  if (starts_with(bytes, {0, 0x64, 0xff, 0x9b, 0, 1}))  // a network's own NAT64
    return stricter(kPrivate, kind_v4(v4_at(bytes, 12)));
  if (starts_with(bytes, {0x20, 0x02})) return kind_v4(v4_at(bytes, 2));  // 6to4
  if (starts_with(bytes, {0x20, 0x01, 0, 0}))  // Teredo: the client's address is inverted
    return stricter(kPrivate, kind_v4(~v4_at(bytes, 12)));
  AddressKind kind = kPublic;
  if ((bytes[0] & 0xe0) != 0x20) kind = kPrivate;                         // only 2000::/3 is global unicast
  if (starts_with(bytes, {0x20, 0x01}) && bytes[2] < 2) kind = kPrivate;  // 2001::/23
  if (starts_with(bytes, {0x20, 0x01, 0x0d, 0xb8})) kind = kPrivate;      // documentation
  if (starts_with(bytes, {0x3f, 0xff}) && (bytes[2] & 0xf0) == 0) kind = kPrivate;        // documentation
  if ((bytes[8] & 0xfd) == 0 && bytes[9] == 0 && bytes[10] == 0x5e && bytes[11] == 0xfe)  // ISATAP
    kind = stricter(kind, kind_v4(v4_at(bytes, 12)));
  return kind;
}

}  // namespace

AddressKind address_kind(const sockaddr& address) {
  if (address.sa_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &address, sizeof v4);
    return kind_v4(ntohl(v4.sin_addr.s_addr));
  }
  if (address.sa_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &address, sizeof v6);
    BytesV6 bytes;
    std::copy(std::begin(v6.sin6_addr.s6_addr), std::end(v6.sin6_addr.s6_addr), bytes.begin());
    return kind_v6(bytes);
  }
  return kNever;
}

AddressKind literal_host_kind(std::string host) {
  host = lower_case(std::move(host));
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  while (!host.empty() && host.back() == '.') host.pop_back();
  if (host.empty()) return kNever;
  if (host == "localhost" || host.ends_with(".localhost")) return kPrivate;
  addrinfo hints{}, *found = nullptr;
  hints.ai_flags = AI_NUMERICHOST;
  hints.ai_socktype = SOCK_STREAM;
  if (::getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0 || found == nullptr) return kPublic;
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, ::freeaddrinfo);
  AddressKind kind = kPublic;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next)
    kind = stricter(kind, address_kind(*one->ai_addr));
  return kind;
}

}  // namespace terrapin
