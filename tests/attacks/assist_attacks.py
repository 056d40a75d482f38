"""Questions about photos: other people's, impossible ones, and too many."""

import base64
import json
import os
import threading

from attack_case import SIZE, AttackCase
from support.portal_session import PortalSession
from support.small_png import encode_bomb, encode_header_bomb

MUCH_MIB = 300  # an attack that makes the service hold that much more has worked
PHOTOS_MIB = 64
WIDTH, HEIGHT = SIZE
POINTS = {"extremes": [[4, 3], [3, 8], [12, 14], [20, 7]]}


def runs(*lengths):
    code = bytearray()
    for length in lengths:
        while length > 127:
            code.append(length & 127 | 128)
            length >>= 7
        code.append(length)
    return base64.b64encode(bytes(code)).decode()


class AssistCase(AttackCase):
    much_mib = MUCH_MIB

    def setUp(self):
        super().setUp()
        self.forget_memory_peak()
        self.before = self.memory_peak_mib()

    def tearDown(self):
        super().tearDown()
        self.assertLess(self.memory_peak_mib() - self.before, self.much_mib, f"the service took {self.memory_peak_mib():.0f} MiB")

    def leased(self, **files):
        """A worker, their task, the URI of its photo, and its bucket."""
        job, bucket, [worker] = self.labeled_team_job(1, **files)
        task = self.task(worker, job)
        content = worker.call("GET", f"/_/api/assignments/{task}/content").json()
        if content["assistance"] is None:
            self.skipTest("this build has no OpenCV and no model: nobody can be asked")
        return worker, task, content["task_input"]["taskObject"], bucket

    def ask(self, worker, task, image, **members):
        return self.heard(worker.call("POST", f"/_/api/assignments/{task}/assist", {"image": image, **POINTS, **members}))

    def open(self, worker, task, image):
        return self.heard(worker.call("POST", f"/_/api/assignments/{task}/assist/open", {"image": image}))

    def photo_bytes(self):
        status, _, text = self.server.fetch("GET", "/metrics")
        self.assertEqual(status, 200)
        return int(text.decode().split("\nterrapin_assist_photo_bytes ")[1].split("\n")[0])


