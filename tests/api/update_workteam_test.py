"""UpdateWorkteam."""

import re

from support.aws_case import MATCH, NOT_NULL, SageMakerCase, unique
from support.labeling_worker import Worker


class UpdateWorkteam(SageMakerCase):
    def setUp(self):
        self.name = unique("team")
        self.arn_of_team = self.make_team(self.name, "first", Description="before")

    def update(self, **members):
        return self.raw_sagemaker.update_workteam(WorkteamName=self.name, **members)["Workteam"]

    def test_description_and_members_apart(self):
        before = self.sagemaker.describe_workteam(WorkteamName=self.name)["Workteam"]
        team = self.update(Description="after")
        self.assertEqual((team["Description"], team["MemberDefinitions"], team["CreateDate"]), ("after", before["MemberDefinitions"], before["CreateDate"]))
        self.assertGreater(team["LastUpdatedDate"], before["LastUpdatedDate"])
        team = self.update(MemberDefinitions=[self.member("second"), self.member("third")])
        self.assertEqual((team["Description"], team["MemberDefinitions"]), ("after", [self.member("second"), self.member("third")]))
        self.assertEqual(self.sagemaker.describe_workteam(WorkteamName=self.name)["Workteam"], team)

    def test_people_come_and_go_with_their_groups(self):
        name = self.make_job(team=self.arn_of_team, photos=1)
        self.wait_for_status(name, "InProgress")
        group = unique("group")
        worker = Worker(self.server, group)
        self.addCleanup(worker.close)
        self.assertEqual(worker.jobs(), [])
        self.update(MemberDefinitions=[self.member(group)])
        self.assertEqual([job["job_name"] for job in worker.jobs()], [name])
        self.update(MemberDefinitions=[self.member("first")])
        self.assertEqual(worker.jobs(), [])

    def test_values_that_may_not_be(self):
        with self.invalid(self.constraint("", "description", "have length greater than or equal to 1", MATCH + ".+")):
            self.update(Description="")
        with self.invalid(re.compile("'memberDefinitions' failed to satisfy constraint: Member must have length greater than or equal to 1$")):
            self.update(MemberDefinitions=[])
        with self.invalid(re.compile("CognitoMemberDefinition and OidcMemberDefinition")):
            self.update(MemberDefinitions=[{}])
        with self.invalid(re.compile("NotificationTopicArn is not served")):
            self.update(NotificationConfiguration={"NotificationTopicArn": "arn:aws:sns:us-east-1:111122223333:tasks"})

    def test_teams_that_are_none(self):
        with self.invalid(f'Could not find workteam "{self.arn("workteam/private-crowd/nothing")}".'):
            self.sagemaker.update_workteam(WorkteamName="nothing", Description="x")
        with self.invalid(self.constraint(None, "workteamName", NOT_NULL)):
            self.raw_sagemaker.update_workteam(Description="x")

    def test_requesters_may_not(self):
        with self.refused("AccessDeniedException"):
            self.server.client("sagemaker", self.server.key_of("requester")).update_workteam(WorkteamName=self.name, Description="x")
