"""A full disk: writes are refused clearly, nothing that was acknowledged is lost or broken, and work goes on once there is room again."""

import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from service_case import PASSWORD, REQUESTER, Service, ServiceCase, answer, rows_of, unique
from support.portal_session import PortalSession
from support.small_png import decode_indexed
from support.terrapin_server import program

BUCKET = "photos"
MIB = 1 << 20
SIZE_MIB = 48
FULL = (507,)


class SmallDisk:
    """A file system of its own of some MiB; SkipTest where none can be made."""

    def __init__(self, case):
        self.folder = Path(tempfile.mkdtemp(prefix="terrapin-disk-"))
        case.addCleanup(shutil.rmtree, self.folder, True)
        # A real file system in a file, if that can be mounted; else memory.
        image, self.kind = self.folder / "image", "ext4"
        self.place = self.folder / "place"
        self.place.mkdir()
        made = shutil.which("mkfs.ext4") and subprocess.run(
            ["sh", "-c", f"truncate -s {SIZE_MIB}M '{image}' && mkfs.ext4 -q -m 0 -O ^has_journal '{image}' && mount -o loop '{image}' '{self.place}'"],
            capture_output=True).returncode == 0
        if not made:
            self.kind = "tmpfs"
            mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE_MIB}m", "tmpfs", str(self.place)], capture_output=True, text=True)
            if mounted.returncode != 0:
                raise unittest.SkipTest(f"no file system can be mounted here ({mounted.stderr.strip()}): a full disk is NOT tested; run it as root")
        case.addCleanup(subprocess.run, ["umount", "-l", str(self.place)], capture_output=True)

    def free(self):
        space = os.statvfs(self.place)
        return space.f_bavail * space.f_frsize

    def fill(self, leave=0):
        """Until `leave` bytes are free."""
        with open(self.place / "ballast", "ab") as file:
            for size in (MIB, 1 << 16, 1 << 12, 1):
                try:
                    while self.free() >= leave + max(size, 1):
                        file.write(b"\0" * size)
                        file.flush()
                except OSError:
                    pass
                if self.free() <= leave:
                    break

    def empty(self):
        (self.place / "ballast").unlink()


