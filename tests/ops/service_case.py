"""A service with an admin, work teams, workers and jobs, and what must hold of its output."""

import base64
import json
import secrets
import time
import unittest

from support.portal_session import PortalSession
from support.signed_http import AwsClient, Key
from support.small_png import decode_indexed, encode_rgb
from support.terrapin_server import TerrapinServer

PASSWORD = "a long enough password"
REQUESTER = "/_/api/requester/"
SIZE = (24, 16)  # of every photo
TURTLE = (0x1F, 0x77, 0xB4)
ELEMENT = "crowd-semantic-segmentation"


def unique(start="o"):
    return f"{start}-{secrets.token_hex(6)}"


def photo(number=0):
    return encode_rgb(*SIZE, lambda x, y: (x * 9 % 256, y * 15 % 256, number * 30 % 256))


def rows_of(variant):
    """Class indices that a worker paints: a box whose place follows from `variant`."""
    left, top = variant % 12, variant // 12 % 8
    return [bytes(1 if left <= x < left + 9 and top <= y < top + 6 else 0 for x in range(SIZE[0])) for y in range(SIZE[1])]


def answer(variant=0, note=""):
    """As the form gives it."""
    rows = rows_of(variant)
    image = encode_rgb(*SIZE, lambda x, y: TURTLE if rows[y][x] else (255, 255, 255))
    element = {
        "inputImageProperties": {"height": SIZE[1], "width": SIZE[0]},
        "labelMappings": {"Turtle": {"color": "#1f77b4"}},
        "labeledImage": {"pngImageData": base64.b64encode(image).decode()},
    }
    return json.dumps({ELEMENT: element, "note": note}).encode()


class Service:
    """`terrapin serve` with its admin. `data_dir`: of an installation that is there already, with the admin's session."""

    def __init__(self, options=(), data_dir=None, admin=None):
        self.server = TerrapinServer(options)
        if data_dir:
            self.server.data_dir = data_dir
        self.server.start()
        self.admin, self.key = admin, None
        if admin:
            admin.moved(self.server.address)
        else:
            self.admin = PortalSession(self.server.address)
            reply = self.admin.join(self.server.invitation("admins", "admin"), unique("admin") + "@example.com", PASSWORD)
            assert reply.status == 201, reply

    def aws(self):
        if self.key is None:
            made = self.server.create_key("admin", "admin")
            self.key = Key(made.id, made.secret)
        return AwsClient(self.server.address, self.key)

    def ask(self, method, path, body=None, status=200):
        reply = self.admin.call(method, path, body)
        assert reply.status == status, f"{method} {path}: {reply}"
        return reply.json()

    def bucket(self, name):
        self.ask("POST", REQUESTER + "buckets", {"name": name}, 201)
        return name

    def put(self, bucket, key, body):
        reply = self.aws().s3("PUT", f"/{bucket}/{key}", body=body)
        assert reply.status == 200, reply

    def get(self, bucket, key):
        reply = self.aws().s3("GET", f"/{bucket}/{key}")
        return reply.body if reply.status == 200 else None

    def team(self, name=None):
        """The ARN of a new work team; its group has the same name."""
        made = self.ask("POST", REQUESTER + "workteams", {"name": name or unique("team")}, 201)
        return made["workteam"]["arn"]

    def worker(self, team):
        """Somebody of that team, signed in."""
        made = self.ask("POST", REQUESTER + "invitations", {"workteam": team.rsplit("/", 1)[1]}, 201)
        session = PortalSession(self.server.address, timeout=60)
        while True:
            reply = session.join(made["link"].split("#")[1], unique("worker") + "@example.com", PASSWORD)
            if reply.status != 429:
                break
            time.sleep(int(reply.header("Retry-After")))
        assert reply.status == 201, reply
        return session

    def job_request(self, team, bucket, photos=2, **more):
        """A new job on its own photos, which are put first; `more`: members of the request."""
        name = more.pop("name", None) or unique("job")
        for index in range(photos):
            self.put(bucket, f"{name}/photos/{index:03}.png", photo(index))
        return {"name": name, "input_uri": f"s3://{bucket}/{name}/photos/", "output_uri": f"s3://{bucket}/out", "labels": [{"label": "Turtle"}],
                "workteam_arn": team, "title": "Turtles", "task_time_limit_s": 7200, **more}

    def job(self, team, bucket, photos=2, **more):
        request = self.job_request(team, bucket, photos, **more)
        self.ask("POST", REQUESTER + "jobs", request, 201)
        return request["name"]

    def describe(self, job):
        return self.ask("GET", REQUESTER + f"jobs/{job}")["job"]

    def manifest(self, bucket, job):
        """Records of the manifest that counts now: the final one of a job that has ended, else the intermediate one. (A restored folder may
        hold a final one that the job wrote after the moment of its state.)"""
        ended = self.describe(job)["status"] in ("Completed", "Stopped")
        body = self.get(bucket, f"out/{job}/" + ("manifests/output/output.manifest" if ended else "annotations/intermediate/1/output.manifest"))
        if body is None:
            return None
        assert body.endswith(b"\n"), f"the manifest of {job} does not end in a line end"
        return [json.loads(line) for line in body.decode().splitlines()]

    def close(self):
        self.server.close()


