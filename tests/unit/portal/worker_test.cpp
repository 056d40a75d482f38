#include "portal/image_links.h"
#include "unit/portal/portal_fixture.h"

namespace terrapin::portal {
namespace {

using namespace std::chrono_literals;
using identity::Role;
using test::Answered;
using test::Browser;
using test::json;

class Worker : public test::PortalTest {
 protected:
  Answered put(const std::string& target, const std::string& body, const Browser& who) {
    return send(request("PUT", target, body, who));
  }
  std::string accept(const Browser& who) {
    return post("/_/api/assignments", json::object(), who).body["assignment"]["id"];
  }
  identity::Account ann = make("ann", {Role::kWorker}, {"turtles"});
  Browser browser = browser_of(ann);
};

TEST_F(Worker, SeesTheJobsOfTheirTeams) {
  const Answered answer = get("/_/api/jobs", browser);
  ASSERT_EQ(answer.status, 200);
  const json job = answer.body["jobs"][0];
  EXPECT_EQ(job["job_name"], "job-1");
  EXPECT_EQ(job["title"], "Turtles");
  EXPECT_EQ(job["task_time_limit_s"], 600);
  EXPECT_EQ(job["available"], 3);
  EXPECT_EQ(job["workteam_arn"], "arn:turtles");
  EXPECT_EQ(job["price"], (json{{"dollars", 0}, {"cents", 1}, {"tenth_fractions_of_a_cent", 2}}));
  EXPECT_EQ(tasks.last_worker.id, ann.id);
  EXPECT_EQ(tasks.last_worker.identity_provider, "Terrapin");
  EXPECT_EQ(tasks.last_worker.subject, ann.id);
  EXPECT_TRUE(get("/_/api/jobs", browser_of(make("bob"))).body["jobs"].empty());
}

TEST_F(Worker, AcceptsDrawsAndSubmits) {
  EXPECT_TRUE(post("/_/api/assignments", {{"job", "empty"}}, browser).body["assignment"].is_null());
  const Answered accepted = post("/_/api/assignments", {{"job", "job-1"}, {"prefetch", true}}, browser);
  ASSERT_EQ(accepted.status, 201);
  const std::string id = accepted.body["assignment"]["id"], path = "/_/api/assignments/" + id;
  EXPECT_EQ(accepted.body["assignment"]["state"], "leased");
  EXPECT_EQ(accepted.body["assignment"]["deadline"], "2026-01-31T09:10:00.000Z");

  clock.advance(90s + 1ms);
  const Answered beat = post(path + "/heartbeat", json::object(), browser);
  EXPECT_EQ(beat.body["remaining_seconds"], 510);  // rounded up: 0 is the end
  EXPECT_EQ(beat.body["state"], "leased");

  const Answered content = get(path + "/content", browser);
  ASSERT_EQ(content.status, 200) << content.text;
  EXPECT_EQ(content.body["task_input"]["labels"], json{"Turtle"});
  EXPECT_EQ(content.body["template"], "<crowd-form></crowd-form>");
  EXPECT_EQ(content.body["colors"], json{"#2ca02c"});
  EXPECT_EQ(content.body["draft"], (json{{"owner", ""}, {"next_sequence", 1}}));

  const Answered opened = post(path + "/draft/open", {{"tab", "one"}}, browser);
  EXPECT_EQ(opened.body["next_sequence"], 1);
  const auto save = [&](const char* tab, int sequence) {
    return post(
        path + "/draft/deltas",
        {{"tab", tab}, {"deltas", {{{"sequence", sequence}, {"data", "d" + std::to_string(sequence)}}}}},
        browser);
  };
  EXPECT_EQ(save("one", 1).body["next_sequence"], 2);
  EXPECT_EQ(save("one", 3).status, 409);
  EXPECT_EQ(save("one", 2).body["next_sequence"], 3);
  EXPECT_EQ(
      put(path + "/draft/snapshot", R"({"tab": "one", "base_sequence": 1, "snapshot": "s"})", browser).status,
      200);
  const Answered taken = post(path + "/draft/open", {{"tab", "two"}}, browser);
  EXPECT_EQ(taken.body["snapshot"], "s");
  EXPECT_EQ(taken.body["base_sequence"], 1);
  EXPECT_EQ(taken.body["deltas"], (json{{{"sequence", 2}, {"data", "d2"}}}));
  EXPECT_EQ(save("one", 3).status, 409);  // the older tab may only read
  EXPECT_EQ(get(path + "/draft", browser).body, (json{{"owner", "two"}, {"next_sequence", 3}}));
  EXPECT_EQ(post(path + "/draft/open", {{"tab", ""}}, browser).status, 400);
  EXPECT_EQ(send(request("DELETE", path + "/draft", {}, browser)).status, 200);
  EXPECT_EQ(get(path + "/draft", browser).body["owner"], "");

  EXPECT_EQ(put(path + "/answer", R"({"a": 1})", browser).status, 409);  // nothing to correct yet
  EXPECT_EQ(send(request("POST", path + "/submit", {}, browser)).status, 400);
  EXPECT_EQ(send(request("POST", path + "/submit", "[]", browser)).status, 400);
  const Answered submitted = send(request("POST", path + "/submit", R"({"a":  1})", browser));
  ASSERT_EQ(submitted.status, 200);
  EXPECT_EQ(submitted.body["assignment"]["state"], "submitted");
  EXPECT_EQ(submitted.body["assignment"]["remaining_seconds"], 0);
  EXPECT_EQ(get(path + "/answer", browser).text, R"({"a":  1})");
  EXPECT_EQ(put(path + "/answer", R"({"a": 2})", browser).status, 200);
  EXPECT_EQ(get(path + "/answer", browser).text, R"({"a": 2})");
  EXPECT_EQ(get("/_/api/assignments?limit=1", browser).body["assignments"][0]["id"], id);
  EXPECT_EQ(get("/_/api/assignments?limit=0", browser).status, 400);
}

TEST_F(Worker, AnInputHoweverDeepIsHandedOn) {
  const int depth = 200'000;
  tasks.task_input = "{\"a\": " + std::string(depth, '[') + std::string(depth, ']') + "}";
  const Answered answer = get("/_/api/assignments/" + accept(browser) + "/content", browser);
  EXPECT_EQ(answer.status, 200);
  EXPECT_NE(answer.text.find(",\"task_input\":" + tasks.task_input + "}"), std::string::npos);
  tasks.task_input = "{";
  EXPECT_EQ(get("/_/api/assignments/" + accept(browser) + "/content", browser).status, 500);
}

TEST_F(Worker, ABodyInAFileIsReadLikeAnother) {
  const std::string path = "/_/api/assignments/" + accept(browser);
  http::Request asked = request("POST", path + "/submit", "x", browser);
  asked.body.clear();
  asked.spooled = bytes_source(std::string_view(R"({"from": "file"})"));
  EXPECT_EQ(send(asked).status, 200);
  EXPECT_EQ(get(path + "/answer", browser).body["from"], "file");
  asked.target = asked.path = path + "/draft/open";
  asked.spooled = bytes_source(std::string_view(R"({"tab": "t"})"));
  EXPECT_EQ(send(asked).body["owner"], "t");
}

TEST_F(Worker, ReturnsAndDeclines) {
  EXPECT_EQ(post("/_/api/assignments/" + accept(browser) + "/return", json::object(), browser)
                .body["assignment"]["state"],
            "returned");
  const std::string path = "/_/api/assignments/" + accept(browser) + "/decline";
  EXPECT_EQ(post(path, json::object(), browser).status, 400);
  EXPECT_EQ(post(path, {{"reason", ""}}, browser).status, 400);
  EXPECT_EQ(post(path, {{"reason", std::string(2001, 'x')}}, browser).status, 400);
  EXPECT_EQ(post(path, {{"reason", "too dark"}}, browser).body["assignment"]["state"], "declined");
  EXPECT_EQ(tasks.last_reason, "too dark");
}

TEST_F(Worker, AnothersTaskDoesNotExist) {
  const Browser other = browser_of(make("mallory", {Role::kWorker}, {"turtles"}));
  const std::string path = "/_/api/assignments/" + accept(browser);
  (void)post(path + "/draft/open", {{"tab", "one"}}, browser);
  (void)send(request("POST", path + "/submit", R"({"a": 1})", browser));
  const std::string missing = "/_/api/assignments/none";
  const auto ask_all = [&](const std::string& at) {
    std::vector<Answered> answers{
        get(at, other),
        get(at + "/content", other),
        post(at + "/heartbeat", json::object(), other),
        get(at + "/draft", other),
        post(at + "/draft/open", {{"tab", "evil"}}, other),
        post(at + "/draft/deltas", {{"tab", "one"}, {"deltas", {{{"sequence", 1}, {"data", "x"}}}}}, other),
        put(at + "/draft/snapshot", R"({"tab": "one", "base_sequence": 0, "snapshot": "x"})", other),
        send(request("DELETE", at + "/draft", {}, other)),
        send(request("POST", at + "/submit", R"({"a": 2})", other)),
        get(at + "/answer", other),
        put(at + "/answer", R"({"a": 2})", other),
        post(at + "/return", json::object(), other),
        post(at + "/decline", {{"reason", "no"}}, other)};
    return answers;
  };
  const auto theirs = ask_all(path), nobodys = ask_all(missing);
  for (std::size_t i = 0; i < theirs.size(); ++i) {
    EXPECT_EQ(theirs[i].status, 404) << i << theirs[i].text;
    EXPECT_EQ(nobodys[i].status, 404) << i;
  }
  EXPECT_TRUE(get("/_/api/assignments", other).body["assignments"].empty());
  EXPECT_EQ(get(path + "/answer", browser).text, R"({"a": 1})");
  EXPECT_EQ(get(path + "/draft", browser).body["owner"], "one");
}

class Images : public Worker {
 protected:
  Images() {
    objects.add("s3://photos/a.jpg", jpeg, "text/html");
    objects.add("s3://secret/b.jpg", jpeg, "image/jpeg");
    tasks.readable_uris = {"s3://photos/a.jpg", "s3://secret/b.jpg", "https://example.org/c.jpg"};
    path = "/_/api/assignments/" + accept(browser);
    link = get(path + "/content", browser).body["images"]["s3://photos/a.jpg"];
  }
  Answered with(const std::string& field, const std::string& value, const char* method = "GET") {
    http::Request asked = request(method, link, {}, browser);
    asked.headers.add(field, value);
    return send(asked);
  }
  const std::string jpeg = "\xff\xd8\xff\xe0 0123456789";  // 15 bytes
  std::string path, link;
};

TEST_F(Images, AreServedThroughTheirLinks) {
  const json images = get(path + "/content", browser).body["images"];
  EXPECT_TRUE(images["s3://secret/b.jpg"].is_null());  // the job's owner may not read it
  EXPECT_TRUE(images["https://example.org/c.jpg"].is_null());
  EXPECT_EQ(images.size(), 3u);
  ASSERT_TRUE(link.starts_with("/_/api/images/")) << link;
  const Answered answer = get(link, browser);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.text, jpeg);
  EXPECT_EQ(answer.header("Content-Type"), "image/jpeg");  // what it is, not what was said
  EXPECT_EQ(answer.header("Content-Disposition"), "inline");
  EXPECT_EQ(answer.header("ETag"), "\"etag-a.jpg\"");
  EXPECT_EQ(answer.header("X-Content-Type-Options"), "nosniff");
  EXPECT_EQ(answer.header("Content-Security-Policy"), "sandbox; default-src 'none'");
  EXPECT_TRUE(answer.header("Cache-Control").starts_with("private, max-age="));
  EXPECT_EQ(answer.header("Cross-Origin-Resource-Policy"), "same-origin");
  EXPECT_EQ(get(path + "/content", browser).body["images"]["s3://photos/a.jpg"],
            link);  // a browser may cache it
}

TEST_F(Images, RangesAndConditions) {
  const auto range = [&](const std::string& value) {
    const Answered answer = with("Range", value);
    return fmt::format("{} {} {}", answer.status, answer.header("Content-Range"),
                       answer.status == 416 ? "" : answer.text);
  };
  EXPECT_EQ(range("bytes=5-7"), "206 bytes 5-7/15 012");
  EXPECT_EQ(range("bytes=13-"), "206 bytes 13-14/15 89");
  EXPECT_EQ(range("bytes=-3"), "206 bytes 12-14/15 789");
  EXPECT_EQ(range("bytes=5-99999"), "206 bytes 5-14/15 0123456789");
  EXPECT_EQ(range("bytes=-99"), "206 bytes 0-14/15 " + jpeg);
  EXPECT_EQ(range("bytes=15-"), "416 bytes */15 ");
  EXPECT_EQ(range("bytes=-0"), "416 bytes */15 ");
  for (const char* ignored : {"bytes=", "bytes=-", "bytes=7-5", "bytes=a-b", "bytes=1-2,4-5", "lines=1-2",
                              "bytes=--5", "bytes=99999999999999999999-", "bytes=+1-2"})
    EXPECT_EQ(range(ignored), "200  " + jpeg) << ignored;
  EXPECT_EQ(with("If-None-Match", "\"other\", W/\"etag-a.jpg\"").status, 304);
  EXPECT_EQ(with("If-None-Match", "*").status, 304);
  EXPECT_EQ(with("If-None-Match", "\"other\"").status, 200);
  http::Request stale = request("GET", link, {}, browser);
  stale.headers.add("Range", "bytes=5-7");
  stale.headers.add("If-Range", "\"other\"");
  EXPECT_EQ(send(stale).status, 200);
  stale.headers.set("If-Range", "\"etag-a.jpg\"");
  EXPECT_EQ(send(stale).status, 206);
  EXPECT_EQ(with("X", "y", "HEAD").status, 200);
}

TEST_F(Images, LinksAreForOneAccountAndOneTime) {
  const Browser other = browser_of(make("mallory", {Role::kWorker}, {"turtles"}));
  EXPECT_EQ(get(link, other).status, 403);
  EXPECT_EQ(get(link).status, 401);
  const std::string token = link.substr(std::string("/_/api/images/").size());
  for (std::size_t i = 0; i < token.size(); ++i) {
    std::string changed = token;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    EXPECT_EQ(get("/_/api/images/" + changed, browser).status, 403) << i;
  }
  for (const std::string& wrong : {std::string("x"), std::string("."), token + ".", token + "A",
                                   token.substr(0, token.find('.')), token.substr(token.find('.'))})
    EXPECT_EQ(get("/_/api/images/" + wrong, browser).status, 403) << wrong;
  // A link made with another key, for the right account.
  const ImageLinks forger(Bytes(32, 1));
  EXPECT_EQ(get("/_/api/images/" +
                    forger.sign({"s3://secret/b.jpg", "job-1", "assignment-1", ann.id, clock.now() + 60s}),
                browser)
                .status,
            403);
  clock.advance(15min - 1s);
  EXPECT_EQ(get(link, browser).status, 200);
  clock.advance(5min + 1s);
  EXPECT_EQ(get(link, browser).status, 403);
}

TEST_F(Images, WhatIsTakenBackIsNotServed) {
  readable_bucket = "elsewhere";
  EXPECT_EQ(get(link, browser).status, 403);
  readable_bucket = "photos";
  EXPECT_EQ(get(link, browser).status, 200);
  make("boss", {Role::kAdmin});
  ASSERT_TRUE(accounts->remove(ann.id));
  EXPECT_EQ(get(link, browser).status, 401);
}

TEST_F(Images, ActiveContentIsADownload) {
  const auto shown = [&](const std::string& bytes, const std::string& type) {
    objects.add("s3://photos/a.jpg", bytes, type);
    const Answered answer = get(link, browser);
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.header("Content-Security-Policy"), "sandbox; default-src 'none'");
    return answer.header("Content-Type") + " " + answer.header("Content-Disposition");
  };
  for (const char* type :
       {"text/html", "image/svg+xml", "application/xhtml+xml", "text/javascript", "text/xml",
        "application/pdf", "image/jpeg", "multipart/x-mixed-replace", "not a type", ""})
    EXPECT_EQ(shown("<script>alert(1)</script>", type), "application/octet-stream attachment") << type;
  EXPECT_EQ(shown("<b>", "Text/Plain; charset=utf-7"), "text/plain; charset=utf-8 inline");
  EXPECT_EQ(shown("{}", "application/json"), "application/json; charset=utf-8 inline");
  EXPECT_EQ(shown("", "image/png"), "application/octet-stream attachment");
  EXPECT_EQ(shown("\x89PNG\r\n\x1a\n....", "x/y"), "image/png inline");
  EXPECT_EQ(shown("RIFF1234WEBPVP8 ", "x/y"), "image/webp inline");
}

