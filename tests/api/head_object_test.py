"""HeadObject."""

import datetime

from support.aws_case import S3Case, unique
from support.terrapin_server import ACCOUNT


class HeadObject(S3Case):
    def setUp(self):
        super().setUp()
        self.etag = self.put("photo", b"0123456789", ContentType="image/jpeg", CacheControl="max-age=1", Metadata={"camera": "one"},
                             Tagging="a=1", ChecksumAlgorithm="SHA256")["ETag"]

    def head(self, key="photo", **members):
        return self.s3.head_object(Bucket=self.bucket, Key=key, **members)

    def test_the_headers_of_get(self):
        got = self.head(ExpectedBucketOwner=ACCOUNT)
        self.assertEqual((got["ContentLength"], got["ContentType"], got["CacheControl"], got["ETag"], got["Metadata"]),
                         (10, "image/jpeg", "max-age=1", self.etag, {"camera": "one"}))
        body = self.s3.get_object(Bucket=self.bucket, Key="photo")
        self.assertEqual(body["LastModified"], got["LastModified"])

    def test_checksums_when_asked(self):
        self.assertEqual(self.head(ChecksumMode="ENABLED")["ChecksumSHA256"], "hNiYd/DUBB77a/kaFvAkjy/Vc+avBcGflr7bn4gveII=")

    def test_ranges_and_parts(self):
        got = self.head(Range="bytes=2-5")
        self.assertEqual((got["ContentLength"], got["ResponseMetadata"]["HTTPHeaders"]["content-range"]), (4, "bytes 2-5/10"))
        self.assertEqual(self.head(PartNumber=1)["ContentLength"], 10)
        with self.refused("416", "Requested Range Not Satisfiable", 416):
            self.head(Range="bytes=10-")

    def test_conditions(self):
        self.head(IfMatch=self.etag, IfModifiedSince=datetime.datetime(2020, 1, 1))
        with self.refused("412", "Precondition Failed", 412):
            self.head(IfMatch='"other"')
        with self.refused("304", "Not Modified", 304):
            self.head(IfNoneMatch=self.etag)

    def test_what_is_missing(self):
        with self.not_found():
            self.head("other")
        with self.not_found():
            self.s3.head_object(Bucket=unique(), Key="photo")

    def test_another_owner_key_or_version(self):
        with self.refused("403", "Forbidden", 403):
            self.head(ExpectedBucketOwner="999999999999")
        with self.refused("403", "Forbidden", 403):
            self.stranger().head_object(Bucket=self.bucket, Key="photo")
        with self.refused("400", "Bad Request", 400):
            self.head(VersionId="other")

    def test_the_waiters_of_the_client(self):
        self.s3.get_waiter("object_exists").wait(Bucket=self.bucket, Key="photo", WaiterConfig={"MaxAttempts": 1})
        self.s3.get_waiter("object_not_exists").wait(Bucket=self.bucket, Key="none", WaiterConfig={"MaxAttempts": 1})
