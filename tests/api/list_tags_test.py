"""ListTags."""

from support.aws_case import NOT_NULL, SageMakerCase


class ListTags(SageMakerCase):
    def test_of_a_job_as_it_was_made(self):
        arn = self.arn("labeling-job/" + self.make_job())
        self.assertEqual(self.sagemaker.list_tags(ResourceArn=arn)["Tags"], [{"Key": "string", "Value": "string"}])

    def test_of_one_without_any(self):
        self.assertEqual(self.sagemaker.list_tags(ResourceArn=self.make_team())["Tags"], [])

    def test_all_fit_one_page(self):
        """MaxResults is at least 50, and a resource has at most 50 tags."""
        tags = [{"Key": f"key{number:02}", "Value": str(number)} for number in range(50)]
        arn = self.make_team(Tags=tags)
        answer = self.sagemaker.list_tags(ResourceArn=arn, MaxResults=50)
        self.assertEqual(answer["Tags"], tags)
        self.assertNotIn("NextToken", answer)
        pages = self.sagemaker.get_paginator("list_tags").paginate(ResourceArn=arn)
        self.assertEqual([tag for page in pages for tag in page["Tags"]], tags)

    def test_requesters_may(self):
        self.server.client("sagemaker", self.server.key_of("requester")).list_tags(ResourceArn=self.make_team())

    def test_values_that_may_not_be(self):
        arn = self.make_team()
        with self.invalid(self.constraint(49, "maxResults", "have value greater than or equal to 50")):
            self.raw_sagemaker.list_tags(ResourceArn=arn, MaxResults=49)
        with self.refused("ValidationException"):
            self.sagemaker.list_tags(ResourceArn=arn, NextToken="none")
        with self.invalid(self.constraint(None, "resourceArn", NOT_NULL)):
            self.raw_sagemaker.list_tags()

    def test_resources_that_are_none(self):
        arn = self.arn("labeling-job/nothing")
        with self.invalid(f'Could not find resource "{arn}".'):
            self.sagemaker.list_tags(ResourceArn=arn)
