"""ListBuckets."""

import datetime

from support.aws_case import BOTOCORE, S3Case, unique
from support.terrapin_server import REGION


class ListBuckets(S3Case):
    def test_every_bucket_by_name(self):
        answer = self.s3.list_buckets()
        names = [bucket["Name"] for bucket in answer["Buckets"]]
        self.assertIn(self.bucket, names)
        self.assertEqual(names, sorted(names))
        self.assertRegex(answer["Owner"]["ID"], "^[0-9a-f]{64}$")
        made = next(bucket["CreationDate"] for bucket in answer["Buckets"] if bucket["Name"] == self.bucket)
        self.assertLess(abs((datetime.datetime.now(datetime.timezone.utc) - made).total_seconds()), 300)

    def test_a_key_sees_its_own(self):
        client = self.server.client("s3", self.server.key_of("requester", "somebody", [self.bucket]))
        self.assertEqual([bucket["Name"] for bucket in client.list_buckets()["Buckets"]], [self.bucket])

    def test_an_invoke_key_sees_none(self):
        with self.access_denied():
            self.server.client("s3", self.server.key_of("invoke")).list_buckets()

    if BOTOCORE >= (1, 36):
        def test_pages(self):
            start = unique("page")
            names = [f"{start}-{index}" for index in range(5)]
            for name in names:
                self.s3.create_bucket(Bucket=name)
            pages = [self.s3.list_buckets(Prefix=start, MaxBuckets=2, BucketRegion=REGION)]
            while "ContinuationToken" in pages[-1]:
                pages.append(self.s3.list_buckets(Prefix=start, MaxBuckets=2, BucketRegion=REGION,
                                                  ContinuationToken=pages[-1]["ContinuationToken"]))
            self.assertEqual([[bucket["Name"] for bucket in page["Buckets"]] for page in pages],
                             [names[:2], names[2:4], names[4:]])
            self.assertEqual({page["Prefix"] for page in pages}, {start})
            self.assertEqual({bucket["BucketRegion"] for page in pages for bucket in page["Buckets"]}, {REGION})

        def test_a_token_that_is_none(self):
            with self.refused("InvalidArgument", "The continuation token provided is incorrect"):
                self.s3.list_buckets(ContinuationToken="!")
