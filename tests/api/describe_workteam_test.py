"""DescribeWorkteam."""

import datetime

from support.aws_case import JOB_NAME_PATTERN, NOT_NULL, SageMakerCase, unique


class DescribeWorkteam(SageMakerCase):
    def test_every_member(self):
        name = unique("team")
        arn = self.make_team(name, "painters", Description="Turtles, ü and 🐢")
        team = self.sagemaker.describe_workteam(WorkteamName=name)["Workteam"]
        self.assertEqual((team["WorkteamName"], team["WorkteamArn"], team["Description"], team["MemberDefinitions"]),
                         (name, arn, "Turtles, ü and 🐢", [self.member("painters")]))
        self.assertEqual(team["WorkforceArn"], self.sagemaker.list_workforces()["Workforces"][0]["WorkforceArn"])
        age = datetime.datetime.now(datetime.timezone.utc) - team["CreateDate"]
        self.assertLess(abs(age.total_seconds()), 300)
        self.assertEqual(team["CreateDate"], team["LastUpdatedDate"])

    def test_requesters_may(self):
        name = unique("team")
        self.make_team(name)
        self.server.client("sagemaker", self.server.key_of("requester", "kara")).describe_workteam(WorkteamName=name)

    def test_teams_that_are_none(self):
        with self.invalid(f'Could not find workteam "{self.arn("workteam/private-crowd/nothing")}".'):
            self.sagemaker.describe_workteam(WorkteamName="nothing")
        with self.invalid(self.constraint("-", "workteamName", JOB_NAME_PATTERN)):
            self.sagemaker.describe_workteam(WorkteamName="-")
        with self.invalid(self.constraint(None, "workteamName", NOT_NULL)):
            self.raw_sagemaker.describe_workteam()
