// The registry, and calls with their retries, over real processes and a real server.
#include "labeling/functions/functions.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/files.h"
#include "unit/base/temporary_folder.h"
#include "unit/labeling/functions_server.h"

namespace terrapin::labeling {
namespace {

namespace fs = std::filesystem;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using terrapin::test::RecordingServer;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class FunctionsTest : public ::testing::Test {
 protected:
  FunctionsTest() {
    options_.kill_grace = milliseconds(20);
    options_.pause = [this](milliseconds pause) {
      pauses_.push_back(pause);
      return true;
    };
  }
  std::unique_ptr<Functions> open() {
    auto functions = Functions::open(folder_.path(), clock_, options_);
    if (!functions) throw std::runtime_error(functions.error().message);
    return std::move(*functions);
  }
  std::string script(const std::string& name, const std::string& text) {
    const fs::path path = folder_ / name;
    std::ofstream(path) << text;
    fs::permissions(path, fs::perms::owner_all);
    return path.string();
  }
  static RegisteredFunction command(std::string name, std::vector<std::string> arguments) {
    RegisteredFunction function;
    function.name = std::move(name);
    function.command = std::move(arguments);
    return function;
  }
  static RegisteredFunction at(std::string name, std::string url) {
    RegisteredFunction function;
    function.name = std::move(name);
    function.url = std::move(url);
    function.allow_private = true;
    return function;
  }
  fs::path file() const { return folder_ / "functions.json"; }
  void write_registry(const std::string& text) {
    ASSERT_TRUE(write_file_atomically(file(), text));
    fs::permissions(file(), fs::perms::owner_read | fs::perms::owner_write);
  }

