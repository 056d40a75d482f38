"""CreateWorkforce. A region has one private workforce: these tests have a service of their own."""

import re

from support.aws_case import BOTOCORE, NOT_NULL, SageMakerCase

COGNITO = {"UserPool": "us-east-1_aBcDeF123", "ClientId": "client"}
OIDC = {"ClientId": "client", "ClientSecret": "very secret", "Issuer": "https://id.example.org",
        "AuthorizationEndpoint": "https://id.example.org/authorize", "TokenEndpoint": "https://id.example.org/token",
        "UserInfoEndpoint": "https://id.example.org/user", "LogoutEndpoint": "https://id.example.org/logout", "JwksUri": "https://id.example.org/keys"}


class CreateWorkforce(SageMakerCase):
    own_server = True

    def setUp(self):
        for workforce in self.sagemaker.list_workforces()["Workforces"]:
            self.sagemaker.delete_workforce(WorkforceName=workforce["WorkforceName"])

    def create(self, **members):
        return self.raw_sagemaker.create_workforce(**{"WorkforceName": "painters", "CognitoConfig": COGNITO, **members})

    def test_accounts_of_this_server(self):
        cidrs = ["127.0.0.1/32", "10.0.0.0/8", "2001:db8::/32"]
        answer = self.create(SourceIpConfig={"Cidrs": cidrs}, Tags=[{"Key": "a", "Value": "1"}])
        self.assertEqual(answer["WorkforceArn"], self.arn("workforce/painters"))
        workforce = self.sagemaker.describe_workforce(WorkforceName="painters")["Workforce"]
        self.assertEqual((workforce["CognitoConfig"], workforce["SourceIpConfig"]), (COGNITO, {"Cidrs": cidrs}))
        self.assertEqual(self.sagemaker.list_tags(ResourceArn=answer["WorkforceArn"])["Tags"], [{"Key": "a", "Value": "1"}])

    def test_a_provider_of_ones_own(self):
        self.raw_sagemaker.create_workforce(WorkforceName="painters", OidcConfig=OIDC)
        config = self.sagemaker.describe_workforce(WorkforceName="painters")["Workforce"]["OidcConfig"]
        self.assertEqual(config, {name: value for name, value in OIDC.items() if name != "ClientSecret"})
        team = self.sagemaker.create_workteam(WorkteamName="oidc", Description="d", WorkforceName="painters",
                                              MemberDefinitions=[{"OidcMemberDefinition": {"Groups": ["a", "b"]}}])
        self.assertEqual(self.sagemaker.describe_workteam(WorkteamName="oidc")["Workteam"]["MemberDefinitions"],
                         [{"OidcMemberDefinition": {"Groups": ["a", "b"]}}], team)
        self.sagemaker.delete_workteam(WorkteamName="oidc")

    if BOTOCORE >= (1, 36):
        def test_what_else_is_asked_of_the_provider(self):
            config = {**OIDC, "Scope": "openid email", "AuthenticationRequestExtraParams": {"prompt": "login"}}
            self.raw_sagemaker.create_workforce(WorkforceName="painters", OidcConfig=config)
            shown = self.sagemaker.describe_workforce(WorkforceName="painters")["Workforce"]["OidcConfig"]
            self.assertEqual((shown["Scope"], shown["AuthenticationRequestExtraParams"]), ("openid email", {"prompt": "login"}))

    def test_a_second_one(self):
        self.create()
        with self.invalid(re.compile("painters")):
            self.create(WorkforceName="others")

    def test_exactly_one_kind_of_accounts(self):
        with self.invalid(re.compile("CognitoConfig .* OidcConfig")):
            self.create(OidcConfig=OIDC)
        with self.invalid(re.compile("CognitoConfig .* OidcConfig")):
            self.raw_sagemaker.create_workforce(WorkforceName="painters")

    def test_members_that_are_missing(self):
        with self.invalid(self.constraint(None, "workforceName", NOT_NULL)):
            self.raw_sagemaker.create_workforce(CognitoConfig=COGNITO)
        with self.invalid(self.constraint(None, "cognitoConfig.clientId", NOT_NULL)):
            self.create(CognitoConfig={"UserPool": "us-east-1_aBcDeF123"})
        with self.invalid(self.constraint(None, "sourceIpConfig.cidrs", NOT_NULL)):
            self.create(SourceIpConfig={})

    def test_values_that_may_not_be(self):
        with self.invalid(self.constraint("-x", "workforceName", r"satisfy regular expression pattern: [a-zA-Z0-9]([a-zA-Z0-9\-]){0,62}")):
            self.create(WorkforceName="-x")
        with self.invalid(self.constraint("pool", "cognitoConfig.userPool", r"satisfy regular expression pattern: [\w-]+_[0-9a-zA-Z]+")):
            self.create(CognitoConfig={"UserPool": "pool", "ClientId": "client"})
        with self.invalid(self.constraint("http://id.example.org", "oidcConfig.issuer", r"satisfy regular expression pattern: https://\S+")):
            self.raw_sagemaker.create_workforce(WorkforceName="painters", OidcConfig={**OIDC, "Issuer": "http://id.example.org"})
        for cidr in ("10.0.0.0/33", "300.0.0.0/8", "10.0.0.0", "everywhere"):
            with self.subTest(cidr), self.invalid(re.compile(re.escape(cidr))):
                self.create(SourceIpConfig={"Cidrs": [cidr]})
        with self.invalid(re.compile("10")):
            self.create(SourceIpConfig={"Cidrs": [f"10.0.{number}.0/24" for number in range(11)]})

    def test_a_secret_is_not_repeated(self):
        with self.refused("ValidationException") as caught:
            self.raw_sagemaker.create_workforce(WorkforceName="painters", OidcConfig={**OIDC, "ClientSecret": "tab\there"})
        self.assertNotIn("here", caught.exception.response["Error"]["Message"])

    def test_what_is_not_served_is_named(self):
        with self.invalid(re.compile("^WorkforceVpcConfig is not served")):
            self.create(WorkforceVpcConfig={"VpcId": "vpc-1", "SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]})

    def test_requesters_may_not(self):
        with self.refused("AccessDeniedException"):
            self.server.client("sagemaker", self.server.key_of("requester")).create_workforce(WorkforceName="painters", CognitoConfig=COGNITO)
