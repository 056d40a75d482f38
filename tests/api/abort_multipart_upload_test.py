"""AbortMultipartUpload."""

from support.aws_case import S3Case, unique
from support.terrapin_server import ACCOUNT


class AbortMultipartUpload(S3Case):
    def abort(self, upload, key="large", **members):
        return self.s3.abort_multipart_upload(Bucket=self.bucket, Key=key, UploadId=upload, **members)

    def test_nothing_of_it_stays(self):
        upload = self.start_upload()
        parts = self.upload_parts("large", upload, [b"content"])
        answer = self.abort(upload, ExpectedBucketOwner=ACCOUNT)
        self.assertEqual(answer["ResponseMetadata"]["HTTPStatusCode"], 204)
        self.assertEqual(self.keys(), [])
        with self.no_such_upload():
            self.complete("large", upload, parts)
        self.s3.delete_bucket(Bucket=self.bucket)

    def test_the_object_of_that_key_stays(self):
        self.put("large", b"kept")
        self.abort(self.start_upload())
        self.assertEqual(self.s3.get_object(Bucket=self.bucket, Key="large")["Body"].read(), b"kept")

    def test_uploads_that_are_none(self):
        upload = self.start_upload()
        for identity, key in (("none", "large"), (upload, "another")):
            with self.subTest(identity=identity, key=key), self.no_such_upload():
                self.abort(identity, key)
        self.abort(upload)
        with self.no_such_upload():
            self.abort(upload)
        with self.no_such_bucket():
            self.s3.abort_multipart_upload(Bucket=unique(), Key="large", UploadId=upload)

    def test_another_owner_or_key(self):
        upload = self.start_upload()
        with self.access_denied():
            self.abort(upload, ExpectedBucketOwner="999999999999")
        with self.access_denied():
            self.stranger().abort_multipart_upload(Bucket=self.bucket, Key="large", UploadId=upload)
        self.abort(upload)
