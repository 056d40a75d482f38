"""CreateLabelingJob: the documented request for semantic segmentation with every member, and every way to get it wrong."""

import copy
import re

from support import labeling_material
from support.aws_case import JOB_NAME_PATTERN, NOT_NULL, SageMakerCase, unique
from support.terrapin_server import ACCOUNT

ARN_PATTERN = r"satisfy regular expression pattern: arn:aws[a-z\-]*:"


def changed(request, path, value):
    """`request` with the member at the dotted `path` replaced; without it if `value` is None."""
    result = copy.deepcopy(request)
    *parents, last = path.split(".")
    place = result
    for name in parents:
        place = place[name]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return result


class CreateLabelingJob(SageMakerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.request = cls.job_request(cls())

    def create(self, path=None, value=None, **members):
        request = changed(self.request, path, value) if path else copy.deepcopy(self.request)
        request.setdefault("LabelingJobName", self.request["LabelingJobName"])
        request.update(members)
        return self.raw_sagemaker.create_labeling_job(**request)

    def test_every_member(self):
        request = self.job_request(name="Example-Semantic-" + unique())
        answer = self.sagemaker.create_labeling_job(**request)
        self.assertEqual(answer["LabelingJobArn"], self.arn("labeling-job/" + request["LabelingJobName"].lower()))
        job = self.wait_for_status(request["LabelingJobName"], "InProgress")
        given = {name: value for name, value in request.items()}
        self.assertEqual({name: job[name] for name in given}, given)

    def test_the_smallest_request(self):
        request = self.job_request()
        for path in ("InputConfig.DataAttributes", "OutputConfig.KmsKeyId", "StoppingConditions", "Tags", "HumanTaskConfig.TaskKeywords",
                     "HumanTaskConfig.TaskAvailabilityLifetimeInSeconds", "HumanTaskConfig.MaxConcurrentTaskCount"):
            request = changed(request, path, None)
        self.sagemaker.create_labeling_job(**request)
        job = self.wait_for_status(request["LabelingJobName"], "InProgress")
        self.assertEqual(job["HumanTaskConfig"]["MaxConcurrentTaskCount"], 1000)
        self.assertNotIn("Tags", job)

    def test_the_documented_placeholders(self):
        """Each literal value that the documentation says to replace."""
        workers, percent = "humanTaskConfig.numberOfHumanWorkersPerDataObject", "stoppingConditions.maxPercentageOfInputDatasetLabeled"
        with self.invalid(self.constraint(123, workers, "have value less than or equal to 9")):
            self.create("HumanTaskConfig.NumberOfHumanWorkersPerDataObject", 123)
        with self.invalid(self.constraint(123, percent, "have value less than or equal to 100")):
            self.create("StoppingConditions.MaxPercentageOfInputDatasetLabeled", 123)
        with self.invalid("LabelAttributeName 'label' must end in '-ref' for semantic segmentation; write 'label-ref'."):
            self.create(LabelAttributeName="label")
        with self.invalid(self.constraint("arn:aws:iam::*:role/*", "roleArn",
                                          r"satisfy regular expression pattern: arn:aws[a-z\-]*:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+")):
            self.create(RoleArn="arn:aws:iam::*:role/*")
        team = "arn:aws:sagemaker:region:*:workteam/private-crowd/*"
        with self.invalid(self.constraint(team, "humanTaskConfig.workteamArn",
                                          ARN_PATTERN + r"sagemaker:[a-z0-9\-]*:[0-9]{12}:workteam/.*")):
            self.create("HumanTaskConfig.WorkteamArn", team)
        both = "FreeOfPersonallyIdentifiableInformation|FreeOfAdultContent"
        with self.invalid(re.compile(r"^1 validation error detected: Value '.*FreeOfPersonallyIdentifiableInformation\|FreeOfAdultContent.*' at "
                                     r"'inputConfig\.dataAttributes\.contentClassifiers.*' failed to satisfy constraint: Member must satisfy enum value "
                                     r"set: \[(FreeOfPersonallyIdentifiableInformation|FreeOfAdultContent), ")):
            self.create("InputConfig.DataAttributes.ContentClassifiers", [both])
        for path, uri in (("InputConfig.DataSource.S3DataSource.ManifestS3Uri", "s3://bucket/path/manifest-with-input-data.json"),
                          ("OutputConfig.S3OutputPath", "s3://bucket/path/file-to-store-output-data"),
                          ("LabelCategoryConfigS3Uri", "s3://bucket/path/label-categories.json"),
                          ("HumanTaskConfig.UiConfig.UiTemplateS3Uri", "s3://bucket/path/worker-task-template.html")):
            with self.subTest(path), self.invalid(re.compile(r"\bbucket\b")):
                self.create(path, uri)

    def test_all_placeholders_at_once_are_all_named(self):
        with self.invalid(re.compile(r"^4 validation errors detected: Value .*; Value .*; Value .*; Value ")):
            self.create(RoleArn="arn:aws:iam::*:role/*", **{
                name: changed(self.request, path, value)[name] for name, path, value in (
                    ("StoppingConditions", "StoppingConditions.MaxPercentageOfInputDatasetLabeled", 123),)},
                HumanTaskConfig=dict(self.request["HumanTaskConfig"], NumberOfHumanWorkersPerDataObject=123,
                                     WorkteamArn="arn:aws:sagemaker:region:*:workteam/private-crowd/*"))

    def test_members_that_are_missing(self):
        for path in ("LabelingJobName", "LabelAttributeName", "InputConfig", "InputConfig.DataSource", "OutputConfig", "OutputConfig.S3OutputPath",
                     "RoleArn", "HumanTaskConfig", "HumanTaskConfig.WorkteamArn", "HumanTaskConfig.UiConfig", "HumanTaskConfig.TaskTitle",
                     "HumanTaskConfig.TaskDescription", "HumanTaskConfig.NumberOfHumanWorkersPerDataObject", "HumanTaskConfig.TaskTimeLimitInSeconds",
                     "InputConfig.DataSource.S3DataSource.ManifestS3Uri"):
            spelled = ".".join(part[0].lower() + part[1:] for part in path.split("."))
            with self.subTest(path), self.invalid(self.constraint(None, spelled, NOT_NULL)):
                self.raw_sagemaker.create_labeling_job(**changed(self.request, path, None))

    def test_members_that_semantic_segmentation_needs(self):
        for path in ("HumanTaskConfig.PreHumanTaskLambdaArn", "HumanTaskConfig.AnnotationConsolidationConfig", "LabelCategoryConfigS3Uri",
                     "InputConfig.DataSource.S3DataSource", "HumanTaskConfig.UiConfig.UiTemplateS3Uri"):
            with self.subTest(path), self.invalid(re.compile(path.split(".")[-1])):
                self.raw_sagemaker.create_labeling_job(**changed(self.request, path, None))

    def test_values_out_of_range(self):
        task = "humanTaskConfig."
        for path, value, message in (
                ("LabelingJobName", "-x", self.constraint("-x", "labelingJobName", JOB_NAME_PATTERN)),
                ("LabelingJobName", "x" * 64, self.constraint("x" * 64, "labelingJobName", "have length less than or equal to 63", JOB_NAME_PATTERN)),
                ("HumanTaskConfig.NumberOfHumanWorkersPerDataObject", 0,
                 self.constraint(0, task + "numberOfHumanWorkersPerDataObject", "have value greater than or equal to 1")),
                ("HumanTaskConfig.TaskTimeLimitInSeconds", 29, self.constraint(29, task + "taskTimeLimitInSeconds", "have value greater than or equal to 30")),
                ("HumanTaskConfig.TaskAvailabilityLifetimeInSeconds", 59,
                 self.constraint(59, task + "taskAvailabilityLifetimeInSeconds", "have value greater than or equal to 60")),
                ("HumanTaskConfig.MaxConcurrentTaskCount", 5001,
                 self.constraint(5001, task + "maxConcurrentTaskCount", "have value less than or equal to 5000")),
                ("StoppingConditions.MaxHumanLabeledObjectCount", 0,
                 self.constraint(0, "stoppingConditions.maxHumanLabeledObjectCount", "have value greater than or equal to 1")),
                ("HumanTaskConfig.TaskTitle", "", self.constraint("", task + "taskTitle", "have length greater than or equal to 1")),
                ("HumanTaskConfig.TaskDescription", "d" * 256,
                 self.constraint("d" * 256, task + "taskDescription", "have length less than or equal to 255")),
                ("OutputConfig.S3OutputPath", "ftp://bucket/key",
                 self.constraint("ftp://bucket/key", "outputConfig.s3OutputPath", "satisfy regular expression pattern: (https|s3)://([^/]+)/?(.*)"))):
            with self.subTest(path=path, value=value), self.invalid(message):
                self.create(path, value)
        with self.invalid(re.compile("'humanTaskConfig.taskKeywords' failed to satisfy constraint: Member must have length less than or equal to 5$")):
            self.create("HumanTaskConfig.TaskKeywords", ["a", "b", "c", "d", "e", "f"])
        with self.invalid(re.compile(r"Value '' at 'tags\.1\.member\.key' failed to satisfy constraint: Member must have length greater than or equal to 1")):
            self.create(Tags=[{"Key": "", "Value": "v"}])

    def test_members_of_another_type(self):
        for path, value, message in (
                ("HumanTaskConfig.NumberOfHumanWorkersPerDataObject", "three", "STRING_VALUE can not be converted to an Integer"),
                ("HumanTaskConfig.TaskTitle", 5, "NUMBER_VALUE can not be converted to a String"),
                ("HumanTaskConfig.TaskKeywords", "one", "STRING_VALUE can not be converted to a list|Expected list or null"),
                ("LabelingJobName", ["a"], "Start of list found where not expected")):
            status, answer = self.post("CreateLabelingJob", changed(self.request, path, value))
            with self.subTest(path):
                self.assertEqual((status, answer["__type"]), (400, "SerializationException"))
                self.assertRegex(answer["message"], message)

    def test_members_that_nobody_knows(self):
        status, answer = self.post("CreateLabelingJob", {**self.request, "LabelingJobNames": "x"})
        self.assertEqual((status, answer["__type"]), (400, "ValidationException"))
        self.assertIn("LabelingJobNames", answer["message"])

    def test_a_body_that_is_no_json(self):
        status, answer = self.post("CreateLabelingJob", b"{")
        self.assertEqual((status, answer["__type"]), (400, "SerializationException"))

    def test_label_attributes_that_are_reserved(self):
        for name in ("source", "source-ref", "label-metadata"):
            with self.subTest(name), self.invalid(re.compile(f"^LabelAttributeName '{name}' ")):
                self.create(LabelAttributeName=name)

    def test_what_is_not_served_is_named(self):
        topic = f"arn:aws:sns:us-east-1:{ACCOUNT}:done"
        algorithms = {"LabelingJobAlgorithmSpecificationArn":
                      "arn:aws:sagemaker:us-east-1:027400017018:labeling-job-algorithm-specification/semantic-segmentation"}
        for path, value, name in (("InputConfig.DataSource", {"SnsDataSource": {"SnsTopicArn": topic}}, "SnsDataSource"),
                                  ("OutputConfig.SnsTopicArn", topic, "OutputConfig.SnsTopicArn"),
                                  ("LabelingJobAlgorithmsConfig", algorithms, "LabelingJobAlgorithmsConfig"),
                                  ("HumanTaskConfig.UiConfig",
                                   {"HumanTaskUiArn": "arn:aws:sagemaker:us-east-1:394669845002:human-task-ui/PointCloudSegmentation"}, "HumanTaskUiArn")):
            with self.subTest(name), self.invalid(re.compile(name + ".* is not served")):
                self.create(path, value)

    def test_functions(self):
        pre, post = "HumanTaskConfig.PreHumanTaskLambdaArn", "HumanTaskConfig.AnnotationConsolidationConfig.AnnotationConsolidationLambdaArn"
        with self.invalid(re.compile("PRE-Nothing")):
            self.create(pre, labeling_material.FUNCTION + "PRE-Nothing")
        with self.invalid(re.compile("ACS-Nothing")):
            self.create(post, labeling_material.FUNCTION + "ACS-Nothing")
        with self.invalid(re.compile("do not fit together")):
            self.create(pre, labeling_material.FUNCTION + "PRE-VerificationSemanticSegmentation")
        request = self.job_request()
        elsewhere = "arn:aws:lambda:eu-west-1:568282634449:function:"
        self.sagemaker.create_labeling_job(**changed(changed(request, pre, elsewhere + "PRE-SemanticSegmentation"),
                                                     post, elsewhere + "ACS-SemanticSegmentation"))

    def test_work_teams_that_are_none(self):
        missing = labeling_material.team_arn("nobody")
        with self.invalid(f'Could not find workteam "{missing}".'):
            self.create("HumanTaskConfig.WorkteamArn", missing)
        for arn in (labeling_material.team_arn("x", account="999999999999"), "arn:aws:sagemaker:eu-west-1:111122223333:workteam/private-crowd/x"):
            with self.subTest(arn), self.invalid(re.compile("^1 validation error detected: Value '.*' at 'humanTaskConfig.workteamArn'")):
                self.create("HumanTaskConfig.WorkteamArn", arn)

    def test_the_public_crowd_alone_has_a_price(self):
        price = {"AmountInUsd": {"Dollars": 0, "Cents": 84, "TenthFractionsOfACent": 0}}
        with self.invalid(re.compile("PublicWorkforceTaskPrice is for the public crowd only")):
            self.create("HumanTaskConfig.PublicWorkforceTaskPrice", price)

    def test_files_that_are_missing_or_broken(self):
        bucket = self.request["OutputConfig"]["S3OutputPath"].split("/")[2]
        for path in ("InputConfig.DataSource.S3DataSource.ManifestS3Uri", "LabelCategoryConfigS3Uri", "HumanTaskConfig.UiConfig.UiTemplateS3Uri"):
            with self.subTest(path), self.invalid(re.compile(f"s3://{bucket}/path/missing")):
                self.create(path, f"s3://{bucket}/path/missing")
        for number, text in enumerate(("{", '{"labels": []}', '{"labels": [{"label": "a"}, {"label": "a"}]}', '{"labels": [{"name": "a"}]}')):
            self.s3.put_object(Bucket=bucket, Key=f"broken{number}.json", Body=text)
            with self.subTest(text), self.invalid(re.compile(f"broken{number}.json")):
                self.create(LabelCategoryConfigS3Uri=f"s3://{bucket}/broken{number}.json")

    def test_a_name_twice(self):
        request = self.job_request()
        self.sagemaker.create_labeling_job(**request)
        for name in (request["LabelingJobName"], request["LabelingJobName"].upper()):
            with self.subTest(name), self.refused("ResourceInUse", re.compile(
                    "^Labeling job names must be unique within an AWS account and region, and a labeling job with this name already exists ")):
                self.sagemaker.create_labeling_job(**dict(request, LabelingJobName=name))

    def test_253_labels_and_the_background(self):
        labels = [f"label {number}" for number in range(254)]
        request = self.job_request(labels=labels[:253])
        self.sagemaker.create_labeling_job(**request)
        request = self.job_request(labels=labels)
        with self.invalid(re.compile("254")):
            self.sagemaker.create_labeling_job(**request)

    def test_keys_that_may_not(self):
        request = self.job_request()
        with self.refused("AccessDeniedException", re.compile("^User: arn:aws:iam::111122223333:user/other is not authorized to perform: "
                                                              "sagemaker:CreateLabelingJob on resource: arn:aws:s3:::")):
            self.server.client("sagemaker", self.server.key_of("requester", "other", ["elsewhere"])).create_labeling_job(**request)
        with self.refused("AccessDeniedException"):
            self.server.client("sagemaker", self.server.key_of("invoke")).create_labeling_job(**request)
        self.server.client("sagemaker", self.server.key_of("requester", "kara")).create_labeling_job(**request)
