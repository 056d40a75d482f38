"""ListSubscribedWorkteams."""

import json

from support.aws_case import JOB_NAME_PATTERN, SageMakerCase, unique


class ListSubscribedWorkteams(SageMakerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.mark = unique("vendors")
        cls.arns = [json.loads(cls.server.run("vendors", "add", f"{cls.mark}-{letter}", "--title", letter, "--json").stdout)["arn"] for letter in "cadb"]

    def shown(self, **members):
        return [team["WorkteamArn"] for team in self.sagemaker.list_subscribed_workteams(**members)["SubscribedWorkteams"]]

    def test_each_is_told_as_describe_tells_it(self):
        team = self.sagemaker.list_subscribed_workteams(NameContains=self.mark)["SubscribedWorkteams"][0]
        self.assertEqual(team, self.sagemaker.describe_subscribed_workteam(WorkteamArn=sorted(self.arns)[0])["SubscribedWorkteam"])

    def test_names(self):
        self.assertEqual(self.shown(NameContains=self.mark), sorted(self.arns))
        self.assertEqual(self.shown(NameContains=self.mark + "-d"), [self.arns[2]])
        self.assertEqual(self.shown(NameContains=unique("none")), [])

    def test_private_teams_are_not_among_them(self):
        self.assertNotIn(self.make_team(), self.shown())

    def test_pages(self):
        pages = self.page_through(self.sagemaker.list_subscribed_workteams, 3, NameContains=self.mark)
        self.assert_last_page_only(pages, "SubscribedWorkteams", 4)
        self.assertEqual([team["WorkteamArn"] for page in pages for team in page["SubscribedWorkteams"]], sorted(self.arns))
        pages = self.sagemaker.get_paginator("list_subscribed_workteams").paginate(NameContains=self.mark, PaginationConfig={"PageSize": 1})
        self.assertEqual([team["WorkteamArn"] for page in pages for team in page["SubscribedWorkteams"]], sorted(self.arns))

    def test_values_that_may_not_be(self):
        with self.invalid(self.constraint(0, "maxResults", "have value greater than or equal to 1")):
            self.raw_sagemaker.list_subscribed_workteams(MaxResults=0)
        with self.invalid(self.constraint("", "nameContains", "have length greater than or equal to 1", JOB_NAME_PATTERN)):
            self.raw_sagemaker.list_subscribed_workteams(NameContains="")
        with self.refused("ValidationException"):
            self.sagemaker.list_subscribed_workteams(NextToken="none")
