"""HeadBucket."""

from support.aws_case import S3Case, unique
from support.terrapin_server import ACCOUNT, REGION


class HeadBucket(S3Case):
    def test_tells_the_region(self):
        answer = self.s3.head_bucket(Bucket=self.bucket, ExpectedBucketOwner=ACCOUNT)
        self.assertEqual(answer["ResponseMetadata"]["HTTPHeaders"]["x-amz-bucket-region"], REGION)

    def test_a_missing_one(self):
        with self.not_found():
            self.s3.head_bucket(Bucket=unique())

    def test_an_invalid_name(self):
        with self.refused("400", "Bad Request", 400):
            self.s3.head_bucket(Bucket="Upper")

    def test_another_owner_or_key(self):
        with self.refused("403", "Forbidden", 403):
            self.s3.head_bucket(Bucket=self.bucket, ExpectedBucketOwner="999999999999")
        with self.refused("403", "Forbidden", 403):
            self.stranger().head_bucket(Bucket=self.bucket)

    def test_the_waiter_of_the_client(self):
        self.s3.get_waiter("bucket_exists").wait(Bucket=self.bucket, WaiterConfig={"MaxAttempts": 1})
        self.s3.get_waiter("bucket_not_exists").wait(Bucket=unique(), WaiterConfig={"MaxAttempts": 1})