class Requester : public test::PortalTest {
 protected:
  Browser browser = browser_of(make("rob", {Role::kRequester}));
  const std::string job = "/_/api/requester/jobs/job-1";
};

TEST_F(Requester, ReadsJobsObjectsAndWorkers) {
  const Answered list =
      get("/_/api/requester/jobs?status=InProgress&sort=name&descending=false&limit=7", browser);
  ASSERT_EQ(list.status, 200) << list.text;
  EXPECT_EQ(list.body["jobs"][0]["name"], "job-1");
  EXPECT_EQ(list.body["more"], true);
  EXPECT_EQ(jobs.last_filter.status, labeling::JobStatus::kInProgress);
  EXPECT_EQ(jobs.last_filter.limit, 7);
  EXPECT_FALSE(jobs.last_filter.descending);
  EXPECT_EQ(get("/_/api/requester/jobs?status=Busy", browser).status, 400);
  EXPECT_EQ(get("/_/api/requester/jobs?sort=size", browser).status, 400);
  EXPECT_EQ(get("/_/api/requester/jobs?x=1", browser).status, 400);
  const json described = get(job, browser).body["job"];
  EXPECT_EQ(described["status"], "InProgress");
  EXPECT_EQ(described["spec"]["max_percent_labeled"], 50);
  EXPECT_EQ(get("/_/api/requester/jobs/none", browser).status, 404);

  const Answered objects_answer =
      get(job + "/objects?state=labeled&min_disagreement=0.2&most_disputed_first=true&offset=3", browser);
  EXPECT_EQ(objects_answer.body["objects"][0]["index"], 4);
  EXPECT_EQ(jobs.last_objects.state, labeling::ObjectState::kLabeled);
  EXPECT_DOUBLE_EQ(jobs.last_objects.min_disagreement, 0.2);
  EXPECT_TRUE(jobs.last_objects.most_disputed_first);
  EXPECT_EQ(jobs.last_objects.offset, 3);
  for (const char* wrong :
       {"state=x", "min_disagreement=x", "min_disagreement=nan", "offset=-1", "limit=1001"})
    EXPECT_EQ(get(job + "/objects?" + wrong, browser).status, 400) << wrong;
  EXPECT_EQ(get(job + "/objects/4/answers", browser).body["answers"][0]["withdrawn"], true);
  EXPECT_EQ(get(job + "/objects/-1/answers", browser).status, 404);
  EXPECT_EQ(get(job + "/objects/x/answers", browser).status, 404);
  EXPECT_EQ(get(job + "/workers", browser).body["workers"][0]["reliability"], 0.9);
}

