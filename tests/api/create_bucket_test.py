"""CreateBucket."""

from support.aws_case import AwsCase, S3Case, unique
from support.terrapin_server import ACCOUNT


class CreateBucket(S3Case):
    def test_makes_an_empty_bucket_and_says_where(self):
        name = unique()
        answer = self.s3.create_bucket(Bucket=name, ACL="private", ObjectLockEnabledForBucket=False,
                                       ObjectOwnership="BucketOwnerEnforced")
        self.assertEqual(answer["Location"], "/" + name)
        self.assertEqual(self.keys(name), [])
        self.assertIn(name, [bucket["Name"] for bucket in self.s3.list_buckets()["Buckets"]])

    def test_names_of_every_allowed_kind(self):
        for name in (unique("b")[:3], "0" + unique(), unique("with.dots.and-hyphens"), unique("x" * 49)[:63]):
            with self.subTest(name):
                self.s3.create_bucket(Bucket=name)
                self.s3.head_bucket(Bucket=name)

    def test_names_of_the_services_own_addresses(self):
        """/metrics and /healthz are pages for those who do not sign."""
        for name in ("metrics", "healthz", "oauth2"):
            with self.subTest(name):
                self.s3.create_bucket(Bucket=name)
                self.s3.put_object(Bucket=name, Key="_/api/me", Body=b"mine")
                self.s3.head_bucket(Bucket=name)
                self.assertEqual(self.keys(name), ["_/api/me"])
                self.assertEqual(self.s3.get_object(Bucket=name, Key="_/api/me")["Body"].read(), b"mine")
                self.s3.delete_object(Bucket=name, Key="_/api/me")
                self.s3.delete_bucket(Bucket=name)

    def test_names_that_no_bucket_can_have(self):
        for name in ("ab", "Upper", "under_score", "two..dots", "192.168.5.4", "-begins", "ends-", "xn--begins", "b" * 64,
                     "ends-s3alias", "crowd-html-elements.js"):
            with self.subTest(name), self.refused("InvalidBucketName", "The specified bucket is not valid."):
                self.s3.create_bucket(Bucket=name)

    def test_again_in_the_first_region_is_no_error(self):
        """"If you re-create an existing bucket that you already own in the North Virginia Region, Amazon S3 returns 200 OK"."""
        self.put("kept")
        self.s3.create_bucket(Bucket=self.bucket)
        self.assertEqual(self.keys(), ["kept"])

    def test_another_region_is_refused(self):
        with self.refused("IllegalLocationConstraintException", "The eu-west-1 location constraint is incompatible for the "
                          "region specific endpoint this request was sent to."):
            self.s3.create_bucket(Bucket=unique(), CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})

    def test_what_is_not_served_is_named(self):
        for members, code, status, message in (
                ({"ACL": "public-read"}, "AccessControlListNotSupported", 400, "The bucket does not allow ACLs"),
                ({"GrantRead": "id=1"}, "AccessControlListNotSupported", 400, "The bucket does not allow ACLs"),
                ({"ObjectLockEnabledForBucket": True}, "NotImplemented", 501, None)):
            name = unique()
            with self.subTest(members):
                with self.refused(code, message, status):
                    self.s3.create_bucket(Bucket=name, **members)
                with self.not_found():
                    self.s3.head_bucket(Bucket=name)

    def test_a_body_that_is_no_configuration(self):
        status, _, body = self.server.signed("s3", "PUT", "/" + unique(), b"<CreateBucketConfiguration><Locat")
        self.assertEqual(status, 400)
        self.assertIn(b"<Code>MalformedXML</Code><Message>The XML you provided was not well-formed or did not validate against "
                      b"our published schema</Message>", body)

    def test_a_key_of_other_buckets(self):
        with self.access_denied():
            self.stranger().create_bucket(Bucket=unique())


class CreateBucketInAnotherRegion(AwsCase):
    region = "eu-west-1"

    def test_again_is_refused(self):
        name = unique()
        where = {"LocationConstraint": "eu-west-1"}
        self.s3.create_bucket(Bucket=name, CreateBucketConfiguration=where)
        with self.refused("BucketAlreadyOwnedByYou",
                          "Your previous request to create the named bucket succeeded and you already own it.", 409):
            self.s3.create_bucket(Bucket=name, CreateBucketConfiguration=where)

    def test_the_account_is_the_installations(self):
        self.assertEqual(self.server.client("sts").get_caller_identity()["Account"], ACCOUNT)