class Assistance(AssistCase):
    own_server = ("--assist-memory-mib", str(PHOTOS_MIB))

    def test_other_workers_tasks(self):
        """An attacker who is a worker would have other workers' photos opened and cut out by naming their tasks."""
        victim, task, image, _ = self.leased()
        thief = self.person("nobody")
        for identity in (task, "0" * 36, "x"):
            self.refused(self.ask(thief, identity, image), 404)
            self.refused(self.open(thief, identity, image), 404)
        self.assertEqual(self.ask(thief, task, image).text.replace(task, ""), self.ask(thief, "0" * 36, image).text.replace("0" * 36, ""))
        self.assertEqual(self.ask(victim, task, image).status, 200)
        self.assertEqual(victim.call("POST", f"/_/api/assignments/{task}/return", {}).status, 200)
        self.refused(self.ask(victim, task, image), 409)
        self.refused(self.open(victim, task, image), 409)

    def test_other_objects(self):
        """An attacker who is a worker would learn what other buckets and tasks hold by naming their objects as photos."""
        worker, task, image, bucket = self.leased()
        theirs = self.bucket()
        self.put(theirs, "photo.png", self.photo())
        another = next(f"s3://{bucket}/{i}.png" for i in range(2) if f"s3://{bucket}/{i}.png" != image)
        names = [
            f"s3://{theirs}/photo.png", f"s3://{theirs}/missing.png", "s3://no-such-bucket/x", another, f"s3://{bucket}/labels.json", f"s3://{bucket}/",
            image + "?x", image + "/", image.replace("s3://", "S3://"), f"s3://{bucket}/./{image.rsplit('/', 1)[1]}", "file:///etc/passwd", "/etc/passwd", "http://127.0.0.1/", "", "s3://" + "a" * 60_000,
        ]
        told = set()
        for name in names:
            for reply in (self.ask(worker, task, name), self.open(worker, task, name)):
                told.add(self.refused(reply, 404).text)
        self.assertEqual(len(told), 1, told)
        self.assertEqual(self.ask(worker, task, image).status, 200)

    def test_points(self):
        """An attacker who is a worker would read beyond a photo's memory, or end the service, by points that lie in no photo."""
        worker, task, image, _ = self.leased()
        far = [-1, 2**31, 2**32, 2**53, 2**63 - 1, 2**63, 2**64, -(2**63), 10**40, 1.5, 1e308, "1", None, True, [1], {}]
        for kind in ("extremes", "positive", "negative"):
            for value in [*far, WIDTH]:
                self.refused(self.ask(worker, task, image, **{kind: [[1, 1], [value, 2], [3, 3], [5, 5]]}), 400)
            for value in [*far, HEIGHT]:
                self.refused(self.ask(worker, task, image, **{kind: [[1, 1], [2, value], [3, 3], [5, 5]]}), 400)
            for value in (7, "1,1", {"x": 1}, [[]], [[1]], [[1, 2, 3]], [1, 2], [[1, 1]] * 201):
                self.refused(self.ask(worker, task, image, **{kind: value}), 400)
        for number in (b"1e400", b"-0.0", b"NaN", b"9" * 40_000, b"01"):
            body = json.dumps({"image": image, **POINTS, "positive": [[123456, 1]]}).encode().replace(b"123456", number)
            self.refused(self.heard(worker.call("POST", f"/_/api/assignments/{task}/assist", body)), 400)
        self.refused(self.heard(worker.call("POST", f"/_/api/assignments/{task}/assist", b'{"image":"x","positive":' + b"[" * 60_000)), 400)
        # All at one place: nothing to find, and no division by it.
        for place in ([0, 0], [WIDTH - 1, HEIGHT - 1], [5, 5]):
            self.assertEqual(self.ask(worker, task, image, extremes=[place] * 4, positive=[place] * 200, negative=[place] * 200).status, 200)

    def test_huge_masks(self):
        """An attacker who is a worker would use up memory by an earlier mask of few bytes that covers billions of pixels."""
        worker, task, image, _ = self.leased()
        for box in (
            [0, 0, 60_000, 60_000], [0, 0, 2**31, 2**31], [0, 0, 2**32, 2**32], [0, 0, 2**63 - 1, 2**63 - 1], [2**63 - 1, 0, 2, 2], [0, 0, -1, -1], [0, 0, 2**64, 1], [0, 0, 0, 2**62],
            [-(2**63), 0, 1, 1], [0, 0, WIDTH + 1, 1], [WIDTH, HEIGHT, 1, 1],
        ):
            for code in (runs(0, box[2] * box[3] % 2**63 if box[2] > 0 < box[3] else 1), runs(0, 2**62), runs(1, 2), ""):
                self.refused(self.ask(worker, task, image, previous={"box": box, "runs": code}), 400, 413)
        whole = WIDTH * HEIGHT
        for code in (
            runs(0, whole + 1), runs(0, whole - 1), runs(0, 2**63), runs(2**64 - 1, whole + 1), runs(0, whole, 0), runs(*[0] * 90_000), base64.b64encode(b"\x80" * 60_000).decode(),
            base64.b64encode(b"\xff" * 60_000).decode(), "A" * 90_001, "=" * 8, "\u00e9" * 100,
        ):
            self.refused(self.ask(worker, task, image, previous={"box": [0, 0, WIDTH, HEIGHT], "runs": code}), 400)
        for previous in (7, "x", [], {"box": [0, 0, 1, 1]}, {"runs": ""}, {"box": None, "runs": None}, {"box": [0, 0, 1, 1], "runs": "AQ==", "more": 1}):
            self.refused(self.ask(worker, task, image, previous=previous), 400)
        # One of a megabyte is refused by its head.
        head = f"POST /_/api/assignments/{task}/assist HTTP/1.1\r\nHost: {self.authority}\r\nCookie: {worker.cookie}\r\nX-CSRF-Token: {worker.csrf}\r\n"
        self.refused(self.send(f"{head}Content-Type: application/json\r\nContent-Length: {1 << 20}\r\n\r\n".encode(), "POST"), 413)
        good = {"box": [0, 0, WIDTH, HEIGHT], "runs": runs(0, whole)}
        self.assertEqual(self.ask(worker, task, image, previous=good).status, 200)

    def test_photos_that_are_bombs(self):
        """An attacker with a requester's key would bring the service down when a worker clicks into a photo of gigabytes of pixels."""
        bombs = (
            encode_header_bomb(60_000, 60_000), encode_header_bomb(2**31 - 1, 2**31 - 1), encode_bomb(20_000, 20_000), encode_bomb(6_000, 6_000), encode_header_bomb(4000, 4000),
            b"\xff\xd8\xff\xc0\0\x11\x08\xff\xff\xff\xff\x03\1\x11\0\2\x11\0\3\x11\0" + b"\xff\xd9", b"GIF89a", b"",
        )
        for bomb in bombs:
            worker, task, image, bucket = self.leased()
            self.put(bucket, image.rsplit("/", 1)[1], bomb)
            with self.subTest(bytes=len(bomb)):
                self.refused(self.open(worker, task, image), 409, 413)
                self.refused(self.ask(worker, task, image), 409, 413)
                self.put(bucket, image.rsplit("/", 1)[1], self.photo())
                self.assertEqual(self.ask(worker, task, image).status, 200)

    def test_many_photos(self):
        """An attacker who is a worker would fill the memory by opening one large photo after another."""
        worker, task, image, bucket = self.leased()
        key = image.rsplit("/", 1)[1]
        for side in range(2000, 2012):
            self.put(bucket, key, encode_bomb(side, side))
            self.assertEqual(self.open(worker, task, image).status, 200)
        self.assertLess(self.photo_bytes(), PHOTOS_MIB << 20)
        self.assertGreater(self.photo_bytes(), 2000 * 2000 * 3)

    def test_many_questions(self):
        """An attacker who is a worker would keep all others waiting by asking about many tasks at once, without a pause."""
        other, other_task, other_image, _ = self.leased()
        job, _, [worker] = self.labeled_team_job(1, photos=5)
        statuses, together = [], threading.Barrier(5)

        def pester(task, image, method):
            session = PortalSession(self.address)
            session.cookie, session.csrf = worker.cookie, worker.csrf
            for _ in range(8):
                together.wait(60)
                statuses.append(self.ask(session, task, image, method=method).status)

        threads = []
        for _ in range(5):
            task = self.task(worker, job, another=True)
            content = worker.call("GET", f"/_/api/assignments/{task}/content").json()
            # What takes longest.
            method = "classical" if content["assistance"]["classical"] else "auto"
            threads.append(threading.Thread(target=pester, args=(task, content["task_input"]["taskObject"], method)))
        for thread in threads:
            thread.start()
        # Places are left: at most four are one worker's, and the fifth question is refused.
        answered = 0
        while any(thread.is_alive() for thread in threads):
            self.assertEqual(other.call("GET", f"/_/api/assignments/{other_task}").status, 200)
            self.assertEqual(self.ask(other, other_task, other_image).status, 200)
            answered += 1
        for thread in threads:
            thread.join()
        self.assertGreaterEqual(answered, 1)
        self.assertEqual(len(statuses), 40)
        self.assertEqual(set(statuses), {200, 503})