TEST_F(Requester, ChangesJobs) {
  EXPECT_EQ(post(job + "/stop", json::object(), browser).status, 200);
  EXPECT_EQ(post(job + "/clone", {{"new_name", "job-2"}}, browser).status, 201);
  EXPECT_EQ(post(job + "/continue", {{"new_name", "job-3"}}, browser).status, 201);
  EXPECT_EQ(post(job + "/objects/4/reopen", {{"discard_answers", true}}, browser).status, 200);
  EXPECT_EQ(post(job + "/workers/person-1/withdraw", json::object(), browser).status, 200);
  labeling::Workteam team;
  team.name = "divers";
  team.description = "Divers";
  team.members = {{"terrapin", "terrapin", "divers", {}}};
  jobs.record().spec.workteam_arn = workforces->create_team(team).value().arn;
  const json chained{
      {"new_name", "job-4"},
      {"label_attribute", "checked-ref"},
      {"pre_function_arn", "arn:aws:lambda:us-east-1:1:function:PRE-AdjustmentSemanticSegmentation"},
      {"workers_per_object", 2}};
  EXPECT_EQ(post(job + "/chain", chained, browser).status, 201);
  const std::string asker = jobs.last_spec.owner;
  EXPECT_TRUE(asker.starts_with("account:person-")) << asker;
  EXPECT_EQ(jobs.calls,
            (std::vector<std::string>{"stop", "clone job-2 for " + asker, "continue job-3 for " + asker,
                                      "reopen 4 true", "withdraw person-1", "chain job-4"}));
  EXPECT_EQ(jobs.last_spec.label_attribute, "checked-ref");
  EXPECT_EQ(jobs.last_spec.pre_function.name, "PRE-AdjustmentSemanticSegmentation");
  EXPECT_EQ(jobs.last_spec.workers_per_object, 2);
  // Who judges masks does not get the page on which they were painted.
  jobs.record().spec.template_uri = "s3://bucket/canvas.html";
  json judged = chained;
  EXPECT_EQ(post(job + "/chain", judged, browser).status, 201);
  EXPECT_EQ(jobs.last_spec.template_uri, "s3://bucket/canvas.html");
  judged["pre_function_arn"] = "arn:aws:lambda:us-east-1:1:function:PRE-VerificationSemanticSegmentation";
  EXPECT_EQ(post(job + "/chain", judged, browser).status, 201);
  EXPECT_EQ(jobs.last_spec.template_uri, "");
  judged["template_uri"] = "s3://bucket/judge.html";
  EXPECT_EQ(post(job + "/chain", judged, browser).status, 201);
  EXPECT_EQ(jobs.last_spec.template_uri, "s3://bucket/judge.html");
  json wrong = chained;
  wrong["owner"] = "somebody else";  // whose buckets it could read then
  EXPECT_EQ(post(job + "/chain", wrong, browser).status, 400);
  EXPECT_EQ(post(job + "/clone", json::object(), browser).status, 400);
  EXPECT_EQ(post("/_/api/requester/jobs/none/stop", json::object(), browser).status, 404);
}

}  // namespace
}  // namespace terrapin::portal
