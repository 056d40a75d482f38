"""Large bodies from people who may not send them, and more of them at once than the disk has room for."""

import os
import time

from attack_case import AttackCase
from support.signed_http import BrokenConnection, Connection, Key, Signed
from support.terrapin_server import TerrapinServer

LARGE = 64 << 20
EXPECTING = "Expect: 100-continue\r\n"


class Space(AttackCase):
    @classmethod
    def setUpClass(cls):
        """A service of their own: its spool has room for one GiB."""
        cls.server = TerrapinServer(["--log-level", "debug", "--max-spool-gb", "1"]).start()
        cls.addClassCleanup(cls.server.close)
        cls.key = Key(cls.server.key.id, cls.server.key.secret)
        cls.address = cls.server.address
        cls.authority = f"{cls.address[0]}:{cls.address[1]}"
        cls.data = cls.server.data_dir

    def spooled_files(self):
        """The sizes of the bodies that the service has on disk: files without a name, seen through its descriptors."""
        folder, sizes = f"/proc/{self.server._process.pid}/fd", []
        for number in os.listdir(folder):
            try:
                if os.readlink(f"{folder}/{number}").startswith(str(self.data / "spool")):
                    sizes.append(os.stat(f"{folder}/{number}").st_size)
            except FileNotFoundError:
                pass
        return sizes

    def open_upload(self, head, body=b""):
        connection = Connection(*self.address)
        connection.send(head.encode() + body)
        return connection

    def head(self, method, target, fields, size=LARGE):
        return f"{method} {target} HTTP/1.1\r\nHost: {self.authority}\r\nContent-Length: {size}\r\n{fields}\r\n"

    def refused_unread(self, method, target, fields, *statuses):
        """By its head alone, without the 100 that asks for a body, and the connection ends."""
        for more in ("", EXPECTING):
            connection = self.open_upload(self.head(method, target, fields + more))
            reply = self.heard(connection.receive())
            self.assertIn(reply.status, statuses, (target, reply))
            self.assertEqual(reply.header("Connection"), "close", target)
            connection.close()
        # Without a length, the body is cut off.
        chunk = b"10000\r\n" + b"x" * (1 << 16) + b"\r\n"
        connection = self.open_upload(f"{method} {target} HTTP/1.1\r\nHost: {self.authority}\r\nTransfer-Encoding: chunked\r\n{fields}\r\n", chunk)
        try:
            connection.send(chunk)
            reply = self.heard(connection.receive())
            self.assertIn(reply.status, statuses, (target, reply))
        except BrokenConnection:
            pass
        connection.close()
        self.assertEqual(self.spooled_files(), [], target)

    def signed_fields(self, request):
        return "".join(f"{name}: {value}\r\n" for name, value in request.headers if name != "Host")

    def test_unsigned_uploads(self):
        """An attacker without any key would fill the disk by large uploads that are refused only when they have arrived."""
        self.refused_unread("PUT", "/bucket/key", "", 403)
        self.refused_unread("POST", "/", "X-Amz-Target: SageMaker.CreateLabelingJob\r\n", 400, 403)
        self.refused_unread("PUT", "/healthz", "", 403)
        self.refused_unread("OPTIONS", "/bucket/key", "Origin: http://x\r\n", 403)
        self.refused_unread("PUT", "/bucket/key", "Authorization: Bearer x\r\n", 400, 403)

    def test_uploads_with_made_up_keys(self):
        """An attacker would fill the disk by uploads that look signed: an unknown key, or a known key's id without its secret."""
        unknown = Key("TPIAAAAAAAAAAAAAAAAA", "s" * 40)
        guessed = Key(self.key.id, "s" * 40)
        for key in (unknown, guessed):
            request = Signed(key, "PUT", "/bucket/key", self.authority, payload="UNSIGNED-PAYLOAD")
            self.refused_unread("PUT", "/bucket/key", self.signed_fields(request), 403)
        target = self.link("PUT", "/bucket/key", unknown)
        self.refused_unread("PUT", target, "", 403)
        job = Signed(unknown.to("sagemaker"), "POST", "/", self.authority, headers=[("X-Amz-Target", "SageMaker.CreateLabelingJob")])
        self.refused_unread("POST", "/", self.signed_fields(job), 400, 403)
        # The JSON of a known key has a limit too: its signature covers the body and cannot be looked at before.
        job = Signed(self.key.to("sagemaker"), "POST", "/", self.authority, headers=[("X-Amz-Target", "SageMaker.CreateLabelingJob")])
        self.refused_unread("POST", "/", self.signed_fields(job), 413, 400)

    def test_large_answers_of_strangers(self):
        """An attacker without an account would fill the disk by submitting answers of 64 MiB to tasks that need not exist."""
        cookie = "Cookie: terrapin-session=" + "A" * 43 + "\r\n"
        for method, path in (("POST", "x/submit"), ("PUT", "x/answer"), ("PUT", "x/draft/snapshot"), ("POST", "x/draft/deltas")):
            for fields in ("", cookie):
                self.refused_unread(method, f"/_/api/assignments/{path}", "Content-Type: application/json\r\n" + fields, 401)
        self.refused_unread("POST", "/_/api/sign-in", "Content-Type: application/json\r\n", 413)
        self.refused_unread("POST", "/%5F/api/sign-in", "Content-Type: application/json\r\n", 413)
        self.refused_unread("POST", "/_/nowhere", "", 413)

    def test_more_than_there_is_room_for(self):
        """An attacker with a key would fill the disk by many uploads at once that never end."""
        bucket = self.bucket()
        request = Signed(self.key, "PUT", f"/{bucket}/slow", self.authority, payload="UNSIGNED-PAYLOAD")
        slow = self.open_upload(self.head("PUT", request.target, self.signed_fields(request), 900 << 20), bytes(5 << 20))
        self.wait_for(self.spooled_files, "the first upload is on its way")
        for more in ("", EXPECTING):
            second = self.open_upload(self.head("PUT", request.target, self.signed_fields(request) + more, 200 << 20))
            reply = self.heard(second.receive())
            self.assertEqual((reply.status, reply.header("Connection")), (503, "close"), reply)
            self.assertTrue(reply.header("Retry-After"))
            second.close()
        # What is small, or has room, goes on.
        self.put(bucket, "small", b"x" * (1 << 20))
        self.put(bucket, "large", bytes(20 << 20))
        # And when the first leaves, its room is free.
        slow.close()
        self.wait_for(lambda: not self.spooled_files(), "the first upload is gone")
        deadline = time.monotonic() + 30
        while True:
            third = self.open_upload(self.head("PUT", request.target, self.signed_fields(request) + EXPECTING, 1000 << 20))
            line = third._line()
            third.close()
            if b" 100 " in line:
                break
            self.assertLess(time.monotonic(), deadline, line)
        self.assertIsNone(self.content(bucket, "slow"))

    def test_signed_uploads_pass(self):
        """An attacker would keep others out if the limits met those who may send: large uploads that are signed would not arrive."""
        bucket, body = self.bucket(), bytes(range(256)) * (32 << 10)
        self.put(bucket, "plain", body)
        self.assertEqual(self.content(bucket, "plain"), body)
        reply = self.follow(self.link("PUT", f"/{bucket}/link"), "PUT", body)
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual(self.content(bucket, "link"), body)
