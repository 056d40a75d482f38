"""GetRole of IAM, and what the rest of IAM answers."""

from support.aws_case import AwsCase
from support.terrapin_server import ACCOUNT


class GetRole(AwsCase):
    def setUp(self):
        self.iam = self.server.client("iam")

    def test_any_role(self):
        role = self.iam.get_role(RoleName="AmazonSageMaker-ExecutionRole")["Role"]
        self.assertEqual((role["RoleName"], role["Path"], role["Arn"]),
                         ("AmazonSageMaker-ExecutionRole", "/", f"arn:aws:iam::{ACCOUNT}:role/AmazonSageMaker-ExecutionRole"))
        self.assertRegex(role["RoleId"], "^AROA[A-Z2-7]{17}$")
        self.assertEqual(role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"], {"Service": "sagemaker.amazonaws.com"})
        self.assertEqual(self.iam.get_role(RoleName="AmazonSageMaker-ExecutionRole")["Role"], role)
        self.assertNotEqual(self.iam.get_role(RoleName="Another")["Role"]["RoleId"], role["RoleId"])

    def test_names_that_no_role_has(self):
        raw = self.server.client("iam", validate=False)
        for name, rule in (("a/b", r"satisfy regular expression pattern: [\w+=,.@-]+"), ("x" * 65, "have length less than or equal to 64")):
            with self.subTest(name), self.refused("ValidationError", "1 validation error detected: Value '" + name +
                                                  "' at 'roleName' failed to satisfy constraint: Member must " + rule):
                raw.get_role(RoleName=name)

    def test_the_rest_is_refused(self):
        with self.refused("AccessDenied", f"User: arn:aws:iam::{ACCOUNT}:user/admin is not authorized to perform: iam:CreateRole: of IAM only "
                          "GetRole is served", 403):
            self.iam.create_role(RoleName="mine", AssumeRolePolicyDocument="{}")
        with self.refused("AccessDenied", status=403):
            self.iam.list_users()

    def test_a_key_for_invoking_alone(self):
        with self.refused("AccessDenied", status=403):
            self.server.client("iam", self.server.key_of("invoke", "kara")).get_role(RoleName="a")
