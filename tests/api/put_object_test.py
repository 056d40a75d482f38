"""PutObject."""

import base64
import datetime
import hashlib
import subprocess
import tempfile
import urllib.request
import zlib

from support.aws_case import BOTOCORE, S3Case, unique
from support.terrapin_server import ACCOUNT, TerrapinServer


def digest(data):
    return base64.b64encode(hashlib.md5(data).digest()).decode()


def crc32(data):
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


class PutObject(S3Case):
    def test_an_empty_object_and_the_next_one_on_its_connection(self):
        # botocore asks to be told to go on for an empty body, too, and takes what it is told for the next answer's beginning otherwise.
        client = self.server.client("s3", read_timeout=20)
        for body in (b"1", b"", b"22", b"", b""):
            client.put_object(Bucket=self.bucket, Key="object", Body=body)
            self.assertEqual(client.get_object(Bucket=self.bucket, Key="object")["Body"].read(), body)

    def test_every_member_comes_back(self):
        data = b"a photo"
        expires = datetime.datetime(2030, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)
        answer = self.put(
            "photo.jpg", data, ACL="private", CacheControl="max-age=60", ContentDisposition="inline; filename=a.jpg",
            ContentEncoding="identity", ContentLanguage="de", ContentLength=len(data), ContentMD5=digest(data),
            ContentType="image/jpeg", Expires=expires, ExpectedBucketOwner=ACCOUNT, ServerSideEncryption="AES256",
            Metadata={"camera": "one", "taken-by": "Kara"}, StorageClass="STANDARD", Tagging="kind=turtle&sea=red%20sea")
        self.assertEqual(answer["ETag"], f'"{hashlib.md5(data).hexdigest()}"')
        got = self.s3.get_object(Bucket=self.bucket, Key="photo.jpg")
        self.assertEqual(got["Body"].read(), data)
        self.assertEqual({name: got.get(name) for name in ("CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage",
                                                           "ContentType", "ContentLength", "Metadata", "TagCount", "ETag")},
                         {"CacheControl": "max-age=60", "ContentDisposition": "inline; filename=a.jpg", "ContentEncoding": "identity",
                          "ContentLanguage": "de", "ContentType": "image/jpeg", "ContentLength": len(data),
                          "Metadata": {"camera": "one", "taken-by": "Kara"}, "TagCount": 2, "ETag": answer["ETag"]})
        self.assertEqual(got["ResponseMetadata"]["HTTPHeaders"]["expires"], "Wed, 02 Jan 2030 03:04:05 GMT")
        tags = self.s3.get_object_tagging(Bucket=self.bucket, Key="photo.jpg")["TagSet"]
        self.assertEqual(tags, [{"Key": "kind", "Value": "turtle"}, {"Key": "sea", "Value": "red sea"}])

    def test_replaces_what_was_there(self):
        self.put("key", b"old", Metadata={"old": "yes"}, ContentType="text/plain")
        self.put("key", b"new, longer")
        got = self.s3.get_object(Bucket=self.bucket, Key="key")
        self.assertEqual((got["Body"].read(), got["Metadata"], got["ContentType"]), (b"new, longer", {}, "binary/octet-stream"))

    def test_an_object_is_a_file(self):
        self.put("folder/photo.jpg", b"readable")
        self.assertEqual(self.server.object_file(self.bucket, "folder/photo.jpg").read_bytes(), b"readable")

    def test_sizes_around_the_limits_of_buffers(self):
        for size in (0, 1, 65535, 65536, 4 << 20, (4 << 20) + 1, (9 << 20) + 7):
            data = hashlib.sha256(str(size).encode()).digest() * (size // 32 + 1)
            with self.subTest(size=size):
                self.put("sized", data[:size])
                self.assertEqual(self.s3.get_object(Bucket=self.bucket, Key="sized")["Body"].read(), data[:size])

    def test_keys_that_file_systems_do_not_hold_as_they_are(self):
        keys = ["a", "a/b", "a/b/c", "trailing/", "..", "../up", ".", "./here", "a//b", " leading and trailing ", "ümlaut/日本語/🐢",
                "UPPER", "upper", "q?x=1&y#z", "plus+and%2Fpercent", "back\\slash", "quote'\"<>", "tab\tinside", "long/" + "x" * 300,
                "y" * 1024, "con", "a:b*c|d", "~", "-dash"]
        for key in keys:
            with self.subTest(key):
                self.put(key, key.encode())
                self.assertEqual(self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read(), key.encode())
        self.assertEqual(self.keys(), sorted(keys, key=lambda key: key.encode()))

    def test_a_key_that_is_too_long(self):
        with self.refused("KeyTooLongError", "Your key is too long"):
            self.put("k" * 1025)

    def test_content_md5(self):
        with self.refused("BadDigest", "The Content-MD5 you specified did not match what we received."):
            self.put("key", b"data", ContentMD5=digest(b"other"))
        with self.refused("InvalidDigest", "The Content-MD5 you specified was invalid."):
            self.put("key", b"data", ContentMD5="bm9uZQ==")
        self.assertEqual(self.keys(), [])

    def test_checksums(self):
        data = b"123456789"
        for name, value in (("CRC32", "y/Q5Jg=="), ("SHA1", base64.b64encode(hashlib.sha1(data).digest()).decode()),
                            ("SHA256", base64.b64encode(hashlib.sha256(data).digest()).decode())):
            with self.subTest(name):
                answer = self.put("key", data, ChecksumAlgorithm=name)
                self.assertEqual(answer["Checksum" + name], value)
                answer = self.put("key", data, **{"Checksum" + name: value})
                self.assertEqual(answer["Checksum" + name], value)
                got = self.s3.get_object(Bucket=self.bucket, Key="key", ChecksumMode="ENABLED")
                self.assertEqual((got["Checksum" + name], got["Body"].read()), (value, data))

    def test_a_checksum_of_other_bytes(self):
        for name, wrong in (("CRC32", crc32(b"other")), ("SHA256", base64.b64encode(hashlib.sha256(b"other").digest()).decode())):
            with self.subTest(name):
                with self.refused("BadDigest", f"The {name} you specified did not match the calculated checksum."):
                    self.put("key", b"data", **{"Checksum" + name: wrong})
        with self.refused("InvalidRequest", "Value for x-amz-checksum-crc32 header is invalid."):
            self.put("key", b"data", ChecksumCRC32="short")
        self.assertEqual(self.keys(), [])

    def test_a_body_other_than_the_signed_one(self):
        """The signature covers the body's SHA-256."""
        status, _, body = self.server.signed("s3", "PUT", f"/{self.bucket}/key", b"signed", send=b"forged")
        self.assertEqual(status, 400)
        self.assertIn(b"<Code>XAmzContentSHA256Mismatch</Code><Message>The provided 'x-amz-content-sha256' header does not match "
                      b"what was computed.</Message>", body)
        self.assertEqual(self.keys(), [])

    def test_metadata_that_is_too_large(self):
        self.put("key", Metadata={"a": "x" * 2047})
        with self.refused("MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size"):
            self.put("key", Metadata={"a": "x" * 2048})

    def test_tags_that_may_not_be(self):
        with self.refused("InvalidTag", "Cannot provide multiple Tags with the same key"):
            self.put("key", Tagging="a=1&a=2")
        with self.refused("InvalidTag", "The TagKey you have provided is invalid"):
            self.put("key", Tagging="k" * 129 + "=1")
        with self.refused("InvalidTag", "The TagValue you have provided is invalid"):
            self.put("key", Tagging="k=" + "v" * 257)
        with self.refused("BadRequest", "Object tags cannot be greater than 10"):
            self.put("key", Tagging="&".join(f"k{n}=1" for n in range(11)))

    def test_what_is_not_served_is_named(self):
        for members, name in (({"ServerSideEncryption": "aws:kms"}, "x-amz-server-side-encryption"),
                              ({"WebsiteRedirectLocation": "/other"}, "x-amz-website-redirect-location"),
                              ({"ObjectLockLegalHoldStatus": "ON"}, "x-amz-object-lock-legal-hold")):
            with self.subTest(name), self.refused("NotImplemented", status=501) as caught:
                self.put("key", **members)
            self.assertIn(name, caught.exception.response["Error"]["Message"])
        with self.refused("AccessControlListNotSupported", "The bucket does not allow ACLs"):
            self.put("key", ACL="public-read")
        with self.refused("InvalidStorageClass", "The storage class you specified is not valid"):
            self.put("key", StorageClass="GLACIER")
        self.assertEqual(self.keys(), [])

    def test_a_missing_bucket(self):
        with self.no_such_bucket():
            self.s3.put_object(Bucket=unique(), Key="key", Body=b"")

    def test_another_owner_or_key(self):
        with self.access_denied():
            self.put("key", ExpectedBucketOwner="999999999999")
        with self.access_denied():
            self.stranger().put_object(Bucket=self.bucket, Key="key", Body=b"")

    def test_a_presigned_link(self):
        url = self.s3.generate_presigned_url("put_object", {"Bucket": self.bucket, "Key": "by link", "ContentType": "image/png"})
        request = urllib.request.Request(url, data=b"pixels", method="PUT", headers={"Content-Type": "image/png"})
        with urllib.request.urlopen(request) as answer:
            self.assertEqual(answer.status, 200)
        got = self.s3.get_object(Bucket=self.bucket, Key="by link")
        self.assertEqual((got["Body"].read(), got["ContentType"]), (b"pixels", "image/png"))

    if BOTOCORE >= (1, 36):
        def test_clients_of_today_send_a_checksum_unasked(self):
            answer = self.put("key", b"123456789")
            self.assertEqual((answer["ChecksumCRC32"], answer["ChecksumType"]), ("y/Q5Jg==", "FULL_OBJECT"))
            head = self.s3.head_object(Bucket=self.bucket, Key="key", ChecksumMode="ENABLED")
            self.assertEqual((head["ChecksumCRC32"], head["ChecksumType"]), ("y/Q5Jg==", "FULL_OBJECT"))

        def test_checksums_of_the_common_runtime(self):
            for name, value in (("CRC32C", "4waSgw=="), ("CRC64NVME", "rosUhgp5mIg=")):
                with self.subTest(name):
                    self.assertEqual(self.put("key", b"123456789", ChecksumAlgorithm=name)["Checksum" + name], value)

        def test_only_if_nothing_is_there(self):
            self.put("key", b"first", IfNoneMatch="*")
            with self.refused("PreconditionFailed", "At least one of the pre-conditions you specified did not hold", 412) as caught:
                self.put("key", b"second", IfNoneMatch="*")
            self.assertEqual(caught.exception.response["Error"]["Condition"], "If-None-Match")
            self.assertEqual(self.s3.get_object(Bucket=self.bucket, Key="key")["Body"].read(), b"first")

        def test_only_over_a_known_object(self):
            etag = self.put("key", b"first")["ETag"]
            self.put("key", b"second", IfMatch=etag)
            with self.refused("PreconditionFailed", "At least one of the pre-conditions you specified did not hold", 412):
                self.put("key", b"third", IfMatch=etag)
            with self.no_such_key():
                self.put("missing", IfMatch=etag)
            self.assertEqual(self.s3.get_object(Bucket=self.bucket, Key="key")["Body"].read(), b"second")


class PutObjectOverTls(S3Case):
    """Over TLS the clients send bodies that they read once as aws-chunked, the checksum in the trailer."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="terrapin-tls-")
        cls.addClassCleanup(folder.cleanup)
        certificate, key = folder.name + "/certificate.pem", folder.name + "/key.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
                        "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate], check=True, capture_output=True)
        cls.server = TerrapinServer(["--tls-cert", certificate, "--tls-key", key]).start()
        cls.addClassCleanup(cls.server.close)
        cls.s3 = cls.server.client("s3", verify=certificate)

    def sent_headers(self, **members):
        """The headers with which an upload left the client."""
        seen = {}
        def look(request, **unused):
            seen.update({name.lower(): value for name, value in request.headers.items()})
        self.s3.meta.events.register("before-send.s3.PutObject", look)
        try:
            answer = self.put("key", **members)
        finally:
            self.s3.meta.events.unregister("before-send.s3.PutObject", look)
        return seen, answer

    def test_a_checksum_in_the_trailer(self):
        data = b"123456789" * 30000
        for name in ("CRC32", "SHA256"):
            with self.subTest(name):
                seen, answer = self.sent_headers(body=data, ChecksumAlgorithm=name)
                text = {key: value.decode() if isinstance(value, bytes) else value for key, value in seen.items()}
                self.assertEqual(text["x-amz-content-sha256"], "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
                self.assertEqual(text["x-amz-trailer"], "x-amz-checksum-" + name.lower())
                self.assertIn("aws-chunked", text["content-encoding"])
                got = self.s3.get_object(Bucket=self.bucket, Key="key", ChecksumMode="ENABLED")
                self.assertEqual(got["Body"].read(), data)
                self.assertEqual(got["Checksum" + name], answer["Checksum" + name])
                self.assertNotIn("ContentEncoding", got)
