"""ListObjects (the first version)."""

from support.aws_case import S3Case, unique
from support.terrapin_server import ACCOUNT

KEYS = ["a", "b/1", "b/2", "b/c/3", "d", "e/4", "ü"]


class ListObjects(S3Case):
    def setUp(self):
        super().setUp()
        for key in KEYS:
            self.put(key, key.encode())

    def list(self, **members):
        return self.s3.list_objects(Bucket=self.bucket, **members)

    def test_every_member_of_an_entry(self):
        answer = self.list(ExpectedBucketOwner=ACCOUNT)
        self.assertEqual([item["Key"] for item in answer["Contents"]], KEYS)
        first = answer["Contents"][0]
        self.assertEqual((first["Size"], first["StorageClass"], first["ETag"]), (1, "STANDARD", '"0cc175b9c0f1b6a831c399e269772661"'))
        self.assertRegex(first["Owner"]["ID"], "^[0-9a-f]{64}$")
        self.assertEqual((answer["Name"], answer["Prefix"], answer["Marker"], answer["MaxKeys"], answer["IsTruncated"]),
                         (self.bucket, "", "", 1000, False))

    def test_folders(self):
        answer = self.list(Delimiter="/")
        self.assertEqual([item["Key"] for item in answer["Contents"]], ["a", "d", "ü"])
        self.assertEqual([item["Prefix"] for item in answer["CommonPrefixes"]], ["b/", "e/"])
        answer = self.list(Delimiter="/", Prefix="b/")
        self.assertEqual([item["Key"] for item in answer["Contents"]], ["b/1", "b/2"])
        self.assertEqual([item["Prefix"] for item in answer["CommonPrefixes"]], ["b/c/"])

    def test_pages_with_folders_give_the_next_marker(self):
        seen, marker = [], ""
        while True:
            page = self.list(Delimiter="/", MaxKeys=2, Marker=marker)
            seen.append([item["Key"] for item in page.get("Contents", [])] + [item["Prefix"] for item in page.get("CommonPrefixes", [])])
            if not page["IsTruncated"]:
                break
            marker = page["NextMarker"]
        self.assertEqual(seen, [["a", "b/"], ["d", "e/"], ["ü"]])

    def test_pages_without_folders_go_on_after_the_last_key(self):
        page = self.list(MaxKeys=3)
        self.assertTrue(page["IsTruncated"])
        self.assertNotIn("NextMarker", page)
        page = self.list(MaxKeys=3, Marker=page["Contents"][-1]["Key"])
        self.assertEqual([item["Key"] for item in page["Contents"]], KEYS[3:6])

    def test_the_paginator_of_the_client(self):
        pages = self.s3.get_paginator("list_objects").paginate(Bucket=self.bucket, PaginationConfig={"PageSize": 2})
        self.assertEqual([item["Key"] for page in pages for item in page["Contents"]], KEYS)

    def test_a_marker_that_is_no_key(self):
        self.assertEqual([item["Key"] for item in self.list(Marker="b")["Contents"]], KEYS[1:])

    def test_encoded_keys(self):
        answer = self.list(EncodingType="url", Prefix="ü")
        self.assertEqual((answer["EncodingType"], answer["Contents"][0]["Key"], answer["Prefix"]), ("url", "%C3%BC", "%C3%BC"))

    def test_values_that_may_not_be(self):
        with self.refused("InvalidArgument", "Invalid Encoding Method specified in Request"):
            self.list(EncodingType="base64")
        with self.refused("InvalidArgument", "Argument maxKeys must be an integer between 0 and 2147483647"):
            self.list(MaxKeys=-1)

    def test_a_missing_bucket_another_owner_another_key(self):
        with self.no_such_bucket():
            self.s3.list_objects(Bucket=unique())
        with self.access_denied():
            self.list(ExpectedBucketOwner="999999999999")
        with self.access_denied():
            self.stranger().list_objects(Bucket=self.bucket)
