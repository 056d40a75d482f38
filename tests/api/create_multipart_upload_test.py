"""CreateMultipartUpload."""

import datetime

from support.aws_case import BOTOCORE, S3Case, unique
from support.terrapin_server import ACCOUNT


class CreateMultipartUpload(S3Case):
    def test_every_member_reaches_the_object(self):
        answer = self.s3.create_multipart_upload(
            Bucket=self.bucket, Key="large", ACL="private", CacheControl="max-age=1", ContentDisposition="inline", ContentEncoding="identity",
            ContentLanguage="de", ContentType="image/png", Expires=datetime.datetime(2030, 1, 1), ExpectedBucketOwner=ACCOUNT,
            Metadata={"camera": "one"}, ServerSideEncryption="AES256", StorageClass="STANDARD", Tagging="a=1")
        self.assertEqual((answer["Bucket"], answer["Key"]), (self.bucket, "large"))
        self.assertEqual(self.keys(), [])
        self.complete("large", answer["UploadId"], self.upload_parts("large", answer["UploadId"], [b"content"]))
        head = self.s3.head_object(Bucket=self.bucket, Key="large")
        self.assertEqual([head[name] for name in ("CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage", "ContentType", "Metadata")],
                         ["max-age=1", "inline", "identity", "de", "image/png", {"camera": "one"}])
        self.assertEqual(self.s3.get_object_tagging(Bucket=self.bucket, Key="large")["TagSet"], [{"Key": "a", "Value": "1"}])

    def test_each_call_begins_another(self):
        self.assertNotEqual(self.start_upload(), self.start_upload())

    def test_what_is_not_served_is_named(self):
        with self.refused("NotImplemented", status=501) as caught:
            self.start_upload(ServerSideEncryption="aws:kms")
        self.assertIn("x-amz-server-side-encryption", caught.exception.response["Error"]["Message"])
        with self.refused("InvalidStorageClass", "The storage class you specified is not valid"):
            self.start_upload(StorageClass="GLACIER")
        with self.refused("AccessControlListNotSupported", "The bucket does not allow ACLs"):
            self.start_upload(ACL="public-read")

    def test_a_key_that_is_too_long(self):
        with self.refused("KeyTooLongError", "Your key is too long"):
            self.start_upload("k" * 1025)

    def test_a_missing_bucket_another_owner_another_key(self):
        with self.no_such_bucket():
            self.s3.create_multipart_upload(Bucket=unique(), Key="large")
        with self.access_denied():
            self.start_upload(ExpectedBucketOwner="999999999999")
        with self.access_denied():
            self.stranger().create_multipart_upload(Bucket=self.bucket, Key="large")

    if BOTOCORE >= (1, 36):
        def test_checksums(self):
            for name, kind in (("CRC32", "COMPOSITE"), ("CRC32", "FULL_OBJECT"), ("CRC64NVME", "FULL_OBJECT"), ("SHA256", "COMPOSITE")):
                with self.subTest(name=name, kind=kind):
                    answer = self.s3.create_multipart_upload(Bucket=self.bucket, Key="large", ChecksumAlgorithm=name, ChecksumType=kind)
                    self.assertEqual((answer["ChecksumAlgorithm"], answer["ChecksumType"]), (name, kind))

        def test_a_sha_of_the_whole_cannot_be_made_of_parts(self):
            with self.refused("InvalidRequest", "The FULL_OBJECT checksum type cannot be used with the sha256 checksum algorithm."):
                self.start_upload(ChecksumAlgorithm="SHA256", ChecksumType="FULL_OBJECT")
