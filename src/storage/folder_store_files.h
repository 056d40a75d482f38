// System calls of the folder backend. Every path is relative to an open folder and never leaves it.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/byte_source.h"
#include "base/clock.h"
#include "base/descriptor.h"
#include "base/result.h"
#include "storage/key_path.h"
#include "storage/object_store.h"

namespace terrapin::storage {

// kNoSpace for a full disk or quota, else kIo; `what` names the thing.
tl::unexpected<Error> system_failure(int number, std::string_view what);

// Opens `path` below `folder`. No symbolic link on the way is followed. Not open and errno set on failure.
Descriptor open_beneath(int folder, const std::string& path, int flags);
// The same part by part, for kernels and sandboxes that refuse openat2.
Descriptor open_beneath_by_parts(int folder, const std::string& path, int flags);
// Opens the folder `path` below `folder` ("" is itself), making what is missing, durably.
// Not open and errno set on failure: ENOTDIR when something else is in the way.
Descriptor make_folders(int folder, const std::string& path);

std::int64_t modified_ns(const struct stat& status);
Timestamp modified_time(const struct stat& status);

struct ObjectFile {
  Descriptor file;
  struct stat status {};
};
// The file of an object, open for reading. kNotFound names the object.
Result<ObjectFile> open_object_file(int bucket, const ObjectName& name, NameRule rule);

// The file as it is now, of `size` bytes.
ByteSourcePtr descriptor_source(Descriptor file, std::int64_t size, std::string name);

// Appends the bytes of `body` to the file; the answer is their MD5 in hex.
Result<std::string> write_hashing(const ByteSource& body, int file, std::string_view name);
Result<std::string> md5_of_file(int file, std::string_view name);
// Appends all `size` bytes of `from`, shared with it where the file system can.
Status append_file(int from, std::int64_t size, int to, std::string_view name);

// fsync; file systems that cannot are taken as they are.
Status sync_file(int file, std::string_view name);
Status sync_folder(int folder, std::string_view name);

}  // namespace terrapin::storage
