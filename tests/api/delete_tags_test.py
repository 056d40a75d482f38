"""DeleteTags."""

import re

from support.aws_case import NOT_NULL, SageMakerCase


class DeleteTags(SageMakerCase):
    def tags(self, arn):
        return [tag["Key"] for tag in self.sagemaker.list_tags(ResourceArn=arn)["Tags"]]

    def delete(self, arn, *keys):
        return self.sagemaker.delete_tags(ResourceArn=arn, TagKeys=list(keys))

    def test_some_of_them(self):
        arn = self.make_team(Tags=[{"Key": key, "Value": "1"} for key in "abc"])
        self.delete(arn, "a", "c", "never there")
        self.assertEqual(self.tags(arn), ["b"])

    def test_what_a_job_was_made_with(self):
        name = self.make_job()
        self.delete(self.arn("labeling-job/" + name), "string")
        self.assertEqual(self.tags(self.arn("labeling-job/" + name)), [])
        self.assertNotIn("Tags", self.describe(name))

    def test_values_that_may_not_be(self):
        arn = self.make_team()
        with self.invalid(re.compile("'tagKeys' failed to satisfy constraint: Member must have length greater than or equal to 1$")):
            self.raw_sagemaker.delete_tags(ResourceArn=arn, TagKeys=[])
        with self.invalid(re.compile("'tagKeys' failed to satisfy constraint: Member must have length less than or equal to 50$")):
            self.raw_sagemaker.delete_tags(ResourceArn=arn, TagKeys=[str(number) for number in range(51)])
        with self.invalid(self.constraint(None, "tagKeys", NOT_NULL)):
            self.raw_sagemaker.delete_tags(ResourceArn=arn)

    def test_resources_that_are_none(self):
        arn = self.arn("workteam/private-crowd/nothing")
        with self.invalid(f'Could not find resource "{arn}".'):
            self.delete(arn, "a")

    def test_requesters_may_not_change_a_teams(self):
        arn = self.make_team(Tags=[{"Key": "a", "Value": "1"}])
        with self.refused("AccessDeniedException"):
            self.server.client("sagemaker", self.server.key_of("requester")).delete_tags(ResourceArn=arn, TagKeys=["a"])
        self.assertEqual(self.tags(arn), ["a"])
