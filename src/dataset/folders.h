// Folder layouts as input sources; see source.h.
#pragma once

#include <memory>

#include "dataset/source.h"

namespace terrapin::dataset {

Result<std::unique_ptr<InputSource>> open_folder_input(const std::filesystem::path& folder);

}  // namespace terrapin::dataset
