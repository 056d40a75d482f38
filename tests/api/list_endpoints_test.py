"""ListEndpoints: filters by name and status, pages."""

from support.endpoint_case import EndpointCase


class ListEndpoints(EndpointCase):
    def test_filters_and_pages(self):
        config = self.make_config(self.variant(self.make_model(b"no model")))
        names = sorted(self.create_endpoint(config) for _ in range(3))
        for name in names:
            self.wait_status(name, "Failed")
        failed = self.sagemaker.list_endpoints(StatusEquals="Failed", SortBy="Name", SortOrder="Ascending")["Endpoints"]
        self.assertEqual([one["EndpointName"] for one in failed if one["EndpointName"] in names], names)
        self.assertEqual({one["EndpointStatus"] for one in failed}, {"Failed"})
        one = self.sagemaker.list_endpoints(NameContains=names[1])["Endpoints"]
        self.assertEqual([(item["EndpointName"], item["EndpointArn"]) for item in one], [(names[1], self.arn("endpoint/" + names[1]))])
        self.assertEqual(self.sagemaker.list_endpoints(NameContains=names[1], StatusEquals="InService")["Endpoints"], [])
        pages = self.page_through(self.sagemaker.list_endpoints, 2, StatusEquals="Failed", SortBy="Name")
        self.assert_last_page_only(pages, "Endpoints", len(failed))
