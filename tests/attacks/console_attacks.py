"""Requesters who reach for what is not theirs, and what they upload."""

import hashlib
import hmac
import http.server
import json
import sqlite3
import threading

from attack_case import AttackCase, fresh_address, unique
from people_attacks import answer
from support.files import files_below
from support.portal_session import PortalSession
from support.small_png import encode_bomb, encode_header_bomb
from support.terrapin_server import TerrapinServer

API = "/_/api/requester/"


def upload(session, path, body, kind="application/octet-stream"):
    fields = [("Cookie", session.cookie), ("X-CSRF-Token", session.csrf), ("Content-Type", kind)]
    return session.connection.request("PUT", API + "objects/" + path, fields, body)


class Uploads(AttackCase):
    def test_active_content(self):
        """An attacker who may upload would run a script in another person's session, with a page, a drawing or a worker script."""
        bucket, requester = self.bucket(), self.person(role="requester")
        page = b"<script>fetch('/_/api/me')</script>"
        for name, kind in (("a.html", "text/html"), ("a.svg", "image/svg+xml"), ("a.js", "text/javascript"), ("a.png", "text/html"), ("a", "application/xhtml+xml; charset=utf-8"), ("a.pdf", "application/pdf")):
            self.assertEqual(self.heard(upload(requester, f"{bucket}/{name}", page, kind)).status, 201)
            reply = self.heard(requester.call("GET", f"{API}objects/{bucket}/{name}"))
            self.assertEqual((reply.status, reply.body), (200, page))
            self.assertEqual(reply.header("Content-Type"), "application/octet-stream")
            self.assertTrue(reply.header("Content-Disposition").startswith("attachment"))
            self.assertIn("sandbox", reply.header("Content-Security-Policy"))
            self.assertEqual(reply.header("X-Content-Type-Options"), "nosniff")
            self.assertEqual(reply.header("Cross-Origin-Resource-Policy"), "same-origin")

    def test_paths(self):
        """An attacker would read or write files of the host with the path of an upload."""
        bucket, requester = self.bucket(), self.person(role="requester")
        before = sorted(path.name for path in self.data.iterdir())
        for key in (
            "../../../settings.json", "..%2F..%2F..%2Fsettings.json", "%2e%2e/%2e%2e/access-keys.json", "....//....//x", "/etc/passwd", "%2Fetc%2Fpasswd", "a%5C..%5Cb", "a/./b",
            "a//b", ".", "..", "...", "a%0Ab", "a%7Fb", "a/", ".terrapin/x", "x" * 1024, "%C3%A9" * 500, "a/" * 500 + "a", "CON", "a%00b", "%00", "x" * 1025, "%FF", "%", "%2",
        ):
            with self.subTest(key=key[:60]):
                reply = self.heard(upload(requester, f"{bucket}/{key}", b"mine"))
                # A target that cannot be decoded belongs to no route: it is refused like any request without a signature.
                self.assertIn(reply.status, (201, 400, 403), reply)
                self.assertNotIn(b"secret", reply.body)
                got = self.heard(requester.call("GET", f"{API}objects/{bucket}/{key}"))
                self.assertEqual(got.status, 200 if reply.status == 201 else reply.status, got)
                if got.status == 200:
                    self.assertEqual(got.body, b"mine")
        for name in ("..", "%2e%2e", "..%2F..", bucket + "%2F..", "_", ".", "%00", bucket.upper(), bucket + "%20"):
            self.refused(self.heard(upload(requester, f"{name}/x", b"mine")), 400, 403, 404)
            self.refused(self.heard(requester.call("GET", f"{API}objects/{name}/settings.json")), 400, 403, 404)
        for query in ("bucket=..&prefix=", f"bucket={bucket}&prefix=%00", "bucket=%2e%2e%2f", f"bucket={bucket}&prefix=%FF"):
            self.refused(self.heard(requester.call("GET", f"{API}objects?{query}")), 400, 403, 404)
        self.assertEqual(sorted(path.name for path in self.data.iterdir()), before)

    def test_names_in_headers(self):
        """An attacker would add headers to an answer with the name of an object or the type it says it has."""
        bucket, requester = self.bucket(), self.person(role="requester")
        name = "a%0D%0ASet-Cookie:%20evil=1%0D%0A%22;x=%27.txt"
        self.assertEqual(self.heard(upload(requester, f"{bucket}/{name}", b"x", "text/plain")).status, 201)
        reply = self.heard(requester.call("GET", f"{API}objects/{bucket}/{name}"))
        self.assertEqual(reply.status, 200)
        self.assertIsNone(reply.header("Set-Cookie"))
        self.assertNotIn('"', reply.header("Content-Disposition"))

    def test_picture_bombs(self):
        """An attacker would fill the service's memory with photos that are small files and huge pictures."""
        job, bucket, _ = self.labeled_team_job(0, photos=1)
        self.wait_for_job(job, "InProgress")
        requester = self.person(role="requester")
        photo = f"{API}jobs/{job}/objects/0/photo?width=64"
        self.assertEqual(self.heard(requester.call("GET", photo)).status, 200)
        self.forget_memory_peak()
        before = self.memory_peak_mib()
        jpeg = b"\xff\xd8\xff\xc0\0\x11\x08\xff\xff\xff\xff\x03\1\x11\0\2\x11\0\3\x11\0" + b"\xff\xd9"
        for bomb in (encode_header_bomb(60_000, 60_000), encode_header_bomb(2**31 - 1, 2**31 - 1), encode_bomb(20_000, 20_000), jpeg, b"\x89PNG\r\n\x1a\n", b""):
            self.put(bucket, "0.png", bomb)
            self.refused(self.heard(requester.call("GET", photo)), 409, 413)
        self.assertLess(self.memory_peak_mib() - before, 200)


