"""DescribeWorkforce."""

import datetime

from support.aws_case import NOT_NULL, SageMakerCase


class DescribeWorkforce(SageMakerCase):
    def describe_workforce(self, name):
        return self.sagemaker.describe_workforce(WorkforceName=name)["Workforce"]

    def test_the_one_that_exists_from_the_start(self):
        workforce = self.describe_workforce("default")
        self.assertEqual((workforce["WorkforceName"], workforce["WorkforceArn"], workforce["Status"], workforce["SourceIpConfig"]),
                         ("default", self.arn("workforce/default"), "Active", {"Cidrs": []}))
        self.assertRegex(workforce["CognitoConfig"]["UserPool"], r"^[\w-]+_[0-9a-zA-Z]+$")
        self.assertLess(abs((datetime.datetime.now(datetime.timezone.utc) - workforce["CreateDate"]).total_seconds()), 3600)
        self.assertLessEqual(workforce["CreateDate"], workforce["LastUpdatedDate"])

    def test_requesters_may(self):
        self.server.client("sagemaker", self.server.key_of("requester")).describe_workforce(WorkforceName="default")

    def test_workforces_that_are_none(self):
        with self.invalid(f'Could not find workforce "{self.arn("workforce/nothing")}".'):
            self.describe_workforce("nothing")
        with self.invalid(self.constraint("-", "workforceName", r"satisfy regular expression pattern: [a-zA-Z0-9]([a-zA-Z0-9\-]){0,62}")):
            self.describe_workforce("-")
        with self.invalid(self.constraint(None, "workforceName", NOT_NULL)):
            self.raw_sagemaker.describe_workforce()
