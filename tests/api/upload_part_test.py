"""UploadPart."""

import base64
import hashlib

from support.aws_case import BOTOCORE, S3Case
from support.terrapin_server import ACCOUNT


class UploadPart(S3Case):
    def setUp(self):
        super().setUp()
        self.upload = self.start_upload()

    def part(self, number=1, body=b"part", **members):
        return self.s3.upload_part(Bucket=self.bucket, Key="large", UploadId=self.upload, PartNumber=number, Body=body, **members)

    def test_a_part_and_its_etag(self):
        md5 = hashlib.md5(b"part").digest()
        answer = self.part(ContentLength=4, ContentMD5=base64.b64encode(md5).decode(), ExpectedBucketOwner=ACCOUNT)
        self.assertEqual(answer["ETag"], f'"{md5.hex()}"')

    def test_again_replaces_it(self):
        self.part(body=b"old")
        etag = self.part(body=b"new")["ETag"]
        self.complete("large", self.upload, [{"PartNumber": 1, "ETag": etag}])
        self.assertEqual(self.s3.get_object(Bucket=self.bucket, Key="large")["Body"].read(), b"new")

    def test_numbers(self):
        self.part(10000)
        for number in (0, 10001, -1):
            with self.subTest(number), self.refused("InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive"):
                self.part(number)

    def test_digests(self):
        with self.refused("BadDigest", "The Content-MD5 you specified did not match what we received."):
            self.part(ContentMD5=base64.b64encode(hashlib.md5(b"other").digest()).decode())
        sha = base64.b64encode(hashlib.sha256(b"part").digest()).decode()
        self.assertEqual(self.part(ChecksumAlgorithm="SHA256")["ChecksumSHA256"], sha)
        with self.refused("BadDigest", "The SHA256 you specified did not match the calculated checksum."):
            self.part(ChecksumSHA256=base64.b64encode(hashlib.sha256(b"other").digest()).decode())

    def test_uploads_that_are_none(self):
        with self.no_such_upload():
            self.s3.upload_part(Bucket=self.bucket, Key="large", UploadId="none", PartNumber=1, Body=b"")
        with self.no_such_upload():
            self.s3.upload_part(Bucket=self.bucket, Key="another", UploadId=self.upload, PartNumber=1, Body=b"")

    def test_another_owner_or_key(self):
        with self.access_denied():
            self.part(ExpectedBucketOwner="999999999999")
        with self.access_denied():
            self.stranger().upload_part(Bucket=self.bucket, Key="large", UploadId=self.upload, PartNumber=1, Body=b"")

    if BOTOCORE >= (1, 36):
        def test_clients_of_today_send_a_checksum_unasked(self):
            self.assertEqual(self.part(body=b"123456789")["ChecksumCRC32"], "y/Q5Jg==")
