"""DeleteObject."""

from support.aws_case import BOTOCORE, S3Case, unique
from support.terrapin_server import ACCOUNT


class DeleteObject(S3Case):
    def delete(self, key, **members):
        return self.s3.delete_object(Bucket=self.bucket, Key=key, **members)

    def test_the_object_goes_and_its_neighbours_stay(self):
        for key in ("a", "a/b", "ab"):
            self.put(key)
        answer = self.delete("a", ExpectedBucketOwner=ACCOUNT)
        self.assertEqual(answer["ResponseMetadata"]["HTTPStatusCode"], 204)
        self.assertEqual(self.keys(), ["a/b", "ab"])
        with self.no_such_key():
            self.s3.get_object(Bucket=self.bucket, Key="a")

    def test_what_is_not_there_is_deleted_too(self):
        self.assertEqual(self.delete("never")["ResponseMetadata"]["HTTPStatusCode"], 204)

    def test_headers_do_not_outlive_it(self):
        self.put("key", Metadata={"old": "yes"}, Tagging="a=1")
        self.delete("key", VersionId="null")
        self.put("key")
        head = self.s3.head_object(Bucket=self.bucket, Key="key")
        self.assertEqual((head["Metadata"], head.get("TagCount")), ({}, None))

    def test_a_missing_bucket(self):
        with self.no_such_bucket():
            self.s3.delete_object(Bucket=unique(), Key="key")

    def test_a_version_that_is_none(self):
        self.put("key")
        with self.refused("InvalidArgument", "Invalid version id specified"):
            self.delete("key", VersionId="other")
        self.assertEqual(self.keys(), ["key"])

    def test_another_owner_or_key(self):
        self.put("key")
        with self.access_denied():
            self.delete("key", ExpectedBucketOwner="999999999999")
        with self.access_denied():
            self.stranger().delete_object(Bucket=self.bucket, Key="key")
        self.assertEqual(self.keys(), ["key"])

    if BOTOCORE >= (1, 36):
        def test_only_a_known_object(self):
            """If-Match: "Deletes the object if the ETag of the object in S3 matches the ETag value specified"."""
            etag = self.put("key", b"first")["ETag"]
            self.put("key", b"second")
            with self.refused("PreconditionFailed", "At least one of the pre-conditions you specified did not hold", 412):
                self.delete("key", IfMatch=etag)
            self.assertEqual(self.keys(), ["key"])
            self.delete("key", IfMatch=self.s3.head_object(Bucket=self.bucket, Key="key")["ETag"])
            self.assertEqual(self.keys(), [])
            self.put("key")
            self.delete("key", IfMatch="*")
            with self.no_such_key():
                self.delete("key", IfMatch="*")

        def test_what_only_directory_buckets_serve_is_named(self):
            self.put("key", b"1234")
            with self.refused("NotImplemented", status=501) as caught:
                self.delete("key", IfMatchSize=4)
            self.assertIn("x-amz-if-match-size", caught.exception.response["Error"]["Message"])
            self.assertEqual(self.keys(), ["key"])
