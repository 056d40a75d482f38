"""DescribeEndpointConfig."""

from support.aws_case import unique
from support.endpoint_case import EndpointCase


class DescribeEndpointConfig(EndpointCase):
    def test_what_was_asked_for(self):
        model = self.make_model(b"anything")
        variants = [self.variant(model, "a", 2, 0.25, VolumeSizeInGB=10, ContainerStartupHealthCheckTimeoutInSeconds=120), self.variant(model, "b")]
        capture = {"EnableCapture": True, "InitialSamplingPercentage": 20, "DestinationS3Uri": f"s3://{self.bucket}/capture",
                   "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}], "CaptureContentTypeHeader": {"JsonContentTypes": ["application/json"]}}
        name = self.make_config(*variants, DataCaptureConfig=capture)
        described = self.sagemaker.describe_endpoint_config(EndpointConfigName=name.upper())
        self.assertEqual(described["EndpointConfigName"], name)
        self.assertEqual(described["EndpointConfigArn"], self.arn("endpoint-config/" + name))
        self.assertEqual(described["ProductionVariants"], variants)
        self.assertEqual(described["DataCaptureConfig"], capture)

    def test_how_servers_are_chosen(self):
        variant = {**self.variant(self.make_model(b"anything")), "RoutingConfig": {"RoutingStrategy": "RANDOM"}}
        name = unique("config")
        self.assertEqual(self.post("CreateEndpointConfig", {"EndpointConfigName": name, "ProductionVariants": [variant]})[0], 200)
        described = self.post("DescribeEndpointConfig", {"EndpointConfigName": name})[1]
        self.assertEqual(described["ProductionVariants"], [variant])

    def test_one_that_is_not_there(self):
        with self.invalid(f"Could not find endpoint configuration \"{self.arn('endpoint-config/nobody')}\"."):
            self.sagemaker.describe_endpoint_config(EndpointConfigName="nobody")
