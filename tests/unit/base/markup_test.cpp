#include "base/markup.h"

#include <gtest/gtest.h>

namespace terrapin {
namespace {

TEST(MarkupText, EscapesWhatEndsATextOrAnAttribute) {
  EXPECT_EQ(markup_text("a<b>&\"'c\r\n\t"), "a&lt;b&gt;&amp;&quot;'c&#13;\n\t");
  EXPECT_EQ(markup_text("h\xc3\xa9 \xe6\x97\xa5 \xf0\x9f\x90\xa2 \x7f"),
            "h\xc3\xa9 \xe6\x97\xa5 \xf0\x9f\x90\xa2 \x7f");
}

TEST(MarkupText, ReplacesWhatXmlCannotCarry) {
  EXPECT_EQ(markup_text(std::string_view("\0\x01\x1f", 3)), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
  for (const char* bad :
       {"\xff", "\xc0\x80", "\xed\xa0\x80", "\xe6\x97", "\xf5\x80\x80\x80", "\xef\xbf\xbf", "\xef\xbf\xbe"}) {
    const std::string text = markup_text(std::string("a") + bad + "b");
    EXPECT_TRUE(text.starts_with("a\xef\xbf\xbd") && text.ends_with("b")) << bad;
    EXPECT_EQ(text.find(bad), std::string::npos);
  }
}

}  // namespace
}  // namespace terrapin
