"""UploadPartCopy."""

import datetime
import hashlib

from support.aws_case import S3Case, unique
from support.terrapin_server import ACCOUNT

FAILED = "At least one of the pre-conditions you specified did not hold"


class UploadPartCopy(S3Case):
    def setUp(self):
        super().setUp()
        self.etag = self.put("source", b"0123456789")["ETag"]
        self.upload = self.start_upload()

    def copy(self, number=1, source="source", **members):
        return self.s3.upload_part_copy(Bucket=self.bucket, Key="large", UploadId=self.upload, PartNumber=number,
                                        CopySource={"Bucket": self.bucket, "Key": source}, **members)["CopyPartResult"]

    def test_a_part_of_another_object(self):
        whole = self.copy(ExpectedBucketOwner=ACCOUNT, ExpectedSourceBucketOwner=ACCOUNT)
        self.assertEqual(whole["ETag"], self.etag)
        part = self.copy(CopySourceRange="bytes=2-5")
        self.assertEqual(part["ETag"], f'"{hashlib.md5(b"2345").hexdigest()}"')
        self.complete("large", self.upload, [{"PartNumber": 1, "ETag": part["ETag"]}])
        self.assertEqual(self.s3.get_object(Bucket=self.bucket, Key="large")["Body"].read(), b"2345")

    def test_ranges_that_may_not_be(self):
        with self.refused("InvalidArgument", "Range specified is not valid for source object of size: 10"):
            self.copy(CopySourceRange="bytes=2-10")
        with self.refused("InvalidArgument", "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last "
                          "are the zero-based offsets of the first and last bytes to copy"):
            self.copy(CopySourceRange="bytes=2-")

    def test_conditions_on_the_source(self):
        past = datetime.datetime(2020, 1, 1)
        self.copy(CopySourceIfMatch=self.etag, CopySourceIfModifiedSince=past)
        for members in ({"CopySourceIfMatch": '"other"'}, {"CopySourceIfNoneMatch": self.etag}, {"CopySourceIfUnmodifiedSince": past}):
            with self.subTest(members), self.refused("PreconditionFailed", FAILED, 412):
                self.copy(**members)

    def test_what_is_missing(self):
        with self.no_such_key():
            self.copy(source="missing")
        with self.no_such_bucket():
            self.s3.upload_part_copy(Bucket=self.bucket, Key="large", UploadId=self.upload, PartNumber=1, CopySource=f"{unique()}/source")
        with self.no_such_upload():
            self.s3.upload_part_copy(Bucket=self.bucket, Key="large", UploadId="none", PartNumber=1, CopySource=f"{self.bucket}/source")
        with self.refused("InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive"):
            self.copy(0)

    def test_another_owner_or_key(self):
        for member in ("ExpectedBucketOwner", "ExpectedSourceBucketOwner"):
            with self.subTest(member), self.access_denied():
                self.copy(**{member: "999999999999"})
        with self.access_denied():
            self.stranger().upload_part_copy(Bucket=self.bucket, Key="large", UploadId=self.upload, PartNumber=1, CopySource=f"{self.bucket}/source")
