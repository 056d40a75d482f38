"""DeleteEndpointConfig."""

from support.endpoint_case import EndpointCase


class DeleteEndpointConfig(EndpointCase):
    def test_it_is_gone(self):
        name = self.make_config(self.variant(self.make_model(b"anything")))
        self.sagemaker.delete_endpoint_config(EndpointConfigName=name)
        missing = f"Could not find endpoint configuration \"{self.arn('endpoint-config/' + name)}\"."
        with self.invalid(missing):
            self.sagemaker.describe_endpoint_config(EndpointConfigName=name)
        with self.invalid(missing):
            self.sagemaker.delete_endpoint_config(EndpointConfigName=name)
