// The server's side of TLS.
#pragma once

#include <filesystem>
#include <memory>

#include "base/result.h"

namespace boost::asio::ssl {
class context;
}

namespace terrapin::http {

// TLS 1.2 and 1.3, forward-secret ciphers with authentication only, no renegotiation and no compression.
// `certificate`: PEM, the server's own first, then its chain; `key`: PEM without a password. Fails with the
// file's name: kNotFound, kIo, kCorrupt (not PEM, or a key with a password), kInvalidArgument (the key
// belongs to another certificate).
Result<std::shared_ptr<boost::asio::ssl::context>> read_tls_files(const std::filesystem::path& certificate,
                                                                  const std::filesystem::path& key);

}  // namespace terrapin::http
