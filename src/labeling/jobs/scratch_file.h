// A manifest while it is written. Inside labeling only.
#pragma once

#include <filesystem>
#include <optional>
#include <string_view>

#include "base/byte_source.h"
#include "base/files.h"
#include "crypto/secrets.h"

namespace terrapin::labeling {

// A file in the scratch folder that goes when its content has been read.
class ScratchFile {
 public:
  static Result<ScratchFile> create(const std::filesystem::path& folder) {
    ScratchFile file;
    file.path_ = folder / ("manifest-" + crypto::random_text(16));
    TERRAPIN_TRY(file.writer_, AtomicFileWriter::open(file.path_).map([](AtomicFileWriter&& writer) {
      return std::optional<AtomicFileWriter>(std::move(writer));
    }));
    return file;
  }
  Status write(std::string_view text) { return writer_->write(text); }
  Result<ByteSourcePtr> finish() {
    TERRAPIN_TRY_STATUS(writer_->commit());
    auto source = file_source(path_);
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
    return source;
  }

 private:
  std::filesystem::path path_;
  std::optional<AtomicFileWriter> writer_;
};

}  // namespace terrapin::labeling
