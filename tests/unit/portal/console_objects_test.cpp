// Buckets, uploads, pictures and downloads of the requester's console.
#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "artifacts/tar_header.h"
#include "imaging/codecs.h"
#include "portal/dataset_tar.h"
#include "portal/pictures.h"
#include "unit/portal/portal_fixture.h"

namespace terrapin::portal {
namespace {

using identity::Role;
using imaging::Image;
using imaging::Mask;
using test::Answered;
using test::Browser;
using test::json;
using test::text_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Bytes bytes_of(const std::string& text) {
  return {text.begin(), text.end()};
}

Image gradient(std::int64_t width, std::int64_t height) {
  Image image({width, height});
  for (std::int64_t y = 0; y < height; ++y)
    for (std::int64_t x = 0; x < width; ++x)
      image.set(
          x, y,
          {static_cast<std::uint8_t>(255 * x / width), static_cast<std::uint8_t>(255 * y / height), 90});
  return image;
}

class ConsoleObjects : public test::PortalTest {
 protected:
  ConsoleObjects() : browser(browser_of(make("rita", {Role::kRequester}))) {}

  Answered put(const std::string& target, const std::string& body, const std::string& type) {
    http::Request asked = request("PUT", target, body, browser);
    asked.headers.set("Content-Type", type);
    return send(std::move(asked));
  }
  void add_object(std::int64_t index, const std::string& photo, const std::string& mask = {}) {
    labeling::ObjectRecord record;
    record.index = index;
    record.source_uri = photo;
    record.mask_uri = mask;
    record.state = mask.empty() ? labeling::ObjectState::kOpen : labeling::ObjectState::kLabeled;
    jobs.objects_[index] = record;
  }
  void add_mask(const std::string& uri, const Mask& mask) {
    objects.add(uri, text_of(imaging::encode_indexed_png(mask, imaging::default_palette(3)).value()),
                "image/png");
  }