  terrapin::test::TemporaryFolder folder_;
  ManualClock clock_{Timestamp(seconds(1'700'000'000))};
  std::vector<milliseconds> pauses_;
  FunctionsOptions options_;
};

// ---- registry ----

TEST_F(FunctionsTest, RegistrationsAreKeptInAPrivateFile) {
  const auto functions = open();
  EXPECT_FALSE(functions->knows("count").value());
  auto first = command("count", {"/bin/cat", "-u", "an argument"});
  first.environment = {"AWS_ENDPOINT_URL"};
  first.timeout = seconds(90);
  first.retries = 0;
  ASSERT_TRUE(functions->add(first));
  RegisteredFunction second;
  second.name = "Remote_2";
  second.url = "https://functions.example.org/annotate?key=1";
  ASSERT_TRUE(functions->add(second));
  struct stat info {};
  ASSERT_EQ(::stat(file().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600U);

  const auto again = open();
  const auto list = again->list();
  ASSERT_TRUE(list) << list.error().message;
  ASSERT_EQ(list->size(), 2U);
  EXPECT_EQ((*list)[0].name, "count");
  EXPECT_EQ((*list)[0].command, first.command);
  EXPECT_EQ((*list)[0].environment, first.environment);
  EXPECT_EQ((*list)[0].timeout, seconds(90));
  EXPECT_EQ((*list)[0].retries, 0);
  EXPECT_EQ((*list)[0].created, clock_.now());
  EXPECT_EQ((*list)[1].url, second.url);
  EXPECT_EQ((*list)[1].timeout, seconds(60));
  EXPECT_EQ((*list)[1].retries, 2);
  EXPECT_FALSE((*list)[1].allow_private);
}

TEST_F(FunctionsTest, ARunningServerSeesChangesOfCommands) {
  const auto server = open();
  const auto command_line = open();
  EXPECT_FALSE(server->knows("count").value());
  ASSERT_TRUE(command_line->add(command("count", {"/bin/cat"})));
  EXPECT_TRUE(server->knows("count").value());
  ASSERT_TRUE(command_line->remove("count"));
  EXPECT_FALSE(server->knows("count").value());
  const auto gone = server->call("count", "{}");
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(server->remove("count").error().code, ErrorCode::kNotFound);
}

TEST_F(FunctionsTest, ConcurrentRegistrationsAreAllKept) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      const auto functions = open();
      for (int i = 0; i < 5; ++i)
        EXPECT_TRUE(functions->add(command(fmt::format("f-{}-{}", t, i), {"/bin/cat"})));
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(open()->list()->size(), 20U);
}

TEST_F(FunctionsTest, NamesThatMeanSomethingElseAreRefused) {
  const auto functions = open();
  for (const std::string& name :
       {std::string(), std::string(65, 'a'), std::string("a b"), std::string("a.b"), std::string("a/b"),
        std::string("\xc3\xa9t\xc3\xa9"), std::string("PRE-SemanticSegmentation"),
        std::string("ACS-SemanticSegmentation-Majority"), std::string("PRE-Mine"), std::string("ACS-mine")}) {
    const auto refused = functions->add(command(name, {"/bin/cat"}));
    ASSERT_FALSE(refused) << name;
    EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument) << name;
  }
  EXPECT_TRUE(functions->add(command(std::string(64, 'a'), {"/bin/cat"})));
  EXPECT_TRUE(functions->add(command("pre-Own_1", {"/bin/cat"})));
  const auto taken = functions->add(command("pre-Own_1", {"/bin/cat"}));
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, ErrorCode::kAlreadyExists);
}

TEST_F(FunctionsTest, RegistrationsThatCannotWorkAreRefused) {
  const auto functions = open();
  const auto refused = [&](const RegisteredFunction& function, const char* says) {
    const auto status = functions->add(function);
    ASSERT_FALSE(status) << says;
    EXPECT_EQ(status.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(status.error().message, HasSubstr(says));
  };
  refused(command("f", {}), "either a command or a URL");
  auto both = command("f", {"/bin/cat"});
  both.url = "https://example.org/";
  refused(both, "either a command or a URL");
  refused(command("f", {"cat"}), "absolute path");
  refused(command("f", {"./cat"}), "absolute path");
  refused(command("f", {(folder_ / "missing").string()}), "may be run");
  refused(command("f", {folder_.path().string()}), "may be run");
  std::ofstream(folder_ / "plain") << "text";
  refused(command("f", {(folder_ / "plain").string()}), "may be run");
  refused(command("f", {"/bin/cat", std::string("a\0b", 3)}), "zero byte");
  auto function = command("f", {"/bin/cat"});
  function.timeout = milliseconds(0);
  refused(function, "time limit");
  function.timeout = hours(2);
  refused(function, "time limit");
  function = command("f", {"/bin/cat"});
  function.retries = 11;
  refused(function, "11 retries");
  function.retries = -1;
  refused(function, "-1 retries");
  function = command("f", {"/bin/cat"});
  function.environment = {"A=B"};
  refused(function, "A=B");
  function.environment = {"PATH"};
  refused(function, "PATH");
  function.environment = {"A", "A"};
  refused(function, "twice");
  refused(at("f", "ftp://example.org/"), "https://");
  refused(at("f", "file:///etc/passwd"), "https://");
  refused(at("f", "https:///example.org"), "https://");
  refused(at("f", "https:/example.org"), "https://");
  refused(at("f", "https:example.org"), "https://");
  refused(at("f", "//example.org"), "https://");
  refused(at("f", "example.org"), "https://");
  refused(at("f", "https://"), "https://");
  refused(at("f", "gopher://example.org/"), "https://");
  refused(at("f", "https://user:secret@example.org/"), "user name");
  refused(at("f", "https://example.org/#part"), "fragment");
  refused(at("f", "https://example.org/a\r\nX: y"), "printable");
  refused(at("f", "https://example.org/" + std::string(2048, 'a')), "2048");
}

TEST_F(FunctionsTest, ADamagedOrOpenFileIsRefusedByName) {
  const auto functions = open();
  const auto refuses = [&](const std::string& text, ErrorCode code, const char* says) {
    write_registry(text);
    const auto list = functions->list();
    ASSERT_FALSE(list) << text;
    EXPECT_EQ(list.error().code, code) << text;
    EXPECT_THAT(list.error().message, HasSubstr(says));
    EXPECT_THAT(list.error().message, HasSubstr("functions.json"));
    EXPECT_EQ(functions->knows("f").error().code, ErrorCode::kInternal);
    EXPECT_EQ(functions->call("f", "{}").error().code, ErrorCode::kInternal);
    EXPECT_FALSE(functions->add(command("g", {"/bin/cat"})));
  };
  const std::string good = R"({"name": "f", "command": ["/bin/cat"], "timeout_ms": 5, "retries": 1,
    "created": "2026-01-31T12:00:00Z"})";
  const auto with = [](const std::string& items, const std::string& version = "1") {
    return R"({"format": "terrapin-functions", "version": )" + version + R"(, "functions": [)" + items + "]}";
  };
  write_registry(with(good));
  EXPECT_TRUE(functions->knows("f").value());
  refuses("{", ErrorCode::kCorrupt, "JSON");
  refuses(with(good, "2"), ErrorCode::kCorrupt, "version");
  refuses(with(good + "," + good), ErrorCode::kCorrupt, "two functions");
  refuses(with("7"), ErrorCode::kCorrupt, "objects");
  refuses(with(R"({"name": "f", "shell": "rm"})"), ErrorCode::kCorrupt, "shell");
  refuses(with(R"({"name": "f", "url": "http://127.0.0.1/", "timeout_ms": 5, "retries": 1,
    "created": "2026-01-31T12:00:00Z"})"),
          ErrorCode::kCorrupt, "127.0.0.1");
  write_registry(with(good));
  fs::permissions(file(), fs::perms::group_read, fs::perm_options::add);
  const auto list = functions->list();
  ASSERT_FALSE(list);
  EXPECT_EQ(list.error().code, ErrorCode::kDenied);
  EXPECT_THAT(list.error().message, HasSubstr("0640"));
  EXPECT_THAT(functions->knows("f").error().message, HasSubstr("0640"));
}

// ---- commands ----

TEST_F(FunctionsTest, ACommandGetsTheRequestAndAnswers) {
  const std::string path =
      script("pre.py",
             "#!/usr/bin/python3\n"
             "import json, os, sys\n"
             "request = json.load(sys.stdin)\n"
             "json.dump({'taskInput': {'taskObject': request['dataObject']['source-ref'],\n"
             "  'as': os.environ['TERRAPIN_FUNCTION'], 'mode': os.environ.get('MODE'),\n"
             "  'unnamed': os.environ.get('HIDDEN'), 'arguments': sys.argv[1:]},\n"
             "  'isHumanAnnotationRequired': True}, sys.stdout)\n");
  auto function = command("pre-mine", {path, "a b", "$HOME"});
  function.environment = {"MODE", "NOT_SET_ANYWHERE"};
  const auto functions = open();
  ASSERT_TRUE(functions->add(function));
  ::setenv("MODE", "fast", 1);
  ::setenv("HIDDEN", "secret", 1);
  const auto answer = functions->call(
      "pre-mine",
      R"({"version":"2018-10-16","labelingJobArn":"arn","dataObject":{"source-ref":"s3://b/a.jpg"}})");
  ::unsetenv("MODE");
  ::unsetenv("HIDDEN");
  ASSERT_TRUE(answer) << answer.error().message;
  const auto json = nlohmann::json::parse(*answer);
  EXPECT_EQ(json["isHumanAnnotationRequired"], true);
  EXPECT_EQ(json["taskInput"]["taskObject"], "s3://b/a.jpg");
  EXPECT_EQ(json["taskInput"]["as"], "pre-mine");
  EXPECT_EQ(json["taskInput"]["mode"], "fast");
  EXPECT_EQ(json["taskInput"]["unnamed"], nullptr);
  EXPECT_EQ(json["taskInput"]["arguments"], (nlohmann::json{"a b", "$HOME"}));
}

TEST_F(FunctionsTest, AnAnswerThatIsNoJsonIsRefused) {
  const auto functions = open();
  const std::string deep(300'000, '[');
  std::ofstream(folder_ / "deep") << deep << std::string(300'000, ']');
  ASSERT_TRUE(functions->add(command("text", {"/bin/echo", "Hello"})));
  ASSERT_TRUE(functions->add(command("empty", {"/bin/true"})));
  ASSERT_TRUE(functions->add(command("deep", {"/bin/cat", (folder_ / "deep").string()})));
  ASSERT_TRUE(functions->add(command("fine", {"/bin/echo", R"({"a": "[[[[\"{{"})"})));
  for (const char* name : {"text", "empty", "deep"}) {
    const auto answer = functions->call(name, "{}");
    ASSERT_FALSE(answer) << name;
    EXPECT_EQ(answer.error().code, ErrorCode::kCorrupt) << name;
  }
  EXPECT_TRUE(functions->call("fine", "{}"));
}

TEST_F(FunctionsTest, OnlyATimeOutOfACommandIsTriedAgain) {
  const auto functions = open();
  auto slow = command("slow", {"/bin/sleep", "1000"});
  slow.timeout = milliseconds(10);
  slow.retries = 3;
  ASSERT_TRUE(functions->add(slow));
  auto bad = command("bad", {"/bin/false"});
  bad.retries = 3;
  ASSERT_TRUE(functions->add(bad));
  const auto late = functions->call("slow", "{}");
  ASSERT_FALSE(late);
  EXPECT_THAT(late.error().message, HasSubstr("within 10 ms"));
  EXPECT_THAT(late.error().message, HasSubstr("tried 4 times"));
  EXPECT_THAT(pauses_, ElementsAre(milliseconds(500), milliseconds(1000), milliseconds(2000)));
  pauses_.clear();
  const auto failed = functions->call("bad", "{}");
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error().message, HasSubstr("exited with 1"));
  EXPECT_TRUE(pauses_.empty());
}

// ---- addresses ----

TEST_F(FunctionsTest, AnAddressGetsTheRequestAndAnswers) {
  RecordingServer server;
  server.reply({200, R"({"taskInput": {}})", {}});
  const auto functions = open();
  ASSERT_TRUE(functions->add(at("remote", server.url("/pre?key=1"))));
  const auto answer = functions->call("remote", R"({"version":"2018-10-16"})");
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(*answer, R"({"taskInput": {}})");
  const auto requests = server.requests();
  ASSERT_EQ(requests.size(), 1U);
  EXPECT_EQ(requests[0].method, "POST");
  EXPECT_EQ(requests[0].target, "/pre?key=1");
  EXPECT_EQ(requests[0].text(), R"({"version":"2018-10-16"})");
  EXPECT_EQ(requests[0].headers.find("content-type"), "application/json");
}

TEST_F(FunctionsTest, FailuresOfTheServerAreTriedAgainOthersAreNot) {
  RecordingServer server;
  const auto functions = open();
  ASSERT_TRUE(functions->add(at("remote", server.url())));
  server.reply({503, "busy", {}}, 2);
  EXPECT_TRUE(functions->call("remote", "{}"));
  EXPECT_EQ(server.count(), 3U);
  EXPECT_THAT(pauses_, ElementsAre(milliseconds(500), milliseconds(1000)));

  pauses_.clear();
  server.reply({500, "broken", {}}, 3);
  const auto broken = functions->call("remote", "{}");
  ASSERT_FALSE(broken);
  EXPECT_THAT(broken.error().message, HasSubstr("answered 500: broken"));
  EXPECT_EQ(server.count(), 6U);
  EXPECT_EQ(pauses_.size(), 2U);

  pauses_.clear();
  server.reply({400, "line one\nline two", {}});
  const auto refused = functions->call("remote", "{}");
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("answered 400: line one line two"));
  EXPECT_EQ(server.count(), 7U);
  EXPECT_TRUE(pauses_.empty());
}

TEST_F(FunctionsTest, RedirectsAreNotFollowed) {
  RecordingServer server, elsewhere;
  const auto functions = open();
  ASSERT_TRUE(functions->add(at("remote", server.url())));
  for (const int status : {301, 302, 307, 308}) {
    server.reply({status, "", {{"Location", elsewhere.url()}}});
    const auto answer = functions->call("remote", "{}");
    ASSERT_FALSE(answer);
    EXPECT_THAT(answer.error().message, HasSubstr("redirect"));
  }
  EXPECT_EQ(server.count(), 4U);
  EXPECT_EQ(elsewhere.count(), 0U);
}

TEST_F(FunctionsTest, AConnectionThatFailsIsTriedAgain) {
  RecordingServer server;
  const std::string url = server.url();
  server.stop();
  const auto functions = open();
  ASSERT_TRUE(functions->add(at("remote", url)));
  const auto answer = functions->call("remote", "{}");
  ASSERT_FALSE(answer);
  EXPECT_EQ(pauses_.size(), 2U);
}

TEST_F(FunctionsTest, ASlowServerTimesOut) {
  RecordingServer server;
  server.hold();
  const auto functions = open();
  auto slow = at("slow", server.url());
  slow.timeout = milliseconds(20);
  slow.retries = 1;
  ASSERT_TRUE(functions->add(slow));
  const auto answer = functions->call("slow", "{}");
  ASSERT_FALSE(answer);
  EXPECT_THAT(answer.error().message, HasSubstr("within 20 ms"));
  EXPECT_THAT(answer.error().message, HasSubstr("tried 2 times"));
}

TEST_F(FunctionsTest, AnAnswerOverTheLimitIsRefusedOnce) {
  options_.max_answer_bytes = 100'000;
  RecordingServer server;
  server.reply({200, '"' + std::string(99'999, 'x') + '"', {}});
  const auto functions = open();
  ASSERT_TRUE(functions->add(at("remote", server.url())));
  const auto answer = functions->call("remote", "{}");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kTooLarge);
  EXPECT_EQ(server.count(), 1U);
  server.reply({200, '"' + std::string(99'998, 'x') + '"', {}});
  EXPECT_TRUE(functions->call("remote", "{}"));
}

TEST_F(FunctionsTest, ProxiesOfTheEnvironmentAreNotUsed) {
  RecordingServer server, proxy;
  ::setenv("http_proxy", proxy.url("").c_str(), 1);
  const auto functions = open();
  ASSERT_TRUE(functions->add(at("remote", server.url())));
  const auto answer = functions->call("remote", "{}");
  ::unsetenv("http_proxy");
  EXPECT_TRUE(answer);
  EXPECT_EQ(server.count(), 1U);
  EXPECT_EQ(proxy.count(), 0U);
}

// ---- shutdown ----

TEST_F(FunctionsTest, ShutdownEndsAPauseAndACallThatHangs) {
  RecordingServer server;
  options_.pause = nullptr;
  options_.first_pause = hours(1);
  options_.longest_pause = hours(1);
  const auto functions = open();
  auto patient = at("remote", server.url());
  patient.timeout = hours(1);
  ASSERT_TRUE(functions->add(patient));
  server.reply({503, "", {}});
  server.hold();
  std::thread hanging([&] {
    const auto answer = functions->call("remote", "{}");
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, ErrorCode::kCancelled);
  });
  server.wait_for_requests(1);
  functions->stop();
  hanging.join();

  server.release();
  const auto second = open();
  std::thread pausing([&] {
    const auto answer = second->call("remote", "{}");
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, ErrorCode::kCancelled);
  });
  server.reply({503, "", {}}, 2);
  server.wait_for_requests(2);
  second->stop();
  pausing.join();
  EXPECT_EQ(functions->call("remote", "{}").error().code, ErrorCode::kCancelled);
}

}  // namespace
}  // namespace terrapin::labeling
