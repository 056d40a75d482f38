"""Names that try to leave their bucket, their folder, their upload."""

import hashlib
import os
from urllib.parse import unquote

from attack_case import AttackCase, unique
from support.signed_http import basic_time, canonical_request, encoded, now, request_bytes, string_to_sign


class Paths(AttackCase):
    def raw_put(self, target, body):
        """PUT of a target as it stands: nothing is encoded on the way."""
        return self.send(RawSigned(self, "PUT", target, body).data)

    def outside(self):
        """Every file of the data folder that lies in no bucket, with size and time."""
        found = {}
        for folder, _, files in os.walk(self.server.folder):
            if f"{self.data}/objects" in folder:
                continue
            for name in files:
                if name.startswith("state.db") or name in ("serve.log",):
                    continue
                path = os.path.join(folder, name)
                found[path] = os.stat(path).st_mtime_ns
        return found

    def test_keys_with_dots(self):
        """An attacker would write or read files of the host by keys with '..', encoded or not."""
        bucket, other = self.bucket(), self.bucket()
        self.put(other, "private.txt", b"private")
        before = self.outside()
        keys = ["../evil", "../../evil", f"../{other}/private.txt", "..", ".", "./x", "a/../../evil", "a/./b", "%2e%2e/evil", "..%2Fevil", "..\\evil", "....//x"]
        for key in keys:
            for target in {f"/{bucket}/{key}", f"/{bucket}/" + encoded(unquote(key), safe="/"), f"/{bucket}/" + encoded(unquote(key))}:
                with self.subTest(target=target):
                    body = target.encode()
                    reply = self.raw_put(target, body)
                    self.assertIn(reply.status, (200, 400, 403, 404), reply)
                    if reply.status == 200:
                        self.assertEqual(self.send(RawSigned(self, "GET", target).data).body, body)
        self.assertEqual(self.outside(), before, "files outside of buckets changed")
        self.assertEqual(self.content(other, "private.txt"), b"private")
        self.assertFalse((self.data / "evil").exists() or (self.data / "objects" / "evil").exists())

    def test_absolute_keys(self):
        """An attacker would read the host's files by absolute paths in place of keys."""
        bucket = self.bucket()
        for target in (f"/{bucket}//etc/passwd", f"/{bucket}/%2Fetc%2Fpasswd", "//etc/passwd", f"/{bucket}/file:///etc/passwd", f"//{bucket}/etc/passwd"):
            with self.subTest(target=target):
                reply = self.send(RawSigned(self, "GET", target).data)
                self.assertTrue(reply.status in (400, 403, 404) or reply.body == b"mine", reply)  # stored under another writing of it
                self.assertNotIn(b"root:", reply.body)
                self.raw_put(target, b"mine")
        self.assertNotIn(b"mine", open("/etc/passwd", "rb").read())

    def test_zero_bytes(self):
        """An attacker would make the service use another file than the one that it checked, by a zero byte in the key."""
        bucket = self.bucket()
        self.put(bucket, "a", b"a")
        for target in (f"/{bucket}/a%00.png", f"/{bucket}/%00", f"/{bucket}%00x/a", f"/{bucket}/a%00/../b"):
            self.refused(self.send(RawSigned(self, "GET", target).data), 400, 404)
            self.refused(self.raw_put(target, b"evil"), 400, 404)
        self.assertEqual(self.content(bucket, "a"), b"a")

    def test_planted_symlinks(self):
        """An attacker who can write into a bucket's folder would have the service read and overwrite any file of its user."""
        bucket = self.bucket()
        folder = self.data / "objects" / bucket
        secret = self.server.folder / "host-secret"
        secret.write_bytes(b"host secret")
        beyond = self.server.folder / "beyond"
        beyond.mkdir(exist_ok=True)
        (beyond / "inside").write_bytes(b"host secret")
        (folder / "link").symlink_to(secret)
        (folder / "dir").symlink_to(beyond)
        (folder / "keys").symlink_to(self.data / "access-keys.json")
        for key in ("link", "dir/inside", "keys"):
            reply = self.aws.s3("GET", f"/{bucket}/{key}")
            self.refused(self.heard(reply), 403, 404)
            self.assertNotIn(b"secret", reply.body.replace(b"secret-", b""))
        # What is neither file nor folder is the host's to clear up: writing there may fail inside.
        for method, key in (("PUT", "link"), ("PUT", "dir/inside"), ("PUT", "dir/new"), ("DELETE", "dir/inside"), ("DELETE", "dir")):
            self.aws.s3(method, f"/{bucket}/{key}", body=b"overwritten" if method == "PUT" else b"")
        self.assertEqual(secret.read_bytes(), b"host secret")
        self.assertEqual({path.name: path.read_bytes() for path in beyond.iterdir()}, {"inside": b"host secret"})
        listed = self.aws.s3("GET", f"/{bucket}", [("list-type", "2")])
        self.assertNotIn("<Key>dir/inside", listed.text)
        other = self.bucket()
        reply = self.aws.s3("PUT", f"/{other}/stolen", headers=[("x-amz-copy-source", f"/{bucket}/keys")])
        self.refused(self.heard(reply), 403, 404)

    def test_linked_bucket(self):
        """An attacker who can write into the objects' folder would make another folder of the host a bucket."""
        name = unique("linked")
        os.symlink(self.data, self.data / "objects" / name)
        try:
            for path in ("settings.json", "access-keys.json", "state.db"):
                self.refused(self.heard(self.aws.s3("GET", f"/{name}/{path}")), 403, 404)
            self.refused(self.heard(self.aws.s3("PUT", f"/{name}/evil", body=b"evil")), 403, 404, 409)
            self.assertFalse((self.data / "evil").exists())
        finally:
            os.unlink(self.data / "objects" / name)

    def test_upload_ids(self):
        """An attacker would write parts into, read from or remove any folder by an upload id that is a path."""
        bucket = self.bucket()
        started = self.aws.s3("POST", f"/{bucket}/mine", [("uploads", "")])
        upload = started.text.split("<UploadId>")[1].split("<")[0]
        before = self.outside()
        for upload_id in ("../..", "../../objects", f"../{bucket}", f"{upload}/../{upload}", f"{upload}/", "/etc", "%2e%2e", "", ".", "a\0b", "x" * 5000, f"{upload[:-1]}*"):
            with self.subTest(upload_id=upload_id[:50]):
                for method, query in (("PUT", [("partNumber", "1")]), ("GET", []), ("DELETE", []), ("POST", [])):
                    body = b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>" if method == "POST" else b"p"
                    reply = self.aws.s3(method, f"/{bucket}/mine", query + [("uploadId", upload_id)], body=body if method in ("PUT", "POST") else b"")
                    self.refused(self.heard(reply), 400, 404)
        self.assertEqual(self.outside(), before)
        # The upload of one key is no upload of another, nor of another bucket.
        other = self.bucket()
        for path in (f"/{bucket}/other", f"/{other}/mine"):
            self.refused(self.aws.s3("PUT", path, [("partNumber", "1"), ("uploadId", upload)], body=b"x"), 404, code="NoSuchUpload")
        self.assertEqual(self.aws.s3("GET", f"/{bucket}/mine", [("uploadId", upload)]).status, 200)

    def test_copy_sources(self):
        """An attacker would copy the host's files into a bucket by a copy source that leaves the objects' folder."""
        bucket = self.bucket()
        self.put(bucket, "a", b"a")
        for source in (
            "../access-keys.json", "/../access-keys.json", f"/{bucket}/../../access-keys.json", f"{bucket}/%2e%2e/%2e%2e/access-keys.json",
            f"{bucket}%2F..%2F..%2Fsettings.json", "%2e%2e/state.db", "./settings.json", "/etc/passwd", "//etc/passwd", f"/{bucket}//etc/passwd", "/", "", f"/{bucket}",
        ):
            with self.subTest(source=source):
                reply = self.aws.s3("PUT", f"/{bucket}/stolen", headers=[("x-amz-copy-source", source)])
                self.refused(self.heard(reply), 400, 403, 404)
                self.assertIsNone(self.content(bucket, "stolen"))

    def test_bucket_names(self):
        """An attacker would reach the service's own folders, or take its reserved prefix, by the name of a bucket."""
        before = set(os.listdir(self.data / "objects"))
        for name in ("_", "..", ".", "%2e%2e", "a%2Fb", "_x", ".uploads", ".terrapin", "crowd-html-elements.js", "A", "a", "a..b", "-ab", "ab-", "192.168.0.1", "a" * 64, "a%20b", "a%00b", "healthz%2F"):
            with self.subTest(name=name):
                reply = self.send(RawSigned(self, "PUT", f"/{name}").data)
                self.refused(reply, 400, 403, 404, 405, 409)
        self.assertEqual(set(os.listdir(self.data / "objects")), before)

    def test_reserved_prefix(self):
        """An attacker would put a page of their own where workers expect the service's, at /_/."""
        for target in ("/_/index.html", "/_/api/me", "/%5F/join", "/_%2Fjoin", "/_/", "/_", "//_/join", "/./_/join", "/x/../_/join"):
            with self.subTest(target=target):
                reply = self.raw_put(target, b"<script>1</script>")
                self.refused(reply, 400, 403, 404, 405)
        self.assertNotIn("<script>", self.follow("/_/join").text)

    def test_reads_by_job_uris(self):
        """An attacker would read the host's files through the URIs of a labeling job (manifest, labels, template)."""
        bucket, team = self.bucket(), self.team()
        self.job_files(bucket)
        for uri in ("s3://../settings.json", f"s3://{bucket}/../../settings.json", "s3:///etc/passwd", "s3://./x", "file:///etc/passwd", f"s3://{bucket}\\..\\x"):
            for member in ("labels", "template", "manifest"):
                with self.subTest(uri=uri, member=member):
                    _, request = self.job_request(bucket, team, **{member: uri})
                    reply = self.heard(self.aws.sagemaker("CreateLabelingJob", **request))
                    self.assertEqual(reply.status, 400, reply)
        # Photos by paths of the host: the job fails, or their tasks cannot be read.
        for source in ("/etc/passwd", "file:///etc/passwd", f"s3://{bucket}/../../access-keys.json"):
            with self.subTest(source=source):
                self.put(bucket, "input.manifest", f'{{"source-ref": "{source}"}}\n'.encode())
                job = self.job(bucket, team)
                body = self.wait_for_job(job, "Failed", "InProgress")
                if body["LabelingJobStatus"] == "InProgress":
                    worker = self.person(team)
                    content = worker.call("GET", f"/_/api/assignments/{self.task(worker, job)}/content").json()
                    for link in filter(None, content["images"].values()):
                        self.refused(self.heard(worker.call("GET", link)), 403, 404)

    def test_output_path_outside(self):
        """An attacker would have masks written anywhere on the host by the output path."""
        bucket, team = self.bucket(), self.team()
        self.job_files(bucket)
        before = self.outside()
        for output in ("s3://../x", f"s3://{bucket}/../../x", "file:///tmp/x", f"s3://{bucket}/./../x"):
            _, request = self.job_request(bucket, team, output=output)
            reply = self.heard(self.aws.sagemaker("CreateLabelingJob", **request))
            if reply.status == 200:  # a key like any other, then: inside the bucket
                self.wait_for_job(request["LabelingJobName"], "InProgress", "Failed")
        self.assertEqual(set(self.outside()), set(before))


class RawSigned:
    """A request whose target is signed as it stands, whatever it holds."""

    def __init__(self, case, method, target, body=b""):
        when = now()
        payload = hashlib.sha256(body).hexdigest()
        headers = [("Host", case.authority), ("X-Amz-Date", basic_time(when)), ("X-Amz-Content-Sha256", payload)]
        signed = ["host", "x-amz-content-sha256", "x-amz-date"]
        # S3 signs the decoded path, encoded once.
        path = encoded(unquote(target), safe="/")
        scope = case.key.scope(when)
        canonical = canonical_request(method, path, [], headers, signed, payload)
        signature = case.key.signature(scope, string_to_sign(when, scope, canonical))
        headers.append(("Authorization", f"AWS4-HMAC-SHA256 Credential={case.key.id}/{scope}, SignedHeaders={';'.join(signed)}, Signature={signature}"))
        self.data = request_bytes(method, target, headers, body, "")
