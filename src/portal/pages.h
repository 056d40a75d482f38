// The pages' files: what a browser loads before it talks to the interface. They are the same for everybody;
// no session is read. Built from web/ and compiled in, or read from a folder while somebody works on them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.h"
#include "base/result.h"
#include "http/message.h"

namespace terrapin::portal {

// One file as it is sent.
struct PageFile {
  std::string type, etag;
  Bytes plain, gzip;  // gzip "" = only as it is
};

// Constant after construction.
class Pages {
 public:
  // Those compiled in; none when the program was built without Node.
  static Pages built_in();
  // Read again at each request: index.html, frame.html, *.js and assets/*, as web/build.mjs leaves them.
  static Result<Pages> from_folder(const std::filesystem::path& folder);
  // docs/formats/pages-pack.md; kCorrupt says what is wrong.
  static Result<Pages> from_pack(std::span<const std::uint8_t> pack);

  // Patterns of http::Router whose GET is answered here.
  static const std::vector<std::string_view>& patterns();
  // For a request that one of the patterns matches.
  http::Response answer(const http::Request& request) const;

 private:
  Result<PageFile> find(const std::string& name) const;
  std::map<std::string, PageFile> files_;
  std::filesystem::path folder_;  // "" = files_
};

}  // namespace terrapin::portal
