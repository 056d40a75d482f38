"""`terrapin backup` beside a busy server and `terrapin restore`: what was acknowledged before is there afterwards, counters are right, work
goes on; what is cut short or damaged is never taken for a whole one."""

import json
import os
import random
import shutil
import subprocess
import tempfile
import threading
import time
import unittest
from pathlib import Path

import postgres
from service_case import REQUESTER, Service, ServiceCase, answer, unique
from support.signed_http import AwsClient
from support.terrapin_server import program

WORKERS = 20
BUCKET = "photos"


class Load:
    """Workers who save drafts and submit, and a requester who makes jobs, until stop(). Everything that was acknowledged is noted with its
    time; what was not answered counts as attempted."""

    def __init__(self, service, seed):
        self.service, self.random = service, random.Random(seed)
        self.team = service.team()
        service.bucket(BUCKET)
        self.key = service.aws().key
        self.workers = [service.worker(self.team) for _ in range(WORKERS)]
        self.jobs = []  # (acknowledged at, name, photos)
        self.tasks = [{} for _ in range(WORKERS)]  # id -> Task
        self.stopping = threading.Event()
        self.failures = []
        self.threads = [threading.Thread(target=self.guarded, args=[self.work, number]) for number in range(WORKERS)]
        self.threads.append(threading.Thread(target=self.guarded, args=[self.request, None]))

    class Task:
        def __init__(self, job, index):
            self.job, self.index = job, index
            self.deltas = []  # (acknowledged at, text)
            self.attempted = []  # texts that were sent
            self.answer = None  # the text that was sent
            self.variant = 0
            self.submitted_at = None

    def guarded(self, work, number):
        try:
            while not self.stopping.is_set():
                work(number)
        except (Exception, AssertionError) as error:  # noqa: BLE001
            self.failures.append(repr(error))
            self.stopping.set()

    def request(self, _):
        photos = self.random.randint(2, 8)
        name = unique("job")
        client = AwsClient(self.service.server.address, self.key)
        body = self.service.job_request(self.team, BUCKET, 0, name=name, workers_per_object=self.random.choice([1, 1, 2]), max_concurrent=1000)
        for index in range(photos):
            reply = client.s3("PUT", f"/{BUCKET}/{name}/photos/{index:03}.png", body=self.photos[index])
            assert reply.status == 200, reply
        self.service.ask("POST", REQUESTER + "jobs", body, 201)
        self.jobs.append((time.monotonic(), name, photos))
        self.stopping.wait(0.2)

    def work(self, number):
        session, own = self.workers[number], random.Random(f"{number}/{time.monotonic()}")
        reply = session.call("POST", "/_/api/assignments", {})
        if reply.status != 201:
            assert reply.status in (200, 429), reply
            self.stopping.wait(0.05)
            return
        lease = reply.json()["assignment"]
        task = self.tasks[number].setdefault(lease["id"], self.Task(lease["job_name"], lease["object_index"]))
        path = f"/_/api/assignments/{lease['id']}"
        reply = session.call("POST", path + "/draft/open", {"tab": "first"})
        assert reply.status in (200, 429), reply
        if reply.status == 429:
            self.stopping.wait(1)
            return
        sequence = reply.json()["next_sequence"]
        for _ in range(own.randint(1, 8)):
            if self.stopping.is_set():
                return
            text = unique("stroke")
            task.attempted.append(text)
            reply = session.call("POST", path + "/draft/deltas", {"tab": "first", "deltas": [{"sequence": sequence, "data": text}]})
            assert reply.status in (200, 429), reply
            if reply.status == 200:
                task.deltas.append((time.monotonic(), text))
                sequence += 1
            else:
                task.attempted.pop()
                self.stopping.wait(1)
        if self.stopping.is_set():
            return
        task.variant = own.randrange(40)
        task.answer = answer(task.variant, unique("note"))
        reply = session.call("POST", path + "/submit", task.answer)
        assert reply.status in (200, 429), reply
        if reply.status == 200:
            task.submitted_at = time.monotonic()
        else:
            task.answer = None
            self.stopping.wait(1)

    def start(self):
        from service_case import photo
        self.photos = [photo(number) for number in range(8)]
        for thread in self.threads:
            thread.start()

    def answers(self):
        return sum(task.submitted_at is not None for tasks in self.tasks for task in tasks.values())

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            if thread.ident:
                thread.join()


