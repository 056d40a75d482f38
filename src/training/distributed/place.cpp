#include "training/distributed/place.h"

#include <arpa/inet.h>
#include <fmt/ranges.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <memory>
#include <set>

#include "base/descriptor.h"
#include "base/public_address.h"

namespace terrapin::training {
namespace {

constexpr int kMostProcesses = 4096;

Result<int> number(const Variables& variable, const char* name, int low, int high) {
  const std::string text = variable(name);
  if (text.empty()) {
    return fail(ErrorCode::kInvalidArgument, "{} is not set: WORLD_SIZE above 1 needs it ({} to {})", name,
                low, high);
  }
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < low || value > high) {
    return fail(ErrorCode::kInvalidArgument, "{} is \"{}\": allowed are {} to {}", name, text, low, high);
  }
  return value;
}

std::string digits_of(const sockaddr* address, socklen_t length) {
  char text[NI_MAXHOST];
  if (::getnameinfo(address, length, text, sizeof text, nullptr, 0, NI_NUMERICHOST) != 0) return "";
  return text;
}

socklen_t length_of(const sockaddr& address) {
  return address.sa_family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
}

Result<std::string> address_of_interface(const std::string& name) {
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) return fail(ErrorCode::kIo, "this machine's network interfaces are unknown");
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> all(first, &::freeifaddrs);
  std::set<std::string> names;
  std::string wide;  // an IPv6 address serves where there is no IPv4 one
  for (const ifaddrs* each = first; each != nullptr; each = each->ifa_next) {
    names.insert(each->ifa_name);
    if (each->ifa_addr == nullptr || name != each->ifa_name || (each->ifa_flags & IFF_UP) == 0) continue;
    if (each->ifa_addr->sa_family == AF_INET) return digits_of(each->ifa_addr, sizeof(sockaddr_in));
    if (each->ifa_addr->sa_family == AF_INET6 && wide.empty())
      wide = digits_of(each->ifa_addr, sizeof(sockaddr_in6));
  }
  if (!wide.empty()) return wide;
  return fail(ErrorCode::kInvalidArgument, "network interface {}: {}; interfaces here: {}", name,
              names.contains(name) ? "it has no address" : "there is none", fmt::join(names, ", "));
}

}  // namespace

Variables environment() {
  return [](const std::string& name) {
    const char* value = std::getenv(name.c_str());
    return std::string(value == nullptr ? "" : value);
  };
}

Result<Place> place_from(const Variables& variable) {
  Place place;
  const std::string world = variable("WORLD_SIZE");
  if (world.empty()) return place;
  TERRAPIN_TRY(place.world_size, number(variable, "WORLD_SIZE", 1, kMostProcesses));
  if (place.alone()) return place;
  TERRAPIN_TRY(place.rank, number(variable, "RANK", 0, place.world_size - 1));
  if (!variable("LOCAL_WORLD_SIZE").empty()) {
    TERRAPIN_TRY(place.local_size, number(variable, "LOCAL_WORLD_SIZE", 1, place.world_size));
  }
  if (!variable("LOCAL_RANK").empty()) {
    TERRAPIN_TRY(place.local_rank, number(variable, "LOCAL_RANK", 0, place.world_size - 1));
  }
  place.master = variable("MASTER_ADDR");
  if (place.master.empty()) {
    return fail(ErrorCode::kInvalidArgument,
                "MASTER_ADDR is not set: WORLD_SIZE above 1 needs the address of the machine of RANK 0");
  }
  TERRAPIN_TRY(place.port, number(variable, "MASTER_PORT", 1, 65535));
  place.interface_name = variable("GLOO_SOCKET_IFNAME");
  place.serves = place.rank == 0 && variable(kLauncherMeets).empty();
  return place;
}

int threads_told(const Variables& variable) {
  const std::string text = variable("OMP_NUM_THREADS");
  int threads = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), threads);
  return error == std::errc() && end == text.data() + text.size() ? std::max(0, threads) : 0;
}

Result<std::string> listening_address(const Place& place) {
  if (!place.interface_name.empty()) return address_of_interface(place.interface_name);
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* first = nullptr;
  const int code = ::getaddrinfo(place.master.c_str(), std::to_string(place.port).c_str(), &hints, &first);
  if (code != 0) {
    return fail(ErrorCode::kIo, "{}, where the processes meet, has no address: {}", place.master,
                ::gai_strerror(code));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> all(first, &::freeaddrinfo);
  for (const addrinfo* each = first; each != nullptr; each = each->ai_next) {
    // No packet leaves: connecting a datagram socket asks the routing table only.
    const Descriptor socket(::socket(each->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!socket.is_open() || ::connect(socket.get(), each->ai_addr, each->ai_addrlen) != 0) continue;
    sockaddr_storage own{};
    socklen_t length = sizeof own;
    auto* address = reinterpret_cast<sockaddr*>(&own);
    if (::getsockname(socket.get(), address, &length) != 0) continue;
    std::string text = digits_of(address, length_of(*address));
    if (text.empty()) continue;
    if (address_kind(*address) != AddressKind::kPrivate) {
      return fail(ErrorCode::kInvalidArgument,
                  "{} is reached from {}, which is no private address; name the interface to use in "
                  "GLOO_SOCKET_IFNAME (processes that train together trust everyone who reaches them)",
                  place.master, text);
    }
    return text;
  }
  return fail(ErrorCode::kIo, "{}, where the processes meet, cannot be reached from this machine",
              place.master);
}

}  // namespace terrapin::training