class FullDisk(ServiceCase):
    def on_small_disk(self):
        disk = SmallDisk(self)
        service = Service(["--log-level", "warn", "--quiet", "--max-spool-gb", "1"], data_dir=disk.place / "data")
        self.addCleanup(service.close)
        print(f"({disk.kind})", end=" ", flush=True)
        self.log = service.server.log
        return disk, service

    def refused(self, reply, what):
        """Clearly: the status that says so, and no path of the host."""
        self.assertIn(reply.status, FULL, f"{what}: {reply}\n{self.log.read_text()[-1500:]}")
        self.assertNotIn("terrapin-disk", reply.text)
        self.assertTrue(reply.text.strip(), what)

    def test_writes_are_refused_and_go_on(self):
        """S3, drafts, answers and new jobs meet a disk without a byte; then there is room again."""
        disk, service = self.on_small_disk()
        service.bucket(BUCKET)
        team = service.team()
        worker = service.worker(team)
        job = service.job(team, BUCKET, 4)
        self.wait_for_status(service, job, "InProgress")
        first, second = self.task(worker, job), self.task(worker, job, prefetch=True)
        self.assertNotEqual(first["id"], second["id"])
        for task in (first, second):
            path = f"/_/api/assignments/{task['id']}/draft"
            self.assertEqual(worker.call("POST", path + "/open", {"tab": "a"}).status, 200)
            reply = worker.call("POST", path + "/deltas", {"tab": "a", "deltas": [{"sequence": 1, "data": "before"}]})
            self.assertEqual(reply.status, 200, reply)
        service.put(BUCKET, "kept", b"kept" * 1000)
        waiting = service.job_request(team, BUCKET, 1)
        aws = service.aws()
        disk.fill()
        self.assertEqual(disk.free(), 0)

        # The log of SQLite has room of its own: strokes are taken until that is used up.
        path = f"/_/api/assignments/{first['id']}"
        taken = [(1, "before")]
        for number in range(2, 400):
            text = "x" * 100_000
            reply = worker.call("POST", path + "/draft/deltas", {"tab": "a", "deltas": [{"sequence": number, "data": text}]})
            if reply.status != 200:
                self.refused(reply, "a stroke")
                break
            taken.append((number, text))
        else:
            self.fail("strokes of 40 MB were taken on a full disk")
        for size in (1, 5000, 8 * MIB):
            for key in ("new", "kept"):
                reply = aws.s3("PUT", f"/{BUCKET}/{key}", body=b"n" * size)
                self.assertIn(reply.status, (500, 503, 507), reply)
                self.assertNotIn("terrapin-disk", reply.text)
                self.assertIn("<Code>", reply.text)
                if size > MIB:  # kept on disk while it arrives
                    self.assertEqual(reply.status, 507)
                    self.assertIn("<Code>InsufficientStorage</Code>", reply.text)
        self.refused(worker.call("POST", path + "/submit", answer(3)), "an answer")
        self.refused(service.admin.call("POST", REQUESTER + "jobs", waiting), "a job")
        reply = service.admin.call("PUT", f"{REQUESTER}objects/{BUCKET}/uploaded", b"u" * 100_000)
        self.refused(reply, "an upload of the console")
        reply = aws.sagemaker("CreateWorkteam", WorkteamName=unique("team"), Description="d", MemberDefinitions=[
            {"CognitoMemberDefinition": {"UserPool": "us-east-1_pool", "UserGroup": "g", "ClientId": "client"}}])
        self.assertGreaterEqual(reply.status, 400, reply)
        self.assertNotIn("terrapin-disk", reply.text)
        result = subprocess.run([program(), "backup", "--data-dir", str(service.server.data_dir), "--output", str(disk.place / "backup"), "--quiet"], capture_output=True, text=True)
        self.assertEqual(result.returncode, 1)
        self.assertFalse((disk.place / "backup" / "backup.json").exists())
        shutil.rmtree(disk.place / "backup", ignore_errors=True)
        # What is there can be read, and the server is alive.
        self.assertEqual(service.get(BUCKET, "kept"), b"kept" * 1000)
        self.assertEqual(service.server.fetch("GET", "/healthz")[0], 200)
        self.assertEqual(service.describe(job)["status"], "InProgress")
        self.assertIsNone(service.get(BUCKET, "new"))

        # A kill on the full disk, and a start on it, if it starts at all: nothing breaks.
        service.server.kill()
        try:
            service.server.start()
            service.server.kill()
        except RuntimeError as told:
            self.assertRegex(str(told), "(?i)space|full|disk")
            service.server._process = None
        disk.empty()
        service.server.start()
        for session in (service.admin, worker):
            session.moved(service.server.address)
        self.assertEqual(service.get(BUCKET, "kept"), b"kept" * 1000)
        self.assertIsNone(service.get(BUCKET, "new"))
        reply = worker.call("POST", path + "/draft/open", {"tab": "b"})
        self.assertEqual([(each["sequence"], each["data"]) for each in reply.json()["deltas"]], taken)
        for task, variant in ((first, 3), (second, 5)):
            reply = worker.call("POST", f"/_/api/assignments/{task['id']}/submit", answer(variant))
            self.assertEqual(reply.status, 200, reply)
        self.label_all(worker, job, 5)
        painted = {index: [5] for index in range(4)} | {first["object_index"]: [3]}
        self.check_done(service, BUCKET, job, 4, painted)
        service.ask("POST", REQUESTER + "jobs", waiting, 201)
        self.wait_for_status(service, waiting["name"], "InProgress")
        self.label_all(worker, waiting["name"], 1)
        self.check_done(service, BUCKET, waiting["name"], 1, {0: [1]})
        service.put(BUCKET, "new", b"there is room")
        self.assertEqual(service.get(BUCKET, "new"), b"there is room")

    def test_a_job_waits_for_room(self):
        """The disk fills while a job is consolidated: its masks and manifest come when there is room, without a restart."""
        disk, service = self.on_small_disk()
        service.bucket(BUCKET)
        team = service.team()
        workers = [service.worker(team) for _ in range(2)]
        job = service.job(team, BUCKET, 6, workers_per_object=2)
        self.wait_for_status(service, job, "InProgress")
        answered = {}
        self.label_all(workers[0], job, 4)
        # Room is taken away and given back a few times while the second worker answers.
        while True:
            disk.fill(200_000)
            reply = workers[1].call("POST", "/_/api/assignments", {"job": job})
            if reply.status == 200:
                break
            if reply.status != 201:
                self.refused(reply, "accepting")
                disk.empty()
                continue
            task = reply.json()["assignment"]
            disk.fill()
            reply = workers[1].call("POST", f"/_/api/assignments/{task['id']}/submit", answer(4))
            if reply.status != 200:
                self.refused(reply, "an answer")
                disk.empty()
                self.assertEqual(workers[1].call("POST", f"/_/api/assignments/{task['id']}/submit", answer(4)).status, 200)
            answered[task["object_index"]] = [4]
        if (disk.place / "ballast").exists():
            disk.empty()
        self.assertEqual(len(answered), 6)
        self.check_done(service, BUCKET, job, 6, answered)
        reply = service.aws().s3("GET", "/" + service.manifest(BUCKET, job)[0]["label-ref"].removeprefix("s3://"))
        self.assertEqual(decode_indexed(reply.body)[2], rows_of(4))

    def test_people_can_sign_in_again(self):
        """Nobody can sign in while not a byte can be written; the refusal says why, and nobody's password is spoiled."""
        disk, service = self.on_small_disk()
        name = unique("person") + "@example.com"
        session = PortalSession(service.server.address)
        self.assertEqual(session.join(service.server.invitation("g"), name, PASSWORD).status, 201)
        disk.fill()
        for _ in range(60):  # the log of SQLite has some room of its own
            reply = PortalSession(service.server.address).sign_in(name, PASSWORD)
            if reply.status != 200:
                break
        if reply.status not in (200, 429):
            self.refused(reply, "signing in")
        disk.empty()

        def signed_in():
            return PortalSession(service.server.address).sign_in(name, PASSWORD).status == 200

        self.wait_for(signed_in, "signing in goes on")