class Bounds(AttackCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.limited = TerrapinServer(["--requester-bucket", "mine"]).start()
        cls.addClassCleanup(cls.limited.close)

    def someone(self, role, group="nobody"):
        session = PortalSession(self.limited.address, fresh_address())
        name = unique("p") + "@example.com"
        self.assertEqual(session.join(self.limited.invitation(group, role), name, "a long enough password").status, 201)
        return session

    def test_buckets_of_others(self):
        """An attacker who is a requester would read another bucket: by a listing, a job's photos and masks, a new job, or a copy of an admin's; or stop one."""
        admin, requester = self.someone("admin"), self.someone("requester")
        for bucket in ("mine", "theirs"):
            self.assertEqual(admin.call("POST", API + "buckets", {"name": bucket}).status, 201)
        self.assertEqual(upload(admin, "theirs/0.png", self.photo()).status, 201)
        self.assertEqual(upload(requester, "mine/0.png", self.photo()).status, 201)
        self.assertEqual(admin.call("POST", API + "workteams", {"name": "team"}).status, 201)
        team = admin.call("GET", API + "workteams").json()["workteams"][0]["arn"]
        asked = {"name": "admins", "input_uri": "s3://theirs/", "output_uri": "s3://theirs/out", "labels": [{"label": "Turtle"}], "workteam_arn": team, "title": "t"}
        self.assertEqual(self.heard(admin.call("POST", API + "jobs", asked)).status, 201)
        self.wait_for(lambda: admin.call("GET", API + "jobs/admins").json()["job"]["status"] == "InProgress", "the job runs")
        self.assertEqual(admin.call("GET", API + "jobs/admins/objects/0/photo").status, 200)
        self.assertEqual([each["name"] for each in requester.call("GET", API + "buckets").json()["buckets"]], ["mine"])
        for method, path, body in (
            ("GET", "objects?bucket=theirs", None), ("GET", "objects/theirs/0.png", None), ("POST", "buckets", {"name": "another"}), ("GET", "jobs/admins/objects/0/photo", None),
            ("GET", "jobs/admins/objects/0/photo?width=64", None), ("GET", "jobs/admins/download?what=manifest", None), ("GET", "jobs/admins/download?what=dataset", None),
            ("POST", "jobs", dict(asked, name="a", output_uri="s3://mine/out")), ("POST", "jobs", dict(asked, name="b", input_uri="s3://mine/")),
            ("GET", "jobs/admins", None), ("GET", "jobs/admins/template", None), ("GET", "jobs/admins/categories", None), ("GET", "jobs/admins/objects", None), ("GET", "jobs/admins/workers", None),
            ("POST", "jobs/admins/stop", {}), ("POST", "jobs/admins/objects/0/reopen", {}), ("POST", "jobs/admins/workers/w/withdraw", {}),
            ("POST", "jobs/admins/clone", {"new_name": "c"}), ("POST", "jobs/admins/chain", {"new_name": "d", "output_uri": "s3://mine/out"}),
            ("POST", "jobs", {**asked, "name": "e", "input_uri": "s3://mine/", "output_uri": "s3://mine/out", "template_uri": "s3://theirs/0.png"}),
        ):
            with self.subTest(method=method, path=path, body=body):
                self.refused(self.heard(requester.call(method, API + path, body)), 403)
        self.assertEqual([each["name"] for each in requester.call("GET", API + "jobs").json()["jobs"]], [])
        self.assertEqual(admin.call("GET", API + "jobs/admins").json()["job"]["status"], "InProgress")
        self.refused(self.heard(upload(requester, "theirs/evil", b"evil")), 403)
        self.assertEqual([each["key"] for each in admin.call("GET", API + "objects?bucket=mine").json()["objects"]], ["0.png"])
        # A manifest in a bucket of theirs may name photos of another: the job fails, and nobody sees them.
        upload(requester, "mine/input.manifest", b'{"source-ref": "s3://theirs/0.png"}\n')
        asked = dict(asked, name="sly", input_uri="s3://mine/input.manifest", output_uri="s3://mine/out")
        self.assertEqual(self.heard(requester.call("POST", API + "jobs", asked)).status, 201)
        ended = self.wait_for(lambda: (job := requester.call("GET", API + "jobs/sly").json()["job"])["status"] == "Failed" and job, "the job fails")
        self.assertIn("may not read bucket theirs", ended["failure_reason"])

    def test_rights_taken_back(self):
        """An attacker who was a requester would go on to read photos through the jobs that they made."""
        admin, requester = self.someone("admin"), self.someone("requester")
        admin.call("POST", API + "buckets", {"name": "mine"})
        upload(requester, "mine/photos/0.png", self.photo())
        group = unique("team")
        self.assertEqual(requester.call("POST", API + "workteams", {"name": group}).status, 201)
        team = next(each["arn"] for each in requester.call("GET", API + "workteams").json()["workteams"] if each["name"] == group)
        asked = {"name": group, "input_uri": "s3://mine/photos/", "output_uri": "s3://mine/out", "labels": [{"label": "Turtle"}], "workteam_arn": team, "title": "t"}
        self.assertEqual(self.heard(requester.call("POST", API + "jobs", asked)).status, 201)
        accomplice = self.someone("worker", group)
        task = self.wait_for(lambda: (reply := accomplice.call("POST", "/_/api/assignments", {"job": group})).status == 201 and reply.json()["assignment"], "a task")
        link = next(iter(accomplice.call("GET", f"/_/api/assignments/{task['id']}/content").json()["images"].values()))
        self.assertEqual(accomplice.call("GET", link).status, 200)
        change = {"roles": ["worker"]}
        self.assertEqual(admin.call("PUT", f"/_/api/accounts/{requester.account['id']}", change).status, 200)
        self.refused(self.heard(accomplice.call("GET", link)), 403)
        self.refused(self.heard(requester.call("GET", API + "objects/mine/photos/0.png")), 403)


class Later(AttackCase):
    """What is to be gone is gone, and what is to be told is told, by the service as a whole."""

    def done_job(self, server):
        """A completed job of one photo with one answer, and its worker."""
        admin, worker = (PortalSession(server.address, fresh_address()) for _ in range(2))
        group = unique("team")
        for session, role in ((admin, "admin"), (worker, "worker")):
            self.assertEqual(session.join(server.invitation(group, role), unique("p") + "@example.com", "a long enough password").status, 201)
        admin.call("POST", API + "buckets", {"name": "photos"})
        self.assertEqual(upload(admin, f"photos/{group}/0.png", self.photo()).status, 201)
        admin.call("POST", API + "workteams", {"name": group})
        team = next(each["arn"] for each in admin.call("GET", API + "workteams").json()["workteams"] if each["name"] == group)
        asked = {"name": group, "input_uri": f"s3://photos/{group}/", "output_uri": "s3://photos/out", "labels": [{"label": "Turtle"}], "workteam_arn": team, "title": "t"}
        self.assertEqual(self.heard(admin.call("POST", API + "jobs", asked)).status, 201)
        task = self.wait_for(lambda: (reply := worker.call("POST", "/_/api/assignments", {"job": group})).status == 201 and reply.json()["assignment"], "a task")
        self.assertEqual(self.heard(worker.call("POST", f"/_/api/assignments/{task['id']}/submit", answer())).status, 200)
        self.wait_for(lambda: admin.call("GET", API + f"jobs/{group}").json()["job"]["status"] == "Completed", "the job ends")
        return group, admin, worker, task["id"]

    def test_answers_after_their_retention(self):
        """An attacker who reaches the disk later would read answers of workers that were to be removed."""
        server = TerrapinServer(["--retain-answers-days", "3"]).start()
        self.addCleanup(server.close)
        job, admin, worker, task = self.done_job(server)
        answers = server.object_file("photos", f"out/{job}/intermediate/answers")
        mask = admin.call("GET", API + f"jobs/{job}/objects/0/mask").body
        self.assertTrue(files_below(answers))
        self.assertEqual(worker.call("GET", f"/_/api/assignments/{task}/answer").status, 200)
        for days, kept in ((2, True), (2, False)):  # four in all
            server.stop()
            state = sqlite3.connect(server.data_dir / "state.db")
            state.execute("UPDATE labeling_jobs SET modified = modified - ?", (days * 86_400 * 1_000_000,))
            state.commit()
            state.close()
            server.start()
            for session in (admin, worker):
                session.moved(server.address)
            if not kept:
                self.wait_for(lambda: not files_below(answers), "the answers go")
                self.refused(self.heard(worker.call("GET", f"/_/api/assignments/{task}/answer")), 404)
                self.refused(self.heard(admin.call("GET", API + f"jobs/{job}/objects/0/answers/{task}/mask")), 404)
                self.refused(self.heard(admin.call("POST", API + f"jobs/{job}/workers/{worker.account['id']}/withdraw")), 409)
            else:
                self.assertEqual(worker.call("GET", f"/_/api/assignments/{task}/answer").status, 200)
            # What was made of them stays.
            self.assertEqual(admin.call("GET", API + f"jobs/{job}/objects/0/mask").body, mask)
            self.assertEqual(admin.call("GET", API + f"jobs/{job}/download?what=manifest").status, 200)

    def test_notices(self):
        """An attacker would make a receiver believe a notice that the service did not send, or have one lost by ending the service."""
        server = TerrapinServer().start()
        self.addCleanup(server.close)
        heard, refuse = [], threading.Event()

        class Receiver(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if not refuse.is_set():
                    heard.append((dict(self.headers), body))
                self.send_response(503 if refuse.is_set() else 200)
                self.end_headers()

            def log_message(self, *unused):
                pass

        receiver = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
        threading.Thread(target=receiver.serve_forever, daemon=True).start()
        self.addCleanup(receiver.server_close)
        self.addCleanup(receiver.shutdown)
        made = server.run("webhooks", "add", f"http://127.0.0.1:{receiver.server_port}/hook", "--allow-private", "--json")
        secret = json.loads(made.stdout)["secret"]

        def events(job):
            return [json.loads(body)["event"] for _, body in list(heard) if json.loads(body)["jobName"] == job]

        job, _, _, _ = self.done_job(server)
        self.wait_for(lambda: "job.completed" in events(job), "the notice")
        self.assertEqual(sorted(events(job)), ["job.completed", "job.in-progress", "tasks.available"])
        for headers, body in heard:
            wanted = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
            self.assertEqual(headers["X-Terrapin-Signature"], wanted)
            self.assertEqual(headers["X-Terrapin-Event"], json.loads(body)["event"])
        # Completed is told only with its notice stored: kill -9 at once, and it comes after the next start.
        refuse.set()
        job, _, _, _ = self.done_job(server)
        server.kill()
        self.assertEqual(events(job), [])
        state = sqlite3.connect(server.data_dir / "state.db")
        self.assertEqual(state.execute("SELECT COUNT(*) FROM notice_outbox").fetchone()[0], 3)
        state.execute("UPDATE notice_outbox SET due = 0")
        state.commit()
        state.close()
        refuse.clear()
        server.start()
        self.wait_for(lambda: "job.completed" in events(job), "the notice after the start")

    def test_first_start_elsewhere(self):
        """An attacker who keeps the database from being reached once would bind an installation for good to a place that cannot be opened."""
        server = TerrapinServer(["--state", "postgresql://nobody@127.0.0.1:1/none"])
        self.addCleanup(server.close)
        with self.assertRaises(RuntimeError):
            server.start()
        server._process = None
        self.assertFalse((server.data_dir / "settings.json").exists())
        server._options = []
        server.start()
        self.assertTrue((server.data_dir / "settings.json").exists())


class Removed(AttackCase):
    def test_tasks_of_a_removed_worker(self):
        """An attacker who was removed on the command line would keep tasks from others until their time ends."""
        job, _, [thief, other] = self.labeled_team_job(2, photos=1)
        self.task(thief, job)
        self.assertIsNone(other.call("POST", "/_/api/assignments", {"job": job}).json()["assignment"])
        self.server.run("people", "remove", thief.account["name"])
        self.assertEqual(other.call("POST", "/_/api/assignments", {"job": job}).status, 201)
