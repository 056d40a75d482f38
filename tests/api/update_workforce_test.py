"""UpdateWorkforce. These tests have a service of their own: the addresses of workers are the workforce's."""

import re

from create_workforce_test import COGNITO, OIDC
from support.aws_case import NOT_NULL, SageMakerCase
from support.labeling_worker import Refused, Worker


class UpdateWorkforce(SageMakerCase):
    own_server = True

    def setUp(self):
        for team in self.sagemaker.list_workteams()["Workteams"]:
            self.sagemaker.delete_workteam(WorkteamName=team["WorkteamName"])
        for workforce in self.sagemaker.list_workforces()["Workforces"]:
            self.sagemaker.delete_workforce(WorkforceName=workforce["WorkforceName"])

    def update(self, **members):
        return self.raw_sagemaker.update_workforce(WorkforceName="painters", **members)["Workforce"]

    def test_addresses_are_enforced(self):
        self.sagemaker.create_workforce(WorkforceName="painters", CognitoConfig=COGNITO)
        worker = Worker(self.server)
        self.addCleanup(worker.close)
        self.assertEqual(worker.jobs(), [])
        workforce = self.update(SourceIpConfig={"Cidrs": ["10.0.0.0/8"]})
        self.assertEqual(workforce["SourceIpConfig"], {"Cidrs": ["10.0.0.0/8"]})
        with self.assertRaises(Refused) as caught:
            worker.jobs()
        self.assertEqual((caught.exception.status, caught.exception.code), (403, "AddressNotAllowed"))
        self.update(SourceIpConfig={"Cidrs": ["10.0.0.0/8", "127.0.0.0/8"]})
        self.assertEqual(worker.jobs(), [])
        self.update(SourceIpConfig={"Cidrs": ["10.0.0.0/8"]})
        self.update(SourceIpConfig={"Cidrs": []})
        self.assertEqual(worker.jobs(), [])

    def test_the_provider(self):
        self.sagemaker.create_workforce(WorkforceName="painters", OidcConfig=OIDC)
        before = self.sagemaker.describe_workforce(WorkforceName="painters")["Workforce"]
        workforce = self.update(OidcConfig={**OIDC, "ClientId": "another"})
        self.assertEqual((workforce["OidcConfig"]["ClientId"], workforce["CreateDate"]), ("another", before["CreateDate"]))
        self.assertGreater(workforce["LastUpdatedDate"], before["LastUpdatedDate"])
        self.sagemaker.create_workteam(WorkteamName="held", Description="d", MemberDefinitions=[{"OidcMemberDefinition": {"Groups": ["a"]}}])
        with self.refused("ConflictException", re.compile("held")):
            self.update(OidcConfig=OIDC)

    def test_accounts_of_this_server_have_no_provider(self):
        self.sagemaker.create_workforce(WorkforceName="painters", CognitoConfig=COGNITO)
        with self.refused("ValidationException"):
            self.update(OidcConfig=OIDC)

    def test_values_that_may_not_be(self):
        self.sagemaker.create_workforce(WorkforceName="painters", CognitoConfig=COGNITO)
        with self.invalid(re.compile(re.escape("10.0.0.0/33"))):
            self.update(SourceIpConfig={"Cidrs": ["10.0.0.0/33"]})
        with self.refused("ValidationException"):
            self.update(SourceIpConfig={"Cidrs": [f"10.0.{number}.0/24" for number in range(11)]})
        with self.invalid(re.compile("^WorkforceVpcConfig is not served")):
            self.update(WorkforceVpcConfig={"VpcId": "vpc-1"})

    def test_workforces_that_are_none(self):
        with self.invalid(f'Could not find workforce "{self.arn("workforce/nothing")}".'):
            self.sagemaker.update_workforce(WorkforceName="nothing")
        with self.invalid(self.constraint(None, "workforceName", NOT_NULL)):
            self.raw_sagemaker.update_workforce()

    def test_requesters_may_not(self):
        with self.refused("AccessDeniedException"):
            self.server.client("sagemaker", self.server.key_of("requester")).update_workforce(WorkforceName="painters")
