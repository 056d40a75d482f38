"""GetBucketLocation."""

from support.aws_case import AwsCase, S3Case, unique
from support.terrapin_server import ACCOUNT


class GetBucketLocation(S3Case):
    def test_the_first_region_is_told_by_nothing(self):
        answer = self.s3.get_bucket_location(Bucket=self.bucket, ExpectedBucketOwner=ACCOUNT)
        self.assertIsNone(answer["LocationConstraint"])

    def test_a_missing_bucket(self):
        with self.no_such_bucket():
            self.s3.get_bucket_location(Bucket=unique())

    def test_another_owner_or_key(self):
        with self.access_denied():
            self.s3.get_bucket_location(Bucket=self.bucket, ExpectedBucketOwner="999999999999")
        with self.access_denied():
            self.stranger().get_bucket_location(Bucket=self.bucket)


class GetBucketLocationInAnotherRegion(AwsCase):
    region = "eu-west-1"

    def test_its_name(self):
        bucket = unique()
        self.s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        self.assertEqual(self.s3.get_bucket_location(Bucket=bucket)["LocationConstraint"], "eu-west-1")
