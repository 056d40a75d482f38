"""Requests that somebody signed and somebody else changed, and signatures that nobody made."""

import base64
import datetime
import hashlib

from attack_case import AttackCase
from support.signed_http import EMPTY_HASH, UNSIGNED, Key, basic_time, crc32_text, now, request_bytes, signed_chunks

MINUTES = datetime.timedelta(minutes=1)


class Signatures(AttackCase):
    def setUp(self):
        super().setUp()
        self.name = self.bucket()
        self.put(self.name, "a", b"old")
        self.put(self.name, "secret", b"secret bytes")
        self.path = f"/{self.name}/a"

    def kept(self):
        """Nothing was changed, and the service says no more than that it refuses."""
        self.assertEqual(self.content(self.name, "a"), b"old")

    def forbidden(self, request, *statuses, code=None):
        reply = self.refused(self.send(request), *(statuses or (400, 403)), code=code)
        self.assertNotIn(b"secret bytes", reply.body)
        self.kept()
        return reply

    # ---- a signed request that was changed on the way ----

    def test_headers_added(self):
        """An attacker on the way would turn an upload into a copy of another object, or change its owner's settings, by headers that nobody signed."""
        for name, value in (
            ("x-amz-copy-source", f"/{self.name}/secret"), ("X-Amz-Tagging", "a=b"), ("x-amz-acl", "public-read"),
            ("x-amz-meta-evil", "1"), ("X-AMZ-Website-Redirect-Location", "https://evil.example"), ("x-amz-metadata-directive", "REPLACE"),
        ):
            with self.subTest(header=name):
                request = self.signed("PUT", self.path, body=b"new")
                request.headers.append((name, value))
                self.forbidden(request, 403)

    def test_method_changed(self):
        """An attacker on the way would delete or overwrite what its owner only read."""
        for method in ("DELETE", "PUT", "POST"):
            request = self.signed("GET", self.path)
            request.method = method
            self.forbidden(request, 403, code="SignatureDoesNotMatch")

    def test_path_changed(self):
        """An attacker would use a signature for one object on another."""
        request = self.signed("GET", self.path)
        request.path = f"/{self.name}/secret"
        self.forbidden(request, 403, code="SignatureDoesNotMatch")

    def test_query_changed(self):
        """An attacker on the way would change what is asked (a list into its uploads, a download into another version) by the query."""
        def changed(query, **members):
            request = self.signed("GET", f"/{self.name}", query=[("prefix", "a"), ("list-type", "2")], **members)
            request.query = query
            return request

        for query in (
            [("uploads", "")], [("prefix", ""), ("list-type", "2")], [("prefix", "a"), ("list-type", "2"), ("prefix", "secret")],
            [("prefix", "a"), ("list-type", "2"), ("delimiter", "/")], [], [("list-type", "2")],
        ):
            with self.subTest(query=query):
                self.forbidden(changed(query), 403, code="SignatureDoesNotMatch")
        # Only the order may change: it means nothing.
        self.assertEqual(self.send(changed([("list-type", "2"), ("prefix", "a")])).status, 200)

    def test_body_swapped(self):
        """An attacker on the way would store bytes of their own under a signature for others."""
        request = self.signed("PUT", self.path, body=b"new")
        request.body = b"bad"
        self.forbidden(request, 400, code="XAmzContentSHA256Mismatch")
        request = self.signed("PUT", self.path, body=b"new")
        request.body = b""
        self.forbidden(request, 400)
        request = self.signed("PUT", self.path, body=b"x" * (5 << 20))  # large enough to go through a file
        request.body = b"y" * (5 << 20)
        self.forbidden(request, 400, code="XAmzContentSHA256Mismatch")

    def test_payload_declared_unsigned(self):
        """An attacker on the way would lift the check of the body by declaring it unsigned."""
        for payload in (UNSIGNED, "STREAMING-UNSIGNED-PAYLOAD-TRAILER", EMPTY_HASH, "", "unsigned-payload"):
            with self.subTest(payload=payload):
                request = self.signed("PUT", self.path, body=b"new")
                request.set("X-Amz-Content-Sha256", payload)
                self.forbidden(request)
        request = self.signed("PUT", self.path, body=b"new")
        request.headers.append(("X-Amz-Content-Sha256", UNSIGNED))
        self.forbidden(request)

    def test_host_changed(self):
        """An attacker would replay a request for one service's address at another's, or pick another bucket by the host's name."""
        for host in ("evil.example", f"{self.name}.localhost", f"{self.authority}.evil.example", "127.0.0.1"):
            request = self.signed("GET", self.path)
            request.set("Host", host)
            self.forbidden(request, 400, 403)
        request = self.signed("GET", self.path)
        request.headers.append(("Host", "evil.example"))
        self.forbidden(request, 400, 403)

    def test_action_changed(self):
        """An attacker on the way would stop a job with a signature that was made to describe it."""
        body = b'{"LabelingJobName":"x"}'
        headers = [("X-Amz-Target", "SageMaker.DescribeLabelingJob"), ("Content-Type", "application/x-amz-json-1.1")]
        request = self.signed("POST", "/", self.key.to("sagemaker"), headers=headers, body=body)
        request.set("X-Amz-Target", "SageMaker.StopLabelingJob")
        self.refused(self.send(request), 400, 403, code="InvalidSignature")
        unsigned_target = self.signed("POST", "/", self.key.to("sagemaker"), headers=headers, body=body, signed=["host", "x-amz-date"])
        self.refused(self.send(unsigned_target), 400, 403, code="InvalidSignature")
        other_body = self.signed("POST", "/", self.key.to("sagemaker"), headers=headers, body=body)
        other_body.body = b'{"LabelingJobName":"y"}'
        self.refused(self.send(other_body), 400, 403, code="InvalidSignature")

    def test_two_signatures(self):
        """An attacker would have one signature checked and another's rights used, by a request with both kinds."""
        other = self.new_key(buckets=["elsewhere"])
        target = self.link("GET", f"/{self.name}/secret", other)
        request = self.signed("GET", f"/{self.name}/secret")
        mixed = request_bytes("GET", target, request.headers, b"", self.authority)
        reply = self.refused(self.send(mixed), 400, 403)
        self.assertNotIn(b"secret bytes", reply.body)
        twice = self.signed("GET", f"/{self.name}/secret", other)
        twice.headers.append(("Authorization", request.get("Authorization")))
        self.forbidden(twice)

    def test_dates_doubled(self):
        """An attacker would replay an old request by adding a second, fresh date."""
        for first, second in ((now(), now() - 60 * MINUTES), (now() - 60 * MINUTES, now())):
            request = self.signed("DELETE", self.path, when=first)
            request.headers.append(("X-Amz-Date", basic_time(second)))
            self.forbidden(request)
            request = self.signed("DELETE", self.path, when=first)
            request.headers = [("X-Amz-Date", basic_time(second))] + request.headers
            self.forbidden(request)
        request = self.signed("DELETE", self.path, when=now() - 60 * MINUTES)
        request.headers.append(("Date", now().strftime("%a, %d %b %Y %H:%M:%S GMT")))
        self.forbidden(request)

    def test_old_requests(self):
        """An attacker who recorded a request would send it again later; or prepare one for a later time."""
        for when in (now() - 16 * MINUTES, now() + 16 * MINUTES, now() - 60 * 24 * MINUTES):
            self.forbidden(self.signed("DELETE", self.path, when=when), 403, code="RequestTimeTooSkewed")
        stale_scope = self.key.scope(now() - 60 * 48 * MINUTES)
        self.forbidden(self.signed("DELETE", self.path, scope=stale_scope))

    # ---- signatures that nobody made ----

    def test_no_signature(self):
        """An attacker would be let in by a signature that is empty, cut short, of another kind, or missing."""
        good = self.signed("GET", f"/{self.name}/secret")
        authorization = good.get("Authorization")
        signature = good.signature
        bad = [
            authorization.replace(signature, ""),
            authorization.replace(signature, signature[:-1]),
            authorization.replace(signature, signature + "0"),
            authorization.replace(signature, signature.upper()) if signature != signature.upper() else "x",
            authorization.replace(signature, "0" * 64),
            authorization.replace(signature, signature[:8]),
            authorization.replace(f", Signature={signature}", ""),
            authorization.replace("AWS4-HMAC-SHA256", "none"),
            authorization.replace("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1"),
            authorization.replace("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"),
            authorization.replace("AWS4-HMAC-SHA256 ", ""),
            authorization.replace(self.key.id, ""),
            authorization.replace(self.key.id, "TPIAAAAAAAAAAAAAAAAA"),
            authorization.replace(self.key.id, self.key.id + "\t"),
            authorization.replace("SignedHeaders=", "SignedHeaders=;"),
            "Bearer " + self.key.id,
            f"Basic {base64.b64encode(f'{self.key.id}:{self.key.secret}'.encode()).decode()}",
            f"AWS {self.key.id}:{base64.b64encode(b'x' * 20).decode()}",
            "AWS4-HMAC-SHA256",
            "AWS4-HMAC-SHA256 Credential=, SignedHeaders=, Signature=",
            "",
        ]
        for value in bad:
            with self.subTest(value=value[:60]):
                request = self.signed("GET", f"/{self.name}/secret")
                request.set("Authorization", value)
                # Dates and names are those of a request signed in the same second or the next.
                self.forbidden(request)
        nothing = self.signed("GET", f"/{self.name}/secret")
        nothing.headers = [(name, value) for name, value in nothing.headers if name != "Authorization"]
        self.forbidden(nothing, 403)

    def test_empty_secret(self):
        """An attacker would sign with the empty secret of a key that is unknown, revoked or not yet read."""
        made = self.server.create_key("admin")
        self.server.run("keys", "revoke", made.id)
        for key_id in (made.id, "TPIAAAAAAAAAAAAAAAAA", "", "admin"):
            for secret in ("", made.secret):
                self.forbidden(self.signed("GET", f"/{self.name}/secret", Key(key_id, secret)))

    def test_wrong_place(self):
        """An attacker would use a signature that was made for another region, service or day."""
        date = now().strftime("%Y%m%d")
        for scope in (
            f"{date}/eu-west-1/s3/aws4_request", f"{date}/us-east-1/sagemaker/aws4_request", f"{date}/us-east-1/sts/aws4_request",
            f"{date}/us-east-1/s3/aws4", f"20200101/us-east-1/s3/aws4_request", f"{date}/*/s3/aws4_request", f"{date}//s3/aws4_request", f"{date}/us-east-1/S3/aws4_request",
        ):
            with self.subTest(scope=scope):
                self.forbidden(self.signed("GET", f"/{self.name}/secret", scope=scope))

    def test_unsigned_host(self):
        """An attacker would replay a request anywhere, if its signature did not name the host, or left x-amz- headers out."""
        for names in (["x-amz-date", "x-amz-content-sha256"], ["host", "x-amz-date"], ["host"], []):
            with self.subTest(signed=names):
                self.forbidden(self.signed("GET", f"/{self.name}/secret", signed=names or [""]))

    def test_folded_headers(self):
        """An attacker would have a proxy and the service read different headers, by folded lines, spaces before colons or odd names."""
        good = self.signed("GET", f"/{self.name}/secret").bytes()
        for old, new in (
            (b"\r\nX-Amz-Date:", b"\r\nX-Amz-Date :"), (b"\r\nHost:", b"\r\n Host:"), (b"\r\nX-Amz-Date:", b"\r\nX-Amz-Date\r\n :"),
            (b"\r\nAuthorization: ", b"\r\nAuthorization: x\r\n\t"), (b"\r\nX-Amz-Date:", b"\r\nX-Amz-Date\0:"), (b"\r\nX-Amz-Date: ", b"\r\nX-Amz-Date: 2020\r\n "),
        ):
            with self.subTest(new=new):
                assert old in good
                self.forbidden(good.replace(old, new, 1))
        # A fold that is no more than a space is refused, or read as one (RFC 9112, 5.2).
        for old, new in ((b"\r\nX-Amz-Date: ", b"\r\nX-Amz-Date:\r\n "), (b", Signature=", b",\r\n Signature=")):
            self.assertIn(self.send(good.replace(old, new, 1)).status, (200, 400))
        # Names in other letters are the same names.
        request = self.signed("GET", f"/{self.name}/secret")
        request.headers = [(name.lower(), value) for name, value in request.headers]
        self.assertEqual(self.send(request).body, b"secret bytes")

    def test_security_tokens(self):
        """An attacker would change who a request is from by a session token that nobody signed, or that nobody gave."""
        request = self.signed("GET", f"/{self.name}/secret")
        request.headers.append(("X-Amz-Security-Token", "x"))
        self.forbidden(request)
        self.forbidden(self.signed("GET", f"/{self.name}/secret", headers=[("X-Amz-Security-Token", "forged")]))

    # ---- links ----

    def test_link_for_another(self):
        """An attacker with a link to one photo would fetch, overwrite or delete others with it."""
        link = self.link("GET", self.path)
        self.assertEqual(self.follow(link).body, b"old")
        for changed in (
            link.replace("/a?", "/secret?"), link.replace(f"/{self.name}/a?", f"/{self.name}?"), link.replace("/a?", "/?"), link + "&versionId=null",
            link + "&response-content-type=text/html", link + "&uploads=", link.replace("/a?", "/%61/../secret?"), link.replace("/a?", "//a?"),
        ):
            with self.subTest(changed=changed[:80]):
                self.assertNotIn(b"secret bytes", self.refused(self.follow(changed), 400, 403, 404).body)
        for method in ("PUT", "DELETE", "POST"):
            self.refused(self.follow(link, method, b"evil"), 403)
        self.kept()

    def test_link_prolonged(self):
        """An attacker with a link that ends would make it last."""
        for edit in (
            lambda link: link.replace("X-Amz-Expires=300", "X-Amz-Expires=604800"),
            lambda link: link + "&X-Amz-Expires=604800",
            lambda link: link.replace("?", "?X-Amz-Expires=604800&", 1),
            lambda link: link.replace("X-Amz-Expires=300&", ""),
            lambda link: link + f"&X-Amz-Date={basic_time(now() + 5 * MINUTES)}",
            lambda link: link.replace("?", f"?X-Amz-Date={basic_time(now() + 5 * MINUTES)}&", 1),
            lambda link: link.replace("X-Amz-Expires", "x-amz-expires"),
        ):
            self.refused(self.follow(edit(self.link("GET", self.path))), 400, 403)
        for expires in (604_801, 0, -1, "1e9", "", "99999999999999999999", " 300", "300\0", "0x100"):
            with self.subTest(expires=expires):
                self.refused(self.follow(self.link("GET", self.path, expires=expires)), 400, 403)
        self.refused(self.follow(self.link("GET", self.path, expires=60, when=now() - 2 * MINUTES)), 403, code="Request has expired")
        self.refused(self.follow(self.link("GET", self.path, expires=604_800, when=now() + 20 * MINUTES)), 403)

    def test_link_of_a_revoked_key(self):
        """An attacker would go on using links after their maker's key was revoked."""
        made = self.server.create_key("requester", "links")
        link = self.link("GET", self.path, Key(made.id, made.secret), expires=3600)
        self.assertEqual(self.follow(link).status, 200)
        self.server.run("keys", "revoke", made.id)
        self.refused(self.follow(link), 403, code="InvalidAccessKeyId")

    def test_upload_link_with_more(self):
        """An attacker with a link to upload one file would copy other objects into it or set headers that the link does not name."""
        link = self.link("PUT", f"/{self.name}/new")
        self.refused(self.follow(link, "PUT", b"", [("x-amz-copy-source", f"/{self.name}/secret")]), 400, 403)
        self.refused(self.follow(link + f"&x-amz-copy-source=/{self.name}/secret", "PUT"), 400, 403)
        self.refused(self.follow(link, "PUT", b"x", [("x-amz-tagging", "a=b")]), 403)
        self.assertIsNone(self.content(self.name, "new"))
        signed_type = self.link("PUT", f"/{self.name}/new", headers=[("Content-Type", "image/png")])
        self.refused(self.follow(signed_type, "PUT", b"x", [("Content-Type", "text/html")]), 403, code="SignatureDoesNotMatch")
        self.assertIsNone(self.content(self.name, "new"))

    # ---- bodies in chunks ----

    def chunked(self, chunks, payload="STREAMING-AWS4-HMAC-SHA256-PAYLOAD", trailers=None, length=None, when=None):
        size = sum(len(each) for each in chunks)
        headers = [
            ("Content-Encoding", "aws-chunked"), ("X-Amz-Decoded-Content-Length", str(size if length is None else length)), ("X-Amz-Content-Sha256", payload),
        ]
        if trailers:
            headers.append(("X-Amz-Trailer", trailers[0][0]))
        request = self.signed("PUT", self.path, headers=headers, payload=payload, when=when)
        return request, signed_chunks(request, chunks, trailers)

    def put_chunks(self, request, parts):
        request.body = b"".join(parts)
        return self.send(request)

    def test_chunks_changed(self):
        """An attacker on the way would change, leave out, repeat or reorder parts of an upload that is signed part by part."""
        first, second = b"1" * 9000, b"2" * 9000
        request, parts = self.chunked([first, second])
        self.assertEqual(self.put_chunks(request, parts).status, 200)
        self.put(self.name, "a", b"old")

        def altered(edit):
            request, parts = self.chunked([first, second])
            self.forbidden_chunks(request, edit(list(parts)))

        altered(lambda parts: [parts[1], parts[0], parts[2]])
        altered(lambda parts: [parts[0].replace(b"1" * 9000, b"3" * 9000)] + parts[1:])
        altered(lambda parts: [parts[0], parts[2]])
        altered(lambda parts: [parts[0], parts[0], parts[2]])
        altered(lambda parts: parts[:2])
        altered(lambda parts: [parts[0], parts[1], parts[2].replace(b"chunk-signature=", b"chunk-signature=0")])
        altered(lambda parts: [parts[0].split(b";")[0] + b"\r\n" + first + b"\r\n"] + parts[1:])
        altered(lambda parts: parts + [b"evil"])
        altered(lambda parts: [b"ffffffffffffffff;chunk-signature=" + b"0" * 64 + b"\r\n"])
        altered(lambda parts: [b"-1;chunk-signature=" + b"0" * 64 + b"\r\n"] + parts)
        # Signatures of one upload do not fit another's body.
        other, other_parts = self.chunked([first, second], when=now() - 1 * MINUTES)
        self.forbidden_chunks(request, other_parts)
        request, parts = self.chunked([first], length=5)
        self.forbidden_chunks(request, parts)

    def forbidden_chunks(self, request, parts):
        self.refused(self.put_chunks(request, parts), 400, 403, 411)
        self.kept()

    def test_trailers_changed(self):
        """An attacker on the way would store other bytes by changing a checksum that follows the body."""
        body = b"new bytes"
        kind = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
        trailer = [("x-amz-checksum-crc32", crc32_text(body))]
        request, parts = self.chunked([body], kind, trailer)
        self.assertEqual(self.put_chunks(request, parts).status, 200)
        self.put(self.name, "a", b"old")
        for edit in (
            lambda data: data.replace(trailer[0][1].encode(), crc32_text(b"evil").encode()),
            lambda data: data.replace(b"x-amz-trailer-signature:", b"x-amz-trailer-signature:0"),
            lambda data: data.split(b"x-amz-trailer-signature")[0] + b"\r\n",
            lambda data: data.replace(b"x-amz-checksum-crc32", b"x-amz-checksum-crc32c"),
            lambda data: data.replace(b"x-amz-trailer-signature", b"x-amz-meta-evil:1\r\nx-amz-trailer-signature"),
        ):
            request, parts = self.chunked([body], kind, trailer)
            self.forbidden_chunks(request, [edit(b"".join(parts))])
        # Without signatures of the parts the checksum alone speaks for the bytes.
        kind = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
        request, _ = self.chunked([body], kind, trailer)
        plain = f"{len(body):x}\r\n".encode() + b"evil byte" + b"\r\n0\r\nx-amz-checksum-crc32:" + trailer[0][1].encode() + b"\r\n\r\n"
        self.forbidden_chunks(request, [plain])

    def test_checksums_ignored(self):
        """An attacker would have corrupted bytes stored as checked ones, by several checksums or by kinds that nobody computes."""
        good, bad = crc32_text(b"new"), crc32_text(b"bad")
        for headers in (
            [("x-amz-checksum-crc32", bad)],
            [("x-amz-checksum-crc32", good), ("x-amz-checksum-sha1", base64.b64encode(hashlib.sha1(b"bad").digest()).decode())],
            [("x-amz-checksum-md4", "AAAA")],
            [("x-amz-checksum-crc32", "")],
            [("Content-MD5", base64.b64encode(hashlib.md5(b"bad").digest()).decode())],
            [("Content-MD5", "short")],
            [("x-amz-sdk-checksum-algorithm", "CRC32")],
        ):
            with self.subTest(headers=headers):
                self.forbidden(self.signed("PUT", self.path, headers=headers, body=b"new"), 400)

    def test_timing_of_signatures(self):
        """An attacker would learn a right signature byte by byte from answers that differ with how much of it was right."""
        request = self.signed("GET", f"/{self.name}/secret")
        right = request.signature
        answers = set()
        for length in (0, 1, 32, 63):
            guess = right[:length] + ("0" if right[length] != "0" else "1") + "0" * (63 - length)
            forged = self.signed("GET", f"/{self.name}/secret", when=request.when)
            forged.set("Authorization", request.get("Authorization").replace(right, guess))
            reply = self.forbidden(forged, 403, code="SignatureDoesNotMatch")
            self.assertNotIn(right, reply.text)
            answers.add((reply.status, reply.text.split("<Code>")[1].split("<")[0]))
        self.assertEqual(len(answers), 1)


