"""CreateEndpointConfig: variants with weights and numbers of servers, data capture, and what is refused."""

import re

from support.aws_case import unique
from support.endpoint_case import EndpointCase


class CreateEndpointConfig(EndpointCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model = unique("model")
        cls.sagemaker.create_model(**cls.model_request(cls(), cls.model))

    def create(self, *variants, **members):
        return self.sagemaker.create_endpoint_config(EndpointConfigName=members.pop("name", None) or unique("config"),
                                                     ProductionVariants=list(variants) or [self.variant(self.model)], **members)

    def test_several_variants(self):
        name = unique("Config")
        answer = self.create(self.variant(self.model, "a", 2, 0.25), self.variant(self.model, "b", 1, 3), name=name)
        self.assertEqual(answer["EndpointConfigArn"], self.arn("endpoint-config/" + name.lower()))

    def test_a_name_that_is_taken(self):
        name = unique("config")
        self.create(name=name)
        with self.invalid(f"Cannot create already existing endpoint configuration \"{self.arn('endpoint-config/' + name)}\"."):
            self.create(name=name)

    def test_a_model_that_is_not_there(self):
        with self.invalid(f"Could not find model \"{self.arn('model/nobody')}\"."):
            self.create(self.variant("Nobody"))

    def test_variants_that_do_not_fit_together(self):
        with self.invalid("The variant 'a' is there twice; every production variant needs a name of its own."):
            self.create(self.variant(self.model, "a"), self.variant(self.model, "a"))
        with self.invalid("The weights of the production variants are all 0; at least one must be above."):
            self.create(self.variant(self.model, weight=0))

    def test_promises_that_nobody_keeps(self):
        variant = self.variant(self.model)
        for members, name in (({"ShadowProductionVariants": [variant]}, "ShadowProductionVariants"), ({"KmsKeyId": "key"}, "KmsKeyId")):
            with self.subTest(name), self.invalid(re.compile(f"^{name} is not served: ")):
                self.create(**members)
        status, answer = self.post("CreateEndpointConfig", {"EndpointConfigName": unique(), "ProductionVariants": [variant], "EnableNetworkIsolation": True})
        self.assertEqual((status, answer["message"][:38]), (400, "EnableNetworkIsolation is not served: "))
        serverless = {"VariantName": "a", "ModelName": self.model, "ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 1}}
        with self.invalid(re.compile(r"^ProductionVariants\.1\.ServerlessConfig is not served: .*InstanceType")):
            self.create(serverless)
        with self.invalid(re.compile(r"^ProductionVariants\.1\.InstanceType is missing")):
            self.create({"VariantName": "a", "ModelName": self.model})

    def test_capture_into_a_bucket_of_others(self):
        self.server.run("keys", "create", "--scope", "requester", "--owner", "one-bucket", "--bucket", self.bucket)
        owner = self.server.client("sagemaker", self.server.key_of("requester", "one-bucket", [self.bucket]))
        capture = {"EnableCapture": True, "InitialSamplingPercentage": 100, "DestinationS3Uri": "s3://elsewhere/capture",
                   "CaptureOptions": [{"CaptureMode": "Input"}]}
        with self.refused("AccessDeniedException", re.compile("arn:aws:s3:::elsewhere")):
            owner.create_endpoint_config(EndpointConfigName=unique(), ProductionVariants=[self.variant(self.model)], DataCaptureConfig=capture)
        stranger = self.server.client("sagemaker", self.server.key_of("requester", "other", ["elsewhere"]))
        with self.refused("AccessDeniedException", re.compile(self.bucket)):
            stranger.create_endpoint_config(EndpointConfigName=unique(), ProductionVariants=[self.variant(self.model)])


class SlotTable(EndpointCase):
    server_options = ("--slot", "ml.c5.xlarge=1")

    def test_a_type_that_has_no_slot(self):
        request = self.model_request()
        self.sagemaker.create_model(**request)
        with self.invalid("there is no instance type 'ml.p3.2xlarge' here; there are ml.c5.xlarge"):
            self.make_config({**self.variant(request["ModelName"]), "InstanceType": "ml.p3.2xlarge"})
