// Questions about a photo: who may ask what, and what becomes of a question.
#include <gmock/gmock.h>

#include <atomic>
#include <future>
#include <mutex>
#include <thread>

#include "base/base64.h"
#include "crypto/hash.h"
#include "imaging/codecs.h"
#include "imaging/run_lengths.h"
#include "unit/portal/portal_fixture.h"

namespace terrapin::portal {
namespace {

using namespace std::chrono_literals;
using identity::Role;
using test::Answered;
using test::Browser;
using test::json;
using test::text_of;
using ::testing::HasSubstr;

// Answers with what it is given.
class FakeAssistant final : public assist::Assistant {
 public:
  bool has_network() const override { return network; }
  bool has_classical() const override { return true; }
  std::string model_digest() const override { return {}; }
  Result<std::shared_ptr<const assist::OpenPhoto>> open(imaging::Image photo) const override {
    TERRAPIN_TRY(assist::OpenPhoto opened, assist::OpenPhoto::open(std::move(photo), 1));
    return std::make_shared<const assist::OpenPhoto>(std::move(opened));
  }
  Result<assist::Answer> segment(const assist::OpenPhoto& photo, const assist::Prompt& prompt,
                                 std::stop_token stop) const override {
    TERRAPIN_TRY_STATUS(assist::check_prompt(prompt, photo.size()));
    assist::Prompt decoded = prompt;
    TERRAPIN_TRY_STATUS(assist::decode_previous(decoded));
    {
      const std::lock_guard lock(mutex_);
      last_ = decoded;
    }
    ++asked;
    while (hold && !stop.stop_requested()) std::this_thread::yield();
    if (stop.stop_requested()) return fail(ErrorCode::kCancelled, "stopped");
    assist::Answer given;
    given.object = answer;
    given.method = assist::Method::kClassical;
    given.crop_ms = 1, given.compute_ms = 2.2, given.refine_ms = 3.4;
    return given;
  }
  assist::Prompt last() const {
    const std::lock_guard lock(mutex_);
    return last_;
  }
  bool network = true;
  assist::BoxedMask answer{{5, 6, 3, 2}, imaging::Mask({3, 2}, 1)};
  std::atomic<bool> hold{false};
  mutable std::atomic<int> asked{0};

 private:
  mutable std::mutex mutex_;
  mutable assist::Prompt last_;  // guarded by mutex_
};

// The PNG with another size in its header.
std::string sized(std::string png, std::uint32_t width, std::uint32_t height) {
  for (std::size_t i = 0; i < 4; ++i) {
    png[16 + i] = static_cast<char>(width >> (24 - 8 * i));
    png[20 + i] = static_cast<char>(height >> (24 - 8 * i));
  }
  const Bytes sum = crypto::hash(crypto::HashKind::kCrc32, std::string_view(png).substr(12, 17));
  std::copy(sum.begin(), sum.end(), png.begin() + 29);
  return png;
}

class Assist : public test::PortalTest {
 protected:
  Assist() {
    assistant = fake;
    open(generous());
    objects.add(kPhoto, text_of(imaging::encode_png(imaging::Image({40, 30}, {9, 90, 200})).value()),
                "image/png");
    objects.add("s3://photos/other.png", "not of this task", "image/png");
    objects.add("s3://secrets/b.png", "not the owner's", "image/png");
    tasks.readable_uris = {kPhoto, "s3://secrets/b.png"};
    path = "/_/api/assignments/" + accept();
  }
  std::string accept() {
    return post("/_/api/assignments", json::object(), browser).body["assignment"]["id"];
  }
  Answered ask(const json& question) const { return post(path + "/assist", question, browser); }
  static json question(const json& changes = json::object()) {
    json made{{"image", kPhoto}, {"extremes", {{5, 0}, {0, 5}, {9, 6}, {4, 29}}}};
    made.update(changes);
    return made;
  }
  // The message of a refusal as an invalid argument.
  std::string refusal(const json& asked) const {
    const Answered answer = ask(asked);
    EXPECT_EQ(answer.status, 400) << answer.text;
    return answer.body.value("message", "");
  }
  AssistFigures figures() const { return portal->assist_figures().value(); }

