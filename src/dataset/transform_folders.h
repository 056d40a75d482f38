// Folder layouts as input sources; see transform_source.h.
#pragma once

#include <memory>

#include "dataset/transform_source.h"

namespace terrapin::dataset {

Result<std::unique_ptr<InputSource>> open_folder_input(const std::filesystem::path& folder);

}  // namespace terrapin::dataset
