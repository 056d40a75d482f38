#pragma once

#include <string>
#include <string_view>

namespace terrapin {

// `text` inside elements and double-quoted attributes of XML and HTML (apostrophes stay, as AWS writes them);
// what XML 1.0 cannot carry (control characters, broken UTF-8, U+FFFE, U+FFFF) becomes U+FFFD.
std::string markup_text(std::string_view text);

}  // namespace terrapin