class Backups:
    """What holds on each kind of state; the classes below say where that is."""

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="terrapin-ops-"))
        self.addCleanup(shutil.rmtree, self.folder, True)

    def state_options(self):
        """Of a new installation."""
        return []

    def command(self, *arguments):
        return [program(), *arguments, *(["--quiet"] if arguments[0] in ("backup", "restore") else [])]

    def run_command(self, *arguments, check=True):
        result = subprocess.run(self.command(*arguments), capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if check:
            self.assertEqual(result.returncode, 0, f"{arguments}: {result.stderr}")
        return result

    def back_up(self, service, name="backup", check=True):
        result = self.run_command("backup", "--data-dir", str(service.server.data_dir), "--output", str(self.folder / name), check=check)
        return self.folder / name if check else result

    def restore(self, backup, name, check=True, options=None, more=()):
        where = self.folder / name
        options = self.state_options() if options is None else options
        return where, self.run_command("restore", "--from", str(backup), "--data-dir", str(where), *options, *more, check=check)

    def start_on(self, data_dir, admin):
        service = Service(data_dir=data_dir, admin=admin)
        self.addCleanup(service.close)
        return service

    def settled(self, *options):
        """A service at rest: a completed job, one in progress with a draft, and what there is to find again."""
        service = self.service(*self.state_options(), *options)
        service.bucket(BUCKET)
        team = service.team()
        worker = service.worker(team)
        done = service.job(team, BUCKET, 3)
        self.wait_for_status(service, done, "InProgress")
        self.label_all(worker, done, 5)
        self.check_done(service, BUCKET, done, 3, {index: [5] for index in range(3)})
        running = service.job(team, BUCKET, 2)
        task = self.task(worker, running)
        path = f"/_/api/assignments/{task['id']}"
        self.assertEqual(worker.call("POST", path + "/draft/open", {"tab": "a"}).status, 200)
        self.assertEqual(worker.call("POST", path + "/draft/deltas", {"tab": "a", "deltas": [{"sequence": 1, "data": "a stroke"}]}).status, 200)
        for number in range(60):
            service.put(BUCKET, f"many/{number}", bytes([number]) * 2000)
        service.put(BUCKET, "notes/a", b"a" * 5000)
        service.put(BUCKET, "notes/a/b", "größe".encode())
        service.put(BUCKET, "empty", b"")
        return service, worker, done, running, path

    def check_settled(self, service, worker, done, running, path):
        worker.moved(service.server.address)
        self.check_done(service, BUCKET, done, 3, {index: [5] for index in range(3)})
        self.assertEqual(service.get(BUCKET, "notes/a"), b"a" * 5000)
        self.assertEqual(service.get(BUCKET, "notes/a/b"), "größe".encode())
        self.assertEqual(service.get(BUCKET, "empty"), b"")
        # Work goes on: the draft is continued and submitted, and the job ends.
        draft = worker.call("POST", path + "/draft/open", {"tab": "b"}).json()
        self.assertEqual([each["data"] for each in draft["deltas"]], ["a stroke"])
        reply = worker.call("POST", path + "/draft/deltas", {"tab": "b", "deltas": [{"sequence": draft["next_sequence"], "data": "another"}]})
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual(worker.call("POST", path + "/submit", answer(7)).status, 200)
        self.label_all(worker, running, 7)
        self.check_done(service, BUCKET, running, 2, {0: [7], 1: [7]})

    # ---- tests ----

    def test_beside_work(self):
        """Twenty workers draw and submit and a requester makes jobs while the backup is made."""
        service = self.service(*self.state_options())
        load = Load(service, self.id())
        self.addCleanup(load.stop)
        for number in range(200):  # so that a pass over the objects takes a while
            service.put(BUCKET, f"before/{number}", bytes([number]) * 100)
        load.start()
        self.wait_for(lambda: load.failures or load.answers() > 60, "the workers are at it")
        self.assertEqual(load.failures, [])
        began, before = time.monotonic(), load.answers()
        backup = self.back_up(service)
        during = load.answers() - before
        self.assertGreater(during, 0, "nothing happened during the backup")
        load.stop()
        self.assertEqual(load.failures, [])
        service.server.kill()

        where, _ = self.restore(backup, "restored")
        restored = self.start_on(where, service.admin)
        for number in range(200):
            self.assertEqual(restored.get(BUCKET, f"before/{number}"), bytes([number]) * 100)
        jobs = {job["name"]: job for job in self.pages(restored, REQUESTER + "jobs?", "jobs")}
        for acknowledged, name, photos in load.jobs:
            if acknowledged < began:
                self.assertIn(name, jobs)
        # Every job that is there is whole, also those that were made meanwhile.
        for name, photos in ((name, photos) for _, name, photos in load.jobs if name in jobs):
            self.wait_for(lambda name=name: restored.describe(name)["status"] != "Initializing", f"{name} has begun")
            self.check_counters(restored, BUCKET, name)
            self.assertEqual(restored.describe(name)["objects"], photos)
        painted = {}  # job -> index -> variants
        for number, tasks in enumerate(load.tasks):
            load.workers[number].moved(restored.server.address)
            self.check_tasks(load.workers[number], tasks, began, painted)
        # Work goes on until every job has ended, with the masks that were painted.
        def all_answered():
            for number, worker in enumerate(load.workers):
                for assignment in self.pages(worker, "/_/api/assignments?", "assignments"):
                    if assignment["state"] == "leased":
                        reply = worker.call("POST", f"/_/api/assignments/{assignment['id']}/submit", answer(3))
                        self.assertEqual(reply.status, 200, reply)
                        painted.setdefault(assignment["job_name"], {}).setdefault(assignment["object_index"], []).append(3)
            for worker in load.workers:
                while (reply := worker.call("POST", "/_/api/assignments", {})).status == 201:
                    lease = reply.json()["assignment"]
                    self.assertEqual(worker.call("POST", f"/_/api/assignments/{lease['id']}/submit", answer(3)).status, 200)
                    painted.setdefault(lease["job_name"], {}).setdefault(lease["object_index"], []).append(3)
            return all(restored.describe(name)["status"] == "Completed" for name in jobs)

        self.wait_for(all_answered, "every job ends", 300)
        for _, name, photos in load.jobs:
            if name in jobs:
                self.check_done(restored, BUCKET, name, photos, painted.get(name))
        print(f"\n{len(jobs)} jobs, {before} answers before the backup, {during} during it", flush=True)

    def pages(self, asked, path, member):
        """All of a list, asked 100 at a time, of a Service or a session."""
        session = getattr(asked, "admin", asked)
        found = []
        while True:
            reply = session.call("GET", f"{path}limit=100&offset={len(found)}")
            if reply.status == 429:
                time.sleep(int(reply.header("Retry-After")))
                continue
            self.assertEqual(reply.status, 200, reply)
            found += reply.json()[member]
            if len(reply.json()[member]) < 100:
                return found

    def check_tasks(self, worker, tasks, began, painted):
        """What the worker was told before the backup began is there; what is there besides, they had at least sent."""
        def call(method, path, body=None):
            while (reply := worker.call(method, path, body)).status == 429:
                time.sleep(int(reply.header("Retry-After")))
            return reply

        found = {each["id"]: each for each in self.pages(worker, "/_/api/assignments?", "assignments")}
        for identity, task in tasks.items():
            path = f"/_/api/assignments/{identity}"
            where = f"{identity} ({task.job}, object {task.index})"
            strokes = [text for at, text in task.deltas if at < began]
            if task.submitted_at and task.submitted_at < began:
                self.assertEqual(found.get(identity, {}).get("state"), "submitted", where)
            if strokes:
                self.assertIn(identity, found, where)
            if identity not in found:
                continue
            if found[identity]["state"] == "submitted":
                self.assertIsNotNone(task.answer, f"{where} was never submitted")
                self.assertEqual(call("GET", path + "/answer").body, task.answer, where)
                painted.setdefault(task.job, {}).setdefault(task.index, []).append(task.variant)
                continue
            self.assertEqual(found[identity]["state"], "leased", where)
            reply = call("POST", path + "/draft/open", {"tab": "second"})
            self.assertEqual(reply.status, 200, reply)
            kept = [each["data"] for each in reply.json()["deltas"]]
            self.assertEqual(kept, task.attempted[: len(kept)], where)
            self.assertGreaterEqual(len(kept), len(strokes), where)
            sequence = reply.json()["next_sequence"]
            reply = call("POST", path + "/draft/deltas", {"tab": "second", "deltas": [{"sequence": sequence, "data": "after the restore"}]})
            self.assertEqual(reply.status, 200, reply)

    def kill_when(self, command, folder, files):
        """Starts it and kills it as soon as `folder` holds so many files; True if it had ended by itself before."""
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        while process.poll() is None:
            if sum(len(names) for _, _, names in os.walk(folder)) >= files:
                process.kill()
                process.communicate()
                return False
        _, errors = process.communicate()
        self.assertEqual(process.returncode, 0, errors)
        return True

    def files_below(self, folder):
        return sum(len(names) for _, _, names in os.walk(folder))

    def test_killed_backups(self):
        """A backup that was killed is no backup; the service does not mind; the next one is whole."""
        service, worker, done, running, path = self.settled()
        all_files = self.files_below(self.back_up(service, "counted"))
        killed = 0
        for number in range(10):
            name = f"killed-{number}"
            ended = self.kill_when(self.command("backup", "--data-dir", str(service.server.data_dir), "--output", str(self.folder / name)),
                                   self.folder / name, 1 + (all_files - 2) * number // 9)
            if (self.folder / name / "backup.json").exists():
                where, result = self.restore(self.folder / name, f"of-{name}")
                continue
            killed += not ended
            where, result = self.restore(self.folder / name, f"of-{name}", check=False)
            self.assertEqual(result.returncode, 1)
            self.assertIn(f"{self.folder / name}: is no complete backup", result.stderr)
            self.assertFalse(where.exists(), "a restore that is refused makes nothing")
            if (self.folder / name).exists() and any((self.folder / name).iterdir()):
                result = self.back_up(service, name, check=False)
                self.assertEqual(result.returncode, 1)
                self.assertIn("exists and is not empty", result.stderr)
        self.assertGreater(killed, 0)
        backup = self.back_up(service, "whole")
        service.server.kill()
        where, _ = self.restore(backup, "restored")
        self.check_settled(self.start_on(where, service.admin), worker, done, running, path)

    def test_killed_restores(self):
        """A restore that was killed is opened by nothing, and ends when it is run again."""
        service, worker, done, running, path = self.settled()
        backup = self.back_up(service)
        service.server.kill()
        options = self.state_options()
        whole, _ = self.restore(backup, "counted", options=options)
        all_files = self.files_below(whole)
        killed = 0
        for number in range(10):
            options = self.state_options()
            where = self.folder / f"killed-{number}"
            command = self.command("restore", "--from", str(backup), "--data-dir", str(where), *options)
            if self.kill_when(command, where, 1 + (all_files - 2) * number // 9):
                continue
            if not (where / "restore.json").exists() and not (where / "settings.json").exists():
                self.assertFalse((where / "objects").exists())  # before the mark there is nothing
                continue
            if (where / "restore.json").exists():
                killed += 1
                last = where
                result = subprocess.run([program(), "serve", "--data-dir", str(where), "--port", "0", *options], capture_output=True, text=True, timeout=60)
                self.assertEqual(result.returncode, 1)
                self.assertIn("`terrapin restore` into it is under way or was cut short", result.stderr)
                result = self.run_command("keys", "list", "--data-dir", str(where), check=False)
                self.assertIn("cut short", result.stderr)
                self.restore(backup, f"killed-{number}", options=options)
        self.assertGreater(killed, 0)
        self.check_settled(self.start_on(last, service.admin), worker, done, running, path)

    def test_over_what_is_there(self):
        """A restore never overwrites an installation unless told, and then keeps the old folder."""
        service, worker, done, running, path = self.settled()
        backup = self.back_up(service)
        service.put(BUCKET, "later", b"later")
        service.server.stop()
        data = service.server.data_dir
        before = sorted(each.name for each in data.iterdir())
        options = self.replaced_options(service)
        result = self.run_command("restore", "--from", str(backup), "--data-dir", str(data), *options, check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn(f"{data}: exists and is not empty", result.stderr)
        self.assertEqual(sorted(each.name for each in data.iterdir()), before)
        self.run_command("restore", "--from", str(backup), "--data-dir", str(data), "--replace", *options)
        aside = [each for each in data.parent.iterdir() if each.name.startswith(data.name + ".replaced-")]
        self.assertEqual(len(aside), 1)
        self.assertEqual((aside[0] / "objects" / BUCKET / "later").read_bytes(), b"later")
        again = self.start_on(data, service.admin)
        self.assertIsNone(again.get(BUCKET, "later"))
        self.check_settled(again, worker, done, running, path)

    def replaced_options(self, service):
        """Where the state of the service that is replaced lies."""
        return []

    def damages(self, backup):
        """(what is done to a copy of the backup, what the message names)"""
        record = json.loads((backup / "backup.json").read_text())
        def cut(name):
            return lambda at: os.truncate(at / name, (at / name).stat().st_size // 2)

        def flip(name):
            def change(at):
                kept, data = (at / name).stat(), bytearray((at / name).read_bytes())
                data[len(data) // 2] ^= 1
                with open(at / name, "r+b") as file:
                    file.write(data)
                os.utime(at / name, ns=(kept.st_atime_ns, kept.st_mtime_ns))
            return change

        def gone(name):
            return lambda at: (at / name).unlink()

        def forged(**members):
            return lambda at: (at / "backup.json").write_text(json.dumps({**record, **members}))

        state, note = record["state"], f"objects/{BUCKET}/notes/a/%=b"
        note = next(str(each.relative_to(backup)) for each in (backup / "objects" / BUCKET).rglob("*") if each.is_file() and each.read_bytes() == b"a" * 5000)
        return [
            (gone("backup.json"), "no complete backup"), (cut("backup.json"), "backup.json"), (cut(state), state), (flip(state), state), (gone(state), state),
            (cut("objects.jsonl"), "objects.jsonl"), (flip("access-keys.json"), "access-keys.json"), (gone("portal.key"), "portal.key"),
            (cut(note), "notes/a"), (flip(note), "notes/a"), (gone(note), "notes/a"), (lambda at: shutil.rmtree(at / "objects"), "s3://" + BUCKET),
            (forged(version=9), "version 1"), (forged(format="tar"), "terrapin-backup"), (forged(files={}), '"files"'), (forged(state="../x"), '"state"'),
            (forged(files={**record["files"], "../../settings.json": record["files"]["portal.key"]}), '"files"'), (forged(region=7), '"region"'),
        ]

    def test_damaged_backups(self):
        """A backup that lacks something or holds other bytes is refused, and the message names the file."""
        service, worker, done, running, path = self.settled()
        backup = self.back_up(service)
        service.server.kill()
        for number, (damage, named) in enumerate(self.damages(backup)):
            copy = self.folder / f"damaged-{number}"
            subprocess.run(["cp", "-a", str(backup), str(copy)], check=True)
            damage(copy)
            options = self.state_options()
            with self.subTest(number=number, named=named):
                where, result = self.restore(copy, f"of-{number}", check=False, options=options)
                self.assertEqual(result.returncode, 1, result)
                self.assertIn(named, result.stderr)
                self.assertNotIn("terrapin::", result.stderr)
                if where.exists():  # the damage showed on the way
                    result = self.run_command("keys", "list", "--data-dir", str(where), check=False)
                    self.assertEqual(result.returncode, 1)
                    self.assertIn("cut short", result.stderr)
        where, _ = self.restore(backup, "restored")
        self.check_settled(self.start_on(where, service.admin), worker, done, running, path)


class OnSqlite(Backups, ServiceCase):
    pass


class OnPostgres(Backups, ServiceCase):
    @classmethod
    def setUpClass(cls):
        if postgres.programs() is None:
            raise unittest.SkipTest("PostgreSQL is not installed (Debian: apt-get install postgresql)")
        cls.cluster = postgres.Postgres()
        cls.addClassCleanup(cls.cluster.close)
        cls.databases = 0

    def state_options(self):
        """An empty database."""
        cls = type(self)
        cls.databases += 1
        name = f"terrapin{cls.databases}"
        self.cluster.run("createdb", "-h", str(self.cluster.folder), "-U", "terrapin", name)
        return ["--state", f"postgresql://terrapin@/{name}?host={self.cluster.folder}"]

    def replaced_options(self, service):
        state = json.loads((service.server.data_dir / "settings.json").read_text())["state"]
        return ["--state", state]

    def test_a_database_in_use_is_refused(self):
        """A restore into a database that holds tables is refused, and they stay."""
        service, worker, done, running, path = self.settled()
        backup = self.back_up(service)
        options = self.replaced_options(service)
        where, result = self.restore(backup, "restored", check=False, options=options)
        self.assertEqual(result.returncode, 1)
        self.assertIn("an empty database is allowed", result.stderr)
        self.check_settled(service, worker, done, running, path)
        where, result = self.restore(backup, "sqlite", check=False, options=[])
        self.assertEqual(result.returncode, 1)
        self.assertIn("--state", result.stderr)
        self.assertFalse(where.exists())

    def test_without_pg_dump(self):
        """Without pg_dump nothing is copied, and the message names it."""
        service = self.service(*self.state_options())
        result = subprocess.run(self.command("backup", "--data-dir", str(service.server.data_dir), "--output", str(self.folder / "backup")),
                                capture_output=True, text=True, env={**os.environ, "PATH": "/nowhere"})
        self.assertEqual(result.returncode, 1)
        self.assertIn("pg_dump", result.stderr)
        self.assertFalse((self.folder / "backup").exists())
