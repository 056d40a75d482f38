"""GetCallerIdentity of STS, and what every service says to a signature that does not fit."""

import datetime

from support.aws_case import AwsCase, unique
from support.terrapin_server import ACCOUNT, Key


class GetCallerIdentity(AwsCase):
    def test_account_and_owner(self):
        for scope in ("admin", "requester", "invoke"):
            with self.subTest(scope):
                key = self.server.key_of(scope, "kara")
                answer = self.server.client("sts", key).get_caller_identity()
                self.assertEqual((answer["Account"], answer["UserId"], answer["Arn"]), (ACCOUNT, "kara", f"arn:aws:iam::{ACCOUNT}:user/kara"))

    def test_operations_and_versions_that_are_not_served(self):
        status, headers, body = self.server.signed("sts", "POST", "/", b"Action=AssumeRole&Version=2011-06-15",
                                                   {"Content-Type": "application/x-www-form-urlencoded"})
        self.assertEqual((status, headers.get_content_type()), (400, "text/xml"))
        self.assertIn(b"<Code>InvalidAction</Code><Message>Could not find operation AssumeRole for version 2011-06-15", body)


class Signatures(AwsCase):
    """(code, message) by the service's own protocol."""

    def clients(self, key):
        return ((self.server.client("s3", key).list_buckets, "s3"), (self.server.client("sts", key).get_caller_identity, "sts"),
                (self.server.client("sagemaker", key).list_workteams, "sagemaker"))

    def test_a_key_that_nobody_has(self):
        expected = {
            "s3": ("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.", 403),
            "sts": ("InvalidClientTokenId", "The security token included in the request is invalid.", 403),
            "sagemaker": ("UnrecognizedClientException", "The security token included in the request is invalid.", 400)}
        for call, service in self.clients(Key("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")):
            code, message, status = expected[service]
            with self.subTest(service), self.refused(code, message, status):
                call()

    def test_a_wrong_secret(self):
        expected = {"s3": ("SignatureDoesNotMatch", 403), "sts": ("SignatureDoesNotMatch", 403), "sagemaker": ("InvalidSignatureException", 400)}
        start = "The request signature we calculated does not match the signature you provided. Check your "
        for call, service in self.clients(Key(self.server.key.id, "another")):
            code, status = expected[service]
            with self.subTest(service):
                with self.refused(code, status=status) as caught:
                    call()
                self.assertTrue(caught.exception.response["Error"]["Message"].startswith(start), caught.exception)

    def test_a_revoked_key(self):
        key = self.server.create_key()
        self.server.client("s3", key).list_buckets()
        self.server.run("keys", "revoke", key.id)
        with self.refused("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.", 403):
            self.server.client("s3", key).list_buckets()
        self.assertNotIn(key.id, self.server.run("keys", "list", "--json").stdout)

    def test_a_clock_that_is_off(self):
        minutes = datetime.timedelta(minutes=1)
        for age in (14 * minutes, -14 * minutes):
            self.assertEqual(self.server.signed("s3", "GET", "/", age=age)[0], 200)
        for age in (16 * minutes, -16 * minutes):
            status, _, body = self.server.signed("s3", "GET", "/", age=age)
            self.assertEqual(status, 403)
            self.assertIn(b"<Code>RequestTimeTooSkewed</Code><Message>The difference between the request time and the current time is too "
                          b"large.</Message>", body)

    def test_a_link_that_has_expired(self):
        hour = datetime.timedelta(hours=1)
        for lasts_s, expected in ((3500, b"<Code>AccessDenied</Code><Message>Request has expired</Message>"), (3700, b"<Code>NoSuchBucket</Code>")):
            url = self.server.presigned("/" + unique() + "/key", lasts_s, hour)
            self.assertIn(expected, self.server.fetch("GET", url[len(self.server.url):])[2])

    def test_another_region(self):
        import boto3
        client = boto3.client("s3", endpoint_url=self.server.url, region_name="eu-west-1", aws_access_key_id=self.server.key.id,
                              aws_secret_access_key=self.server.key.secret)
        with self.refused("AuthorizationHeaderMalformed", "The authorization header is malformed; the region 'eu-west-1' is wrong; expecting "
                          "'us-east-1'"):
            client.list_buckets()

    def test_an_operation_that_is_not_served(self):
        status, _, body = self.server.signed("sagemaker", "POST", "/", b"{}", {
            "Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "SageMaker.CreateNotebookInstance"})
        self.assertEqual(status, 400)
        self.assertIn(b'"__type":"UnknownOperationException"', body.replace(b" ", b""))
        self.assertIn(b"CreateNotebookInstance", body)
