"""CopyObject."""

import datetime

from support.aws_case import S3Case, unique
from support.terrapin_server import ACCOUNT

FAILED = "At least one of the pre-conditions you specified did not hold"


class CopyObject(S3Case):
    def setUp(self):
        super().setUp()
        self.etag = self.put("source", b"content", ContentType="image/jpeg", CacheControl="max-age=1", Metadata={"camera": "one"},
                             Tagging="a=1")["ETag"]

    def copy(self, key="target", source="source", **members):
        return self.s3.copy_object(Bucket=self.bucket, Key=key, CopySource={"Bucket": self.bucket, "Key": source}, **members)

    def head(self, key="target"):
        return self.s3.head_object(Bucket=self.bucket, Key=key)

    def test_bytes_headers_and_tags(self):
        answer = self.copy(ExpectedBucketOwner=ACCOUNT, ExpectedSourceBucketOwner=ACCOUNT)["CopyObjectResult"]
        self.assertEqual(answer["ETag"], self.etag)
        self.assertEqual(self.s3.get_object(Bucket=self.bucket, Key="target")["Body"].read(), b"content")
        head = self.head()
        self.assertEqual((head["ContentType"], head["CacheControl"], head["Metadata"]), ("image/jpeg", "max-age=1", {"camera": "one"}))
        self.assertEqual(self.s3.get_object_tagging(Bucket=self.bucket, Key="target")["TagSet"], [{"Key": "a", "Value": "1"}])

    def test_to_another_bucket(self):
        other = unique()
        self.s3.create_bucket(Bucket=other)
        self.s3.copy_object(Bucket=other, Key="deep/target", CopySource=f"/{self.bucket}/source")
        self.assertEqual(self.s3.get_object(Bucket=other, Key="deep/target")["Body"].read(), b"content")

    def test_headers_replaced(self):
        self.copy(MetadataDirective="REPLACE", ContentType="image/png", Metadata={"new": "yes"}, ContentLanguage="de", Expires=datetime.datetime(2030, 1, 1),
                  ContentDisposition="inline", ContentEncoding="identity", TaggingDirective="REPLACE", Tagging="b=2", StorageClass="STANDARD")
        head = self.head()
        self.assertEqual((head["ContentType"], head["Metadata"], head.get("CacheControl"), head["ContentLanguage"], head["ContentDisposition"]),
                         ("image/png", {"new": "yes"}, None, "de", "inline"))
        self.assertEqual(self.s3.get_object_tagging(Bucket=self.bucket, Key="target")["TagSet"], [{"Key": "b", "Value": "2"}])

    def test_onto_itself(self):
        with self.refused("InvalidRequest", "This copy request is illegal because it is trying to copy an object to itself without changing "
                          "the object's metadata, storage class, website redirect location or encryption attributes."):
            self.copy("source")
        self.copy("source", MetadataDirective="REPLACE", Metadata={"camera": "two"})
        self.assertEqual(self.head("source")["Metadata"], {"camera": "two"})
        self.assertEqual(self.s3.get_object(Bucket=self.bucket, Key="source")["Body"].read(), b"content")

    def test_a_checksum_that_the_source_lacks(self):
        answer = self.copy(ChecksumAlgorithm="SHA256")["CopyObjectResult"]
        self.assertEqual(answer["ChecksumSHA256"], "7XACtDnprIRfIjV9giusFERzD722AW0+yUMil7nsn3M=")

    def test_conditions_on_the_source(self):
        past, future = datetime.datetime(2020, 1, 1), datetime.datetime(2035, 1, 1)
        self.copy(CopySourceIfMatch=self.etag, CopySourceIfUnmodifiedSince=past)
        self.copy(CopySourceIfNoneMatch='"other"', CopySourceIfModifiedSince=past)
        for members in ({"CopySourceIfMatch": '"other"'}, {"CopySourceIfNoneMatch": self.etag}, {"CopySourceIfModifiedSince": self.head("source")["LastModified"]},
                        {"CopySourceIfUnmodifiedSince": past}, {"CopySourceIfNoneMatch": self.etag, "CopySourceIfModifiedSince": past}):
            with self.subTest(members), self.refused("PreconditionFailed", FAILED, 412):
                self.copy("never", **members)
        self.copy(CopySourceIfUnmodifiedSince=future)
        with self.not_found():
            self.head("never")

    def test_keys_with_every_character(self):
        for key in ("with space", "plus+", "ümlaut/日本", "per%cent", "q?x=1", "a&b"):
            with self.subTest(key):
                self.put(key, key.encode())
                self.copy("copy of " + key, key)
                self.assertEqual(self.s3.get_object(Bucket=self.bucket, Key="copy of " + key)["Body"].read(), key.encode())

    def test_sources_that_are_missing_or_none(self):
        with self.no_such_key():
            self.copy(source="missing")
        with self.no_such_bucket():
            self.s3.copy_object(Bucket=self.bucket, Key="target", CopySource=f"{unique()}/key")
        with self.no_such_bucket():
            self.s3.copy_object(Bucket=unique(), Key="target", CopySource=f"{self.bucket}/source")
        with self.refused("InvalidArgument", "Invalid version id specified"):
            self.s3.copy_object(Bucket=self.bucket, Key="target", CopySource=f"{self.bucket}/source?versionId=other")
        with self.refused("InvalidArgument", "Copy Source must mention the source bucket and key: sourcebucket/sourcekey"):
            self.s3.copy_object(Bucket=self.bucket, Key="target", CopySource="nothing")

    def test_directives_that_are_none(self):
        with self.refused("InvalidArgument", "Unknown metadata directive."):
            self.copy(MetadataDirective="MERGE")

    def test_another_owner_or_key(self):
        for member in ("ExpectedBucketOwner", "ExpectedSourceBucketOwner"):
            with self.subTest(member), self.access_denied():
                self.copy(**{member: "999999999999"})
        mine = unique()
        client = self.server.client("s3", self.server.key_of("requester", mine, [mine]))
        client.create_bucket(Bucket=mine)
        with self.access_denied():
            client.copy_object(Bucket=mine, Key="stolen", CopySource=f"{self.bucket}/source")
