"""DescribeEndpoint."""

from support.endpoint_case import IMAGE, EndpointCase


class DescribeEndpoint(EndpointCase):
    def test_what_serves(self):
        capture = {"EnableCapture": False, "InitialSamplingPercentage": 50, "DestinationS3Uri": f"s3://{self.bucket}/capture",
                   "CaptureOptions": [{"CaptureMode": "Input"}]}
        config = self.make_config(self.variant(self.make_model(), "only", 2, 3), DataCaptureConfig=capture)
        name = self.wait_in_service(self.create_endpoint(config))
        described = self.sagemaker.describe_endpoint(EndpointName=name.upper())
        self.assertEqual((described["EndpointName"], described["EndpointConfigName"]), (name, config))
        self.assertEqual(described["EndpointArn"], self.arn("endpoint/" + name))
        self.assertGreater(described["LastModifiedTime"], described["CreationTime"])
        self.assertEqual(described["ProductionVariants"], [{
            "VariantName": "only", "DeployedImages": [{"SpecifiedImage": IMAGE, "ResolvedImage": IMAGE}], "CurrentWeight": 3.0, "DesiredWeight": 3.0,
            "CurrentInstanceCount": 2, "DesiredInstanceCount": 2}])
        self.assertEqual(described["DataCaptureConfig"]["CaptureStatus"], "Stopped")
        self.assertNotIn("FailureReason", described)

    def test_one_that_is_not_there(self):
        with self.invalid(f"Could not find endpoint \"{self.arn('endpoint/nobody')}\"."):
            self.sagemaker.describe_endpoint(EndpointName="nobody")
