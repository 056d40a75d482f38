"""DeleteBucket."""

from support.aws_case import S3Case, unique
from support.terrapin_server import ACCOUNT


class DeleteBucket(S3Case):
    def test_an_empty_bucket_goes(self):
        self.s3.delete_bucket(Bucket=self.bucket, ExpectedBucketOwner=ACCOUNT)
        with self.not_found():
            self.s3.head_bucket(Bucket=self.bucket)
        with self.no_such_bucket():
            self.s3.list_objects_v2(Bucket=self.bucket)

    def test_it_can_be_made_again_and_is_empty(self):
        self.put("a/b")
        self.s3.delete_object(Bucket=self.bucket, Key="a/b")
        self.s3.delete_bucket(Bucket=self.bucket)
        self.s3.create_bucket(Bucket=self.bucket)
        self.assertEqual(self.keys(), [])

    def test_one_with_objects_stays(self):
        self.put("folder/kept")
        with self.refused("BucketNotEmpty", "The bucket you tried to delete is not empty", 409):
            self.s3.delete_bucket(Bucket=self.bucket)
        self.assertEqual(self.keys(), ["folder/kept"])

    def test_a_missing_one(self):
        with self.no_such_bucket():
            self.s3.delete_bucket(Bucket=unique())

    def test_another_owner_is_expected(self):
        with self.access_denied():
            self.s3.delete_bucket(Bucket=self.bucket, ExpectedBucketOwner="999999999999")

    def test_a_key_of_other_buckets(self):
        with self.access_denied():
            self.stranger().delete_bucket(Bucket=self.bucket)
