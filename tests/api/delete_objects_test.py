"""DeleteObjects."""

from support.aws_case import BOTOCORE, S3Case, unique
from support.terrapin_server import ACCOUNT

MALFORMED = "The XML you provided was not well-formed or did not validate against our published schema"


class DeleteObjects(S3Case):
    def delete(self, keys, quiet=False, **members):
        return self.s3.delete_objects(Bucket=self.bucket, Delete={"Objects": [{"Key": key} for key in keys], "Quiet": quiet}, **members)

    def test_each_is_told(self):
        keys = ["a", "a/b", "with space", "ümlaut", "<&>", "never there"]
        for key in keys[:-1] + ["kept"]:
            self.put(key)
        answer = self.delete(keys, ExpectedBucketOwner=ACCOUNT)
        self.assertEqual([item["Key"] for item in answer["Deleted"]], keys)
        self.assertNotIn("Errors", answer)
        self.assertEqual(self.keys(), ["kept"])

    def test_quiet_tells_errors_only(self):
        self.put("a")
        answer = self.s3.delete_objects(Bucket=self.bucket, Delete={
            "Quiet": True, "Objects": [{"Key": "a", "VersionId": "null"}, {"Key": "b", "VersionId": "other"}]})
        self.assertNotIn("Deleted", answer)
        self.assertEqual([(item["Key"], item["Code"], item["Message"]) for item in answer["Errors"]],
                         [("b", "InvalidArgument", "Invalid version id specified")])
        self.assertEqual(self.keys(), [])

    def test_a_thousand_and_no_more(self):
        keys = [f"key{index:04}" for index in range(1000)]
        for key in keys[:3]:
            self.put(key)
        self.assertEqual(len(self.delete(keys)["Deleted"]), 1000)
        self.assertEqual(self.keys(), [])
        with self.refused("MalformedXML", MALFORMED):
            self.delete(keys + ["one more"])

    def test_none_at_all(self):
        with self.refused("MalformedXML", MALFORMED):
            self.delete([])

    def test_a_key_that_is_too_long_spoils_itself_alone(self):
        self.put("short")
        answer = self.delete(["short", "k" * 1025])
        self.assertEqual([item["Key"] for item in answer["Deleted"]], ["short"])
        self.assertEqual([(item["Code"], item["Message"]) for item in answer["Errors"]], [("KeyTooLongError", "Your key is too long")])

    def test_without_a_checksum(self):
        body = b"<Delete><Object><Key>a</Key></Object></Delete>"
        self.put("a")
        status, _, answer = self.server.signed("s3", "POST", f"/{self.bucket}?delete=", body)
        self.assertEqual(status, 400)
        self.assertIn(b"<Code>InvalidRequest</Code><Message>Missing required header for this request: Content-MD5 OR "
                      b"x-amz-checksum-*</Message>", answer)
        self.assertEqual(self.keys(), ["a"])

    def test_a_missing_bucket_another_owner_another_key(self):
        objects = {"Objects": [{"Key": "a"}]}
        with self.no_such_bucket():
            self.s3.delete_objects(Bucket=unique(), Delete=objects)
        with self.access_denied():
            self.s3.delete_objects(Bucket=self.bucket, Delete=objects, ExpectedBucketOwner="999999999999")
        with self.access_denied():
            self.stranger().delete_objects(Bucket=self.bucket, Delete=objects)

    if BOTOCORE >= (1, 36):
        def test_only_known_objects(self):
            etag = self.put("a", b"first")["ETag"]
            self.put("b", b"second")
            answer = self.s3.delete_objects(Bucket=self.bucket, Delete={"Objects": [{"Key": key, "ETag": etag} for key in ("a", "b", "none")]})
            self.assertEqual([item["Key"] for item in answer["Deleted"]], ["a"])
            self.assertEqual({item["Key"]: item["Code"] for item in answer["Errors"]}, {"b": "PreconditionFailed", "none": "NoSuchKey"})
            self.assertEqual(self.keys(), ["b"])

        def test_each_checksum(self):
            for name in ("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"):
                with self.subTest(name):
                    self.put("a")
                    self.delete(["a"], ChecksumAlgorithm=name)
                    self.assertEqual(self.keys(), [])
