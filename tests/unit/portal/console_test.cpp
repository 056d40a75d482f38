// New jobs, teams, people, vendors and keys of the requester's console.
#include <gmock/gmock.h>

#include "labeling/jobs/job_rules.h"
#include "unit/portal/portal_fixture.h"

namespace terrapin::portal {
namespace {

using identity::Role;
using test::Answered;
using test::Browser;
using test::json;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

class Console : public test::PortalTest {
 protected:
  Console() : rita(make("rita", {Role::kRequester})), browser(browser_of(rita)) {
    labeling::Workteam team;
    team.name = "divers";
    team.description = "Divers";
    team.members = {{"terrapin", "terrapin", "divers", {}}};
    team_arn = workforces->create_team(team).value().arn;
    wanted = {{"name", "turtles"},
              {"input_uri", "s3://photos/"},
              {"output_uri", "s3://out/jobs/"},
              {"labels", json::array({{{"label", "Turtle"}, {"color", "#112233"}},
                                      {{"label", "Ignore"}, {"void", true}}})},
              {"workteam_arn", team_arn},
              {"title", "Paint turtles"}};
  }
  Answered create(const json& body) { return ask("POST", api + "jobs", body, browser); }

  identity::Account rita;
  Browser browser;
  std::string team_arn;
  json wanted;
  const std::string api = "/_/api/requester/";
};

TEST_F(Console, SettingsTellWhatAFormNeeds) {
  const Answered settings = get(api + "settings", browser);
  ASSERT_EQ(settings.status, 200) << settings.text;
  EXPECT_EQ(settings.body["region"], "us-east-1");
  EXPECT_EQ(settings.body["limits"]["max_labels"], 254);
  EXPECT_EQ(settings.body["public_crowd_arn"],
            "arn:aws:sagemaker:us-east-1:394669845002:workteam/public-crowd/default");
  const json& before = settings.body["pre_functions"];
  EXPECT_EQ(before[0]["arn"], "arn:aws:lambda:us-east-1:432418664414:function:PRE-SemanticSegmentation");
  EXPECT_EQ(before[1]["kind"], "adjustment");
  EXPECT_EQ(before.back()["name"], "count-turtles");
  EXPECT_EQ(before.back()["kind"], "registered");
  EXPECT_EQ(settings.body["post_functions"].size(), 5U);
}

TEST_F(Console, AJobIsMadeWithItsFiles) {
  wanted["instructions"] = {{"header", "Say \"{{ x }}\" <b>"}, {"short_html", "<p>{{ y }}</p>"}};
  wanted["workers_per_object"] = 3;
  wanted["tags"] = {{"sea", "blue"}};
  const Answered made = create(wanted);
  ASSERT_EQ(made.status, 201) << made.text;
  const labeling::JobSpec& spec = jobs.last_spec;
  EXPECT_EQ(spec.owner, "account:" + rita.id);
  EXPECT_EQ(spec.label_attribute, "label-ref");
  EXPECT_EQ(spec.description, "Paint turtles");
  EXPECT_EQ(spec.workers_per_object, 3);
  EXPECT_EQ(spec.pre_function.name, "PRE-SemanticSegmentation");
  EXPECT_EQ(spec.post_function.name, "ACS-SemanticSegmentation");
  EXPECT_THAT(spec.categories_uri,
              AllOf(StartsWith("s3://out/jobs/turtles/setup/"), EndsWith("/label-categories.json")));
  EXPECT_THAT(spec.template_uri,
              AllOf(StartsWith("s3://out/jobs/turtles/setup/"), EndsWith("/template.liquid.html")));
  EXPECT_THAT(spec.tags, ElementsAre(std::pair<std::string, std::string>("sea", "blue")));
  const json categories = json::parse(objects.text_of(spec.categories_uri));
  EXPECT_EQ(categories["labels"][0]["hex-color"], "#112233");
  EXPECT_EQ(categories["labels"][1]["void"], true);
  const std::string html = objects.text_of(spec.template_uri);
  EXPECT_THAT(html, HasSubstr("header=\"Say &quot;&#123;&#123; x }}&quot; &lt;b&gt;\""));
  EXPECT_THAT(html, HasSubstr("<p>&#123;{ y }}</p>"));
  EXPECT_THAT(html, HasSubstr("{{ task.input.taskObject | grant_read_access }}"));
}

TEST_F(Console, AJobMayNameItsFiles) {
  wanted.erase("labels");
  wanted["categories_uri"] = "s3://photos/labels.json";
  wanted["kind"] = "verification";
  wanted["label_attribute"] = "verdict";
  ASSERT_EQ(create(wanted).status, 201);
  EXPECT_EQ(jobs.last_spec.categories_uri, "s3://photos/labels.json");
  EXPECT_EQ(jobs.last_spec.template_uri, "");
  EXPECT_EQ(jobs.last_spec.post_function.name, "ACS-VerificationSemanticSegmentation");
  wanted.erase("kind");
  wanted["label_attribute"] = "mask-ref";
  wanted["majority_vote"] = true;
  wanted["template_html"] = "<crowd-form></crowd-form>";
  wanted["pre_function_arn"] = "arn:aws:lambda:us-east-1:111122223333:function:count-turtles:7";
  ASSERT_EQ(create(wanted).status, 201);
  EXPECT_EQ(jobs.last_spec.pre_function.name, "count-turtles");
  EXPECT_EQ(jobs.last_spec.post_function.name, "ACS-SemanticSegmentation-Majority");
  EXPECT_TRUE(jobs.last_spec.majority_vote);
  EXPECT_EQ(objects.text_of(jobs.last_spec.template_uri), "<crowd-form></crowd-form>");
}

TEST_F(Console, WhatIsWrongIsNamed) {
  const auto refused = [&](const char* member, const json& value) {
    json body = wanted;
    body[member] = value;
    const Answered answer = create(body);
    EXPECT_EQ(answer.status, 400) << member << value << answer.text;
    EXPECT_THAT(answer.body.value("message", ""), HasSubstr(member)) << value;
  };
  refused("name", "a b");
  refused("name", std::string(64, 'n'));
  refused("name", "-a");
  refused("label_attribute", "label");
  refused("label_attribute", "source-ref");
  refused("input_uri", "/etc/passwd");
  refused("input_uri", "file:///etc/passwd");
  refused("output_uri", "out");
  refused("workteam_arn", "arn:none");
  refused("title", "");
  refused("labels", json::array());
  refused("labels", json::array({{{"label", "a"}, {"color", "red"}}}));
  refused("labels", json::array({{{"label", "a"}, {"colour", "#000000"}}}));
  refused("labels", json::array({{{"label", "a"}, {"void", true}}}));
  refused("labels", "Turtle");
  refused("categories_uri", "s3://photos/labels.json");  // beside labels
  refused("template_uri", "s3://photos");
  refused("instructions", {{"head", "x"}});
  refused("kind", "boxes");
  refused("pre_function_arn", "arn:aws:lambda:us-east-1:432418664414:function:ACS-SemanticSegmentation");
  refused("post_function_arn",
          "arn:aws:lambda:us-east-1:432418664414:function:ACS-VerificationSemanticSegmentation");
  refused("workers_per_object", 10);
  refused("max_percent_labeled", 101);
  refused("keywords", json::array({1}));
  refused("content_classifiers", json::array({"x"}));
  refused("price", {{"dollars", 1}});  // not of a private team
  refused("tags", {{std::string(129, 'k'), "v"}});
  refused("surprise", 1);
  for (const char* needed : {"name", "input_uri", "output_uri", "workteam_arn", "title", "labels"}) {
    json body = wanted;
    body.erase(needed);
    const Answered answer = create(body);
    EXPECT_EQ(answer.status, 400) << needed;
    EXPECT_THAT(answer.body.value("message", ""), HasSubstr(needed));
  }
  EXPECT_THAT(objects.uris(), Each(Not(HasSubstr("/setup/"))));
}

TEST_F(Console, NothingStaysOfAJobThatWasNotMade) {
  jobs.create_error = "no";
  wanted["template_html"] = "x";
  EXPECT_EQ(create(wanted).status, 400);
  EXPECT_THAT(objects.uris(), Each(Not(HasSubstr("/setup/"))));
  jobs.create_error.clear();
  // The files of a job that is there are not touched.
  objects.add("s3://out/jobs/job-1/setup/label-categories.json", "its own", "application/json");
  wanted["name"] = "job-1";
  EXPECT_EQ(create(wanted).code(), "AlreadyExists");
  EXPECT_EQ(objects.text_of("s3://out/jobs/job-1/setup/label-categories.json"), "its own");
  // Nor anything in a bucket of others.
  wanted["name"] = "turtles";
  wanted["output_uri"] = "s3://secrets/x";
  EXPECT_EQ(create(wanted).code(), "Denied");
  EXPECT_THAT(objects.uris(), Each(Not(HasSubstr("s3://secrets/x/"))));
}

TEST_F(Console, TwoFormsOfOneNameKeepTheirFilesApart) {
  ASSERT_EQ(create(wanted).status, 201);
  const std::string first = jobs.last_spec.categories_uri;
  ASSERT_EQ(create(wanted).status, 201);
  EXPECT_NE(jobs.last_spec.categories_uri, first);
}

TEST_F(Console, MajorityFollowsTheFunction) {
  wanted["post_function_arn"] =
      "arn:aws:lambda:us-east-1:432418664414:function:ACS-SemanticSegmentation-Majority";
  ASSERT_EQ(create(wanted).status, 201);
  EXPECT_TRUE(labeling::completed(jobs.last_spec).majority_vote);
  wanted.erase("post_function_arn");
  wanted["majority_vote"] = true;
  ASSERT_EQ(create(wanted).status, 201);
  EXPECT_EQ(jobs.last_spec.post_function.name, "ACS-SemanticSegmentation-Majority");
}

TEST_F(Console, JobsOfOtherBucketsAreOutOfReach) {
  jobs.record().spec.output_uri = "s3://secrets/jobs";
  EXPECT_TRUE(get(api + "jobs", browser).body["jobs"].empty());
  for (const char* path : {"", "/template", "/categories", "/progress", "/objects", "/workers"})
    EXPECT_EQ(get(api + "jobs/job-1" + path, browser).status, 403) << path;
  for (const char* path : {"/stop", "/clone", "/continue", "/chain", "/objects/0/reopen"})
    EXPECT_EQ(ask("POST", api + "jobs/job-1" + path, json::object(), browser).status, 403) << path;
  EXPECT_THAT(jobs.calls, IsEmpty());
}

TEST_F(Console, WhoAsksOwnsWhatFollowsAJob) {
  const std::string owner = "account:" + rita.id;
  EXPECT_EQ(ask("POST", api + "jobs/job-1/clone", {{"new_name", "b"}}, browser).status, 201);
  EXPECT_EQ(ask("POST", api + "jobs/job-1/continue", {{"new_name", "c"}}, browser).status, 201);
  EXPECT_EQ(ask("POST", api + "jobs/job-1/chain", {{"new_name", "d"}}, browser).status, 400);  // no team
  jobs.record().spec.workteam_arn = team_arn;
  EXPECT_EQ(ask("POST", api + "jobs/job-1/chain", {{"new_name", "d"}}, browser).status, 201);
  EXPECT_THAT(jobs.calls, ElementsAre("clone b for " + owner, "continue c for " + owner, "chain d"));
  EXPECT_EQ(jobs.last_spec.owner, owner);
}

TEST_F(Console, TellsCategoriesTemplateAndProgress) {
  jobs.categories_.void_label = artifacts::ClassEntry{"Ignore", {128, 128, 128}};
  const Answered categories = get(api + "jobs/job-1/categories", browser);
  EXPECT_EQ(categories.body["labels"],
            json::parse(R"([{"label": "Turtle", "color": "#2ca02c", "void": false, "index": 1},
                            {"label": "Ignore", "color": "#808080", "void": true, "index": 255}])"));
  EXPECT_EQ(get(api + "jobs/job-1/template", browser).body["template"], "<crowd-form></crowd-form>");
  const Answered progress = get(api + "jobs/job-1/progress", browser);
  EXPECT_EQ(progress.body["answers"], 3);
  EXPECT_EQ(progress.body["answers_last_hour"], 2);
  EXPECT_EQ(progress.body["median_seconds_per_answer"], 12.5);
  EXPECT_EQ(progress.body["series"][1], json::parse(R"({"time": "1970-01-01T00:00:01.000Z", "answers": 3})"));
  EXPECT_EQ(progress.body["job"]["name"], "job-1");
  for (const char* what : {"categories", "template", "progress"})
    EXPECT_EQ(get(api + "jobs/none/" + what, browser).status, 404);
}

TEST_F(Console, TeamsAndTheirMembers) {
  const Answered made =
      ask("POST", api + "workteams", {{"name", "night"}, {"description", "Night shift"}}, browser);
  ASSERT_EQ(made.status, 201) << made.text;
  EXPECT_EQ(made.body["workteam"]["groups"], json::array({"night"}));
  EXPECT_EQ(made.body["workteam"]["kind"], "private");
  const identity::Account ann = make("ann");
  const Answered joined = ask("POST", api + "workteams/night/members", {{"account_id", ann.id}}, browser);
  ASSERT_EQ(joined.status, 200) << joined.text;
  EXPECT_EQ(joined.body["workteam"]["members"][0]["name"], "ann");
  EXPECT_THAT(accounts->account(ann.id)->groups, ElementsAre("night"));
  EXPECT_EQ(ask("DELETE", api + "workteams/night/members/" + ann.id, json::object(), browser).status, 200);
  EXPECT_TRUE(accounts->account(ann.id)->groups.empty());
  EXPECT_EQ(accounts->account(ann.id)->roles, std::vector{Role::kWorker});
  EXPECT_EQ(ask("POST", api + "workteams/night/members", {{"account_id", "none"}}, browser).status, 404);
  EXPECT_EQ(ask("POST", api + "workteams/none/members", {{"account_id", ann.id}}, browser).status, 404);

  EXPECT_EQ(ask("PUT", api + "workteams/night", {{"groups", {"night", "late"}}}, browser).status, 200);
  EXPECT_EQ(workforces->team("night")->members.size(), 2U);
  EXPECT_EQ(workforces->team("night")->description, "Night shift");
  jobs.busy_team = workforces->team("night")->arn;
  EXPECT_EQ(ask("DELETE", api + "workteams/night", json::object(), browser).status, 409);
  jobs.busy_team.clear();
  EXPECT_EQ(ask("DELETE", api + "workteams/night", json::object(), browser).status, 200);
  EXPECT_EQ(ask("DELETE", api + "workteams/night", json::object(), browser).status, 404);

  (void)workforces->add_vendor({"acme", "Acme", "Labels", "Acme Inc.", ""}).value();
  std::vector<std::string> kinds;
  const json teams = get(api + "workteams", browser).body["workteams"];
  for (const json& team : teams) kinds.push_back(team["kind"]);
  EXPECT_THAT(kinds, ElementsAre("private", "vendor", "public"));
}

TEST_F(Console, ARequesterReachesNoVendorAndNoReservedGroup) {
  const identity::Account outside = make("vera", {Role::kWorker}, {"vendor:acme"});
  (void)workforces->add_vendor({"acme", "Acme", "", "", ""}).value();
  for (const char* group : {"vendor:acme", "vendor:new", "public-crowd"}) {
    EXPECT_EQ(ask("POST", api + "workteams", {{"name", "x"}, {"groups", {group}}}, browser).status, 400)
        << group;
    EXPECT_EQ(ask("PUT", api + "workteams/divers", {{"groups", {group}}}, browser).status, 400) << group;
  }
  EXPECT_EQ(ask("POST", api + "workteams", {{"name", "x"}, {"groups", json::array()}}, browser).status, 400);
  EXPECT_EQ(ask("POST", api + "workteams/divers/members", {{"account_id", outside.id}}, browser).status, 409);
  EXPECT_EQ(ask("DELETE", api + "workteams/divers/members/" + outside.id, json::object(), browser).status,
            409);
  EXPECT_THAT(accounts->account(outside.id)->groups, ElementsAre("vendor:acme"));
  EXPECT_EQ(ask("POST", api + "workteams/acme/members", {{"account_id", rita.id}}, browser).status, 404);
  EXPECT_EQ(ask("POST", api + "invitations", {{"workteam", "acme"}}, browser).status, 404);
  std::vector<std::string> names;
  const json people = get(api + "people", browser).body["people"];
  for (const json& person : people) names.push_back(person["name"]);
  EXPECT_THAT(names, ElementsAre("rita"));
}

TEST_F(Console, ARequesterInvitesWorkersOnly) {
  const Answered made = ask("POST", api + "invitations", {{"workteam", "divers"}, {"name", "new"}}, browser);
  ASSERT_EQ(made.status, 201) << made.text;
  EXPECT_EQ(made.body["invitation"]["roles"], json::array({"worker"}));
  EXPECT_EQ(made.body["invitation"]["groups"], json::array({"divers"}));
  EXPECT_THAT(made.body.value("link", ""), HasSubstr("/_/join#"));
  for (const json& body :
       {json{{"workteam", "divers"}, {"roles", {"admin"}}}, json{{"workteam", "divers"}, {"groups", {"x"}}},
        json{{"name", "x"}}, json{{"workteam", "divers"}, {"days", 91}}})
    EXPECT_EQ(ask("POST", api + "invitations", body, browser).status, 400) << body;
}

TEST_F(Console, PeopleHaveNoMoreThanAFormNeeds) {
  (void)make("ann", {Role::kWorker}, {"divers"});
  const Answered people = get(api + "people?limit=1", browser);
  ASSERT_EQ(people.body["people"].size(), 1U);
  const json& ann = people.body["people"][0];
  EXPECT_EQ(ann["name"], "ann");
  EXPECT_EQ(ann.size(), 6U);  // no issuer, no times
  EXPECT_EQ(get(api + "people?offset=1", browser).body["people"][0]["name"], "rita");
}

TEST_F(Console, AdminsMakeVendorsAndKeys) {
  const Browser admin = browser_of(make("ada", {Role::kAdmin}));
  EXPECT_EQ(ask("POST", "/_/api/vendors", {{"name", "acme"}, {"title", "Acme"}}, admin).status, 201);
  const Answered vendors = get("/_/api/vendors", admin);
  EXPECT_EQ(vendors.body["vendors"][0]["title"], "Acme");
  EXPECT_EQ(vendors.body["vendors"][0]["subscribed"], true);

  const Answered made = ask("POST", "/_/api/keys", {{"name", "robot"}, {"scope", "requester"}}, admin);
  ASSERT_EQ(made.status, 201) << made.text;
  const std::string id = made.body["access_key_id"], secret = made.body["secret_access_key"];
  EXPECT_EQ(keys->find(id).value()->secret, secret);
  const Answered list = get("/_/api/keys", admin);
  EXPECT_EQ(list.body["keys"][0]["name"], "robot");
  EXPECT_EQ(list.body["keys"][0]["scope"], "requester");
  EXPECT_EQ(list.text.find(secret), std::string::npos);
  EXPECT_EQ(ask("DELETE", "/_/api/keys/" + id, json::object(), admin).status, 200);
  EXPECT_FALSE(keys->find(id).value());
  EXPECT_EQ(ask("DELETE", "/_/api/keys/" + id, json::object(), admin).status, 404);
  // A key's owner is never taken for an account.
  EXPECT_EQ(ask("POST", "/_/api/keys", {{"name", "account:" + rita.id}, {"scope", "admin"}}, admin).status,
            400);
  EXPECT_EQ(ask("POST", "/_/api/keys", {{"name", "x"}, {"scope", "root"}}, admin).status, 400);
}

TEST_F(Console, TheContentTellsIndicesAndVoids) {
  const Browser worker = browser_of(make("wanda", {Role::kWorker}, {"divers"}));
  const std::string id = post("/_/api/assignments", json::object(), worker).body["assignment"]["id"];
  const Answered content = get("/_/api/assignments/" + id + "/content", worker);
  EXPECT_EQ(content.body["voids"], json::array({false}));
  EXPECT_EQ(content.body["index"], json::array({1}));
  EXPECT_TRUE(
      get("/_/api/assignments/previous?job=job-1&before=" + id, worker).body["assignment_id"].is_null());
  EXPECT_EQ(tasks.last_previous, "job-1 " + id);
  EXPECT_EQ(post("/_/api/assignments/" + id + "/submit", json::object(), worker).status, 200);
  EXPECT_EQ(get("/_/api/assignments/previous?job=job-1", worker).body["assignment_id"], id);
  EXPECT_EQ(get("/_/api/assignments/previous", worker).status, 400);
}

}  // namespace
}  // namespace terrapin::portal
