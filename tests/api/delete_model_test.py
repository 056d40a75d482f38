"""DeleteModel."""

from support.endpoint_case import EndpointCase


class DeleteModel(EndpointCase):
    def test_it_is_gone_and_its_name_is_free(self):
        request = self.model_request()
        self.sagemaker.create_model(**request)
        self.sagemaker.delete_model(ModelName=request["ModelName"])
        missing = f"Could not find model \"{self.arn('model/' + request['ModelName'])}\"."
        with self.invalid(missing):
            self.sagemaker.describe_model(ModelName=request["ModelName"])
        with self.invalid(missing):
            self.sagemaker.delete_model(ModelName=request["ModelName"])
        self.sagemaker.create_model(**request)