class ServiceCase(unittest.TestCase):
    maxDiff = None

    def service(self, *options, **members):
        service = Service(options, **members)
        self.addCleanup(service.close)
        return service

    def wait_for(self, condition, what, seconds=120):
        deadline = time.monotonic() + seconds
        while True:
            result = condition()
            if result:
                return result
            self.assertLess(time.monotonic(), deadline, f"{what}: not within {seconds} s")
            time.sleep(0.05)

    def wait_for_status(self, service, job, *statuses):
        def reached():
            found = service.describe(job)
            self.assertFalse(found["status"] == "Failed" and "Failed" not in statuses, found)
            return found if found["status"] in statuses else None

        return self.wait_for(reached, f"job {job} is {' or '.join(statuses)}")

    def task(self, worker, job, prefetch=False):
        """The worker's next task of the job; `prefetch`: one more beside what they have."""

        def offered():
            reply = worker.call("POST", "/_/api/assignments", {"job": job, "prefetch": prefetch})
            self.assertIn(reply.status, (200, 201, 404, 429), reply)  # 404: it has not begun yet
            return reply.status == 201 and reply.json()["assignment"]

        return self.wait_for(offered, f"a task of {job}")

    def label_all(self, worker, job, variant=0):
        """Answers all that the job has for the worker; how many."""
        done = 0
        while True:
            reply = worker.call("POST", "/_/api/assignments", {"job": job})
            if reply.status == 429:
                time.sleep(int(reply.header("Retry-After")))
                continue
            if reply.status == 404 and done > 0:  # the last answer has ended the job
                return done
            self.assertIn(reply.status, (200, 201), reply)
            assignment = reply.json()["assignment"]
            if assignment is None:
                return done
            reply = worker.call("POST", f"/_/api/assignments/{assignment['id']}/submit", answer(variant))
            self.assertEqual(reply.status, 200, reply)
            done += 1

    def check_counters(self, service, bucket, job):
        """The counters that Describe tells are those of the manifest on the disk, once they stand still."""

        def same():
            before = service.describe(job)["counters"]
            records = service.manifest(bucket, job)
            if records is None or service.describe(job)["counters"] != before:
                return False
            labeled = sum("label-ref" in record for record in records)
            failed = sum("label-ref" not in record and "label-ref-metadata" in record for record in records)
            return (labeled, failed, len(records) - labeled - failed) == (
                before["total_labeled"], before["failed_non_retryable"], before["unlabeled"])

        self.wait_for(same, f"the counters of {job} are those of its manifest")

    def check_done(self, service, bucket, job, photos, answered=None):
        """A completed job's manifest is whole, and its masks can be read; `answered`: index -> variants that workers painted."""
        found = self.wait_for_status(service, job, "Completed")
        self.assertEqual(found["counters"]["total_labeled"], photos)
        records = service.manifest(bucket, job)
        self.assertEqual(len(records), photos)
        for index, record in enumerate(records):
            uri = record["label-ref"]
            reply = service.aws().s3("GET", "/" + uri.removeprefix("s3://"))
            self.assertEqual(reply.status, 200, uri)
            _, _, rows, _ = decode_indexed(reply.body)
            variants = set((answered or {}).get(index, ()))
            if len(variants) == 1:
                self.assertEqual(rows, rows_of(variants.pop()), f"the mask of object {index} of {job}")
        self.check_counters(service, bucket, job)
