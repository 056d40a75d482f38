// A prediction as the body of an answer. Format page: docs/formats/hosting.md.
#pragma once

#include <string>

#include "artifacts/class_list.h"
#include "base/files.h"
#include "base/result.h"
#include "inference/predictor.h"

namespace terrapin::serving {

// {"shape": [height, width], "classes": [{"index", "name", "color", "pixels"}...], "mask_png_base64": "..."}
Result<std::string> encode_json_answer(const imaging::Mask& mask, const artifacts::ClassList& classes);

}  // namespace terrapin::serving
