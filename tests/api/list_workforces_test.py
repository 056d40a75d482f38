"""ListWorkforces."""

from support.aws_case import MATCH, SageMakerCase


class ListWorkforces(SageMakerCase):
    def test_the_private_one(self):
        answer = self.sagemaker.list_workforces(SortBy="Name", SortOrder="Ascending", NameContains="defa", MaxResults=1)
        self.assertEqual(answer["Workforces"], [self.sagemaker.describe_workforce(WorkforceName="default")["Workforce"]])
        self.assertNotIn("NextToken", answer)
        pages = self.sagemaker.get_paginator("list_workforces").paginate(PaginationConfig={"PageSize": 1})
        self.assertEqual([item["WorkforceName"] for page in pages for item in page["Workforces"]], ["default"])

    def test_names(self):
        self.assertEqual(self.sagemaker.list_workforces(NameContains="other")["Workforces"], [])

    def test_values_that_may_not_be(self):
        for members, value, path, *rules in (({"MaxResults": 101}, 101, "maxResults", "have value less than or equal to 100"),
                                           ({"SortBy": "Size"}, "Size", "sortBy", "satisfy enum value set: [Name, CreateDate]"),
                                           ({"SortOrder": "Up"}, "Up", "sortOrder", "satisfy enum value set: [Ascending, Descending]"),
                                           ({"NameContains": ""}, "", "nameContains", "have length greater than or equal to 1",
                                            MATCH + r"[a-zA-Z0-9]([a-zA-Z0-9\-]){0,62}")):
            with self.subTest(members), self.invalid(self.constraint(value, path, *rules)):
                self.raw_sagemaker.list_workforces(**members)
        with self.refused("ValidationException"):
            self.sagemaker.list_workforces(NextToken="none")
