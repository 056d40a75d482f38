// The hosting contract over real sockets, with a predictor whose answers are known.
#include "serving/model_server.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <latch>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "imaging/codecs.h"
#include "serving/record.h"
#include "unit/http/client.h"
#include "unit/serving/fake_predictor.h"
#include "unit/serving/record_reader.h"

namespace terrapin::serving {
namespace {

using testing::Answer;
using testing::ask;
using testing::FakePredictor;
using testing::get;
using testing::post;
using testing::RawClient;
using testing::test_photo;

std::string to_text(const Bytes& bytes) {
  return {bytes.begin(), bytes.end()};
}
std::span<const std::uint8_t> to_bytes(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
std::string png_of(const imaging::Image& photo) {
  return to_text(imaging::encode_png(photo).value());
}

std::string invocation(const std::string& body, const std::string& accept = {},
                       const std::string& type = "image/png") {
  return post("/invocations", body,
              (type.empty() ? "" : "Content-Type: " + type + "\r\n") +
                  (accept.empty() ? "" : "Accept: " + accept + "\r\n"));
}

struct Fixture {
  explicit Fixture(ModelServerOptions options = {})
      : server(std::move(ModelServer::start(options).value())) {}
  void load() { server->set_model(predictor); }
  Answer ask_for(const std::string& request) const { return ask(server->port(), request); }
  std::shared_ptr<FakePredictor> predictor = std::make_shared<FakePredictor>();
  std::unique_ptr<ModelServer> server;
};

imaging::Mask expected_mask(const imaging::Image& photo) {
  imaging::Mask mask(photo.size());
  for (std::int64_t y = 0; y < photo.height(); ++y) {
    for (std::int64_t x = 0; x < photo.width(); ++x) mask.set(x, y, FakePredictor::class_of(photo.at(x, y)));
  }
  return mask;
}

TEST(ModelServer, IsReadyOnlyWithAModel) {
  Fixture f;
  EXPECT_EQ(f.ask_for(get("/ping")).status, 503);
  const Answer early = f.ask_for(invocation(png_of(test_photo(4, 3))));
  EXPECT_EQ(early.status, 503);
  EXPECT_EQ(early.header("retry-after"), "1");
  f.load();
  EXPECT_EQ(f.ask_for(get("/ping")).status, 200);
  EXPECT_EQ(f.ask_for(invocation(png_of(test_photo(4, 3)))).status, 200);
}

TEST(ModelServer, RequestsForAnotherServerAreRefused) {
  ModelServerOptions options;
  options.instance = "me";
  Fixture f(options);
  f.load();
  const std::string photo = png_of(test_photo(4, 3));
  const auto asked = [&](const std::string& name) {
    return f.ask_for(post("/invocations", photo, "X-Terrapin-Instance: " + name + "\r\n")).status;
  };
  EXPECT_EQ(asked("me"), 200);
  EXPECT_EQ(asked("another"), 421);
  EXPECT_EQ(f.ask_for(post("/invocations", photo)).status, 200) << "who names none means this one";
  EXPECT_EQ(f.ask_for("GET /ping HTTP/1.1\r\nHost: test\r\nX-Terrapin-Instance: another\r\n\r\n").status,
            421);
  Fixture nameless;
  nameless.load();
  EXPECT_EQ(nameless.ask_for(post("/invocations", photo, "X-Terrapin-Instance: x\r\n")).status, 200);
}

TEST(ModelServer, CustomAttributesAreToldBack) {
  Fixture f;
  f.load();
  const std::string photo = png_of(test_photo(4, 3));
  const Answer answer =
      f.ask_for(post("/invocations", photo, "X-Amzn-SageMaker-Custom-Attributes: trace=7\r\n"));
  EXPECT_EQ(answer.header("x-amzn-sagemaker-custom-attributes"), "trace=7");
  EXPECT_EQ(f.ask_for(post("/invocations", photo)).headers.count("x-amzn-sagemaker-custom-attributes"), 0U);
}

TEST(ModelServer, ReportsExecutionParameters) {
  ModelServerOptions options;
  options.http.max_body_bytes = 7 << 20;
  options.threads = 3;
  options.batching.max_batch = 4;
  Fixture f(options);
  const auto document = nlohmann::json::parse(f.ask_for(get("/execution-parameters")).body);
  EXPECT_EQ(document,
            nlohmann::json::parse(
                R"({"MaxConcurrentTransforms": 10, "BatchStrategy": "SINGLE_RECORD", "MaxPayloadInMB": 7})"));
}

TEST(ModelServer, AnswersAnIndexedMaskInThePhotosSize) {
  Fixture f;
  f.load();
  const imaging::Image photo = test_photo(37, 21);
  for (const char* accept : {"", "*/*", "image/png", "image/*;q=0.3, text/html"}) {
    const Answer answer = f.ask_for(invocation(png_of(photo), accept));
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.header("content-type"), "image/png");
    const auto mask = imaging::decode_mask(to_bytes(answer.body)).value();
    ASSERT_TRUE(mask.labels);
    EXPECT_EQ(*mask.labels, expected_mask(photo));
    ASSERT_GE(mask.palette.size(), 4U);
    EXPECT_EQ(mask.palette[1], f.predictor->spec().classes.classes[1].color);
  }
}

TEST(ModelServer, EveryRequestTypeIsRead) {
  Fixture f;
  f.load();
  const std::string png = png_of(test_photo(20, 10));
  const std::string jpeg = to_text(imaging::encode_jpeg(test_photo(20, 10)).value());
  for (const char* type : {"image/png", "application/x-image", "IMAGE/PNG; x=y", ""}) {
    EXPECT_EQ(f.ask_for(invocation(png, "", type)).status, 200) << type;
  }
  for (const char* type : {"image/jpeg", "image/jpg", "application/x-image", ""}) {
    EXPECT_EQ(f.ask_for(invocation(jpeg, "", type)).status, 200) << type;
  }
}

TEST(ModelServer, RecordsHoldProbabilitiesWhoseArgmaxIsTheMask) {
  Fixture f;
  f.load();
  const imaging::Image photo = test_photo(19, 23);
  for (const char* accept : {"application/x-protobuf", "application/x-recordio-protobuf", "application/*"}) {
    const Answer answer = f.ask_for(invocation(png_of(photo), accept));
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.header("content-type"),
              accept == std::string("application/*") ? "application/x-protobuf" : accept);
    const auto frames = testing::read_frames(answer.body);
    ASSERT_EQ(frames.size(), 1U);
    const auto record = testing::read_record(frames[0]);
    EXPECT_EQ(record.shape, (std::vector<std::int32_t>{1, 4, 23, 19}));
    ASSERT_EQ(record.target.size(), 4U * 23 * 19);
    const imaging::Mask mask = expected_mask(photo);
    for (std::size_t i = 0; i < 23U * 19; ++i) {
      int best = 0;
      double sum = 0;
      for (int k = 0; k < 4; ++k) {
        const float value = record.target[static_cast<std::size_t>(k) * 23 * 19 + i];
        sum += value;
        if (value > record.target[static_cast<std::size_t>(best) * 23 * 19 + i]) best = k;
      }
      ASSERT_EQ(best, mask.bytes()[i]);
      ASSERT_DOUBLE_EQ(sum, 1.0);
    }
  }
}

std::string from_base64(const std::string& text) {
  const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string result;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    if (c == '=') break;
    bits = bits << 6 | static_cast<std::uint32_t>(digits.find(c));
    count += 6;
    if (count >= 8) result += static_cast<char>(bits >> (count -= 8));
  }
  return result;
}