  Browser browser;
  const std::string api = "/_/api/requester/";
};

TEST_F(ConsoleObjects, BucketsAreThoseTheAccountMayUse) {
  const Answered list = get(api + "buckets", browser);
  ASSERT_EQ(list.status, 200);
  std::vector<std::string> names;
  for (const json& one : list.body["buckets"]) names.push_back(one["name"]);
  EXPECT_THAT(names, ElementsAre("out", "photos"));  // not "secrets"
  EXPECT_EQ(ask("POST", api + "buckets", {{"name", "new-one"}}, browser).status, 201);
  EXPECT_TRUE(objects.buckets.contains("new-one"));
  EXPECT_EQ(ask("POST", api + "buckets", {{"name", "new-one"}}, browser).code(), "AlreadyExists");
  EXPECT_EQ(ask("POST", api + "buckets", {{"name", "secrets"}}, browser).code(), "Denied");
  for (const char* wrong : {"", "..", "A", "a/b", "_", "photos/..", "127.0.0.1"})
    EXPECT_EQ(ask("POST", api + "buckets", {{"name", wrong}}, browser).status, 400) << wrong;
}

TEST_F(ConsoleObjects, AnUploadIsStoredAsItCame) {
  std::string bytes("\x00\xff{not json", 11);
  const Answered made = put(api + "objects/photos/a%20b/c.jpg", bytes, "image/jpeg");
  EXPECT_EQ(made.status, 201) << made.text;
  EXPECT_EQ(made.body["uri"], "s3://photos/a b/c.jpg");
  EXPECT_EQ(objects.text_of("s3://photos/a b/c.jpg"), bytes);
  EXPECT_EQ(objects.type_of("s3://photos/a b/c.jpg"), "image/jpeg");
  EXPECT_EQ(put(api + "objects/photos/empty", "", "text/plain").status, 201);
  EXPECT_EQ(put(api + "objects/secrets/x", "x", "text/plain").code(), "Denied");
  EXPECT_FALSE(objects.has("s3://secrets/x"));
  EXPECT_EQ(put(api + "objects/nowhere/x", "x", "text/plain").status, 404);
}

TEST_F(ConsoleObjects, OddKeysAreKeysOrRefused) {
  // Decoded once, and never a path: what it names is the store's business.
  for (const auto& [target, uri] :
       {std::pair("objects/photos/a%2Fb", "s3://photos/a/b"),
        std::pair("objects/photos/..%2F..%2Fx", "s3://photos/../../x"),
        std::pair("objects/photos/%252e%252e", "s3://photos/%2e%2e"),
        std::pair("objects/photos/a/", "s3://photos/a/"),
        std::pair("objects/photos/../../etc/passwd", "s3://photos/../../etc/passwd")}) {
    EXPECT_EQ(put(api + target, "x", "text/plain").status, 201) << target;
    EXPECT_TRUE(objects.has(uri)) << uri;
  }
  EXPECT_EQ(put(api + "objects/photos/" + std::string(1025, 'k'), "x", "text/plain").status, 400);
  EXPECT_EQ(put(api + "objects/photos/%ff%fe", "x", "text/plain").status, 400);
  for (const char* bucket : {"..", "photos%2F..", "%2e%2e", "PHOTOS", "photos%20"})
    EXPECT_EQ(put(api + "objects/" + bucket + "/x", "x", "text/plain").status, 400) << bucket;
  EXPECT_FALSE(router.find("PUT", "/_/api/requester/objects/photos/a%00b"));  // refused before the portal
  EXPECT_EQ(put(api + "objects/photos/x", "x", std::string(256, 't')).status, 400);
}

TEST_F(ConsoleObjects, UploadsHaveALimit) {
  PortalOptions options = generous();
  options.max_upload_bytes = 100;
  open(options);
  EXPECT_EQ(put(api + "objects/photos/x", std::string(101, 'x'), "text/plain").status, 413);
  EXPECT_EQ(put(api + "objects/photos/x", std::string(100, 'x'), "text/plain").status, 201);
}

TEST_F(ConsoleObjects, WhatWasUploadedNeverBecomesActive) {
  for (const auto& [name, text, type] :
       {std::tuple("page.html", "<script>alert(1)</script>", "text/html"),
        std::tuple("picture.svg", "<svg onload='alert(1)'/>", "image/svg+xml"),
        std::tuple("a.js", "alert(1)", "text/javascript"),
        std::tuple("a.xml", "<?xml?>", "application/xhtml+xml")}) {
    ASSERT_EQ(put(api + "objects/photos/" + name, text, type).status, 201);
    add_object(1, fmt::format("s3://photos/{}", name), fmt::format("s3://photos/{}", name));
    for (const std::string& target : {api + "objects/photos/" + name, api + "jobs/job-1/objects/1/photo",
                                      api + "jobs/job-1/objects/1/mask"}) {
      const Answered answer = get(target, browser);
      EXPECT_EQ(answer.status, 200) << target;
      EXPECT_EQ(answer.text, text);
      EXPECT_EQ(answer.header("Content-Type"), "application/octet-stream") << target;
      EXPECT_THAT(answer.header("Content-Disposition"), HasSubstr("attachment")) << target;
      EXPECT_EQ(answer.header("X-Content-Type-Options"), "nosniff");
      EXPECT_THAT(answer.header("Content-Security-Policy"), HasSubstr("sandbox"));
    }
    // Nor is it decoded.
    EXPECT_EQ(get(api + "jobs/job-1/objects/1/photo?width=64", browser).status, 409);
    EXPECT_EQ(get(api + "jobs/job-1/objects/1/mask?width=64", browser).status, 409);
  }
  // A picture too is a download here, and its name cannot end the header's quotes or begin another.
  objects.add("s3://photos/x/\"a\r\nSet-Cookie: x.png", "\x89PNG\r\n\x1a\n", "image/png");
  const Answered picture = get(api + "objects/photos/x/%22a%0D%0ASet-Cookie:%20x.png", browser);
  EXPECT_EQ(picture.header("Content-Disposition"), "attachment; filename*=UTF-8''aSet-Cookie%3A%20x.png");
}

TEST_F(ConsoleObjects, ADownloadHasRanges) {
  objects.add("s3://photos/a.txt", "0123456789", "text/plain");
  http::Request asked = request("GET", api + "objects/photos/a.txt", {}, browser);
  asked.headers.add("Range", "bytes=2-4");
  const Answered part = send(asked);
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(part.text, "234");
  EXPECT_EQ(get(api + "objects/secrets/a.txt", browser).code(), "Denied");
  EXPECT_EQ(get(api + "objects/photos/none", browser).status, 404);
}

TEST_F(ConsoleObjects, ListsAFolder) {
  objects.add("s3://photos/a/1.jpg", "x", "image/jpeg");
  const Answered list = get(api + "objects?bucket=photos&prefix=a/&after=a/0&limit=5", browser);
  ASSERT_EQ(list.status, 200) << list.text;
  EXPECT_EQ(list.body["objects"][0]["key"], "a/1.jpg");
  EXPECT_EQ(list.body["objects"][0]["size"], 1);
  EXPECT_TRUE(list.body["next"].is_null());
  EXPECT_EQ(objects.last_list.delimiter, "/");
  EXPECT_EQ(objects.last_list.prefix, "a/");
  EXPECT_EQ(objects.last_list.max_keys, 5);
  for (const char* wrong :
       {"objects", "objects?bucket=photos&limit=0", "objects?bucket=photos&limit=1001", "objects?bucket=..",
        "objects?bucket=photos&prefix=%ff", "objects?bucket=photos&x=1"})
    EXPECT_EQ(get(api + wrong, browser).status, 400) << wrong;
  EXPECT_EQ(get(api + "objects?bucket=secrets", browser).code(), "Denied");
}

TEST_F(ConsoleObjects, PhotosAreReducedNotTurned) {
  const Image photo = gradient(1000, 500);
  objects.add("s3://photos/p.jpg", text_of(imaging::encode_jpeg(photo, 95).value()), "image/jpeg");
  add_object(1, "s3://photos/p.jpg");
  const std::string target = api + "jobs/job-1/objects/1/photo";
  const Answered small = get(target + "?width=100", browser);
  ASSERT_EQ(small.status, 200) << small.text;
  EXPECT_EQ(small.header("Content-Type"), "image/jpeg");
  EXPECT_EQ(small.header("X-Orientation"), "1");
  const Image reduced = imaging::decode_photo(bytes_of(small.text)).value();
  EXPECT_EQ(reduced.size(), (imaging::Size{100, 50}));
  EXPECT_NEAR(reduced.at(50, 25).red, 127, 8);
  EXPECT_NEAR(reduced.at(90, 5).red, 231, 10);
  EXPECT_NEAR(reduced.at(5, 45).green, 231, 10);
  // Never enlarged; whole without a width.
  EXPECT_EQ(imaging::decode_photo(bytes_of(get(target + "?width=4096", browser).text))->size(), photo.size());
  EXPECT_EQ(get(target, browser).text, objects.text_of("s3://photos/p.jpg"));
  for (const char* wrong : {"63", "4097", "-1", "x", "", "64.5"})
    EXPECT_EQ(get(target + "?width=" + wrong, browser).status, 400) << wrong;
  // What the browser has is not sent again, nor is it decoded.
  http::Request again = request("GET", target + "?width=100", {}, browser);
  again.headers.add("If-None-Match", small.header("ETag"));
  EXPECT_EQ(send(again).status, 304);
  EXPECT_NE(get(target + "?width=101", browser).header("ETag"), small.header("ETag"));
}

TEST_F(ConsoleObjects, PngPhotosStayPng) {
  objects.add("s3://photos/p.png", text_of(imaging::encode_png(gradient(200, 100)).value()), "image/png");
  add_object(1, "s3://photos/p.png");
  const Answered small = get(api + "jobs/job-1/objects/1/photo?width=64", browser);
  EXPECT_EQ(small.header("Content-Type"), "image/png");
  EXPECT_EQ(imaging::decode_photo(bytes_of(small.text))->size(), (imaging::Size{64, 32}));
}

TEST_F(ConsoleObjects, ReducedPicturesAreKept) {
  objects.add("s3://photos/p.png", text_of(imaging::encode_png(gradient(200, 100)).value()), "image/png");
  add_object(1, "s3://photos/p.png");
  const std::string target = api + "jobs/job-1/objects/1/photo?width=64";
  const std::string first = get(target, browser).text;
  objects.add("s3://photos/p.png", "no picture", "image/png");  // the fake's ETag stays
  EXPECT_EQ(get(target, browser).text, first);
  // Kept is not the same as allowed.
  refused_buckets.insert("photos");
  EXPECT_EQ(get(target, browser).code(), "Denied");
}

TEST_F(ConsoleObjects, MasksAreReducedToNearestPixelsInTheirColours) {
  Mask mask({128, 64});
  for (std::int64_t y = 0; y < 64; ++y)
    for (std::int64_t x = 64; x < 128; ++x) mask.set(x, y, y < 32 ? 2 : 255);
  add_mask("s3://out/m.png", mask);
  add_object(3, "s3://photos/p.jpg", "s3://out/m.png");
  const std::string target = api + "jobs/job-1/objects/3/mask";
  EXPECT_EQ(get(target, browser).text, objects.text_of("s3://out/m.png"));
  const Answered small = get(target + "?width=64", browser);
  ASSERT_EQ(small.status, 200) << small.text;
  const auto file = imaging::decode_mask(bytes_of(small.text)).value();
  ASSERT_TRUE(file.labels);
  EXPECT_EQ(file.labels->size(), (imaging::Size{64, 32}));
  EXPECT_EQ(file.labels->at(0, 0), 0);
  EXPECT_EQ(file.labels->at(63, 0), 2);
  EXPECT_EQ(file.labels->at(63, 31), 255);
  EXPECT_EQ(file.palette[2], imaging::default_palette(3)[2]);
  add_object(4, "s3://photos/p.jpg");
  EXPECT_EQ(get(api + "jobs/job-1/objects/4/mask", browser).status, 404);
  add_object(5, "s3://photos/p.jpg", "s3://secrets/m.png");
  EXPECT_EQ(get(api + "jobs/job-1/objects/5/mask", browser).code(), "Denied");
  EXPECT_EQ(get(api + "jobs/job-1/objects/99/mask", browser).status, 404);
  EXPECT_EQ(get(api + "jobs/job-1/objects/x/mask", browser).status, 404);
}

TEST_F(ConsoleObjects, AnswersAndWhereTheyDisagree) {
  const auto painted = [&](const std::string& name, std::uint8_t left, std::uint8_t right) {
    Mask mask({100, 10});
    for (std::int64_t y = 0; y < 10; ++y)
      for (std::int64_t x = 0; x < 100; ++x) mask.set(x, y, x < 50 ? left : right);
    add_mask("s3://out/" + name + ".png", mask);
    return labeling::AnswerRecord{name, "w-" + name, "s3://out/" + name + ".png", {}, {}, false};
  };
  jobs.answers_ = {painted("a", 1, 1), painted("b", 1, 2), painted("c", 1, 0)};
  labeling::AnswerRecord gone = painted("d", 2, 2);
  gone.withdrawn = true;
  jobs.answers_.push_back(gone);
  jobs.answers_.push_back({"choice", "w", "s3://out/choice.json", {}, {}, false});
  const std::string target = api + "jobs/job-1/objects/1/";
  const auto mask =
      imaging::decode_mask(bytes_of(get(target + "answers/b/mask?width=64", browser).text)).value();
  EXPECT_EQ(mask.labels->at(0, 0), 1);
  EXPECT_EQ(mask.labels->at(63, 0), 2);
  EXPECT_EQ(get(target + "answers/none/mask", browser).status, 404);
  EXPECT_EQ(get(target + "answers/choice/mask", browser).status, 404);

  for (const std::string width : {"", "?width=64"}) {
    const Answered heat = get(target + "disagreement" + width, browser);
    ASSERT_EQ(heat.status, 200) << heat.text;
    EXPECT_EQ(heat.header("Content-Type"), "image/png");
    const auto grey = imaging::decode_mask(bytes_of(heat.text)).value();
    ASSERT_TRUE(grey.labels);
    EXPECT_TRUE(grey.palette.empty());  // grey, not indices
    EXPECT_EQ(grey.labels->at(0, 0), 0);
    EXPECT_EQ(grey.labels->at(grey.labels->width() - 1, 0), 170);  // 255 * (1 - 1/3)
  }
  jobs.answers_.resize(1);
  EXPECT_EQ(get(target + "disagreement", browser).status, 404);
}

// What a tar program would unpack.
std::map<std::string, std::string> unpacked(const std::string& tar) {
  std::map<std::string, std::string> files;
  std::size_t at = 0;
  for (;;) {
    artifacts::TarBlock block{};
    std::copy_n(tar.begin() + static_cast<std::ptrdiff_t>(at), block.size(), block.begin());
    const auto header = artifacts::parse_tar_header(block).value();
    if (!header) break;
    const auto size = static_cast<std::size_t>(header->size);
    files[header->name] = tar.substr(at + 512, size);
    at += 512 + (size + 511) / 512 * 512;
  }
  EXPECT_EQ(tar.size(), at + 1024);
  return files;
}

TEST_F(ConsoleObjects, ResultsCanBeTakenAway) {
  jobs.record().output_dataset_uri = "s3://out/output.manifest";
  objects.add("s3://out/output.manifest", "{\"source-ref\":\"s3://photos/a.jpg\"}\n",
              "application/jsonlines");
  objects.add("s3://out/masks/0_x.png", std::string(600, 'm'), "image/png");
  objects.add("s3://out/masks/7_y.png", "", "image/png");
  add_object(0, "s3://photos/a.jpg", "s3://out/masks/0_x.png");
  add_object(7, "s3://photos/b.jpg", "s3://out/masks/7_y.png");
  add_object(8, "s3://photos/c.jpg");
  const Answered manifest = get(api + "jobs/job-1/download?what=manifest", browser);
  EXPECT_EQ(manifest.status, 200);
  EXPECT_EQ(manifest.text, objects.text_of("s3://out/output.manifest"));
  EXPECT_EQ(manifest.header("Content-Disposition"), "attachment; filename*=UTF-8''job-1-manifest.jsonl");
  const Answered dataset = get(api + "jobs/job-1/download?what=dataset", browser);
  ASSERT_EQ(dataset.status, 200) << dataset.text;
  EXPECT_EQ(dataset.header("Content-Type"), "application/x-tar");
  const auto files = unpacked(dataset.text);
  EXPECT_EQ(files.size(), 5U);
  EXPECT_EQ(files.at("output.manifest"), manifest.text);
  EXPECT_EQ(files.at("masks/0.png"), std::string(600, 'm'));
  EXPECT_EQ(files.at("masks/7.png"), "");
  EXPECT_EQ(json::parse(files.at("classes.json"))["classes"][1]["name"], "Turtle");
  EXPECT_TRUE(json::parse(files.at("label_map.json")).contains("scale"));
  for (const char* wrong : {"", "?what=all", "?what=", "?what=dataset&x=1"})
    EXPECT_EQ(get(api + "jobs/job-1/download" + wrong, browser).status, 400) << wrong;
  refused_buckets.insert("out");
  EXPECT_EQ(get(api + "jobs/job-1/download?what=manifest", browser).code(), "Denied");
  EXPECT_EQ(get(api + "jobs/job-1/download?what=dataset", browser).code(), "Denied");
}

TEST(TarSource, IsTheSameInPiecesOfAnySize) {
  std::vector<TarFile> files;
  int opened = 0;
  for (const std::size_t size : {0U, 1U, 511U, 512U, 513U, 2000U}) {
    const ByteSourcePtr source = bytes_source(std::string(size, static_cast<char>('a' + files.size())));
    files.push_back({fmt::format("file-{}", size), static_cast<std::int64_t>(size),
                     [source, &opened]() -> Result<ByteSourcePtr> {
                       ++opened;
                       return source;
                     }});
  }
  const TarSource tar(files);
  const std::string whole = read_all_text(tar, 1 << 20).value();
  EXPECT_EQ(unpacked(whole).size(), files.size());
  EXPECT_EQ(opened, 5);  // an empty file is not opened, the others once
  for (const std::size_t piece : {1U, 7U, 512U, 1000U}) {
    std::string text;
    for (std::int64_t at = 0; at < tar.size(); at += static_cast<std::int64_t>(piece)) {
      Bytes bytes(std::min<std::size_t>(piece, static_cast<std::size_t>(tar.size() - at)));
      ASSERT_TRUE(tar.read(at, bytes));
      text.append(bytes.begin(), bytes.end());
    }
    EXPECT_EQ(text, whole) << piece;
  }
  Bytes beyond(2);
  EXPECT_FALSE(tar.read(tar.size() - 1, beyond));
}

TEST(TarSource, AFileThatChangedIsAnError) {
  const ByteSourcePtr source = bytes_source(std::string_view("four"));
  const TarSource tar({{"a", 5, [source]() -> Result<ByteSourcePtr> { return source; }}});
  const auto read = read_all_text(tar, 1 << 20);
  ASSERT_FALSE(read);
  EXPECT_THAT(read.error().message, HasSubstr("a has 4 bytes instead of 5"));
}

TEST(PictureCache, KeepsWhatWasUsedLastWithinItsBytes) {
  PictureCache cache(100);
  const auto picture = [](std::size_t bytes) { return Picture{"image/png", bytes_source(Bytes(bytes)), 1}; };
  cache.keep("a", picture(40));
  cache.keep("b", picture(40));
  EXPECT_TRUE(cache.find("a"));
  cache.keep("c", picture(40));
  EXPECT_TRUE(cache.find("a"));
  EXPECT_FALSE(cache.find("b"));
  EXPECT_EQ(cache.bytes(), 80);
  cache.keep("large", picture(101));
  EXPECT_FALSE(cache.find("large"));
  EXPECT_EQ(cache.bytes(), 80);
}

TEST(DecodeSlots, AreTakenUpToTheirNumber) {
  DecodeSlots slots(2, 1);
  const auto stays = [] { return false; };
  auto first = slots.take(std::chrono::milliseconds(0), stays);
  {
    const auto second = slots.take(std::chrono::milliseconds(0), stays);
    ASSERT_TRUE(first && second);
    EXPECT_EQ(slots.take(std::chrono::milliseconds(0), stays).error().code, ErrorCode::kCancelled);
  }
  EXPECT_TRUE(slots.take(std::chrono::milliseconds(0), stays));
}

TEST(DecodeSlots, FewWaitAndNoneForAClientThatIsGone) {
  DecodeSlots slots(1, 1);
  std::optional<DecodeSlots::Slot> held(slots.take(std::chrono::hours(1), [] { return false; }).value());
  std::atomic<bool> waits{false}, gone{false};
  std::thread waiting([&] {
    const auto slot = slots.take(std::chrono::hours(1), [&] {
      waits = true;
      return gone.load();
    });
    EXPECT_EQ(slot.error().message, "the client is gone");
  });
  while (!waits) std::this_thread::yield();
  // One waits: the next is told at once, however patient it is.
  EXPECT_EQ(slots.take(std::chrono::hours(1), [] { return false; }).error().code, ErrorCode::kCancelled);
  gone = true;
  waiting.join();
  held.reset();
  EXPECT_TRUE(slots.take(std::chrono::hours(1), [] { return false; }));
}

}  // namespace
}  // namespace terrapin::portal