  static constexpr const char* kPhoto = "s3://photos/a.png";
  const std::shared_ptr<FakeAssistant> fake = std::make_shared<FakeAssistant>();
  Browser browser = browser_of(make("ann", {Role::kWorker}, {"turtles"}));
  std::string path;
};

TEST_F(Assist, PointsBecomeABoxedMask) {
  const Answered opened = post(path + "/assist/open", {{"image", kPhoto}}, browser);
  ASSERT_EQ(opened.status, 200) << opened.text;
  EXPECT_EQ(opened.body, (json{{"width", 40}, {"height", 30}}));

  fake->answer.mask.set(1, 0, 0);
  const Answered answer = ask(question());
  ASSERT_EQ(answer.status, 200) << answer.text;
  EXPECT_EQ(answer.body, (json{{"box", {5, 6, 3, 2}},
                               {"runs", base64(Bytes{0, 1, 1, 4})},
                               {"method", "classical"},
                               {"milliseconds", 7}}));
  EXPECT_EQ(answer.header("Cache-Control"), "no-store");
  EXPECT_EQ(fake->last().extremes[3], (imaging::Pixel{4, 29}));
  EXPECT_EQ(fake->last().method, assist::Method::kAuto);
  EXPECT_FALSE(fake->last().previous);

  // An answer is the next question's earlier mask.
  const json next = question({{"extremes", json::array()},
                              {"positive", {{1, 2}, {39, 29}}},
                              {"negative", {{3, 4}}},
                              {"previous", {{"box", answer.body["box"]}, {"runs", answer.body["runs"]}}},
                              {"method", "network"}});
  ASSERT_EQ(ask(next).status, 200);
  EXPECT_EQ(fake->last().positive, (std::vector<imaging::Pixel>{{1, 2}, {39, 29}}));
  EXPECT_EQ(fake->last().negative, (std::vector<imaging::Pixel>{{3, 4}}));
  EXPECT_EQ(fake->last().method, assist::Method::kNetwork);
  EXPECT_EQ(fake->last().previous->box, fake->answer.box);
  EXPECT_EQ(fake->last().previous->mask, fake->answer.mask);

  fake->answer = {};
  const Answered nothing = ask(question({{"previous", nullptr}}));
  EXPECT_EQ(nothing.body["box"], (json{0, 0, 0, 0}));
  EXPECT_EQ(nothing.body["runs"], "");
  ASSERT_EQ(ask(question({{"previous", {{"box", {7, 7, 0, 0}}, {"runs", ""}}}})).status, 200);
  EXPECT_FALSE(fake->last().previous);
}

TEST_F(Assist, AJobsOwnAssistantAnswersFromTheNextQuestionOn) {
  EXPECT_EQ(ask(question()).body["box"], (json{5, 6, 3, 2}));
  const auto own = std::make_shared<FakeAssistant>(), anothers = std::make_shared<FakeAssistant>();
  own->answer = {{7, 8, 2, 1}, imaging::Mask({2, 1}, 1)};
  assistants_of_jobs["id-of-another"] = anothers;
  EXPECT_EQ(ask(question()).body["box"], (json{5, 6, 3, 2}));
  assistants_of_jobs["id-1"] = own;
  EXPECT_EQ(ask(question()).body["box"], (json{7, 8, 2, 1}));
  EXPECT_EQ(own->asked, 1);
  EXPECT_EQ(anothers->asked, 0);
  EXPECT_EQ(fake->asked, 2);
  EXPECT_EQ(figures().photos_opened, 1) << "an opened photo serves every model";
  assistants_of_jobs.clear();
  EXPECT_EQ(ask(question()).body["box"], (json{5, 6, 3, 2}));
}

TEST_F(Assist, TheContentTellsWhatServes) {
  EXPECT_EQ(get(path + "/content", browser).body["assistance"],
            (json{{"network", true}, {"classical", true}}));
  fake->network = false;
  EXPECT_EQ(get(path + "/content", browser).body["assistance"],
            (json{{"network", false}, {"classical", true}}));
  assistant = nullptr;
  open(generous());
  const json content = get(path + "/content", browser).body;
  EXPECT_TRUE(content.contains("assistance") && content["assistance"].is_null());
  EXPECT_EQ(ask(question()).status, 501);
  EXPECT_EQ(ask(question()).code(), "Unsupported");
  EXPECT_EQ(post(path + "/assist/open", {{"image", kPhoto}}, browser).status, 501);
  EXPECT_FALSE(portal->assist_figures());
}

TEST_F(Assist, APhotoIsOpenedOnce) {
  EXPECT_EQ(post(path + "/assist/open", {{"image", kPhoto}}, browser).status, 200);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ask(question()).status, 200);
  EXPECT_EQ(figures().photos_opened, 1);
  EXPECT_EQ(figures().photo_bytes, 16 << 10);  // as any photo that small
  EXPECT_EQ(figures().answered, 3);
  EXPECT_EQ(figures().under_way, 0);
  objects.etag_end = "-new";  // another photo in its place
  EXPECT_EQ(ask(question()).status, 200);
  EXPECT_EQ(figures().photos_opened, 2);
}

TEST_F(Assist, WhoWaitsForRoomKeepsNoDecoder) {
  portal::PortalOptions options = generous();
  options.picture_decoders = 1;
  options.assist_photo_bytes = 80'000;
  open(options);
  const auto add = [&](const char* uri, imaging::Size size) {
    objects.add(uri, text_of(imaging::encode_png(imaging::Image(size)).value()), "image/png");
    tasks.readable_uris.push_back(uri);
    return json{{"image", uri}};
  };
  const json used = add("s3://photos/used.png", {100, 100}), large = add("s3://photos/large.png", {200, 100}),
             small = add("s3://photos/small.png", {100, 60});
  fake->hold = true;
  auto asked = std::async(std::launch::async, [&] { return ask(question(used)); });
  while (fake->asked < 1) std::this_thread::yield();
  auto waiting =
      std::async(std::launch::async, [&] { return post(path + "/assist/open", large, browser).status; });
  while (figures().under_way < 2) std::this_thread::yield();
  EXPECT_EQ(waiting.wait_for(250ms), std::future_status::timeout);
  auto opened =
      std::async(std::launch::async, [&] { return post(path + "/assist/open", small, browser).status; });
  EXPECT_EQ(opened.wait_for(10s), std::future_status::ready);
  EXPECT_EQ(waiting.wait_for(0s), std::future_status::timeout);
  fake->hold = false;
  EXPECT_EQ(opened.get(), 200);
  EXPECT_EQ(waiting.get(), 200);
  EXPECT_EQ(asked.get().status, 200);
}

TEST_F(Assist, APhotoWhoseSizeStandsFarBehindIsOpened) {
  // Comments of more bytes than are read at first.
  std::string jpeg = text_of(imaging::encode_jpeg(imaging::Image({40, 30})).value());
  std::string comment("\xff\xfe\xff\xff");
  comment.resize(2 + 0xffff);
  for (int i = 0; i < 5; ++i) jpeg.insert(2, comment);
  objects.add(kPhoto, jpeg, "image/jpeg");
  const Answered opened = post(path + "/assist/open", {{"image", kPhoto}}, browser);
  EXPECT_EQ(opened.status, 200) << opened.text;
  EXPECT_EQ(opened.body, (json{{"width", 40}, {"height", 30}}));
}

TEST_F(Assist, ANewerQuestionTakesThePlace) {
  fake->hold = true;
  std::vector<std::future<Answered>> older;
  for (int i = 0; i < 3; ++i) {
    older.push_back(std::async(std::launch::async, [&] { return ask(question()); }));
    while (fake->asked <= i) std::this_thread::yield();
  }
  // What opens a photo, or is refused before its photo is looked at, takes nobody's place.
  EXPECT_EQ(post(path + "/assist/open", {{"image", kPhoto}}, browser).status, 200);
  EXPECT_EQ(ask(question({{"image", "s3://photos/other.png"}})).status, 404);
  EXPECT_EQ(ask(question({{"extremes", 3}})).status, 400);
  EXPECT_EQ(ask(question({{"extremes", {{1, 1}, {2, 2}}}})).status, 400);
  EXPECT_EQ(ask(question({{"previous", {{"box", {0, 0, 3, 2}}, {"runs", base64(Bytes{0, 5})}}}})).status,
            400);
  fake->network = false;
  const Answered unserved = ask(question({{"method", "network"}}));
  EXPECT_EQ(unserved.status, 501);
  EXPECT_EQ(unserved.code(), "Unsupported");
  // Those that were stopped have left by and by.
  while (figures().under_way > 1) std::this_thread::yield();
  const Browser other = browser_of(make("bob", {Role::kWorker}, {"turtles"}));
  EXPECT_EQ(post(path + "/assist", question(), other).status, 404);
  EXPECT_EQ(figures().under_way, 1);
  fake->hold = false;
  std::vector<int> statuses;
  for (auto& one : older) {
    const Answered answer = one.get();
    statuses.push_back(answer.status);
    EXPECT_EQ(answer.code(), answer.status == 409 ? "superseded" : "");
  }
  EXPECT_EQ(statuses, (std::vector{409, 409, 200}));
  EXPECT_EQ(figures().superseded, 2);
  EXPECT_EQ(figures().answered, 1);
}

TEST_F(Assist, AQuestionEndsWhenItsClientIsGone) {
  fake->hold = true;
  const auto gone = std::make_shared<std::atomic<bool>>(false);
  http::Request left = request("POST", path + "/assist", question().dump(), browser);
  left.client_gone = gone;
  auto answer = std::async(std::launch::async, [&] { return send(left); });
  while (fake->asked < 1) std::this_thread::yield();
  EXPECT_EQ(answer.wait_for(250ms), std::future_status::timeout);
  *gone = true;
  EXPECT_EQ(answer.wait_for(10s), std::future_status::ready);
  fake->hold = false;
  EXPECT_EQ(answer.get().status, 503);
  EXPECT_EQ(figures().under_way, 0);
  EXPECT_EQ(figures().superseded, 0);
  EXPECT_EQ(figures().refused, 1);
}

TEST_F(Assist, AnothersTaskAndWhatIsOverAreRefused) {
  const Browser other = browser_of(make("mallory", {Role::kWorker}, {"turtles"}));
  const json image{{"image", kPhoto}};
  for (const auto& [end, body] : {std::pair("/assist", question()), std::pair("/assist/open", image)}) {
    const Answered theirs = post(path + end, body, other);
    EXPECT_EQ(theirs.status, 404);
    EXPECT_EQ(post(std::string("/_/api/assignments/none") + end, body, other).status, 404);
  }
  (void)send(request("POST", path + "/submit", R"({"a": 1})", browser));
  EXPECT_EQ(ask(question()).status, 200);  // it may be corrected still

  path = "/_/api/assignments/" + accept();
  (void)post(path + "/return", json::object(), browser);
  const Answered returned = ask(question());
  EXPECT_EQ(returned.status, 409);
  EXPECT_EQ(returned.code(), "Conflict");
  EXPECT_THAT(returned.text, HasSubstr("the task is returned"));
  EXPECT_EQ(post(path + "/assist/open", image, browser).status, 409);

  path = "/_/api/assignments/" + accept();
  clock.advance(600s);
  EXPECT_THAT(ask(question()).text, HasSubstr("the time for the task ended at 2026"));
  EXPECT_EQ(figures().photos_opened, 1);
}

TEST_F(Assist, OnlyTheTasksOwnPhotosAreOpened) {
  std::set<std::string> told;
  for (const char* image :
       {"s3://photos/other.png", "s3://photos/missing.png", "s3://secrets/b.png", "s3://elsewhere/a.png",
        "s3://photos/../photos/a.png", "s3://photos/", "a.png", "https://photos/a.png", "/etc/passwd", ""}) {
    for (const Answered& answer :
         {ask(question({{"image", image}})), post(path + "/assist/open", {{"image", image}}, browser)}) {
      EXPECT_EQ(answer.status, 404) << image;
      told.insert(answer.text);
    }
  }
  EXPECT_EQ(told.size(), 1U);  // one answer: nothing can be found out
  EXPECT_EQ(ask(question()).status, 200);
  readable_bucket = "elsewhere";  // the owner's right was taken back; the photo is still open
  EXPECT_EQ(ask(question()).text, *told.begin());
}

TEST_F(Assist, WrongQuestionsNameWhatIsWrong) {
  EXPECT_THAT(refusal({{"extremes", {}}}), HasSubstr("'image' is missing"));
  EXPECT_THAT(refusal(question({{"image", 3}})), HasSubstr("'image' must be a string"));
  EXPECT_THAT(refusal(question({{"zoom", 3}})), HasSubstr("'zoom' is no member here"));
  EXPECT_THAT(refusal(question({{"method", "best"}})), HasSubstr("'best': allowed are auto, network"));
  EXPECT_THAT(refusal(question({{"positive", {{"x", 3}}}})), HasSubstr("'positive' must be a list"));
  for (const json& point : {json{1}, json{1, 2, 3}, json{"1", 2}, json{1.5, 2}, json{1, nullptr}, json(7),
                            json{18446744073709551615ULL, 0}, json{1e300, 0}, json{true, false}}) {
    EXPECT_THAT(refusal(question({{"negative", {{1, 1}, point}}})),
                HasSubstr("point 2 of 'negative' must be [x, y]"))
        << point;
  }
  for (const json& point : {json{40, 1}, json{1, 30}, json{-1, 1}, json{INT64_MIN, INT64_MAX}}) {
    EXPECT_THAT(refusal(question({{"positive", {{1, 1}, point}}})),
                HasSubstr(fmt::format("positive point 2 at {},{} lies outside the photo: x is 0 to 39",
                                      point[0].get<std::int64_t>(), point[1].get<std::int64_t>())));
  }
  EXPECT_THAT(refusal(question({{"extremes", {{1, 1}, {2, 2}}}})), HasSubstr("2 extreme points given"));
  EXPECT_THAT(refusal(question({{"extremes", json::array()}})), HasSubstr("four are needed"));
  json many = json::array();
  for (int i = 0; i <= 200; ++i) many.push_back({1, 1});
  EXPECT_THAT(refusal(question({{"positive", many}})), HasSubstr("201 points: at most 200"));
  EXPECT_EQ(fake->asked, 0);
}

TEST_F(Assist, WrongEarlierMasksNameWhatIsWrong) {
  const auto told = [&](const json& box, const json& runs) {
    return refusal(question({{"previous", {{"box", box}, {"runs", runs}}}}));
  };
  const std::string six = base64(Bytes{0, 6});
  EXPECT_THAT(refusal(question({{"previous", "mask"}})), HasSubstr("'previous' must be an object"));
  EXPECT_THAT(refusal(question({{"previous", json::object()}})), HasSubstr("'previous': 'box' is missing"));
  EXPECT_THAT(refusal(question({{"previous", {{"box", {0, 0, 3, 2}}, {"runs", six}, {"mask", 1}}}})),
              HasSubstr("'mask' is no member here"));
  for (const json& box : {json{0, 0, 3}, json{0, 0, 3, 2, 1}, json{0, 0, 3, "2"}, json{0, 0, 3, 2.5}})
    EXPECT_THAT(told(box, six), HasSubstr("four integers"));
  for (const json& box :
       {json{-1, 0, 3, 2}, json{0, -1, 3, 2}, json{38, 0, 3, 2}, json{0, 29, 3, 2}, json{0, 0, -3, -2},
        json{INT64_MAX, 0, 3, 2}, json{INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX},
        json{0, 0, 100'000, 100'000}, json{1, 1, INT64_MAX, 2}, json{INT64_MIN, 0, INT64_MAX, 1}})
    EXPECT_THAT(told(box, six), HasSubstr("does not lie in the photo of 40 x 30")) << box;
  EXPECT_THAT(told({0, 0, 41, 1}, base64(Bytes{0, 41})), HasSubstr("does not lie in the photo of 40 x 30"));
  EXPECT_THAT(told({41, 0, 0, 1}, ""), HasSubstr("does not lie in the photo of 40 x 30"));
  for (const char* text : {"AAY", "A AY=", "AAY=AAY=", "-_==", "\u00e4"})
    EXPECT_THAT(told({0, 0, 3, 2}, text), HasSubstr("'runs' is not base64")) << text;
  EXPECT_THAT(told({0, 0, 3, 2}, base64(Bytes{0, 5})), HasSubstr("5 pixels, expected 6"));
  EXPECT_THAT(told({0, 0, 3, 2}, base64(Bytes{0, 7})), HasSubstr("passes the end"));
  EXPECT_THAT(told({0, 0, 3, 2}, base64(Bytes{0x80, 0, 6})), HasSubstr("longer than it need be"));
  EXPECT_THAT(told({0, 0, 0, 2}, base64(Bytes{0})), HasSubstr("'previous': the runs go on"));
  EXPECT_EQ(fake->asked, 0);
  // It says nothing: so four points are needed.
  EXPECT_THAT(refusal(question({{"extremes", json::array()},
                                {"previous", {{"box", {0, 0, 3, 2}}, {"runs", base64(Bytes{6})}}}})),
              HasSubstr("four are needed"));
}

TEST_F(Assist, PhotosThatCannotBeOpenedAreToldAndHeldNowhere) {
  const auto with = [&](const std::string& bytes) {
    objects.add(kPhoto, bytes, "image/png");
    objects.etag_end += "x";
    EXPECT_EQ(post(path + "/assist/open", {{"image", kPhoto}}, browser).status, ask(question()).status);
    return ask(question());
  };
  EXPECT_EQ(with("no picture").status, 409);
  EXPECT_THAT(with("no picture").text, HasSubstr(kPhoto));
  EXPECT_EQ(with("").status, 409);
  const std::string png = text_of(imaging::encode_png(imaging::Image({40, 30})).value());
  EXPECT_EQ(with(png.substr(0, png.size() / 2)).status, 409);
  const Answered refused = with(sized(png, 60'000, 60'000));
  EXPECT_EQ(refused.status, 413) << refused.text;
  EXPECT_THAT(refused.text, HasSubstr("60000 x 60000"));
  EXPECT_EQ(figures().photo_bytes, 0);
  EXPECT_EQ(figures().photos_opened, 0);

  portal::PortalOptions small = generous();
  small.assist_photo_bytes = 40 * 30 * 3 - 1;
  open(small);
  EXPECT_EQ(with(png).status, 413);
  EXPECT_THAT(with(png).text, HasSubstr("assistance may use"));
}

TEST_F(Assist, AnAnswerIsAtMostAHundredThousandBytes) {
  const auto stripes = [&](std::int64_t width) {
    fake->answer = {{0, 0, width, 1}, imaging::Mask({width, 1})};
    for (std::int64_t x = 1; x < width; x += 2) fake->answer.mask.set(x, 0, 1);
  };
  stripes(74'000);
  const Answered largest = ask(question());
  ASSERT_EQ(largest.status, 200);
  EXPECT_LE(largest.text.size(), 100'000U);
  EXPECT_GE(largest.text.size(), 98'000U);
  stripes(74'001);
  const Answered over = ask(question());
  EXPECT_EQ(over.status, 413);
  EXPECT_EQ(over.code(), "TooLarge");
  EXPECT_THAT(over.text, HasSubstr("at most 100,000 bytes"));
}

TEST_F(Assist, QuestionsAreLimited) {
  portal::PortalOptions options = generous();
  options.assist_rate = {1, 3, 100};
  options.assist_questions_of_one = 2;
  open(options);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ask(question()).status, 200);
  const Answered over = ask(question());
  EXPECT_EQ(over.status, 429);
  EXPECT_EQ(over.code(), "TooManyRequests");
  EXPECT_EQ(over.header("Retry-After"), "1");
  EXPECT_EQ(post(path + "/assist/open", {{"image", kPhoto}}, browser).status, 429);
  const Browser bob = browser_of(make("bob", {Role::kWorker}, {"turtles"}));
  const std::string id = post("/_/api/assignments", json::object(), bob).body["assignment"]["id"];
  EXPECT_EQ(post("/_/api/assignments/" + id + "/assist", question(), bob).status, 200);

  clock.advance(3s);
  fake->hold = true;
  const int before = fake->asked;
  const std::string second = "/_/api/assignments/" + accept();
  auto one = std::async(std::launch::async, [&] { return ask(question()); });
  auto two = std::async(std::launch::async, [&] { return post(second + "/assist", question(), browser); });
  while (fake->asked < before + 2) std::this_thread::yield();
  const Answered busy = post(path + "/assist/open", {{"image", kPhoto}}, browser);
  EXPECT_EQ(busy.status, 503);
  EXPECT_EQ(busy.code(), "Busy");
  EXPECT_EQ(busy.header("Retry-After"), "1");
  // A newer one that gets no place does not take the older one's.
  clock.advance(1s);
  EXPECT_EQ(ask(question()).status, 503);
  fake->hold = false;
  EXPECT_EQ(one.get().status, 200);
  EXPECT_EQ(two.get().status, 200);
  EXPECT_EQ(figures().refused, 2);
}

}  // namespace
}  // namespace terrapin::portal
