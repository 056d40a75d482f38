"""Notices as docs/formats/notices.md has them: what a registered address hears of a job, and when it does not answer."""

import datetime
import hashlib
import hmac
import http.server
import json
import re
import socket
import sqlite3
import threading
import time

from service_case import REQUESTER, ServiceCase

BUCKET = "photos"
MEMBERS = ["event", "time", "jobName", "status", "counters", "id"]
COUNTERS = ["totalLabeled", "humanLabeled", "machineLabeled", "failedNonRetryableError", "unlabeled"]


class Receiver(http.server.ThreadingHTTPServer):
    """Notes what is posted to it. `answer()`: the status, or (status, headers), or None to hang up."""

    def __init__(self, answer=lambda: 200, port=0):
        receiver = self
        self.heard, self.answer = [], answer  # (arrived at, headers, body)

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):  # noqa: N802
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.heard.append((time.monotonic(), self.path, dict(self.headers), body))
                said = receiver.answer()
                if said is None:
                    self.close_connection = True
                    return
                status, headers = said if isinstance(said, tuple) else (said, {})
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *unused):
                pass

        super().__init__(("127.0.0.1", port), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/hook?of=terrapin"

    def notices(self, job=None):
        found = [json.loads(body) for _, _, _, body in list(self.heard)]
        return [each for each in found if job in (None, each["jobName"])]

    def events(self, job):
        return [each["event"] for each in self.notices(job)]


class Notices(ServiceCase):
    def receiver(self, *arguments, **members):
        receiver = Receiver(*arguments, **members)
        self.addCleanup(receiver.server_close)
        self.addCleanup(receiver.shutdown)
        return receiver

    def ready(self, *options):
        service = self.service(*options)
        service.bucket(BUCKET)
        team = service.team()
        return service, team, service.worker(team)

    def register(self, service, url, *more):
        return json.loads(service.server.run("webhooks", "add", url, "--allow-private", "--json", *more).stdout)

    def done_job(self, service, team, worker, photos=2):
        job = service.job(team, BUCKET, photos)
        self.wait_for_status(service, job, "InProgress")
        self.label_all(worker, job)
        self.wait_for_status(service, job, "Completed")
        return job

    def outbox(self, service):
        state = sqlite3.connect(service.server.data_dir / "state.db")
        try:
            return state.execute("SELECT event, attempts, created, due FROM notice_outbox ORDER BY created, event").fetchall()
        finally:
            state.close()

    def test_what_is_sent(self):
        """Every event of three jobs that end each in another way, byte for byte as documented, once."""
        service, team, worker = self.ready()
        receiver, choosy = self.receiver(), self.receiver()
        hook = self.register(service, receiver.url)
        secret = "a secret of one's own"
        self.register(service, choosy.url, "--events", "job.stopped", "--secret", secret)
        completed = self.done_job(service, team, worker, 3)
        stopped = service.job(team, BUCKET, 2)
        self.wait_for_status(service, stopped, "InProgress")
        service.ask("POST", REQUESTER + f"jobs/{stopped}/stop")
        service.put(BUCKET, "bad.manifest", b'{"source-ref": 7}\n')
        request = dict(service.job_request(team, BUCKET, 0), input_uri=f"s3://{BUCKET}/bad.manifest")
        failed = request["name"]
        service.ask("POST", REQUESTER + "jobs", request, 201)
        self.wait_for_status(service, stopped, "Stopped")
        self.wait_for_status(service, failed, "Failed")
        wanted = {completed: ["job.completed", "job.in-progress", "tasks.available"], stopped: ["job.in-progress", "job.stopped", "tasks.available"], failed: ["job.failed"]}
        for job, events in wanted.items():
            self.wait_for(lambda job=job, events=events: len(receiver.events(job)) >= len(events), f"the notices of {job}")
            self.assertEqual(sorted(receiver.events(job)), events)
        status = {"job.completed": "Completed", "job.stopped": "Stopped", "job.failed": "Failed", "job.in-progress": "InProgress", "tasks.available": "InProgress"}
        for _, path, headers, body in receiver.heard:
            notice = json.loads(body)
            self.assertEqual(path, "/hook?of=terrapin")
            self.assertEqual(list(notice), MEMBERS)
            self.assertEqual(list(notice["counters"]), COUNTERS)
            self.assertEqual(headers["Content-Type"], "application/json")
            self.assertEqual(headers["X-Terrapin-Event"], notice["event"])
            self.assertEqual(headers["X-Terrapin-Notice"], notice["id"])
            self.assertEqual(headers["X-Terrapin-Signature"], "sha256=" + hmac.new(hook["secret"].encode(), body, hashlib.sha256).hexdigest())
            self.assertRegex(notice["time"], re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"))
            self.assertRegex(notice["id"], re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"))
            self.assertEqual(notice["status"], status[notice["event"]])
            age = datetime.datetime.now(datetime.timezone.utc) - datetime.datetime.fromisoformat(notice["time"].replace("Z", "+00:00"))
            self.assertLess(abs(age.total_seconds()), 3600)
            self.assertFalse({name.lower() for name in headers} & {"authorization", "cookie"})
        counters = next(each["counters"] for each in receiver.notices(completed) if each["event"] == "job.completed")
        self.assertEqual(counters, {"totalLabeled": 3, "humanLabeled": 3, "machineLabeled": 0, "failedNonRetryableError": 0, "unlabeled": 0})
        self.assertEqual(len({each["id"] for each in receiver.notices()}), len(receiver.heard), "a notice came twice, though it was received")
        self.wait_for(lambda: not self.outbox(service), "the outbox is empty")
        self.assertEqual([each["event"] for each in choosy.notices()], ["job.stopped"])
        _, _, headers, body = choosy.heard[0]
        self.assertEqual(headers["X-Terrapin-Signature"], "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest())

    def test_refusals_are_tried_again(self):
        """A receiver that answers 503, sends elsewhere or hangs up gets the same notice again, each pause twice the last; others go on."""
        service, team, worker = self.ready()
        elsewhere = self.receiver()
        said = [503, (302, {"Location": elsewhere.url}), None]
        refusing = self.receiver(lambda: said.pop(0) if said else 200)
        good = self.receiver()
        self.register(service, refusing.url, "--events", "job.completed")
        self.register(service, good.url, "--events", "job.completed")
        job = self.done_job(service, team, worker)
        self.wait_for(lambda: good.events(job), "the other receiver hears at once")
        self.wait_for(lambda: not self.outbox(service), "the notice is received in the end", 180)
        self.assertEqual(len(refusing.heard), 4)
        self.assertEqual(len({body for _, _, _, body in refusing.heard}), 1)
        times = [at for at, _, _, _ in refusing.heard]
        pauses = [after - before for before, after in zip(times, times[1:])]
        for pause, least in zip(pauses, (5, 10, 20)):
            self.assertGreater(pause, least - 0.1, pauses)
        self.assertEqual(elsewhere.heard, [], "a redirect was followed")
        self.assertEqual(len(good.heard), 1)

    def test_a_receiver_that_is_down(self):
        """Notices to an address where nobody listens outlive kill -9 of the server and arrive when somebody does, each once."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
            service, team, worker = self.ready()
            self.register(service, f"http://127.0.0.1:{port}/hook?of=terrapin")
            job = self.done_job(service, team, worker)
            service.server.kill()
            before = self.outbox(service)
            self.assertEqual(sorted(event for event, *_ in before), ["job.completed", "job.in-progress", "tasks.available"])
            service.server.start()
            self.wait_for(lambda: sum(attempts for _, attempts, _, _ in self.outbox(service)) > sum(attempts for _, attempts, _, _ in before), "it is tried after the start")
            service.server.kill()
            for _, _, created, due in self.outbox(service):
                self.assertGreaterEqual(due, created)
        receiver = self.receiver(port=port)
        service.server.start()
        self.wait_for(lambda: len(receiver.heard) >= 3, "the notices arrive")
        self.wait_for(lambda: not self.outbox(service), "the outbox is empty")
        self.assertEqual(sorted(receiver.events(job)), ["job.completed", "job.in-progress", "tasks.available"])
        self.assertEqual(len({each["id"] for each in receiver.notices()}), 3)

    def test_removed_webhooks(self):
        """What waits for a webhook that is removed is dropped, with a line in the log."""
        service, team, worker = self.ready("--log-level", "info")
        refusing = self.receiver(lambda: 500)
        hook = self.register(service, refusing.url)
        self.done_job(service, team, worker)
        self.wait_for(lambda: refusing.heard, "it is tried")
        service.server.run("webhooks", "remove", hook["id"])
        self.wait_for(lambda: not self.outbox(service), "its notices are dropped", 180)
        self.assertIn(f"webhook {hook['id']} was removed", service.server.log.read_text())

    def test_addresses_that_are_not_allowed(self):
        """This machine and its networks are refused where they are not allowed by name, when a webhook is made and when it is called."""
        service, team, worker = self.ready("--log-level", "info")
        receiver = self.receiver()
        for url in (receiver.url, f"http://localhost:{receiver.server_port}/", "http://10.1.2.3/", "http://169.254.169.254/", "ftp://example.org/", "no address"):
            result = service.server.run("webhooks", "add", url, check=False)
            self.assertEqual(result.returncode, 1, url)
            self.assertTrue(result.stderr.strip(), url)
        for url in ("http://169.254.169.254/", "http://0.0.0.0/", "http://[::]/"):
            self.assertEqual(service.server.run("webhooks", "add", url, "--allow-private", check=False).returncode, 1, url)
        result = service.server.run("webhooks", "add", receiver.url, "--allow-private", "--events", "job.finished", check=False)
        self.assertEqual(result.returncode, 2)
        self.assertIn("job.completed", result.stderr + result.stdout)
        # One that was allowed and is not any more.
        self.register(service, receiver.url)
        path = service.server.data_dir / "webhooks.json"
        registry = json.loads(path.read_text())
        for each in registry["webhooks"]:
            each["allow_private"] = False
        path.write_text(json.dumps(registry))
        self.done_job(service, team, worker)  # jobs go on
        self.wait_for(lambda: "webhooks.json" in service.server.log.read_text(), "the log says why nothing is sent")
        self.assertEqual(receiver.heard, [])
        self.assertEqual(self.outbox(service), [])