class LargeMasks(AssistCase):
    own_server = ("--assist-memory-mib", "256")
    # The photo, and the masks of the questions that are computed: one for four cores at most. Those of all who ask are more.
    much_mib = 256 + 61 * max(1, (os.cpu_count() or 1) // 4) + 150

    def test_waiting_with_large_masks(self):
        """An attacker who is three workers would use up memory by many questions at once, each with an earlier mask of 64 million pixels in ten bytes."""
        side = 8000
        team, bucket = self.team(), self.bucket()
        self.job_files(bucket, lines=[json.dumps({"source-ref": f"s3://{bucket}/0.png"})] * 12, photos=1)
        self.put(bucket, "0.png", encode_bomb(side, side))
        job, image = self.job(bucket, team), f"s3://{bucket}/0.png"
        asked = []
        for worker in [self.person(team) for _ in range(3)]:
            asked += [(worker, self.task(worker, job, another=True)) for _ in range(4)]
        self.assertEqual(len({task for _, task in asked}), 12)
        if asked[0][0].call("GET", f"/_/api/assignments/{asked[0][1]}/content").json()["assistance"] is None:
            self.skipTest("this build has no OpenCV and no model: nobody can be asked")
        self.assertEqual(self.open(*asked[0], image).status, 200)
        previous = {"box": [0, 0, side, side], "runs": runs(8 * side + 8, 1, side * side - 8 * side - 9)}
        statuses = []

        def ask(worker, task):
            session = PortalSession(self.address)
            session.cookie, session.csrf = worker.cookie, worker.csrf
            for _ in range(3):
                statuses.append(self.ask(session, task, image, previous=previous).status)

        threads = [threading.Thread(target=ask, args=one) for one in asked]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(statuses), 36)
        self.assertLessEqual(set(statuses), {200, 503})
        self.assertIn(200, statuses)
