// A certificate authority of this machine alone: it vouches for the names of one domain, to those that were
// given its certificate.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/result.h"

namespace terrapin::proxy {

struct AuthorityOptions {
  std::string name;    // of its subject; letters, digits and spaces
  std::string domain;  // "example.com": it and the names below it are all that it can vouch for
};

// PEM texts; the chain has the leaf alone, for clients hold the authority's certificate.
struct Leaf {
  std::string certificate, key;
};

// EC P-256 and SHA-256. The certificate's name constraints bind clients: a leaf for another domain or for an
// address, whoever made it, is refused by them. Thread-safe.
class Authority {
 public:
  // For this process: the key is nowhere else.
  static Result<std::unique_ptr<Authority>> make(const AuthorityOptions& options, const Clock& clock);
  // The one kept in `folder` (authority.pem: key and certificate, 0600), made if there is none and made anew
  // when less than a month is left of its ten years. kCorrupt, kDenied (others may read the key), kIo, all
  // naming the file.
  static Result<std::unique_ptr<Authority>> open(const std::filesystem::path& folder,
                                                 const AuthorityOptions& options, const Clock& clock);
  ~Authority();
  Authority(const Authority&) = delete;
  Authority& operator=(const Authority&) = delete;

  const std::string& certificate_pem() const;
  // A certificate for `host` (lower-case letters, digits, hyphens and dots), good for kLeafLifetime from now.
  // All leaves of an authority share one key, which was made with this object. kInvalidArgument for a name
  // outside its domain and for what is no host name.
  Result<Leaf> issue(const std::string& host) const;

 private:
  class Implementation;
  explicit Authority(std::unique_ptr<Implementation> implementation);
  std::unique_ptr<Implementation> implementation_;
};

inline constexpr std::chrono::hours kLeafLifetime{48};

}  // namespace terrapin::proxy
