"""CreateEndpoint: from Creating to InService, or Failed with the reason."""

from support.aws_case import unique
from support.endpoint_case import EndpointCase


class CreateEndpoint(EndpointCase):
    def test_it_comes_into_service(self):
        name = self.create_endpoint(self.make_config(self.variant(self.make_model())))
        described = self.sagemaker.describe_endpoint(EndpointName=name)
        self.assertIn(described["EndpointStatus"], ("Creating", "InService"))
        self.wait_in_service(name)
        self.assertEqual(self.invoke(name)["InvokedProductionVariant"], "AllTraffic")

    def test_a_model_that_is_no_model(self):
        config = self.make_config(self.variant(self.make_model(b"this is no archive")))
        name = self.create_endpoint(config)
        endpoint = self.wait_status(name, "Failed")
        self.assertRegex(endpoint["FailureReason"], "^The primary container for production variant AllTraffic did not pass the ping health check. Please check "
                         "CloudWatch logs for this endpoint. s3://.*model.tar.gz: ")
        with self.refused("ValidationError", f"Endpoint {name} of account 111122223333 not found."):
            self.invoke(name)
        with self.invalid(f"Cannot update endpoint \"{self.arn('endpoint/' + name)}\" because it is Failed; delete it and create it anew."):
            self.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=config)

    def test_a_package_that_went_away(self):
        data = self.stored(b"something")
        request = self.model_request(data=data)
        self.sagemaker.create_model(**request)
        self.s3.delete_object(Bucket=self.bucket, Key=data.split("/", 3)[3])
        name = self.create_endpoint(self.make_config(self.variant(request["ModelName"])))
        self.assertIn(data, self.wait_status(name, "Failed")["FailureReason"])

    def test_names_that_are_taken_or_not_there(self):
        config = self.make_config(self.variant(self.make_model(b"no model")))
        name = self.create_endpoint(config)
        with self.invalid(f"Cannot create already existing endpoint \"{self.arn('endpoint/' + name)}\"."):
            self.sagemaker.create_endpoint(EndpointName=name.upper(), EndpointConfigName=config)
        with self.invalid(f"Could not find endpoint configuration \"{self.arn('endpoint-config/nobody')}\"."):
            self.sagemaker.create_endpoint(EndpointName=unique(), EndpointConfigName="nobody")

    def test_a_model_that_was_deleted(self):
        model = self.make_model(b"anything")
        config = self.make_config(self.variant(model))
        self.sagemaker.delete_model(ModelName=model)
        with self.invalid(f"Could not find model \"{self.arn('model/' + model)}\"."):
            self.sagemaker.create_endpoint(EndpointName=unique(), EndpointConfigName=config)
