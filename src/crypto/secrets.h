// Random tokens and passwords (libsodium).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/files.h"

namespace terrapin::crypto {

Bytes random_bytes(std::size_t count);
// `count` random characters of A-Z a-z 0-9.
std::string random_text(std::size_t count);
// Lower-case version 4 UUID.
std::string random_uuid();

// Argon2id with libsodium's interactive limits; about 60 ms and 64 MiB: limit how many run at once.
std::string hash_password(std::string_view password);
bool verify_password(std::string_view password, const std::string& stored);

}  // namespace terrapin::crypto
