"""ListEndpointConfigs: filters, order, pages."""

from support.aws_case import unique
from support.endpoint_case import EndpointCase


class ListEndpointConfigs(EndpointCase):
    def test_filters_and_pages(self):
        model, mark = self.make_model(b"anything"), unique("listed")
        names = [f"{mark}-{number}" for number in range(3)]
        for name in names:
            self.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[self.variant(model)])
        listed = self.sagemaker.list_endpoint_configs(NameContains=mark, SortBy="Name", SortOrder="Ascending")["EndpointConfigs"]
        self.assertEqual([config["EndpointConfigName"] for config in listed], names)
        self.assertEqual(listed[0]["EndpointConfigArn"], self.arn("endpoint-config/" + names[0]))
        self.assert_last_page_only(self.page_through(self.sagemaker.list_endpoint_configs, 2, NameContains=mark), "EndpointConfigs", 3)
