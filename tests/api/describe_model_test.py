"""DescribeModel."""

import re

from support.aws_case import unique
from support.endpoint_case import EndpointCase


class DescribeModel(EndpointCase):
    def test_what_was_asked_for(self):
        request = self.model_request(unique("My-Model"))
        arn = self.sagemaker.create_model(**request)["ModelArn"]
        described = self.sagemaker.describe_model(ModelName=request["ModelName"].upper())
        self.assertEqual((described["ModelName"], described["ModelArn"]), (request["ModelName"], arn))
        self.assertEqual(described["ExecutionRoleArn"], request["ExecutionRoleArn"])
        self.assertFalse(described["EnableNetworkIsolation"])
        for name, value in request["PrimaryContainer"].items():
            self.assertEqual(described["PrimaryContainer"][name], value)

    def test_one_that_is_not_there(self):
        with self.invalid(f"Could not find model \"{self.arn('model/nobody')}\"."):
            self.sagemaker.describe_model(ModelName="Nobody")

    def test_a_bucket_of_others(self):
        request = self.model_request()
        self.sagemaker.create_model(**request)
        stranger = self.server.client("sagemaker", self.server.key_of("requester", "other", ["elsewhere"]))
        with self.refused("AccessDeniedException", re.compile(self.bucket)):
            stranger.describe_model(ModelName=request["ModelName"])
