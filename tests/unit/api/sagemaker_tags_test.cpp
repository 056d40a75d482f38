#include "control/tuning_spec.h"
#include "unit/api/sagemaker_fixture.h"

// Tags of training jobs, models, endpoints and the like, and the tuning jobs that a job goes on from: who may
// see them.
namespace terrapin::api::test {
namespace {

constexpr const char* kImage = "685385470294.dkr.ecr.us-east-1.amazonaws.com/semantic-segmentation:1";
constexpr const char* kRole = "arn:aws:iam::111122223333:role/Training";
constexpr const char* kOwn = "terrapin-made-for";

struct SageMakerResources : SageMakerTest {
  SageMakerResources() {
    for (const char* bucket : {"turtles", "elsewhere"}) {
      EXPECT_TRUE(objects_->create_bucket(bucket));
      for (const char* channel : {"train", "train_annotation", "validation", "validation_annotation"})
        EXPECT_TRUE(objects_->put({bucket, fmt::format("{}/1", channel)}, *bytes_source("x"), {}, {}));
      EXPECT_TRUE(objects_->put({bucket, "model.tar.gz"}, *bytes_source("x"), {}, {}));
    }
  }

  void use_buckets(const std::vector<std::string>& buckets) { caller_.buckets = buckets; }

  static json channels(const std::string& bucket) {
    json list = json::array();
    for (const char* name : {"train", "train_annotation", "validation", "validation_annotation"})
      list.push_back(
          {{"ChannelName", name},
           {"DataSource",
            {{"S3DataSource",
              {{"S3DataType", "S3Prefix"}, {"S3Uri", fmt::format("s3://{}/{}", bucket, name)}}}}}});
    return list;
  }
  static json training(const std::string& bucket) {
    return {
        {"TrainingJobName", "a-training"},
        {"RoleArn", kRole},
        {"AlgorithmSpecification", {{"TrainingImage", kImage}, {"TrainingInputMode", "File"}}},
        {"HyperParameters",
         {{"backbone", "mobilenet-v2"}, {"num_classes", "2"}, {"num_training_samples", "1"}}},
        {"InputDataConfig", channels(bucket)},
        {"OutputDataConfig", {{"S3OutputPath", fmt::format("s3://{}/out", bucket)}}},
        {"ResourceConfig", {{"InstanceType", "ml.p3.2xlarge"}, {"InstanceCount", 1}, {"VolumeSizeInGB", 30}}},
        {"StoppingCondition", {{"MaxRuntimeInSeconds", 3600}}}};
  }
  static json tuning(const std::string& name, const std::string& bucket) {
    json definition = training(bucket);
    definition["StaticHyperParameters"] = definition["HyperParameters"];
    definition.erase("HyperParameters");
    definition.erase("TrainingJobName");
    return {{"HyperParameterTuningJobName", name},
            {"HyperParameterTuningJobConfig",
             {{"Strategy", "Random"},
              {"HyperParameterTuningJobObjective", {{"Type", "Maximize"}, {"MetricName", "validation:mIOU"}}},
              {"ResourceLimits", {{"MaxNumberOfTrainingJobs", 2}, {"MaxParallelTrainingJobs", 1}}},
              {"ParameterRanges",
               {{"ContinuousParameterRanges",
                 {{{"Name", "learning_rate"}, {"MinValue", "0.001"}, {"MaxValue", "0.1"}}}}}}}},
            {"TrainingJobDefinition", definition}};
  }
  static json model(const std::string& bucket) {
    return {{"ModelName", "a-model"},
            {"ExecutionRoleArn", kRole},
            {"PrimaryContainer",
             {{"Image", kImage}, {"ModelDataUrl", fmt::format("s3://{}/model.tar.gz", bucket)}}}};
  }
  static json config() {
    return {{"EndpointConfigName", "a-config"},
            {"ProductionVariants",
             {{{"VariantName", "all"},
               {"ModelName", "a-model"},
               {"InstanceType", "ml.c5.xlarge"},
               {"InitialInstanceCount", 1},
               {"InitialVariantWeight", 1.0}}}}};
  }
  static json endpoint() { return {{"EndpointName", "an-endpoint"}, {"EndpointConfigName", "a-config"}}; }
  static json transform(const std::string& bucket) {
    return {{"TransformJobName", "a-transform"},
            {"ModelName", "a-model"},
            {"TransformInput",
             {{"ContentType", "application/x-image"},
              {"DataSource",
               {{"S3DataSource",
                 {{"S3DataType", "S3Prefix"}, {"S3Uri", fmt::format("s3://{}/train", bucket)}}}}}}},
            {"TransformOutput", {{"S3OutputPath", fmt::format("s3://{}/out", bucket)}}},
            {"TransformResources", {{"InstanceType", "ml.m5.xlarge"}, {"InstanceCount", 1}}}};
  }
  // Each operation that makes a row, in the order in which they can be called.
  static std::vector<std::pair<std::string, json>> creations(const std::string& bucket) {
    return {{"CreateTrainingJob", training(bucket)},
            {"CreateModel", model(bucket)},
            {"CreateEndpointConfig", config()},
            {"CreateEndpoint", endpoint()},
            {"CreateTransformJob", transform(bucket)},
            {"CreateHyperParameterTuningJob", tuning("a-tuning", bucket)}};
  }

