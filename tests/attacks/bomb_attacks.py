"""Small requests that ask for much memory or time."""

import base64
import hashlib
import json
import struct
import threading
import zlib
from urllib.parse import unquote

from attack_case import SIZE, AttackCase
from support.signed_http import Connection
from support.small_png import encode_bomb, encode_header_bomb, encode_rgb

MUCH_MIB = 700  # an attack that makes the service hold that much more has worked


def answer_of(png, label="Turtle"):
    return json.dumps({"e": {"labelMappings": {label: {"color": "#2ca02c"}}, "labeledImage": {"pngImageData": base64.b64encode(png).decode()}}}).encode()


class Bombs(AttackCase):
    def setUp(self):
        super().setUp()
        self.forget_memory_peak()
        self.before, self.much_mib = self.memory_peak_mib(), MUCH_MIB

    def tearDown(self):
        super().tearDown()
        self.assertLess(self.memory_peak_mib() - self.before, self.much_mib, f"the service took {self.memory_peak_mib():.0f} MiB")

    def check_answers(self, answers):
        """Each is refused, the lease goes on, and a good answer is still taken."""
        job, _, [worker] = self.labeled_team_job(1)
        task = self.task(worker, job)
        for answer in answers:
            with self.subTest(start=answer[:80]):
                self.refused(self.heard(worker.call("POST", f"/_/api/assignments/{task}/submit", answer)), 400, 413)
        self.assertEqual(worker.call("GET", f"/_/api/assignments/{task}").json()["assignment"]["state"], "leased")
        self.assertEqual(worker.call("POST", f"/_/api/assignments/{task}/submit", answer_of(encode_rgb(*SIZE, lambda x, y: (255, 255, 255)))).status, 200)

    def test_huge_masks(self):
        """An attacker who is a worker would bring the service down by a mask of 60,000 x 60,000 pixels in a few kilobytes."""
        width, height = SIZE
        self.check_answers(
            [answer_of(encode_header_bomb(60_000, 60_000, kind)) for kind in (0, 2, 3, 6)]
            + [answer_of(encode_header_bomb(2**31 - 1, 2**31 - 1)), answer_of(encode_header_bomb(2**31 - 1, 1)), answer_of(encode_bomb(20_000, 20_000))]
            # Of the photo's size by the header, and more behind it.
            + [answer_of(with_rows_of(width, height, encode_bomb(20_000, 20_000)))]
        )

    def test_endless_png(self):
        """An attacker who is a worker would bring the service down by a small PNG whose compressed data or texts unpack without an end."""
        width, height = SIZE
        packer = zlib.compressobj(9)
        endless = b"".join(packer.compress(bytes(1 << 20)) for _ in range(512)) + packer.flush()
        good = encode_rgb(width, height, lambda x, y: (255, 255, 255))
        text = chunk(b"zTXt", b"a\0\0" + endless)
        profile = chunk(b"iCCP", b"a\0\0" + endless)
        header = good[:33]
        bombs = [
            header + chunk(b"IDAT", endless[: 400_000]) + chunk(b"IEND", b""),
            header + chunk(b"IDAT", b"") * 100_000 + chunk(b"IEND", b""),
            header + struct.pack(">I", 0xFFFFFFFF) + b"IDAT",
        ]
        self.check_answers([answer_of(bomb) for bomb in bombs])
        # Texts and profiles of that kind may be passed over.
        for bomb in (header + text + good[33:], header + profile + good[33:], header + chunk(b"PLTE", bytes(769)) + good[33:]):
            job, _, [worker] = self.labeled_team_job(1)
            task = self.task(worker, job)
            self.assertIn(self.heard(worker.call("POST", f"/_/api/assignments/{task}/submit", answer_of(bomb))).status, (200, 400, 413))

    def test_huge_photos(self):
        """An attacker with a requester's key would bring the service down by a photo that claims 60,000 x 60,000 pixels."""
        bucket, team = self.bucket(), self.team()
        self.job_files(bucket, photos=1)
        for bomb in (encode_header_bomb(60_000, 60_000), encode_header_bomb(2**31 - 1, 2**31 - 1), b"\xff\xd8\xff\xc0\0\x11\x08\xff\xff\xff\xff\x03\1\x11\0\2\x11\0\3\x11\0" + b"\xff\xd9"):
            self.put(bucket, "0.png", bomb)
            job = self.job(bucket, team)
            worker = self.person(team)
            task = self.task(worker, job)
            self.refused(self.heard(worker.call("POST", f"/_/api/assignments/{task}/submit", answer_of(encode_header_bomb(60_000, 60_000)))), 400, 413)

    def test_nested_json(self):
        """An attacker would end the service by JSON that is nested a hundred thousand deep, where something reads it level by level."""
        job, bucket, [worker] = self.labeled_team_job(1)
        task = self.task(worker, job)
        deep = [b"[" * 100_000, b"[" * 30_000 + b"]" * 30_000, b'{"a":' * 60_000 + b"1" + b"}" * 60_000, b'{"a":[' * 9_000 + b"]}" * 9_000]
        for body in deep:
            self.refused(self.heard(worker.call("POST", "/_/api/assignments", body[:60_000])), 400, 413)
            self.refused(self.heard(self.stranger().call("POST", "/_/api/sign-in", body[:60_000])), 400, 413)
            self.refused(self.heard(worker.call("POST", f"/_/api/assignments/{task}/submit", body)), 400)
            headers = [("X-Amz-Target", "SageMaker.CreateLabelingJob"), ("Content-Type", "application/x-amz-json-1.1")]
            self.refused(self.send(self.signed("POST", "/", self.key.to("sagemaker"), headers=headers, body=body)), 400)
            self.refused(self.send(self.signed("POST", "/", self.key.to("sagemaker"), headers=headers, body=b'{"LabelingJobName":' + body + b"}")), 400)
        # Where only what is below a member is deep.
        element = {"labelMappings": {"Turtle": {"color": "#2ca02c"}}, "labeledImage": {"pngImageData": "x"}}
        inside = json.dumps({"e": element, "more": 0}).encode().replace(b'"more": 0', b'"more": ' + b"[" * 50_000 + b"]" * 50_000)
        self.refused(self.heard(worker.call("POST", f"/_/api/assignments/{task}/submit", inside)), 400)
        team = self.team()
        for line in (b'{"source-ref":"s3://%s/0.png","a":' % bucket.encode() + b"[" * 40_000 + b"]" * 40_000 + b"}", b"[" * 90_000):
            self.put(bucket, "input.manifest", line + b"\n")
            body = self.wait_for_job(self.job(bucket, team), "Failed", "InProgress")
            self.assertEqual(body["LabelingJobStatus"], "Failed")
        self.put(bucket, "labels.json", b"[" * 100_000)
        _, request = self.job_request(bucket, team)
        self.refused(self.heard(self.aws.sagemaker("CreateLabelingJob", **request)), 400)

    def test_huge_numbers(self):
        """An attacker would confuse counters and times by numbers that no integer holds."""
        job, bucket, [worker] = self.labeled_team_job(1)
        task = self.task(worker, job)
        self.assertEqual(worker.call("POST", f"/_/api/assignments/{task}/draft/open", {"tab": "tab"}).status, 200)
        numbers = ["1e400", "-1e400", "9" * 40_000, "18446744073709551616", "9223372036854775808", "-9223372036854775809", "1.5", "NaN", "Infinity", "-0", "0", "-1", "1e0", "01"]
        for number in numbers:
            body = b'{"tab":"tab","deltas":[{"sequence":%s,"data":"x"}]}' % number.encode()
            with self.subTest(number=number[:30]):
                self.refused(self.heard(worker.call("POST", f"/_/api/assignments/{task}/draft/deltas", body)), 400, 409)
                if number != "0":
                    body = b'{"tab":"tab","base_sequence":%s,"snapshot":"x"}' % number.encode()
                    self.refused(self.heard(worker.call("PUT", f"/_/api/assignments/{task}/draft/snapshot", body)), 400, 409, *((200,) if number == "-0" else ()))
                if number not in ("1e0",):
                    _, request = self.job_request(bucket, self.__dict__.setdefault("_team", self.team()))
                    text = json.dumps(request).replace('"TaskTimeLimitInSeconds": 3600', f'"TaskTimeLimitInSeconds": {number}').encode()
                    headers = [("X-Amz-Target", "SageMaker.CreateLabelingJob"), ("Content-Type", "application/x-amz-json-1.1")]
                    self.refused(self.send(self.signed("POST", "/", self.key.to("sagemaker"), headers=headers, body=text)), 400)
        for query in ("max-keys=99999999999999999999", "max-keys=-1", "max-keys=1e9", "max-keys=%00"):
            name, value = query.split("=")
            self.refused(self.heard(self.aws.s3("GET", f"/{bucket}", [(name, unquote(value))])), 400)
        for value in ("bytes=0-99999999999999999999", "bytes=99999999999999999999-", "bytes=-99999999999999999999", "bytes=5-2", "bytes=" + "0-0," * 5000 + "0-0"):
            self.assertIn(self.heard(self.aws.s3("GET", f"/{bucket}/0.png", headers=[("Range", value)])).status, (200, 206, 400, 416))

    def test_xml_entities(self):
        """An attacker would use up memory by entities that multiply, or have the host's files sent to them by external ones."""
        bucket = self.bucket()
        self.put(bucket, "lol", b"x")
        entities = '<!ENTITY a0 "lol">' + "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 10))
        documents = [
            f"<!DOCTYPE x [{entities}]><Delete><Object><Key>&a9;</Key></Object></Delete>",
            '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><Delete><Object><Key>&f;</Key></Object></Delete>',
            '<!DOCTYPE x SYSTEM "http://127.0.0.1:1/evil.dtd"><Delete><Object><Key>lol</Key></Object></Delete>',
            '<!DOCTYPE x [<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;]><Delete><Object><Key>lol</Key></Object></Delete>',
        ]
        for document in documents:
            body = document.encode()
            for method, path, query in (("POST", f"/{bucket}", [("delete", "")]), ("PUT", f"/{bucket}/lol", [("tagging", "")])):
                reply = self.heard(self.aws.s3(method, path, query, self.md5(body), body))
                self.assertNotIn("root:", reply.text)
                self.refused(reply, 400, code="MalformedXML")
        self.assertEqual(self.content(bucket, "lol"), b"x")

    def md5(self, body):
        return [("Content-MD5", base64.b64encode(hashlib.md5(body).digest()).decode())]

    def test_long_documents(self):
        """An attacker would keep the service busy by one request that names a hundred thousand objects or parts, or nests as deep."""
        bucket = self.bucket()
        self.put(bucket, "k", b"x")
        for count in (1001, 100_000):
            body = ("<Delete>" + "".join(f"<Object><Key>{i}</Key></Object>" for i in range(count)) + "</Delete>").encode()
            self.refused(self.heard(self.aws.s3("POST", f"/{bucket}", [("delete", "")], self.md5(body), body)), 400, 413, code="MalformedXML" if count == 1001 else None)
        started = self.aws.s3("POST", f"/{bucket}/big", [("uploads", "")])
        upload = [("uploadId", started.text.split("<UploadId>")[1].split("<")[0])]
        for count in (10_001, 100_000):
            parts = "".join(f'<Part><PartNumber>{i}</PartNumber><ETag>"{"0" * 32}"</ETag></Part>' for i in range(1, count + 1))
            body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
            self.refused(self.heard(self.aws.s3("POST", f"/{bucket}/big", upload, body=body)), 400, 413)
        for number in ("0", "10001", "-1", "99999999999", "1.0", "one"):
            self.refused(self.heard(self.aws.s3("PUT", f"/{bucket}/big", [("partNumber", number)] + upload, body=b"x")), 400)
        deep = b"<Delete>" * 200_000
        for body in (deep, deep + b"</Delete>" * 200_000, b"<Delete>" + b"<a>" * 100_000, b"<" * 500_000, b"<!--" * 100_000, b"\xff\xfe" + b"<\0" * 1000, b""):
            self.refused(self.heard(self.aws.s3("POST", f"/{bucket}", [("delete", "")], self.md5(body), body)), 400, 413)
        self.assertEqual(self.content(bucket, "k"), b"x")

    def test_compressed_bodies(self):
        """An attacker would have a megabyte unpacked to gigabytes by declaring a body as compressed."""
        packed = zlib.compress(bytes(100 << 20))
        worker = self.person()
        for encoding in ("gzip", "deflate", "br", "gzip, gzip"):
            self.refused(self.heard(worker.call("POST", "/_/api/assignments", packed[:60_000], [("Content-Encoding", encoding)])), 400, 413, 415)
        bucket = self.bucket()
        self.put(bucket, "z", packed, Content_Encoding="gzip")
        self.assertEqual(self.content(bucket, "z"), packed)

    def test_long_heads(self):
        """An attacker would use up memory by request lines, headers, queries and cookies without an end."""
        for head in (
            f"GET /{'a' * 100_000} HTTP/1.1\r\nHost: x\r\n\r\n",
            f"GET /?{'a=b&' * 30_000} HTTP/1.1\r\nHost: x\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: x\r\n" + "X: y\r\n" * 100_000 + "\r\n",
            f"GET / HTTP/1.1\r\nHost: x\r\nX: {'y' * 1_000_000}\r\n\r\n",
            f"GET /_/api/me HTTP/1.1\r\nHost: x\r\nCookie: {'terrapin-session=a; ' * 10_000}\r\n\r\n",
            "G" * 1_000_000,
        ):
            self.refused(self.send(head.encode()), 400, 414, 431)

    def test_announced_bodies(self):
        """An attacker would have memory or disk reserved by announcing large bodies that never come, on many connections."""
        connections = []
        for _ in range(100):
            connection = Connection(*self.address)
            connection.send(f"PUT /bucket/key HTTP/1.1\r\nHost: {self.authority}\r\nContent-Length: {4 << 30}\r\n\r\nx".encode())
            connections.append(connection)
        self.assertEqual(self.aws.s3("GET", "/").status, 200)
        for connection in connections:
            connection.close()
        self.refused(self.send(f"PUT /b/k HTTP/1.1\r\nHost: {self.authority}\r\nContent-Length: {10 << 40}\r\n\r\n".encode()), 400, 403, 413)

    def test_long_manifests(self):
        """An attacker with a requester's key would use up memory by a manifest line, a template or a label file without an end."""
        bucket, team = self.bucket(), self.team()
        self.job_files(bucket)
        self.put(bucket, "input.manifest", b'{"source-ref":"s3://%s/0.png","x":"' % bucket.encode() + b"y" * (30 << 20) + b'"}\n')
        body = self.wait_for_job(self.job(bucket, team), "Failed", "InProgress")
        self.assertEqual(body["LabelingJobStatus"], "Failed")
        self.job_files(bucket)
        self.put(bucket, "input.manifest", b"\n" * (5 << 20))
        self.assertEqual(self.wait_for_job(self.job(bucket, team), "Failed", "InProgress")["LabelingJobStatus"], "Failed")
        self.job_files(bucket)
        for name, changes in (("template.html", {}), ("labels.json", {})):
            self.put(bucket, name, b" " * (30 << 20))
            _, request = self.job_request(bucket, team, **changes)
            self.refused(self.heard(self.aws.sagemaker("CreateLabelingJob", **request)), 400)
            self.job_files(bucket)
        labels = json.dumps({"labels": [{"label": str(i)} for i in range(100_000)]}).encode()
        self.put(bucket, "labels.json", labels)
        _, request = self.job_request(bucket, team)
        self.refused(self.heard(self.aws.sagemaker("CreateLabelingJob", **request)), 400)

    def test_bombs_at_once(self):
        """An attacker with several accounts would use up memory by many large answers at the same moment, each of them allowed."""
        side = 6000
        team, bucket = self.team(), self.bucket()
        self.job_files(bucket, lines=[json.dumps({"source-ref": f"s3://{bucket}/big.png", "n": i}) for i in range(8)])
        self.put(bucket, "big.png", encode_bomb(side, side))
        job = self.job(bucket, team)
        workers = [self.person(team) for _ in range(8)]
        tasks = [self.task(worker, job) for worker in workers]
        packer = zlib.compressobj(1)
        white = packer.compress(b"".join(b"\0" + b"\xff" * (3 * side) for _ in range(side))) + packer.flush()
        png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)) + chunk(b"IDAT", white) + chunk(b"IEND", b"")
        replies = []
        threads = [
            threading.Thread(target=lambda w=worker, t=task: replies.append(w.call("POST", f"/_/api/assignments/{t}/submit", answer_of(png))))
            for worker, task in zip(workers, tasks)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual([reply.status for reply in replies], [200] * 8)
        # Photos of 288 megapixels together: four bytes a pixel, for the colours and the indices, and no copy more.
        self.much_mib = 8 * side * side * 4 / 2**20 + 200


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def with_rows_of(width, height, png):
    """The file with another size in its header: more data than it says."""
    header = struct.pack(">II", width, height) + png[24:29]
    return png[:16] + header + struct.pack(">I", zlib.crc32(b"IHDR" + header)) + png[33:]
