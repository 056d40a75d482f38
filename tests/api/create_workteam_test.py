"""CreateWorkteam."""

import re

from support.aws_case import BOTOCORE, JOB_NAME_PATTERN, MATCH, NOT_NULL, SageMakerCase, unique
from support.labeling_worker import Worker
from support.terrapin_server import ACCOUNT


class CreateWorkteam(SageMakerCase):
    def create(self, **members):
        members = {"WorkteamName": unique("team"), "Description": "Paints turtles", "MemberDefinitions": [self.member("painters")], **members}
        return self.raw_sagemaker.create_workteam(**{name: value for name, value in members.items() if value is not None})

    def test_every_member(self):
        name = unique("Team")
        workforce = self.sagemaker.list_workforces()["Workforces"][0]["WorkforceName"]
        answer = self.create(WorkteamName=name, WorkforceName=workforce, Tags=[{"Key": "project", "Value": "sea"}],
                             MemberDefinitions=[self.member("painters"), self.member("checkers")])
        self.assertEqual(answer["WorkteamArn"], self.arn("workteam/private-crowd/" + name))
        team = self.sagemaker.describe_workteam(WorkteamName=name)["Workteam"]
        self.assertEqual(team["MemberDefinitions"], [self.member("painters"), self.member("checkers")])
        self.assertEqual(self.sagemaker.list_tags(ResourceArn=answer["WorkteamArn"])["Tags"], [{"Key": "project", "Value": "sea"}])

    def test_groups_of_people(self):
        group = unique("group")
        team = self.create(MemberDefinitions=[self.member(group)])["WorkteamArn"]
        name = self.make_job(team=team, photos=1)
        self.wait_for_status(name, "InProgress")
        inside, outside = Worker(self.server, group), Worker(self.server, unique("group"))
        self.addCleanup(inside.close)
        self.addCleanup(outside.close)
        self.assertIn(name, [job["job_name"] for job in inside.jobs()])
        self.assertNotIn(name, [job["job_name"] for job in outside.jobs()])
        self.assertIsNone(outside.accept())

    def test_a_name_twice(self):
        name = unique("team")
        self.create(WorkteamName=name)
        with self.refused("ResourceInUse", re.compile("^Workteam names must be unique within an AWS account and region, and a workteam with this name "
                                                      f"already exists .*workteam/private-crowd/{name}")):
            self.create(WorkteamName=name)

    def test_members_that_are_missing(self):
        for name in ("WorkteamName", "Description", "MemberDefinitions"):
            with self.subTest(name), self.invalid(self.constraint(None, name[0].lower() + name[1:], NOT_NULL)):
                self.create(**{name: None})
        with self.invalid(self.constraint(None, "memberDefinitions.1.member.cognitoMemberDefinition.userGroup", NOT_NULL)):
            self.create(MemberDefinitions=[{"CognitoMemberDefinition": self.account_pool()}])

    def test_values_that_may_not_be(self):
        for members, value, path, *rules in (
                ({"WorkteamName": "a_b"}, "a_b", "workteamName", JOB_NAME_PATTERN),
                ({"WorkteamName": "a" * 64}, "a" * 64, "workteamName", "have length less than or equal to 63", JOB_NAME_PATTERN),
                ({"Description": ""}, "", "description", "have length greater than or equal to 1", MATCH + ".+"),
                ({"Description": "d" * 201}, "d" * 201, "description", "have length less than or equal to 200")):
            with self.subTest(members), self.invalid(self.constraint(value, path, *rules)):
                self.create(**members)
        with self.invalid(re.compile("'memberDefinitions' failed to satisfy constraint: Member must have length less than or equal to 10$")):
            self.create(MemberDefinitions=[self.member(f"group{number}") for number in range(11)])
        with self.invalid(re.compile("'memberDefinitions' failed to satisfy constraint: Member must have length greater than or equal to 1$")):
            self.create(MemberDefinitions=[])

    def test_definitions_that_say_both_or_nothing(self):
        both = {**self.member("a"), "OidcMemberDefinition": {"Groups": ["b"]}}
        for definition in (both, {}):
            with self.subTest(definition), self.invalid(re.compile("CognitoMemberDefinition and OidcMemberDefinition")):
                self.create(MemberDefinitions=[definition])

    def test_groups_of_vendors_are_reserved(self):
        for group in ("vendor:acme", "public-crowd"):
            with self.subTest(group), self.invalid(re.compile(re.escape(group))):
                self.create(MemberDefinitions=[self.member(group)])

    def test_a_workforce_that_is_none(self):
        with self.invalid(re.compile("nobodys")):
            self.create(WorkforceName="nobodys")

    def test_what_is_not_served_is_named(self):
        with self.invalid(re.compile("NotificationTopicArn is not served")):
            self.create(NotificationConfiguration={"NotificationTopicArn": f"arn:aws:sns:us-east-1:{ACCOUNT}:tasks"})

    if BOTOCORE >= (1, 36):
        def test_where_links_may_be_used_from(self):
            def access(value):
                return {"S3Presign": {"IamPolicyConstraints": {"SourceIp": value, "VpcSourceIp": "Disabled"}}}
            self.create(WorkerAccessConfiguration=access("Disabled"))
            with self.invalid(re.compile("IamPolicyConstraints.SourceIp 'Enabled' is not served")):
                self.create(WorkerAccessConfiguration=access("Enabled"))

    def test_requesters_may_not(self):
        client = self.server.client("sagemaker", self.server.key_of("requester", "kara"))
        with self.refused("AccessDeniedException", re.compile("^User: arn:aws:iam::111122223333:user/kara is not authorized to perform: "
                                                              "sagemaker:CreateWorkteam on resource: ")):
            client.create_workteam(WorkteamName="mine", Description="d", MemberDefinitions=[self.member("a")])
