// Which addresses are this machine or its networks: where requests that a stranger steers may not go.
#pragma once

#include <string>

struct sockaddr;

namespace terrapin {

enum class AddressKind {
  kPublic,
  kPrivate,  // this machine, its networks, and what is not globally reachable: allowed where a person says so
  kNever,    // unspecified, multicast, reserved, and the clouds' metadata services
};

// Judges IPv4 and IPv6 by IANA's special-purpose registries (RFC 6890 and later ones). An IPv4 address inside
// an IPv6 one (mapped, compatible, NAT64, 6to4, Teredo, ISATAP) counts as itself at least. Anything that is
// no IP address is kNever.
AddressKind address_kind(const sockaddr& address);

// The same for a host as it stands in a URL, where it can be told without asking a name server: literal
// addresses in any form getaddrinfo takes (also decimal, octal, hexadecimal), "localhost" and what ends in
// ".localhost". Other names are kPublic here: the address they lead to is judged when it is connected to.
AddressKind literal_host_kind(std::string host);

}  // namespace terrapin
