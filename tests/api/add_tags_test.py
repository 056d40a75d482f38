"""AddTags."""

import re

from support.aws_case import NOT_NULL, SageMakerCase


class AddTags(SageMakerCase):
    def add(self, arn, **tags):
        return self.sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": key, "Value": value} for key, value in tags.items()])["Tags"]

    def tags(self, arn):
        return {tag["Key"]: tag["Value"] for tag in self.sagemaker.list_tags(ResourceArn=arn)["Tags"]}

    def test_of_everything_that_has_some(self):
        job = self.arn("labeling-job/" + self.make_job())
        for arn in (self.make_team(), self.arn("workforce/default"), job):
            with self.subTest(arn):
                before = self.tags(arn)
                answer = self.add(arn, color="green", sea="red")
                self.assertEqual({tag["Key"]: tag["Value"] for tag in answer}, {**before, "color": "green", "sea": "red"})
                self.add(arn, sea="black")
                self.assertEqual(self.tags(arn), {**before, "color": "green", "sea": "black"})

    def test_a_jobs_tags_show_in_describe(self):
        name = self.make_job()
        self.add(self.arn("labeling-job/" + name), color="green")
        self.assertEqual({tag["Key"]: tag["Value"] for tag in self.describe(name)["Tags"]}, {"string": "string", "color": "green"})

    def test_values_of_every_allowed_character(self):
        team = self.make_team()
        self.add(team, **{"ü: /=+-@._": "日本 ü"})
        self.assertEqual(self.tags(team), {"ü: /=+-@._": "日本 ü"})

    def test_fifty_and_no_more(self):
        team = self.make_team()
        self.add(team, **{f"key{number}": "" for number in range(50)})
        with self.invalid(re.compile("50")):
            self.add(team, another="")
        self.add(team, key0="changed")
        self.assertEqual(len(self.tags(team)), 50)

    def test_values_that_may_not_be(self):
        team = self.make_team()
        with self.invalid(re.compile("aws: prefixed tag key names are not allowed for external use")):
            self.add(team, **{"aws:mine": "x"})
        with self.invalid(re.compile("twice")):
            self.sagemaker.add_tags(ResourceArn=team, Tags=[{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}])
        for key, value, path, shown, rule in (("", "v", "key", "", "have length greater than or equal to 1"),
                                              ("k" * 129, "v", "key", "k" * 129, "have length less than or equal to 128"),
                                              ("k", "v" * 257, "value", "v" * 256 + "...", "have length less than or equal to 256"),
                                              ("k!", "v", "key", "k!", r"satisfy regular expression pattern: ([\p{L}\p{Z}\p{N}_.:/=+\-@]*)")):
            with self.subTest(path=path, rule=rule), self.invalid(self.constraint(shown, f"tags.1.member.{path}", rule)):
                self.raw_sagemaker.add_tags(ResourceArn=team, Tags=[{"Key": key, "Value": value}])
        with self.invalid(self.constraint(None, "tags", NOT_NULL)):
            self.raw_sagemaker.add_tags(ResourceArn=team)

    def test_resources_that_are_none(self):
        for arn in (self.arn("labeling-job/nothing"), self.arn("workteam/private-crowd/nothing"), self.arn("endpoint/nothing"),
                    self.arn("workforce/nothing")):
            with self.subTest(arn), self.invalid(f'Could not find resource "{arn}".'):
                self.add(arn, a="1")
        with self.invalid(self.constraint("turtle", "resourceArn", "satisfy regular expression pattern: arn:aws[a-z-]*:sagemaker:[a-z0-9-]*:[0-9]{12}:.+")):
            self.add("turtle", a="1")

    def test_requesters_tag_jobs_alone(self):
        client = self.server.client("sagemaker", self.server.key_of("requester", "kara"))
        client.add_tags(ResourceArn=self.arn("labeling-job/" + self.make_job()), Tags=[{"Key": "a", "Value": "1"}])
        with self.refused("AccessDeniedException"):
            client.add_tags(ResourceArn=self.make_team(), Tags=[{"Key": "a", "Value": "1"}])
