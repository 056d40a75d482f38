"""GetObject."""

import datetime
import urllib.error
import urllib.request

from support.aws_case import BOTOCORE, S3Case, unique
from support.terrapin_server import ACCOUNT

DATA = bytes(range(256)) * 4


class GetObject(S3Case):
    def setUp(self):
        super().setUp()
        self.etag = self.put("photo", DATA, ContentType="image/jpeg", Metadata={"camera": "one"})["ETag"]

    def get(self, key="photo", **members):
        answer = self.s3.get_object(Bucket=self.bucket, Key=key, **members)
        answer["Bytes"] = answer.pop("Body").read()
        return answer

    def test_bytes_and_headers(self):
        got = self.get(ExpectedBucketOwner=ACCOUNT)
        self.assertEqual((got["Bytes"], got["ContentLength"], got["ContentType"], got["ETag"], got["Metadata"], got["AcceptRanges"]),
                         (DATA, len(DATA), "image/jpeg", self.etag, {"camera": "one"}, "bytes"))
        age = datetime.datetime.now(datetime.timezone.utc) - got["LastModified"]
        self.assertLess(abs(age.total_seconds()), 300)

    def test_what_browsers_must_not_run(self):
        headers = self.get()["ResponseMetadata"]["HTTPHeaders"]
        self.assertEqual((headers["x-content-type-options"], headers["content-security-policy"]), ("nosniff", "sandbox"))
        self.put("page", b"<script>", ContentType="text/html")
        url = self.s3.generate_presigned_url("get_object", {"Bucket": self.bucket, "Key": "page"})
        with urllib.request.urlopen(url) as answer:
            self.assertTrue(answer.headers["Content-Disposition"].startswith("attachment"))

    def test_ranges(self):
        size = len(DATA)
        for text, first, last in (("bytes=0-0", 0, 0), ("bytes=10-19", 10, 19), ("bytes=1000-", 1000, size - 1),
                                  ("bytes=-24", size - 24, size - 1), ("bytes=1000-99999", 1000, size - 1),
                                  ("bytes=-99999", 0, size - 1)):
            with self.subTest(text):
                got = self.get(Range=text)
                self.assertEqual(got["ResponseMetadata"]["HTTPStatusCode"], 206)
                self.assertEqual((got["Bytes"], got["ContentRange"]), (DATA[first:last + 1], f"bytes {first}-{last}/{size}"))

    def test_ranges_that_are_ignored(self):
        for text in ("bytes=5-3", "lines=1-2", "bytes=a-b", "bytes=0-1,4-5"):
            with self.subTest(text):
                got = self.get(Range=text)
                self.assertEqual((got["ResponseMetadata"]["HTTPStatusCode"], got["Bytes"]), (200, DATA))

    def test_ranges_beyond_the_end(self):
        self.put("empty", b"")
        for key, text in (("photo", "bytes=1024-"), ("photo", "bytes=-0"), ("empty", "bytes=0-0")):
            with self.subTest(key=key, range=text):
                with self.refused("InvalidRange", "The requested range is not satisfiable", 416) as caught:
                    self.get(key, Range=text)
                error = caught.exception.response["Error"]
                self.assertEqual(error["RangeRequested"], text)
                self.assertEqual(error["ActualObjectSize"], str(len(DATA) if key == "photo" else 0))

    def test_conditions_that_hold(self):
        past, future = datetime.datetime(2020, 1, 1), datetime.datetime(2035, 1, 1)
        for members in ({"IfMatch": self.etag}, {"IfMatch": "*"}, {"IfNoneMatch": '"other"'}, {"IfModifiedSince": past},
                        {"IfUnmodifiedSince": future}, {"IfMatch": self.etag, "IfUnmodifiedSince": past},
                        {"IfNoneMatch": '"other"', "IfModifiedSince": future}):
            with self.subTest(members):
                self.assertEqual(self.get(**members)["Bytes"], DATA)

    def test_conditions_that_fail(self):
        past = datetime.datetime(2020, 1, 1)
        modified = self.get()["LastModified"]
        for members, condition in (({"IfMatch": '"other"'}, "If-Match"), ({"IfUnmodifiedSince": past}, "If-Unmodified-Since")):
            with self.subTest(members):
                with self.refused("PreconditionFailed", "At least one of the pre-conditions you specified did not hold", 412) as caught:
                    self.get(**members)
                self.assertEqual(caught.exception.response["Error"]["Condition"], condition)
        for members in ({"IfNoneMatch": self.etag}, {"IfNoneMatch": "*"}, {"IfModifiedSince": modified}):
            with self.subTest(members), self.refused("304", "Not Modified", 304):
                self.get(**members)

    def test_headers_of_the_answer_that_the_request_says(self):
        got = self.get(ResponseContentType="text/plain", ResponseCacheControl="no-store", ResponseContentLanguage="fr",
                       ResponseContentDisposition="attachment; filename=x.jpg", ResponseContentEncoding="identity",
                       ResponseExpires=datetime.datetime(2030, 1, 2, 3, 4, 5))
        self.assertEqual((got["ContentType"], got["CacheControl"], got["ContentLanguage"], got["ContentDisposition"], got["ContentEncoding"]),
                         ("text/plain", "no-store", "fr", "attachment; filename=x.jpg", "identity"))
        self.assertEqual(self.get()["ContentType"], "image/jpeg")

    def test_part_numbers(self):
        got = self.get(PartNumber=1)
        self.assertEqual((got["Bytes"], got["ResponseMetadata"]["HTTPStatusCode"]), (DATA, 206))
        with self.refused("InvalidPartNumber", "The requested partnumber is not satisfiable", 416):
            self.get(PartNumber=2)
        with self.refused("InvalidRequest", "Cannot specify both Range header and partNumber query parameter"):
            self.get(PartNumber=1, Range="bytes=0-1")
        with self.refused("InvalidArgument"):
            self.get(PartNumber=0)

    def test_the_parts_of_an_upload(self):
        size = 5 << 20
        bodies = [b"1" * size, b"2" * (size + 1), b"tail"]
        upload = self.start_upload("large")
        self.complete("large", upload, self.upload_parts("large", upload, bodies))
        first = 0
        for number, body in enumerate(bodies, start=1):
            got = self.get("large", PartNumber=number)
            self.assertEqual((got["ResponseMetadata"]["HTTPStatusCode"], got["PartsCount"]), (206, 3))
            self.assertTrue(got["Bytes"] == body)
            self.assertEqual(got["ContentRange"], f"bytes {first}-{first + len(body) - 1}/{2 * size + 5}")
            head = self.s3.head_object(Bucket=self.bucket, Key="large", PartNumber=number)
            self.assertEqual((head["ContentLength"], head["PartsCount"], head["ETag"]), (len(body), 3, got["ETag"]))
            first += len(body)
        with self.refused("InvalidPartNumber", "The requested partnumber is not satisfiable", 416):
            self.get("large", PartNumber=4)
        self.assertNotIn("PartsCount", self.get("large"))
        # A copy is one piece.
        self.s3.copy_object(Bucket=self.bucket, Key="copy", CopySource={"Bucket": self.bucket, "Key": "large"})
        self.assertEqual(self.get("copy", PartNumber=1)["ContentLength"], 2 * size + 5)

    def test_versions(self):
        self.assertEqual(self.get(VersionId="null")["Bytes"], DATA)
        with self.refused("InvalidArgument", "Invalid version id specified"):
            self.get(VersionId="3sL4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY")

    def test_what_is_missing(self):
        with self.no_such_key() as caught:
            self.get("other")
        self.assertEqual(caught.exception.response["Error"]["Key"], "other")
        with self.no_such_bucket():
            self.s3.get_object(Bucket=unique(), Key="photo")

    def test_another_owner_or_key(self):
        with self.access_denied():
            self.get(ExpectedBucketOwner="999999999999")
        with self.access_denied():
            self.stranger().get_object(Bucket=self.bucket, Key="photo")

    def test_a_presigned_link_is_good_more_than_once(self):
        url = self.s3.generate_presigned_url("get_object", {"Bucket": self.bucket, "Key": "photo"}, ExpiresIn=60)
        for _ in range(2):
            with urllib.request.urlopen(url) as answer:
                self.assertEqual(answer.read(), DATA)

    def test_a_link_changed_by_hand(self):
        url = self.s3.generate_presigned_url("get_object", {"Bucket": self.bucket, "Key": "photo"})
        self.put("secret", b"secret")
        with self.assertRaises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(url.replace("/photo?", "/secret?"))
        body = caught.exception.read()
        self.assertEqual(caught.exception.code, 403)
        self.assertIn(b"<Code>SignatureDoesNotMatch</Code>", body)
        self.assertNotIn(self.server.key.secret.encode(), body)

    def test_without_a_signature(self):
        status, _, body = self.server.fetch("GET", f"/{self.bucket}/photo")
        self.assertEqual(status, 403)
        self.assertIn(b"<Code>AccessDenied</Code><Message>Access Denied</Message>", body)

    if BOTOCORE >= (1, 36):
        def test_the_client_checks_what_it_gets(self):
            """Clients of today ask for checksums and compare."""
            got = self.get()
            self.assertEqual(got["ChecksumType"], "FULL_OBJECT")
            self.assertTrue(got["ChecksumCRC32"])
            self.assertEqual(got["Bytes"], DATA)
