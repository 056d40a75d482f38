// Letters, marks, numbers, punctuation, symbols and separators of Unicode.
#pragma once

#include <vector>

namespace terrapin::api {

struct CategoryRun {
  char32_t first = 0, last = 0;
  char category = 0;  // 'L', 'M', 'N', 'P', 'S' or 'Z'
};

// Ascending, without overlap.
const std::vector<CategoryRun>& unicode_categories();

}  // namespace terrapin::api
