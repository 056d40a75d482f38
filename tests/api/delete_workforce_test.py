"""DeleteWorkforce. These tests have a service of their own."""

import re

from create_workforce_test import COGNITO
from support.aws_case import NOT_NULL, SageMakerCase


class DeleteWorkforce(SageMakerCase):
    own_server = True

    def test_it_goes_once_its_teams_are_gone(self):
        self.make_team("last")
        with self.invalid(re.compile("last")):
            self.sagemaker.delete_workforce(WorkforceName="default")
        self.sagemaker.delete_workteam(WorkteamName="last")
        self.sagemaker.delete_workforce(WorkforceName="default")
        self.assertEqual(self.sagemaker.list_workforces()["Workforces"], [])
        with self.invalid(f'Could not find workforce "{self.arn("workforce/default")}".'):
            self.sagemaker.describe_workforce(WorkforceName="default")
        self.sagemaker.create_workforce(WorkforceName="default", CognitoConfig=COGNITO)

    def test_workforces_that_are_none(self):
        with self.invalid(f'Could not find workforce "{self.arn("workforce/nothing")}".'):
            self.sagemaker.delete_workforce(WorkforceName="nothing")
        with self.invalid(self.constraint(None, "workforceName", NOT_NULL)):
            self.raw_sagemaker.delete_workforce()

    def test_requesters_may_not(self):
        with self.refused("AccessDeniedException"):
            self.server.client("sagemaker", self.server.key_of("requester")).delete_workforce(WorkforceName="default")
