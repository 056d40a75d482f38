"""Links as boto3 makes them by default, signed with Signature Version 2, and with Version 4."""

import base64
import hashlib
import urllib.error
import urllib.parse
import urllib.request

from support.aws_case import S3Case


class PresignedLinks(S3Case):
    def setUp(self):
        super().setUp()
        self.by_default = self.server.client("s3", signature_version=None)
        self.put("photo", b"turtle", ContentType="image/jpeg")
        self.put("secret", b"secret")

    def link(self, operation, method=None, client=None, lasts_s=60, **members):
        members = {"Bucket": self.bucket, "Key": "photo", **members}
        return (client or self.by_default).generate_presigned_url(operation, members, ExpiresIn=lasts_s, HttpMethod=method)

    def open(self, url, method="GET", body=None, **headers):
        """(status, headers, body), whatever the status."""
        request = urllib.request.Request(url, data=body, method=method, headers={name.replace("_", "-"): value for name, value in headers.items()})
        if body is not None and "Content-Type" not in {name.replace("_", "-") for name in headers}:
            request.add_unredirected_header("Content-type", "")  # urllib would add one that was not signed
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as problem:
            return problem.code, problem.headers, problem.read()

    def assert_refused(self, code, url, method="GET", body=None, **headers):
        status, _, answer = self.open(url, method, body, **headers)
        self.assertEqual(status, 403, answer)
        self.assertIn(f"<Code>{code}</Code>".encode(), answer)
        self.assertNotIn(self.server.key.secret.encode(), answer)

    def test_what_boto3_makes(self):
        self.assertIn("AWSAccessKeyId=", self.link("get_object"))

    def test_get_head_put_and_delete(self):
        status, headers, body = self.open(self.link("get_object"))
        self.assertEqual((status, headers["Content-Type"], body), (200, "image/jpeg", b"turtle"))
        self.assertEqual(self.open(self.link("get_object"), Range="bytes=0-1")[2], b"tu")
        self.assertEqual(self.open(self.link("head_object"), "HEAD")[1]["Content-Length"], "6")
        self.assertEqual(self.open(self.link("put_object", Key="by link"), "PUT", b"new")[0], 200)
        self.assertEqual(self.s3.get_object(Bucket=self.bucket, Key="by link")["Body"].read(), b"new")
        self.assertEqual(self.open(self.link("delete_object"), "DELETE")[0], 204)
        self.assertEqual(self.keys(), ["by link", "secret"])

    def test_awkward_keys(self):
        for key in ("a b+c", "ü/日本", "100%", "a//b", "../x", "?&=", "quote'\""):
            with self.subTest(key):
                self.assertEqual(self.open(self.link("put_object", Key=key), "PUT", key.encode())[0], 200)
                self.assertEqual(self.open(self.link("get_object", Key=key))[2], key.encode())

    def test_what_a_link_to_upload_says_of_the_object(self):
        digest = base64.b64encode(hashlib.md5(b"new").digest()).decode()
        url = self.link("put_object", Key="new", ContentType="text/csv", Metadata={"camera": "one two"}, Tagging="a=1", ContentMD5=digest)
        self.assertEqual(self.open(url, "PUT", b"new", Content_Type="text/csv")[0], 200)
        head = self.s3.head_object(Bucket=self.bucket, Key="new")
        self.assertEqual((head["ContentType"], head["Metadata"]), ("text/csv", {"camera": "one two"}))
        fourth = self.link("put_object", client=self.s3, Key="fourth", Metadata={"camera": "one two"})
        self.assertEqual(self.open(fourth, "PUT", b"new", x_amz_meta_camera="one two")[0], 200)
        self.assertEqual(self.s3.head_object(Bucket=self.bucket, Key="fourth")["Metadata"], {"camera": "one two"})
        self.assertEqual(self.s3.get_object_tagging(Bucket=self.bucket, Key="new")["TagSet"], [{"Key": "a", "Value": "1"}])
        status, _, answer = self.open(url, "PUT", b"other", Content_Type="text/csv")
        self.assertEqual((status, b"<Code>BadDigest</Code>" in answer), (400, True))

    def test_headers_of_the_answer_and_parts(self):
        url = self.link("get_object", ResponseContentType="text/plain", ResponseContentDisposition='attachment; filename="a b.txt"')
        _, headers, _ = self.open(url)
        self.assertEqual((headers["Content-Type"], headers["Content-Disposition"]), ("text/plain", 'attachment; filename="a b.txt"'))
        upload = self.start_upload("large")
        _, headers, _ = self.open(self.link("upload_part", Key="large", UploadId=upload, PartNumber=1), "PUT", b"content")
        self.complete("large", upload, [{"PartNumber": 1, "ETag": headers["ETag"]}])
        self.assertEqual(self.open(self.link("get_object", Key="large"))[2], b"content")
        self.assertEqual(self.open(self.link("get_object", Key="large", PartNumber=1))[0], 206)

    def test_types_that_a_browser_would_run(self):
        self.put("page", b"<script>", ContentType="text/html")
        _, headers, _ = self.open(self.link("get_object", Key="page"))
        self.assertTrue(headers["Content-Disposition"].startswith("attachment"))
        self.assertEqual(headers["Content-Security-Policy"], "sandbox")

    def test_another_object_method_or_time(self):
        url = self.link("get_object")
        self.assert_refused("SignatureDoesNotMatch", url.replace("/photo?", "/secret?"))
        self.assert_refused("SignatureDoesNotMatch", url, "DELETE")
        self.assert_refused("SignatureDoesNotMatch", url, "PUT", b"replaced")
        parts = urllib.parse.urlsplit(url)
        query = dict(urllib.parse.parse_qsl(parts.query))
        later = urllib.parse.urlencode({**query, "Expires": str(int(query["Expires"]) + 1)})
        self.assert_refused("SignatureDoesNotMatch", parts._replace(query=later).geturl())
        self.assert_refused("AccessDenied", self.link("get_object", lasts_s=-1))
        self.assertEqual(self.s3.get_object(Bucket=self.bucket, Key="photo")["Body"].read(), b"turtle")

    def test_what_is_added_to_a_link(self):
        url = self.link("get_object")
        for added in ("acl", "tagging", "uploadId=x", "versionId=null", "partNumber=1", "response-content-type=text/html", "x-amz-checksum-mode=ENABLED"):
            with self.subTest(added):
                self.assert_refused("SignatureDoesNotMatch", f"{url}&{added}")
        for added in ("attributes", "policy", "list-type=2"):
            with self.subTest(added):
                self.assert_refused("AccessDenied", f"{url}&{added}")
        upload = self.link("put_object")
        source = f"/{self.bucket}/secret"
        self.assert_refused("SignatureDoesNotMatch", upload, "PUT", b"", x_amz_copy_source=source)
        self.assert_refused("SignatureDoesNotMatch", f"{upload}&x-amz-copy-source={urllib.parse.quote(source, safe='')}", "PUT", b"")
        self.assertEqual(self.s3.get_object(Bucket=self.bucket, Key="photo")["Body"].read(), b"turtle")

    def test_only_objects(self):
        for operation, members in (("list_objects_v2", {}), ("list_buckets", None), ("get_bucket_location", {})):
            with self.subTest(operation):
                url = self.by_default.generate_presigned_url(operation, None if members is None else {"Bucket": self.bucket})
                status, _, answer = self.open(url)
                self.assertIn((status, b"<Code>InvalidRequest</Code>" in answer, b"<Code>AccessDenied</Code>" in answer),
                              ((400, True, False), (403, False, True)))

    def test_keys_that_may_not(self):
        elsewhere = self.server.client("s3", self.server.key_of("requester", "links", ["elsewhere"]), signature_version=None)
        self.assert_refused("AccessDenied", self.link("get_object", client=elsewhere))
        invoke = self.server.client("s3", self.server.key_of("invoke", "invoking"), signature_version=None)
        self.assert_refused("AccessDenied", self.link("get_object", client=invoke))
        url = self.link("get_object")
        self.assert_refused("InvalidAccessKeyId", url.replace(self.server.key.id, "TPIA" + "0" * 16))
