#include "portal/pages.h"

#include <gtest/gtest.h>

#include "unit/base/temporary_folder.h"
#include "unit/portal/portal_fixture.h"

namespace terrapin::portal {
namespace {

http::Request get(const std::string& path, http::Headers headers = {}) {
  http::Request request;
  request.method = "GET";
  request.path = request.target = path;
  request.headers = std::move(headers);
  return request;
}

Bytes pack(const std::string& index, const std::string& contents) {
  Bytes bytes;
  for (int i = 0; i < 8; ++i) bytes.push_back(static_cast<std::uint8_t>(index.size() >> (8 * i)));
  for (const std::string& part : {index, contents}) bytes.insert(bytes.end(), part.begin(), part.end());
  return bytes;
}

Pages small_pages() {
  auto pages = Pages::from_pack(pack(
      R"([{"name":"index.html","offset":0,"bytes":4,"gzip_bytes":2},{"name":"frame.html","offset":6,"bytes":5,
               "gzip_bytes":0},{"name":"assets/a-1.js","offset":11,"bytes":3,"gzip_bytes":0},
               {"name":"crowd-html-elements.js","offset":14,"bytes":2,"gzip_bytes":0}])",
      "pagegzframeabcjs"));
  EXPECT_TRUE(pages) << (pages ? "" : pages.error().message);
  return pages ? *pages : Pages();
}

std::string field(const http::Response& response, const char* name) {
  return std::string(response.headers.find(name).value_or("(none)"));
}
std::string body(const http::Response& response) {
  return {response.body.begin(), response.body.end()};
}

TEST(Pages, EveryPageIsTheSameFile) {
  const Pages pages = small_pages();
  for (const char* path : {"/_/", "/_/join", "/_/task/assignment-1", "/_/console", "/_/console/jobs/one"}) {
    const http::Response answer = pages.answer(get(path));
    EXPECT_EQ(answer.status, 200) << path;
    EXPECT_EQ(body(answer), "page") << path;
    EXPECT_EQ(field(answer, "Content-Type"), "text/html; charset=utf-8");
    EXPECT_NE(field(answer, "Content-Security-Policy").find("frame-ancestors 'none'"), std::string::npos);
    EXPECT_EQ(field(answer, "Content-Security-Policy").find("unsafe"), std::string::npos);
  }
}

TEST(Pages, CompressedForThoseWhoTakeIt) {
  const Pages pages = small_pages();
  const http::Response small = pages.answer(get("/_/", {{"Accept-Encoding", "br, gzip"}}));
  EXPECT_EQ(body(small), "gz");
  EXPECT_EQ(field(small, "Content-Encoding"), "gzip");
  EXPECT_EQ(field(pages.answer(get("/_/", {{"Accept-Encoding", "gzip;q=0"}})), "Content-Encoding"), "(none)");
  const std::string etag = field(small, "ETag");
  EXPECT_NE(etag, field(pages.answer(get("/_/")), "ETag"));
  EXPECT_EQ(pages.answer(get("/_/", {{"Accept-Encoding", "gzip"}, {"If-None-Match", etag}})).status, 304);
  EXPECT_EQ(pages.answer(get("/_/", {{"If-None-Match", etag}})).status, 200);
}

TEST(Pages, TheFrameHasNoOriginAndNoNetwork) {
  const Pages pages = small_pages();
  const http::Response frame = pages.answer(get("/_/frame"));
  EXPECT_EQ(body(frame), "frame");
  const std::string policy = field(frame, "Content-Security-Policy");
  EXPECT_TRUE(policy.starts_with("sandbox allow-scripts")) << policy;
  EXPECT_EQ(policy.find("allow-same-origin"), std::string::npos);
  EXPECT_NE(policy.find("connect-src 'none'"), std::string::npos);
  EXPECT_EQ(field(pages.answer(get("/crowd-html-elements.js")), "Cross-Origin-Resource-Policy"),
            "cross-origin");
}

TEST(Pages, FilesNamedByTheirHashAreKeptForEver) {
  const Pages pages = small_pages();
  EXPECT_EQ(field(pages.answer(get("/_/assets/a-1.js")), "Cache-Control"),
            "public, max-age=31536000, immutable");
  EXPECT_EQ(field(pages.answer(get("/_/")), "Cache-Control"), "no-cache");
  for (const char* path :
       {"/_/assets/none.js", "/_/assets/..", "/_/assets/%2e%2e", "/_/assets/.a", "/_/frame.js"})
    EXPECT_EQ(pages.answer(get(path)).status, 404) << path;
}

TEST(Pages, AFolderIsReadAgainAndNotLeft) {
  const test::TemporaryFolder folder;
  EXPECT_FALSE(Pages::from_folder(folder.path()));
  ASSERT_TRUE(write_file_atomically(folder.path() / "index.html", std::string_view("one")));
  const auto pages = Pages::from_folder(folder.path());
  ASSERT_TRUE(pages);
  EXPECT_EQ(body(pages->answer(get("/_/"))), "one");
  ASSERT_TRUE(write_file_atomically(folder.path() / "index.html", std::string_view("two")));
  EXPECT_EQ(body(pages->answer(get("/_/"))), "two");
  EXPECT_EQ(pages->answer(get("/_/assets/../index.html")).status, 404);
}

TEST(Pages, APackThatIsCutIsRefused) {
  EXPECT_FALSE(Pages::from_pack(Bytes{1, 2, 3}));
  EXPECT_FALSE(Pages::from_pack(pack("[]", "").size() > 8 ? Bytes{9, 0, 0, 0, 0, 0, 0, 0, '['} : Bytes{}));
  EXPECT_FALSE(Pages::from_pack(pack(R"([{"name":"a","offset":0,"bytes":9,"gzip_bytes":0}])", "x")));
  EXPECT_FALSE(Pages::from_pack(pack(R"([{"name":"a","offset":2,"bytes":0,"gzip_bytes":0}])", "x")));
  EXPECT_FALSE(Pages::from_pack(pack(R"({"name":"a"})", "x")));
  EXPECT_TRUE(Pages::from_pack(Bytes{}));
}

}  // namespace
}  // namespace terrapin::portal
