#pragma once

#include "imaging/image.h"

namespace terrapin::imaging {

// Filters with (1 2 1) / 4 along both axes, in place; edges repeat.
void blur(Image& image);

}  // namespace terrapin::imaging
