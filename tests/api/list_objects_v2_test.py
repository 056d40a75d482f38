"""ListObjectsV2."""

from support.aws_case import S3Case, unique
from support.terrapin_server import ACCOUNT

KEYS = ["a", "b/1", "b/2", "b/c/3", "d", "e/4", "ü"]


class ListObjectsV2(S3Case):
    def setUp(self):
        super().setUp()
        for key in KEYS:
            self.put(key, key.encode())

    def list(self, **members):
        return self.s3.list_objects_v2(Bucket=self.bucket, **members)

    def names(self, answer):
        return [item["Key"] for item in answer.get("Contents", [])]

    def folders(self, answer):
        return [item["Prefix"] for item in answer.get("CommonPrefixes", [])]

    def test_every_member_of_an_entry(self):
        answer = self.list(ExpectedBucketOwner=ACCOUNT, FetchOwner=True)
        self.assertEqual(self.names(answer), KEYS)
        first = answer["Contents"][0]
        self.assertEqual((first["Size"], first["StorageClass"], first["ETag"]), (1, "STANDARD", '"0cc175b9c0f1b6a831c399e269772661"'))
        self.assertRegex(first["Owner"]["ID"], "^[0-9a-f]{64}$")
        self.assertEqual((answer["Name"], answer["Prefix"], answer["MaxKeys"], answer["KeyCount"], answer["IsTruncated"]),
                         (self.bucket, "", 1000, len(KEYS), False))
        self.assertNotIn("Owner", self.list()["Contents"][0])

    def test_folders(self):
        answer = self.list(Delimiter="/")
        self.assertEqual((self.names(answer), self.folders(answer), answer["KeyCount"]), (["a", "d", "ü"], ["b/", "e/"], 5))
        answer = self.list(Delimiter="/", Prefix="b/")
        self.assertEqual((self.names(answer), self.folders(answer)), (["b/1", "b/2"], ["b/c/"]))
        answer = self.list(Delimiter="c/", Prefix="b")
        self.assertEqual((self.names(answer), self.folders(answer)), (["b/1", "b/2"], ["b/c/"]))

    def test_prefixes_are_text(self):
        self.assertEqual(self.names(self.list(Prefix="b")), ["b/1", "b/2", "b/c/3"])
        self.assertEqual(self.names(self.list(Prefix="ü")), ["ü"])
        self.assertEqual(self.list(Prefix="none")["KeyCount"], 0)

    def test_pages(self):
        for size in (1, 2, 3, 7):
            with self.subTest(size=size):
                pages = [self.list(MaxKeys=size, Delimiter="/")]
                while pages[-1]["IsTruncated"]:
                    token = pages[-1]["NextContinuationToken"]
                    pages.append(self.list(MaxKeys=size, Delimiter="/", ContinuationToken=token))
                    self.assertEqual(pages[-1]["ContinuationToken"], token)
                seen = [name for page in pages for name in sorted(self.names(page) + self.folders(page))]
                self.assertEqual(seen, ["a", "b/", "d", "e/", "ü"])
                self.assertTrue(all(page["KeyCount"] == size for page in pages[:-1]))

    def test_a_page_goes_on_although_its_last_key_is_gone(self):
        page = self.list(MaxKeys=2)
        self.s3.delete_object(Bucket=self.bucket, Key=self.names(page)[-1])
        self.assertEqual(self.names(self.list(ContinuationToken=page["NextContinuationToken"])), KEYS[2:])

    def test_start_after(self):
        answer = self.list(StartAfter="b/2")
        self.assertEqual((self.names(answer), answer["StartAfter"]), (KEYS[3:], "b/2"))

    def test_more_than_a_thousand(self):
        bucket = unique()
        self.s3.create_bucket(Bucket=bucket)
        folder = self.server.object_file(bucket, "many")
        folder.mkdir()
        for index in range(1003):  # files that a person puts there are objects
            (folder / f"{index:04}").write_bytes(b"x")
        answer = self.s3.list_objects_v2(Bucket=bucket, MaxKeys=5000)
        self.assertEqual((answer["MaxKeys"], answer["KeyCount"], answer["IsTruncated"]), (1000, 1000, True))
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        self.assertEqual([item["Key"] for page in pages for item in page["Contents"]], [f"many/{index:04}" for index in range(1003)])

    def test_no_keys_asked_for(self):
        answer = self.list(MaxKeys=0)
        self.assertEqual((answer["KeyCount"], answer["IsTruncated"]), (0, False))

    def test_encoded_keys(self):
        answer = self.list(EncodingType="url", Prefix="ü")
        self.assertEqual((answer["EncodingType"], answer["Contents"][0]["Key"]), ("url", "%C3%BC"))

    def test_values_that_may_not_be(self):
        with self.refused("InvalidArgument", "The continuation token provided is incorrect"):
            self.list(ContinuationToken="!")
        with self.refused("InvalidArgument", "Invalid Encoding Method specified in Request"):
            self.list(EncodingType="base64")
        with self.refused("InvalidArgument", "Argument maxKeys must be an integer between 0 and 2147483647"):
            self.list(MaxKeys=-1)

    def test_a_missing_bucket_another_owner_another_key(self):
        with self.no_such_bucket():
            self.s3.list_objects_v2(Bucket=unique())
        with self.access_denied():
            self.list(ExpectedBucketOwner="999999999999")
        with self.access_denied():
            self.stranger().list_objects_v2(Bucket=self.bucket)
