"""ListModels: filters, order, pages."""

from support.aws_case import unique
from support.endpoint_case import EndpointCase


class ListModels(EndpointCase):
    def test_filters_and_pages(self):
        mark, data = unique("listed"), self.stored()
        names = [f"{mark}-{number}" for number in range(5)]
        for name in names:
            self.sagemaker.create_model(**self.model_request(name, data))
        newest_first = self.sagemaker.list_models(NameContains=mark.upper())["Models"]
        self.assertEqual([model["ModelName"] for model in newest_first], names[::-1])
        self.assertEqual(newest_first[0]["ModelArn"], self.arn("model/" + names[4]))
        by_name = self.sagemaker.list_models(NameContains=mark, SortBy="Name", SortOrder="Ascending")["Models"]
        self.assertEqual([model["ModelName"] for model in by_name], names)
        self.assert_last_page_only(self.page_through(self.sagemaker.list_models, 2, NameContains=mark), "Models", 5)
        second = newest_first[1]["CreationTime"].timestamp()
        later = self.post("ListModels", {"NameContains": mark, "CreationTimeAfter": second + 1e-6})[1]["Models"]  # the client sends whole seconds
        self.assertEqual([model["ModelName"] for model in later], names[4:])
        with self.invalid("Invalid NextToken; give back the one of the answer before, as it is."):
            self.sagemaker.list_models(NextToken="nonsense")