  json tags_of(const std::string& arn) { return ok("ListTags", {{"ResourceArn", arn}})["Tags"]; }

  // A tuning job that has ended with a best training.
  void make_parent(const std::string& name, const std::string& bucket, double objective) {
    ok("CreateHyperParameterTuningJob", tuning(name, bucket));
    const auto changed = control_->resources().change(
        control::kTuningJobKind, name, [&](storage::Transaction&, control::Resource& row) -> Status {
          control::TuningState state;
          control::TuningTrial trial;
          trial.training = name + "-001";
          trial.values = {{"learning_rate", "0.01"}};
          trial.made = true;
          trial.status = control::BatchStatus::kCompleted;
          trial.objective = objective;
          trial.created = clock_.now();
          trial.ended = clock_.now();
          state.trials.push_back(trial);
          row.state = control::tuning_state_text(state);
          row.status = control::batch_status_name(control::BatchStatus::kCompleted);
          return {};
        });
    ASSERT_TRUE(changed) << changed.error().message;
  }
  static json child_of(const std::vector<std::string>& parents, const std::string& bucket) {
    json request = tuning("a-child", bucket);
    json list = json::array();
    for (const std::string& name : parents) list.push_back({{"HyperParameterTuningJobName", name}});
    request["WarmStartConfig"] = {{"WarmStartType", "TransferLearning"},
                                  {"ParentHyperParameterTuningJobs", list}};
    return request;
  }
};

TEST_F(SageMakerResources, TagsAreForThoseWhoMaySeeTheResource) {
  for (const auto& [operation, request] : creations("turtles")) ok(operation, request);
  const json added = {{{"Key", "k"}, {"Value", "theirs"}}}, kept = {{{"Key", "k"}, {"Value", "ours"}}};
  for (const char* name :
       {"training-job/a-training", "model/a-model", "endpoint-config/a-config", "endpoint/an-endpoint",
        "transform-job/a-transform", "hyper-parameter-tuning-job/a-tuning"}) {
    const std::string arn = fmt::format("arn:aws:sagemaker:us-east-1:111122223333:{}", name);
    use_buckets({"turtles"});
    ok("AddTags", {{"ResourceArn", arn}, {"Tags", kept}});
    use_buckets({"elsewhere"});
    refused("AddTags", {{"ResourceArn", arn}, {"Tags", added}}, "AccessDeniedException",
            "not authorized to perform: sagemaker:AddTags on resource: arn:aws:s3:::turtles");
    refused("DeleteTags", {{"ResourceArn", arn}, {"TagKeys", {"k"}}}, "AccessDeniedException",
            "not authorized to perform: sagemaker:DeleteTags on resource: arn:aws:s3:::turtles");
    refused("ListTags", {{"ResourceArn", arn}}, "AccessDeniedException",
            "not authorized to perform: sagemaker:ListTags on resource: arn:aws:s3:::turtles");
    use_buckets({});
    EXPECT_EQ(tags_of(arn), kept) << arn;
    use_buckets({"turtles"});
    ok("DeleteTags", {{"ResourceArn", arn}, {"TagKeys", {"k"}}});
    EXPECT_EQ(tags_of(arn), json::array()) << arn;
  }
}

TEST_F(SageMakerResources, TagsOfALabelingJobToo) {
  json request = job_request(make_team());
  ok("CreateLabelingJob", request);
  const std::string arn =
      "arn:aws:sagemaker:us-east-1:111122223333:labeling-job/example-semantic-segmentation-labeling-job";
  use_buckets({"elsewhere"});
  refused("AddTags", {{"ResourceArn", arn}, {"Tags", {{{"Key", "k"}, {"Value", "v"}}}}},
          "AccessDeniedException", "arn:aws:s3:::bucket");
  refused("ListTags", {{"ResourceArn", arn}}, "AccessDeniedException", "arn:aws:s3:::bucket");
  refused("DeleteTags", {{"ResourceArn", arn}, {"TagKeys", {"string"}}}, "AccessDeniedException",
          "arn:aws:s3:::bucket");
  use_buckets({"bucket"});
  EXPECT_EQ(tags_of(arn), request["Tags"]);
}

TEST_F(SageMakerResources, NobodyOutsideSetsTheServicesOwnTags) {
  const json own = {{{"Key", kOwn}, {"Value", "an-endpoint"}}};
  for (auto [operation, request] : creations("turtles")) {
    const json plain = request;
    request["Tags"] = own;
    refused(operation, request, "ValidationException", "The tag key \"terrapin-made-for\" begins with");
    ok(operation, plain);
  }
  const std::string arn = "arn:aws:sagemaker:us-east-1:111122223333:endpoint-config/a-config";
  refused("AddTags", {{"ResourceArn", arn}, {"Tags", own}}, "ValidationException",
          "The tag key \"terrapin-made-for\" begins with");
  refused("AddTags", {{"ResourceArn", arn}, {"Tags", {{{"Key", "terrapin-made-for-x"}, {"Value", ""}}}}},
          "ValidationException", "The tag key \"terrapin-made-for-x\" begins with");
  EXPECT_EQ(tags_of(arn), json::array());
  ok("AddTags", {{"ResourceArn", arn}, {"Tags", {{{"Key", "terrapin"}, {"Value", ""}}}}});
}

TEST_F(SageMakerResources, ATuningJobGoesOnFromThoseThatItsKeyMaySee) {
  make_parent("theirs", "turtles", 0.9);
  make_parent("ours", "elsewhere", 0.5);
  use_buckets({"elsewhere"});
  for (const std::vector<std::string>& parents :
       std::vector<std::vector<std::string>>{{"theirs"}, {"ours", "theirs"}})
    refused("CreateHyperParameterTuningJob", child_of(parents, "elsewhere"), "AccessDeniedException",
            "sagemaker:CreateHyperParameterTuningJob on resource: arn:aws:s3:::turtles");
  refused("CreateHyperParameterTuningJob", child_of({"nobodys"}, "elsewhere"), "ValidationException",
          "'nobodys' does not exist");
  ok("CreateHyperParameterTuningJob", child_of({"ours"}, "elsewhere"));
  const json told = ok("DescribeHyperParameterTuningJob", {{"HyperParameterTuningJobName", "a-child"}});
  EXPECT_EQ(told["OverallBestTrainingJob"]["TrainingJobName"], "ours-001");
}

TEST_F(SageMakerResources, ATuningJobTellsNothingOfParentsThatItsKeyMayNotSee) {
  make_parent("theirs", "turtles", 0.9);
  make_parent("ours", "elsewhere", 0.5);
  // A key for every bucket may mix them.
  ok("CreateHyperParameterTuningJob", child_of({"theirs", "ours"}, "elsewhere"));
  const json name{{"HyperParameterTuningJobName", "a-child"}};
  EXPECT_EQ(ok("DescribeHyperParameterTuningJob", name)["OverallBestTrainingJob"]["TrainingJobName"],
            "theirs-001");
  use_buckets({"elsewhere"});
  EXPECT_EQ(ok("DescribeHyperParameterTuningJob", name)["OverallBestTrainingJob"]["TrainingJobName"],
            "ours-001");
}

}  // namespace
}  // namespace terrapin::api::test
