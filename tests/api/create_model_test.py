"""CreateModel: the built-in algorithm with a package that is there, and nothing that would be promised and not kept."""

import re

from support.aws_case import unique
from support.endpoint_case import IMAGE, ROLE, EndpointCase


class CreateModel(EndpointCase):
    def test_primary_container(self):
        name = unique("My-Model")
        answer = self.sagemaker.create_model(**self.model_request(name, Tags=[{"Key": "team", "Value": "turtles"}]))
        self.assertEqual(answer["ModelArn"], self.arn("model/" + name.lower()))

    def test_containers_with_one_member(self):
        request = self.model_request()
        request["Containers"] = [request.pop("PrimaryContainer")]
        self.sagemaker.create_model(**request)
        described = self.sagemaker.describe_model(ModelName=request["ModelName"])
        self.assertEqual(described["Containers"][0]["ModelDataUrl"], request["Containers"][0]["ModelDataUrl"])
        self.assertNotIn("PrimaryContainer", described)

    def test_data_as_a_source(self):
        source = {"S3DataSource": {"S3Uri": self.stored(), "S3DataType": "S3Object", "CompressionType": "Gzip"}}
        request = self.model_request(PrimaryContainer={"Image": IMAGE, "ModelDataSource": source})
        self.assertEqual(self.post("CreateModel", request)[0], 200)  # a member that older clients do not know
        described = self.post("DescribeModel", {"ModelName": request["ModelName"]})[1]
        self.assertEqual(described["PrimaryContainer"]["ModelDataSource"], source)
        source["S3DataSource"].update(S3DataType="S3Prefix", CompressionType="None")
        status, answer = self.post("CreateModel", self.model_request(PrimaryContainer={"Image": IMAGE, "ModelDataSource": source}))
        self.assertEqual((status, answer["__type"]), (400, "ValidationException"))
        self.assertIn("'S3Prefix' and CompressionType 'None' is not served; S3Object and Gzip", answer["message"])

    def test_any_registry_address_of_the_algorithm(self):
        data = self.stored()
        for image in ("semantic-segmentation", "example.org:5000/a/semantic-segmentation", "1.dkr.ecr.us-east-1.amazonaws.com/semantic-segmentation:latest",
                      "x/semantic-segmentation:1@sha256:" + "0" * 64):
            self.sagemaker.create_model(**self.model_request(PrimaryContainer={"Image": image, "ModelDataUrl": data}))
        for image in ("example.org/object-detection:1", "semantic-segmentation/other", "example.org/my-semantic-segmentation"):
            with self.subTest(image), self.invalid(re.compile(f"The image '{re.escape(image)}' cannot be had here")):
                self.sagemaker.create_model(**self.model_request(PrimaryContainer={"Image": image, "ModelDataUrl": data}))

    def test_a_name_that_is_taken(self):
        request = self.model_request()
        self.sagemaker.create_model(**request)
        request["ModelName"] = request["ModelName"].upper()
        with self.invalid(f"Cannot create already existing model \"{self.arn('model/' + request['ModelName'].lower())}\"."):
            self.sagemaker.create_model(**request)

    def test_data_that_is_not_there(self):
        for uri in (f"s3://{self.bucket}/nothing.tar.gz", f"s3://{unique('no-bucket')}/model.tar.gz", f"s3://{self.bucket}"):
            with self.subTest(uri), self.invalid(re.compile(f"Could not access model data at {re.escape(uri)}")):
                self.sagemaker.create_model(**self.model_request(data=uri))
        with self.invalid(re.compile("ModelDataUrl 'https://example.org/m.tar.gz' is no place of this object store")):
            self.sagemaker.create_model(**self.model_request(data="https://example.org/m.tar.gz"))

    def test_promises_that_nobody_keeps(self):
        for members, name in (({"VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]}}, "VpcConfig"),
                              ({"EnableNetworkIsolation": True}, "EnableNetworkIsolation"),
                              ({"InferenceExecutionConfig": {"Mode": "Serial"}}, "InferenceExecutionConfig")):
            with self.subTest(name), self.invalid(re.compile(f"^{name} is not served: ")):
                self.sagemaker.create_model(**self.model_request(**members))
        self.sagemaker.create_model(**self.model_request(EnableNetworkIsolation=False))
        container = {"Image": IMAGE, "ModelDataUrl": self.stored()}
        for member, value in (("Mode", "MultiModel"), ("ImageConfig", {"RepositoryAccessMode": "Vpc"}), ("ModelPackageName", "a-package")):
            with self.subTest(member), self.invalid(re.compile(rf"PrimaryContainer\.{member}.* is not served")):
                self.sagemaker.create_model(**self.model_request(PrimaryContainer={**container, member: value}))
        with self.invalid(re.compile("Containers has 2 members: inference pipelines are not served")):
            self.sagemaker.create_model(ModelName=unique(), ExecutionRoleArn=ROLE, Containers=[container, container])

    def test_environment(self):
        container = {"Image": IMAGE, "ModelDataUrl": self.stored(), "Environment": {"SAGEMAKER_REGION": "us-east-1", "TERRAPIN_LONG_SIDE": "64"}}
        request = self.model_request(PrimaryContainer=container)
        self.sagemaker.create_model(**request)
        self.assertEqual(self.sagemaker.describe_model(ModelName=request["ModelName"])["PrimaryContainer"]["Environment"], container["Environment"])
        for name, value, message in (("TERRAPIN_LONG_SIDE", "wide", "TERRAPIN_LONG_SIDE is 'wide'; allowed are whole numbers from 0 to 65536"),
                                     ("TERRAPIN_WIDTH", "1", "TERRAPIN_WIDTH means nothing")):
            container["Environment"] = {name: value}
            with self.subTest(name), self.invalid(re.compile(message)):
                self.sagemaker.create_model(**self.model_request(PrimaryContainer=container))

    def test_members_that_are_missing(self):
        with self.invalid("Give exactly one of PrimaryContainer and Containers; neither is given."):
            self.raw_sagemaker.create_model(ModelName=unique())
        with self.invalid(re.compile("^PrimaryContainer.ModelDataUrl is missing")):
            self.sagemaker.create_model(ModelName=unique(), ExecutionRoleArn=ROLE, PrimaryContainer={"Image": IMAGE})

    def test_a_bucket_of_others(self):
        stranger = self.server.client("sagemaker", self.server.key_of("requester", "other", ["elsewhere"]))
        with self.refused("AccessDeniedException", re.compile("not authorized to perform: sagemaker:CreateModel")):
            stranger.create_model(**self.model_request())