TEST(ModelServer, JsonHoldsShapeClassesAndMask) {
  Fixture f;
  f.load();
  for (const int width : {8, 9, 10}) {  // every padding of base64 comes up
    const imaging::Image photo = test_photo(width, 6);
    const Answer answer = f.ask_for(invocation(png_of(photo), "application/json"));
    ASSERT_EQ(answer.status, 200);
    EXPECT_EQ(answer.header("content-type"), "application/json");
    const auto document = nlohmann::json::parse(answer.body);
    EXPECT_EQ(document["shape"], (nlohmann::json{6, width}));
    ASSERT_EQ(document["classes"].size(), 4U);
    EXPECT_EQ(document["classes"][0]["name"], "BACKGROUND");
    std::int64_t pixels = 0;
    for (const auto& entry : document["classes"]) pixels += entry["pixels"].get<std::int64_t>();
    EXPECT_EQ(pixels, 6 * width);
    const std::string png = from_base64(document["mask_png_base64"]);
    EXPECT_EQ(*imaging::decode_mask(to_bytes(png)).value().labels, expected_mask(photo));
  }
}

TEST(ModelServer, RefusalsNameWhatIsAllowed) {
  ModelServerOptions options;
  options.max_pixels = 1000;
  options.http.max_body_bytes = 100'000;
  Fixture f(options);
  f.load();
  const std::string png = png_of(test_photo(20, 10));
  const std::string jpeg = to_text(imaging::encode_jpeg(test_photo(20, 10)).value());
  const auto expect = [&](const std::string& request, int status, const std::string& words) {
    const Answer answer = f.ask_for(request);
    EXPECT_EQ(answer.status, status) << words << " / " << answer.body;
    EXPECT_NE(answer.body.find(words), std::string::npos) << answer.body;
  };
  expect(invocation(png, "text/html"), 406, "image/png, application/x-protobuf");
  expect(invocation(png, "image/png;q=0"), 406, "application/json");
  expect(invocation(png, "", "text/csv"), 415, "'text/csv'");
  expect(invocation(png, "", "application/x-www-form-urlencoded"), 415, "image/jpeg, image/png");
  expect(invocation(png, "", "image/jpeg"), 415, "but the body is PNG");
  expect(invocation("GIF89a-something", "", "application/x-image"), 415, "neither JPEG nor PNG");
  expect(invocation("nonsense", "", "image/jpeg"), 400, "neither JPEG nor PNG");
  expect(invocation("", "", "image/jpeg"), 400, "the body is empty");
  expect(invocation(jpeg.substr(0, jpeg.size() / 2), "", "image/jpeg"), 400, "message");
  expect(invocation(jpeg.substr(0, 20), "", "image/jpeg"), 400, "message");
  expect(invocation(png.substr(0, png.size() - 20)), 400, "message");
  expect(invocation(png_of(test_photo(40, 26))), 413, "at most 1000");
  expect(invocation(std::string(100'001, 'x')), 413, "100000");
  expect(get("/invocations"), 405, "POST");
  expect(post("/ping", ""), 405, "GET, HEAD");
  expect(get("/"), 404, "nothing at /");
  EXPECT_EQ(f.ask_for(invocation(png)).status, 200);
}

// A header that promises 50,000 x 50,000 pixels must be refused before any are allocated.
TEST(ModelServer, HugePhotosAreRefusedByTheirHeader) {
  Fixture f;
  f.load();
  std::string jpeg = to_text(imaging::encode_jpeg(test_photo(16, 16)).value());
  const std::size_t frame = jpeg.find("\xFF\xC0");
  ASSERT_NE(frame, std::string::npos);
  for (const std::size_t offset : {5U, 7U}) {
    jpeg[frame + offset] = static_cast<char>(50'000 >> 8);
    jpeg[frame + offset + 1] = static_cast<char>(50'000 & 255);
  }
  const Answer answer = f.ask_for(invocation(jpeg, "", "image/jpeg"));
  EXPECT_EQ(answer.status, 413);
  EXPECT_NE(answer.body.find("50000 x 50000"), std::string::npos) << answer.body;
}

TEST(Record, RefusesProbabilitiesOver512MiB) {
  EXPECT_TRUE(check_record_size(21, {2000, 3000}));
  EXPECT_FALSE(check_record_size(21, {3000, 3000}));
}

TEST(ModelServer, ARequestAloneIsPredictedAlone) {
  ModelServerOptions options;
  options.batching.max_wait_ms = 3'600'000;  // were it to wait for company, the test would never end
  Fixture f(options);
  f.load();
  EXPECT_EQ(f.ask_for(invocation(png_of(test_photo(9, 9)))).status, 200);
  ASSERT_EQ(f.predictor->batches().size(), 1U);
  EXPECT_EQ(f.predictor->batches()[0].size(), 1U);
}

// While the engine works on a first photo, others gather; then they run together, by size, at most max_batch.
TEST(ModelServer, ConcurrentRequestsAreBatchedBySize) {
  ModelServerOptions options;
  options.batching.max_batch = 4;
  options.batching.max_wait_ms = 3'600'000;  // until every announced photo has come
  options.threads = 4;
  Fixture f(options);
  std::latch first_runs(1), release(1);
  f.predictor->before = [&](std::size_t) {
    first_runs.count_down(first_runs.try_wait() ? 0 : 1);
    release.wait();
  };
  f.load();
  std::vector<std::future<Answer>> answers;
  const auto send = [&](const imaging::Image& photo) {
    answers.push_back(std::async(std::launch::async,
                                 [&f, request = invocation(png_of(photo))] { return f.ask_for(request); }));
  };
  send(test_photo(8, 8));
  first_runs.wait();
  std::vector<imaging::Image> photos;
  for (unsigned i = 0; i < 9; ++i) photos.push_back(i % 3 == 2 ? test_photo(12, 6, i) : test_photo(8, 8, i));
  for (const auto& photo : photos) send(photo);
  // All ten are in the server once the tenth has been handed over; the batcher takes what is there.
  while (f.server->waiting_for_engine() < 9) std::this_thread::yield();
  release.count_down();
  EXPECT_EQ(answers[0].get().status, 200);
  for (std::size_t i = 0; i < photos.size(); ++i) {
    const Answer answer = answers[i + 1].get();
    ASSERT_EQ(answer.status, 200);
    EXPECT_EQ(*imaging::decode_mask(to_bytes(answer.body)).value().labels, expected_mask(photos[i]));
  }
  std::size_t most = 0, total = 0;
  for (const auto& batch : f.predictor->batches()) {
    most = std::max(most, batch.size());
    total += batch.size();
    for (const auto& size : batch) EXPECT_EQ(size, batch[0]);
  }
  EXPECT_EQ(total, 10U);
  EXPECT_EQ(most, 4U);
  EXPECT_LE(f.predictor->batches().size(), 4U);  // 1, then six of 8x8 in two, three of 12x6 in one
}

TEST(ModelServer, AFullQueueSaysWhenToComeBack) {
  ModelServerOptions options;
  options.batching.max_batch = 1;
  options.threads = 1;
  options.max_waiting_requests = 0;  // three are worked on, no more
  Fixture f(options);
  std::latch release(1);
  f.predictor->before = [&](std::size_t) { release.wait(); };
  f.load();
  const std::string request = invocation(png_of(test_photo(5, 5)));
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 6; ++i) {
    clients.push_back(std::make_unique<RawClient>(f.server->port()));
    clients.back()->send(request);
  }
  int refused = 0;
  while (refused < 3) {
    refused = 0;
    for (const auto& client : clients) refused += client->readable(1) ? 1 : 0;
  }
  EXPECT_EQ(f.ask_for(get("/ping")).status, 200);  // health does not queue
  release.count_down();
  int ok = 0;
  for (const auto& client : clients) {
    const Answer answer = client->receive().value();
    if (answer.status == 200) {
      ++ok;
    } else {
      EXPECT_EQ(answer.status, 503);
      EXPECT_EQ(answer.header("retry-after"), "1");
    }
  }
  EXPECT_EQ(ok, 3);
}

TEST(ModelServer, LargePhotosBeyondTheMemoryBudgetAreToldToComeBack) {
  ModelServerOptions options;
  options.max_memory_bytes = 3 * 40 * 30 * 4;  // the photo below counts 4 bytes a pixel: three fit
  Fixture f(options);
  std::latch begun(1), go(1);
  std::atomic<bool> first{true};
  f.predictor->before = [&](std::size_t) {
    if (first.exchange(false)) begun.count_down();
    go.wait();
  };
  f.load();
  const std::string request = invocation(png_of(test_photo(40, 30)));
  const std::string record = invocation(png_of(test_photo(40, 30)), "application/x-protobuf");
  auto one = std::async(std::launch::async, [&] { return f.ask_for(request); });
  begun.wait();
  const Answer refused = f.ask_for(record);  // probabilities count too: 36 bytes a pixel
  EXPECT_EQ(refused.status, 503) << refused.body;
  EXPECT_EQ(refused.header("retry-after"), "1");
  auto two = std::async(std::launch::async, [&] { return f.ask_for(request); });
  go.count_down();
  EXPECT_EQ(one.get().status, 200);
  EXPECT_EQ(two.get().status, 200);
  EXPECT_EQ(f.ask_for(record).status, 200) << "alone, a request over the budget is worked on";
}

TEST(ModelServer, PhotosOfClientsThatLeftAreNotComputed) {
  ModelServerOptions options;
  options.batching.max_batch = 1;
  Fixture f(options);
  std::latch first_runs(1), release(1);
  f.predictor->before = [&](std::size_t) {
    first_runs.count_down(first_runs.try_wait() ? 0 : 1);
    release.wait();
  };
  f.load();
  auto first =
      std::async(std::launch::async, [&] { return f.ask_for(invocation(png_of(test_photo(5, 5)))); });
  first_runs.wait();
  {
    RawClient leaver(f.server->port());
    leaver.send(invocation(png_of(test_photo(6, 6))));
    while (f.server->waiting_for_engine() < 1) std::this_thread::yield();
  }
  // The server notices the closed connection on its socket thread before it answers a later request there.
  EXPECT_EQ(f.ask_for(get("/ping")).status, 200);
  release.count_down();
  EXPECT_EQ(first.get().status, 200);
  EXPECT_EQ(f.ask_for(invocation(png_of(test_photo(7, 7)))).status, 200);
  for (const auto& batch : f.predictor->batches()) EXPECT_FALSE(batch[0] == (imaging::Size{6, 6}));
}

TEST(ModelServer, PredictorExceptionsBecome500AndTheEngineGoesOn) {
  Fixture f;
  bool thrown = false;
  f.predictor->before = [&](std::size_t) {
    if (!std::exchange(thrown, true)) throw std::runtime_error("engine trouble");
  };
  f.load();
  const Answer answer = f.ask_for(invocation(png_of(test_photo(5, 5))));
  EXPECT_EQ(answer.status, 500);
  EXPECT_EQ(answer.body.find("trouble"), std::string::npos);
  EXPECT_EQ(f.ask_for(invocation(png_of(test_photo(5, 5)))).status, 200);
}

TEST(ModelServer, StopAnswersWhatIsInFlight) {
  Fixture f;
  std::latch runs(1), release(1);
  f.predictor->before = [&](std::size_t) {
    runs.count_down();
    release.wait();
  };
  f.load();
  RawClient client(f.server->port()), idle(f.server->port());
  idle.send(get("/ping"));
  EXPECT_EQ(idle.receive()->status, 200);
  client.send(invocation(png_of(test_photo(5, 5))));
  runs.wait();
  std::thread stopper([&] { f.server->stop(); });
  EXPECT_TRUE(idle.at_end());
  release.count_down();
  const auto answer = client.receive();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 200);
  client.close();
  stopper.join();
}

TEST(ModelServer, SurvivesBrokenPhotos) {
  Fixture f;
  f.load();
  const std::string seeds[] = {png_of(test_photo(40, 30)),
                               to_text(imaging::encode_jpeg(test_photo(40, 30)).value())};
  std::mt19937 random(7);
  RawClient client(f.server->port());
  int refused = 0;
  for (int round = 0; round < 400; ++round) {
    std::string body = seeds[round % 2];
    for (int k = 0; k <= round % 5; ++k) body[random() % body.size()] = static_cast<char>(random());
    if (round % 7 == 0) body.resize(random() % body.size());
    client.send(invocation(body, "", "application/x-image"));
    const auto answer = client.receive();
    ASSERT_TRUE(answer);
    EXPECT_TRUE(answer->status == 200 || (answer->status >= 400 && answer->status < 500))
        << answer->status << answer->body;
    refused += answer->status != 200;
  }
  EXPECT_GT(refused, 50);
  EXPECT_EQ(f.ask_for(get("/ping")).status, 200);
}

}  // namespace
}  // namespace terrapin::serving
