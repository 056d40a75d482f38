"""ListMultipartUploads."""

from support.aws_case import S3Case, unique
from support.terrapin_server import ACCOUNT


class ListMultipartUploads(S3Case):
    def setUp(self):
        super().setUp()
        self.uploads = [(key, self.start_upload(key)) for key in ("a", "b/1", "b/2", "c", "c", "ü")]

    def list(self, **members):
        return self.s3.list_multipart_uploads(Bucket=self.bucket, **members)

    def shown(self, answer):
        return [(upload["Key"], upload["UploadId"]) for upload in answer.get("Uploads", [])]

    def test_every_member(self):
        answer = self.list(ExpectedBucketOwner=ACCOUNT)
        self.assertCountEqual(self.shown(answer), self.uploads)
        self.assertEqual([key for key, _ in self.shown(answer)], ["a", "b/1", "b/2", "c", "c", "ü"])
        first = answer["Uploads"][0]
        self.assertEqual((first["StorageClass"], first["Owner"]["ID"]), ("STANDARD", first["Initiator"]["ID"]))
        self.assertIn("Initiated", first)
        self.assertEqual((answer["Bucket"], answer["MaxUploads"], answer["IsTruncated"]), (self.bucket, 1000, False))

    def test_prefix_and_folders(self):
        self.assertEqual([key for key, _ in self.shown(self.list(Prefix="b/"))], ["b/1", "b/2"])
        answer = self.list(Delimiter="/")
        self.assertEqual([key for key, _ in self.shown(answer)], ["a", "c", "c", "ü"])
        self.assertEqual([item["Prefix"] for item in answer["CommonPrefixes"]], ["b/"])

    def test_pages(self):
        for size in (1, 2, 4):
            with self.subTest(size=size):
                page, seen = self.list(MaxUploads=size), []
                while True:
                    seen += self.shown(page)
                    if not page["IsTruncated"]:
                        break
                    page = self.list(MaxUploads=size, KeyMarker=page["NextKeyMarker"], UploadIdMarker=page["NextUploadIdMarker"])
                self.assertCountEqual(seen, self.uploads)
        pages = self.s3.get_paginator("list_multipart_uploads").paginate(Bucket=self.bucket, PaginationConfig={"PageSize": 2})
        self.assertCountEqual([entry for page in pages for entry in self.shown(page)], self.uploads)

    def test_encoded_keys(self):
        answer = self.list(EncodingType="url", Prefix="ü")
        self.assertEqual((answer["EncodingType"], answer["Uploads"][0]["Key"]), ("url", "%C3%BC"))

    def test_ended_uploads_are_not_shown(self):
        key, upload = self.uploads[0]
        self.complete(key, upload, self.upload_parts(key, upload, [b"x"]))
        key, upload = self.uploads[1]
        self.s3.abort_multipart_upload(Bucket=self.bucket, Key=key, UploadId=upload)
        self.assertCountEqual(self.shown(self.list()), self.uploads[2:])

    def test_values_that_may_not_be(self):
        with self.refused("InvalidArgument", "Argument max-uploads must be an integer between 0 and 2147483647"):
            self.list(MaxUploads=-1)
        with self.refused("InvalidArgument", "Invalid Encoding Method specified in Request"):
            self.list(EncodingType="base64")

    def test_a_missing_bucket_another_owner_another_key(self):
        with self.no_such_bucket():
            self.s3.list_multipart_uploads(Bucket=unique())
        with self.access_denied():
            self.list(ExpectedBucketOwner="999999999999")
        with self.access_denied():
            self.stranger().list_multipart_uploads(Bucket=self.bucket)
