// Training jobs, models and endpoints of the console.
#include <gmock/gmock.h>

#include "portal/new_training.h"
#include "unit/portal/portal_fixture.h"

namespace terrapin::portal {
namespace {

using identity::Role;
using test::Answered;
using test::Browser;
using test::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class ConsoleTraining : public test::PortalTest {
 protected:
  ConsoleTraining() : rita(make("rita", {Role::kRequester})), browser(browser_of(rita)) {
    for (const char* name : {"train/a.jpg", "train_annotation/a.png"})
      objects.add(std::string("s3://photos/") + name, "x", "image/png");
    wanted = {{"name", "turtles"},
              {"output_uri", "s3://out/training"},
              {"hyperparameters", {{"num_classes", "2"}, {"epochs", "3"}}},
              {"channels", json::array({{{"name", "train"}, {"uri", "s3://photos/train/"}}})}};
  }
  Answered create(const json& body) { return ask("POST", api + "training-jobs", body, browser); }
  // Somebody else's, whose results lie where rita may not look.
  void make_hidden() {
    control::TrainingJobSpec spec;
    spec.name = "secret";
    spec.output_uri = "s3://secrets/training";
    spec.instance_type = "local";
    ASSERT_TRUE(control->training_jobs().create(spec, "somebody", {}));
    objects.add("s3://secrets/model.tar.gz", "model", "");
    control::ModelSpec model;
    model.name = "secret";
    model.container.image = "semantic-segmentation";
    model.container.data = "s3://secrets/model.tar.gz";
    ASSERT_TRUE(control->models().create(model, "somebody", {}));
    control::EndpointConfigSpec config;
    config.name = "secret";
    control::VariantSpec variant;
    variant.name = "AllTraffic";
    variant.model = "secret";
    config.variants = {variant};
    ASSERT_TRUE(control->endpoint_configs().create(config, "somebody", {}));
    ASSERT_TRUE(control->endpoints().create("secret", "secret", "somebody", {}));
  }
  Answered make_model(const std::string& name, const std::string& data = "s3://out/model.tar.gz") {
    objects.add(data, "model", "");
    return ask("POST", api + "models", {{"name", name}, {"data", data}}, browser);
  }
  static std::string manifest(int labeled, int failed) {
    std::string text;
    for (int i = 0; i < labeled + failed; ++i) {
      text += fmt::format(R"({{"source-ref":"s3://photos/{}.jpg")", i);
      if (i < labeled)
        text += fmt::format(
            R"(,"turtle-ref":"s3://out/{}.png","turtle-ref-metadata":{{"type":)"
            R"("groundtruth/semantic-segmentation","human-annotated":"yes",)"
            R"("internal-color-map":{{"0":{{"class-name":"BACKGROUND","hex-color":"#ffffff"}}}}}})",
            i);
      text += "}\n";
    }
    return text;
  }

  identity::Account rita;
  Browser browser;
  json wanted;
  const std::string api = "/_/api/console/";
};

TEST_F(ConsoleTraining, OptionsExplainTheForm) {
  const Answered options = get(api + "training-options", browser);
  ASSERT_EQ(options.status, 200) << options.text;
  EXPECT_EQ(options.body["hyperparameters"][0]["name"], "epochs");
  EXPECT_GE(options.body["cores"].get<int>(), 1);
  EXPECT_EQ(options.body["backbone"], options.body["gpus"] == 0 ? "mobilenet-v2" : "resnet-50");
}

TEST_F(ConsoleTraining, AJobIsMadeDescribedListedAndStopped) {
  const Answered made = create(wanted);
  ASSERT_EQ(made.status, 201) << made.text;
  const control::TrainingJob job = control->training_jobs().describe("turtles").value();
  EXPECT_EQ(job.spec.image, "semantic-segmentation");
  EXPECT_EQ(job.resource.owner, identity::principal_of(rita));
  EXPECT_THAT(job.spec.allowed_buckets, UnorderedElementsAre("photos", "out"));
  EXPECT_EQ(create(wanted).code(), "AlreadyExists");

  const json told = get(api + "training-jobs/turtles", browser).body["job"];
  EXPECT_EQ(told["status"], "InProgress");
  EXPECT_EQ(told["step"], "Pending");
  EXPECT_EQ(told["hyperparameters"]["epochs"], "3");
  EXPECT_EQ(told["epochs"], "3");
  EXPECT_EQ(told["channels"][0]["kind"], "prefix");
  EXPECT_EQ(told["transitions"][0]["end"], json());
  EXPECT_EQ(get(api + "training-jobs/turtles/metrics", browser).body["series"].size(),
            control::training_metric_names().size());
  EXPECT_THAT(get(api + "training-jobs/turtles/log", browser).body["lines"], IsEmpty());
  EXPECT_THAT(get(api + "training-jobs/turtles/overlays", browser).body["epochs"], IsEmpty());
  EXPECT_EQ(get(api + "training-jobs/turtles/overlays/1/0", browser).status, 404);
  for (const char* way : {"..", "-1", "1x", "99999999999"})
    EXPECT_EQ(get(api + "training-jobs/turtles/overlays/1/" + way, browser).status, 404) << way;

  const json list = get(api + "training-jobs?name_contains=TURT&status=InProgress", browser).body;
  ASSERT_EQ(list["jobs"].size(), 1U);
  EXPECT_EQ(list["more"], false);
  EXPECT_THAT(get(api + "training-jobs?status=Failed", browser).body["jobs"], IsEmpty());
  EXPECT_EQ(get(api + "training-jobs?status=Nothing", browser).status, 400);
  EXPECT_EQ(get(api + "training-jobs?sort=size", browser).status, 400);

  EXPECT_EQ(post(api + "training-jobs/turtles/deploy", json::object(), browser).status, 409);
  const Answered stopped = post(api + "training-jobs/turtles/stop", json::object(), browser);
  ASSERT_EQ(stopped.status, 200) << stopped.text;
  EXPECT_EQ(stopped.body["job"]["status"], "Stopped");
  EXPECT_EQ(post(api + "training-jobs/turtles/stop", json::object(), browser).code(), "Conflict");
}

TEST_F(ConsoleTraining, WhatIsWrongIsNamed) {
  const auto message = [&](const char* member, const json& value) {
    json body = wanted;
    body[member] = value;
    const Answered answer = create(body);
    EXPECT_EQ(answer.status, 400) << member << answer.text;
    return answer.body.value("message", "");
  };
  EXPECT_THAT(message("name", "-turtles"), HasSubstr("'name' is '-turtles'"));
  EXPECT_THAT(message("output_uri", "/tmp"), HasSubstr("'output_uri'"));
  EXPECT_THAT(message("output_uri", "s3://nowhere/x"), HasSubstr("there is no bucket 'nowhere'"));
  EXPECT_THAT(message("hyperparameters", {{"epochs", 3}}), HasSubstr("'epochs' must be a string"));
  EXPECT_THAT(message("hyperparameters", {{"wrong", "7"}}), HasSubstr("'hyperparameters': wrong is 7"));
  EXPECT_THAT(message("max_run_s", 0), HasSubstr("'max_run_s'"));
  EXPECT_THAT(message("channels", json::array()), HasSubstr("'channels' has 0 members"));
  EXPECT_THAT(message("labeling_job", "job-1"), HasSubstr("either 'labeling_job' or 'channels'"));
  const auto channel = [&](const json& one) { return message("channels", json::array({one})); };
  EXPECT_THAT(channel({{"name", ".."}, {"uri", "s3://photos/train/"}}), HasSubstr("'name' is '..'"));
  EXPECT_THAT(channel({{"name", "train"}, {"uri", "photos"}}), HasSubstr("'uri'"));
  EXPECT_THAT(channel({{"name", "train"}, {"uri", "s3://photos/train/"}, {"kind", "folder"}}),
              HasSubstr("'kind'"));
  EXPECT_THAT(channel({{"name", "train"}, {"uri", "s3://photos/x"}, {"kind", "augmented-manifest"}}),
              HasSubstr("'attributes'"));
  EXPECT_THAT(channel({{"name", "train"}, {"uri", "s3://photos/none/"}}),
              HasSubstr("nothing at s3://photos/none/"));
  EXPECT_EQ(control->training_jobs().list({}).value().jobs.size(), 0U);
}

TEST_F(ConsoleTraining, TheOutputOfALabelingJobIsSplit) {
  objects.add("s3://out/jobs/job-1/output.manifest", manifest(10, 2), "application/json");
  jobs.give_output("s3://out/jobs/job-1/output.manifest", 10);
  const json start = get("/_/api/requester/jobs/job-1/training-draft", browser).body;
  EXPECT_EQ(start["name"], "job-1");
  EXPECT_EQ(start["num_classes"], 2);
  EXPECT_EQ(start["labels"][0]["label"], "Turtle");
  EXPECT_EQ(start["output_uri"], "s3://out/training");

  const json body{{"name", "job-1"},
                  {"output_uri", "s3://out/training/"},
                  {"labeling_job", "job-1"},
                  {"validation_percent", 30},
                  {"hyperparameters", {{"epochs", "2"}}}};
  ASSERT_EQ(create(body).status, 201);
  const control::TrainingJobSpec spec = control->training_jobs().describe("job-1").value().spec;
  EXPECT_EQ(spec.hyperparameters.at("num_classes"), "2");
  EXPECT_EQ(spec.hyperparameters.at("num_training_samples"), "7");
  ASSERT_EQ(spec.channels.size(), 2U);
  EXPECT_EQ(spec.channels[0].source.uri, "s3://out/training/job-1/input/train.manifest");
  EXPECT_THAT(spec.channels[0].source.attributes, ElementsAre("source-ref", "turtle-ref"));
  const auto lines = [&](int at) {
    const std::string text = objects.text_of(spec.channels[static_cast<std::size_t>(at)].source.uri);
    return std::count(text.begin(), text.end(), '\n');
  };
  EXPECT_EQ(lines(0), 7);
  EXPECT_EQ(lines(1), 3);
  EXPECT_EQ(get("/_/api/requester/jobs/job-1/training-draft", browser).body["name"], "job-1-2");
}

TEST_F(ConsoleTraining, ALabelingJobWithTooLittleIsRefusedAndLeavesNothing) {
  json body{{"name", "few"}, {"output_uri", "s3://out/training"}, {"labeling_job", "job-1"}};
  EXPECT_THAT(create(body).body["message"], HasSubstr("has no output manifest"));
  objects.add("s3://out/m", manifest(1, 3), "application/json");
  jobs.give_output("s3://out/m", 1);
  EXPECT_THAT(create(body).body["message"], HasSubstr("two are needed"));
  body["labeling_job"] = "nothing";
  EXPECT_THAT(create(body).body["message"], HasSubstr("'labeling_job'"));
  objects.add("s3://out/m", manifest(4, 0), "application/json");
  body["labeling_job"] = "job-1";
  body["hyperparameters"] = {{"wrong", "x"}};
  EXPECT_EQ(create(body).status, 400);
  EXPECT_FALSE(objects.has("s3://out/training/few/input/train.manifest"));
}

TEST_F(ConsoleTraining, WhatLiesInBucketsOfOthersIsNotThere) {
  make_hidden();
  ASSERT_EQ(create(wanted).status, 201);
  ASSERT_EQ(make_model("mine").status, 201);
  for (const std::string path : {"training-jobs/secret", "training-jobs/secret/metrics",
                                 "training-jobs/secret/log", "training-jobs/secret/overlays",
                                 "training-jobs/secret/overlays/1/0", "models/secret", "endpoints/secret"})
    EXPECT_EQ(get(api + path, browser).code(), "NotFound") << path;
  for (const std::string path :
       {"training-jobs/secret/stop", "training-jobs/secret/deploy", "endpoints/secret/weights"})
    EXPECT_EQ(post(api + path, json::object(), browser).code(), "NotFound") << path;
  EXPECT_EQ(ask("DELETE", api + "models/secret", json::object(), browser).code(), "NotFound");
  EXPECT_EQ(ask("DELETE", api + "endpoints/secret", json::object(), browser).code(), "NotFound");
  EXPECT_EQ(send(request("POST", api + "endpoints/secret/photo", "photo", browser)).code(), "NotFound");
  EXPECT_EQ(get(api + "training-jobs", browser).body["jobs"].size(), 1U);
  EXPECT_EQ(get(api + "models", browser).body["models"].size(), 1U);
  EXPECT_EQ(get(api + "endpoints", browser).body["endpoints"].size(), 0U);
  EXPECT_EQ(make_model("theirs", "s3://secrets/model.tar.gz").code(), "Denied");
  json other = wanted;
  other["name"] = "other";
  other["output_uri"] = "s3://secrets/x";
  EXPECT_EQ(create(other).code(), "Denied");
  other = wanted;
  other["name"] = "other";
  other["channels"][0]["uri"] = "s3://secrets/x";
  EXPECT_EQ(create(other).code(), "Denied");
  EXPECT_THAT(ask("POST", api + "endpoints", {{"name", "e"}, {"variants", {{{"model", "secret"}}}}}, browser)
                  .body["message"],
              HasSubstr("there is no model 'secret'"));
}

TEST_F(ConsoleTraining, AnEndpointThatIsDeletedIsSeenByItsServersBuckets) {
  make_hidden();
  const auto left = [&](const std::string& bucket) {
    return control->resources().change(control::kEndpointKind, "secret",
                                       [&](storage::Transaction&, control::Resource& row) -> Status {
                                         control::EndpointState state;
                                         control::Instance server;
                                         server.id = "i-0";
                                         server.variant = "AllTraffic";
                                         server.job = "job";
                                         server.bucket = bucket;
                                         state.retired = {server};
                                         row.status = control::kEndpointDeleting;
                                         row.state = control::endpoint_state_text(state);
                                         return {};
                                       });
  };
  for (const char* bucket : {"secrets", ""}) {
    ASSERT_TRUE(left(bucket));
    EXPECT_EQ(get(api + "endpoints/secret", browser).code(), "NotFound") << bucket;
    EXPECT_EQ(get(api + "endpoints", browser).body["endpoints"].size(), 0U) << bucket;
  }
  ASSERT_TRUE(left("out"));
  EXPECT_EQ(get(api + "endpoints/secret", browser).body["endpoint"]["status"], "Deleting");
  EXPECT_EQ(get(api + "endpoints", browser).body["endpoints"].size(), 1U);
}

TEST_F(ConsoleTraining, ModelsAreMadeAndDeleted) {
  EXPECT_EQ(make_model("turtles").status, 201);
  EXPECT_EQ(make_model("turtles").code(), "AlreadyExists");
  const json model = get(api + "models/turtles", browser).body["model"];
  EXPECT_EQ(model["data"], "s3://out/model.tar.gz");
  EXPECT_EQ(model["bytes"], 5);
  EXPECT_THAT(
      ask("POST", api + "models", {{"name", "x"}, {"data", "s3://out/none"}}, browser).body["message"],
      HasSubstr("s3://out/none"));
  EXPECT_EQ(ask("DELETE", api + "models/turtles", json::object(), browser).status, 200);
  EXPECT_EQ(get(api + "models/turtles", browser).status, 404);
}

TEST_F(ConsoleTraining, AnEndpointIsMadeInOneStepAndTakesItsConfigurationAlong) {
  ASSERT_EQ(make_model("a").status, 201);
  ASSERT_EQ(make_model("b").status, 201);
  const json body{
      {"name", "reef"},
      {"variants",
       json::array({{{"model", "a"}, {"weight", 3}, {"count", 2}}, {{"model", "b"}}, {{"model", "b"}}})}};
  const Answered made = ask("POST", api + "endpoints", body, browser);
  ASSERT_EQ(made.status, 201) << made.text;
  EXPECT_EQ(ask("POST", api + "endpoints", body, browser).code(), "AlreadyExists");
  const json endpoint = get(api + "endpoints/reef", browser).body["endpoint"];
  EXPECT_EQ(endpoint["status"], "Creating");
  EXPECT_EQ(endpoint["variants"].size(), 3U);
  EXPECT_EQ(endpoint["variants"][0]["weight"], 3);
  EXPECT_EQ(endpoint["variants"][2]["name"], "b-2");
  EXPECT_EQ(endpoint["next"], json());
  EXPECT_TRUE(control->endpoint_configs().find("reef"));
  EXPECT_FALSE(control->endpoint_configs().find("reef-2")) << "the refused one has left its configuration";
  EXPECT_EQ(
      post(api + "endpoints/reef/weights", {{"variants", {{{"name", "a"}, {"weight", 1}}}}}, browser).code(),
      "Conflict");  // it is not in service yet
  const Answered photo = send(request("POST", api + "endpoints/reef/photo", "photo", browser));
  EXPECT_GE(photo.status, 400);
  EXPECT_EQ(ask("DELETE", api + "endpoints/reef", json::object(), browser).status, 200);
  EXPECT_FALSE(control->endpoint_configs().find("reef"));
  for (const json& wrong :
       {json::array(), json::array({{{"model", "none"}}}), json::array({{{"model", "a"}, {"count", 0}}}),
        json::array({{{"model", "a"}, {"weight", -1}}})})
    EXPECT_EQ(ask("POST", api + "endpoints", {{"name", "e"}, {"variants", wrong}}, browser).status, 400)
        << wrong;
}

TEST(NewTrainingNames, TheFirstFreeOneIsTaken) {
  const auto taken = [](std::set<std::string> names) {
    return [names = std::move(names)](const std::string& one) -> Status {
      if (names.contains(one)) return {};
      return fail(ErrorCode::kNotFound, "{}", one);
    };
  };
  EXPECT_EQ(free_name("a", taken({})).value(), "a");
  EXPECT_EQ(free_name("a", taken({"a", "a-2"})).value(), "a-3");
  const std::string longest(63, 'a');
  EXPECT_EQ(free_name(longest, taken({longest})).value(), std::string(61, 'a') + "-2");
  EXPECT_EQ(
      free_name("a", [](const std::string&) -> Status { return fail(ErrorCode::kIo, "disk"); }).error().code,
      ErrorCode::kIo);
}

}  // namespace
}  // namespace terrapin::portal
