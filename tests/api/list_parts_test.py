"""ListParts."""

from support.aws_case import BOTOCORE, S3Case
from support.terrapin_server import ACCOUNT


class ListParts(S3Case):
    def setUp(self):
        super().setUp()
        self.upload = self.start_upload("key with ü")
        for number in (1, 2, 5, 7, 10000):
            self.s3.upload_part(Bucket=self.bucket, Key="key with ü", UploadId=self.upload, PartNumber=number, Body=b"x" * number)

    def list(self, **members):
        return self.s3.list_parts(Bucket=self.bucket, Key="key with ü", UploadId=self.upload, **members)

    def test_every_member(self):
        answer = self.list(ExpectedBucketOwner=ACCOUNT)
        self.assertEqual([(part["PartNumber"], part["Size"]) for part in answer["Parts"]], [(n, n) for n in (1, 2, 5, 7, 10000)])
        self.assertEqual(answer["Parts"][0]["ETag"], '"9dd4e461268c8034f5c8564e155c67a6"')
        self.assertIn("LastModified", answer["Parts"][0])
        self.assertEqual((answer["Bucket"], answer["Key"], answer["UploadId"], answer["IsTruncated"], answer["MaxParts"], answer["StorageClass"]),
                         (self.bucket, "key with ü", self.upload, False, 1000, "STANDARD"))
        self.assertEqual(answer["Owner"]["ID"], answer["Initiator"]["ID"])

    def test_pages(self):
        page, numbers = self.list(MaxParts=2), []
        while True:
            numbers.append([part["PartNumber"] for part in page["Parts"]])
            if not page["IsTruncated"]:
                break
            page = self.list(MaxParts=2, PartNumberMarker=page["NextPartNumberMarker"])
        self.assertEqual(numbers, [[1, 2], [5, 7], [10000]])
        pages = self.s3.get_paginator("list_parts").paginate(Bucket=self.bucket, Key="key with ü", UploadId=self.upload,
                                                             PaginationConfig={"PageSize": 3})
        self.assertEqual([part["PartNumber"] for page in pages for part in page["Parts"]], [1, 2, 5, 7, 10000])

    def test_an_upload_without_parts(self):
        upload = self.start_upload("empty")
        answer = self.s3.list_parts(Bucket=self.bucket, Key="empty", UploadId=upload)
        self.assertEqual((answer.get("Parts", []), answer["IsTruncated"]), ([], False))

    def test_values_that_may_not_be(self):
        with self.refused("InvalidArgument", "Argument max-parts must be an integer between 0 and 2147483647"):
            self.list(MaxParts=-1)
        with self.refused("InvalidArgument", "Argument part-number-marker must be an integer between 0 and 2147483647"):
            self.list(PartNumberMarker=-1)

    def test_uploads_that_are_none(self):
        with self.no_such_upload():
            self.s3.list_parts(Bucket=self.bucket, Key="key with ü", UploadId="none")
        self.s3.abort_multipart_upload(Bucket=self.bucket, Key="key with ü", UploadId=self.upload)
        with self.no_such_upload():
            self.list()

    def test_another_owner_or_key(self):
        with self.access_denied():
            self.list(ExpectedBucketOwner="999999999999")
        with self.access_denied():
            self.stranger().list_parts(Bucket=self.bucket, Key="key with ü", UploadId=self.upload)

    if BOTOCORE >= (1, 36):
        def test_checksums_of_parts(self):
            upload = self.start_upload("summed", ChecksumAlgorithm="CRC32")
            self.s3.upload_part(Bucket=self.bucket, Key="summed", UploadId=upload, PartNumber=1, Body=b"123456789", ChecksumAlgorithm="CRC32")
            answer = self.s3.list_parts(Bucket=self.bucket, Key="summed", UploadId=upload)
            self.assertEqual((answer["ChecksumAlgorithm"], answer["Parts"][0]["ChecksumCRC32"]), ("CRC32", "y/Q5Jg=="))
