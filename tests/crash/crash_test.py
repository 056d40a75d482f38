#!/usr/bin/env python3
"""Random operations against `terrapin serve` from several threads, kill -9 at random moments, restart, and a look at
everything: what was acknowledged is there, once; what was in flight happened whole or not at all; no manifest is ever
half-written; at the end every job completes, with the masks that workers drew.

Usage: crash_test.py [--state sqlite|postgresql] [--kills 50] [--seed N] [--folder DIR] [--keep]"""

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path

from world import PATIENCE, BrokenConnection, World, Wrong, is_memory, require, wait_for

import postgres
from objects_actor import ObjectsActor
from requester_actor import Jobs, ReaderActor, RequesterActor, labels_of, manifest_key
from support.small_png import decode_indexed
from workers_actor import Account, WorkersActor, make_session, mask_rows

WORKER_THREADS, ACCOUNTS_PER_THREAD, OBJECT_THREADS = 3, 3, 2


class CrashTest:
    def __init__(self, folder, cluster, seed, kills):
        self.random = random.Random(f"{seed}/kills")
        self.cluster, self.kills = cluster, kills
        self.world = World(folder, cluster.url if cluster else None, seed)
        self.jobs = Jobs()
        self.requester = RequesterActor(self.world, self.jobs)
        self.reader = ReaderActor(self.world, self.jobs)
        self.objects = [ObjectsActor(self.world, i) for i in range(OBJECT_THREADS)]
        self.workers = []
        self.final_manifests = {}

    def set_up(self):
        world = self.world
        world.start()
        world.key = world.server.create_key()
        self.requester.set_up(world.server.invitation("admins", "admin"))
        for thread in range(WORKER_THREADS):
            accounts = []
            for number in range(ACCOUNTS_PER_THREAD):
                account = Account(f"worker-{thread}-{number}@example.com")
                _, token = self.requester.invite(groups=["crash"])
                account.session = make_session(world, token, account.name)
                accounts.append(account)
            self.workers.append(WorkersActor(world, thread, self.jobs, accounts))
        for actor in self.objects:
            actor.set_up()
        world.kill()

    @property
    def actors(self):
        return [self.requester, self.reader, *self.objects, *self.workers]

    def together(self, work, actors=None):
        """Runs work(actor) of all actors at once; failures are the test's."""

        def guarded(actor):
            try:
                work(actor)
            except Exception as error:  # noqa: BLE001
                self.world.report(actor, error)

        threads = [threading.Thread(target=guarded, args=[actor]) for actor in actors or self.actors]
        for thread in threads:
            thread.start()
        return threads

    def finish(self, threads):
        for thread in threads:
            thread.join()
        if self.world.failures:
            raise Wrong("\n".join(self.world.failures))

    # ---- rounds ----

    def round(self, number):
        if self.random.random() < 0.1:
            self.world.start_and_kill(self.random.random() * 1.0)
            self.check_folder()
            return
        self.world.start()
        if number % max(10, self.kills // 50) == 0:
            self.verify()
        threads = self.together(lambda actor: actor.round())
        # Most kills come in full work, some right after the start.
        self.world.stop.wait(self.random.choice([0.05, 0.4, 0.8, 1.2]) * (0.5 + self.random.random()))
        self.world.kill()
        self.world.stop.set()
        self.finish(threads)
        self.check_folder()
        if self.cluster and self.random.random() < 0.15:
            self.cluster.crash()

    def verify(self):
        def everything(actor):
            actor.connect()
            actor.verify()

        self.finish(self.together(everything))

    def check_folder(self):
        """Right after the kill: manifests on the disk are whole."""
        for job in self.jobs.all():
            for final in (False, True):
                path = self.world.data / "objects" / "crash-work" / manifest_key(job, final)
                if job.name in self.final_manifests and not job.disturbed:
                    continue
                if path.exists():
                    labels_of(job, path.read_text(), str(path))
                    if final:
                        self.final_manifests[job.name] = True

    # ---- the end ----

    def complete(self):
        """No more kills: workers submit until every job has ended."""
        world = self.world
        world.start()
        self.verify()
        for actor in self.workers:
            actor.finishing = True
        idle = 0
        deadline = time.monotonic() + 2 * PATIENCE
        while idle < 3:
            require(time.monotonic() < deadline, f"the workers do not come to an end within {2 * PATIENCE} s")
            before = world.counts.get("acknowledged answers", 0)

            def some_steps(actor):
                for _ in range(40):
                    actor.step()

            self.finish(self.together(some_steps, self.workers))
            idle = idle + 1 if world.counts.get("acknowledged answers", 0) == before else 0

        def all_ended():
            for job in self.jobs.all():
                if not job.ended:
                    self.requester.check_job(job)
            return all(job.ended for job in self.jobs.all())

        try:
            wait_for(all_ended, PATIENCE, "every labeling job ends")
        except Wrong as error:
            open_jobs = [(job.name, self.requester.describe(job).text) for job in self.jobs.all() if not job.ended]
            raise Wrong(f"{error}: {open_jobs}") from None
        self.verify()
        for job in self.jobs.all():
            self.check_ended_in_the_end(job)
        self.check_leftovers()

    def check_ended_in_the_end(self, job):
        """Masks and manifest of an ended job are made again when answers are taken out of it: that may still be under way."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return self.check_ended(job)
            except Wrong:
                if not job.disturbed or time.monotonic() > deadline:
                    raise
            time.sleep(0.2)

    def tasks_of(self, job):
        """index -> (account, task id, task) of all that the model knows."""
        found = {}
        for actor in self.workers:
            for account in actor.accounts:
                for task_id, task in account.tasks.items():
                    if task.job == job.name:
                        found.setdefault(task.index, []).append((account, task_id, task))
        return found

    def check_ended(self, job):
        client, admin = self.requester.client, self.requester.admin
        tasks = self.tasks_of(job)
        path = self.world.data / "objects" / "crash-work" / manifest_key(job, True)
        text = path.read_text()
        labeled, failed, unlabeled = labels_of(job, text, str(path))
        status, counters = self.reader.counters(job)
        require(counters == (labeled, failed, unlabeled), f"{job.name}: counters {counters}, manifest {(labeled, failed, unlabeled)}")
        require(status == ("Stopped" if job.stop == "yes" else "Completed"), f"{job.name} is {status}; stop: {job.stop}")
        for index, line in enumerate(text.splitlines()):
            where = f"{job.name}, object {index}"
            given = [each for each in tasks.get(index, []) if each[2].state == "submitted"]
            reply = admin.call("GET", f"/_/api/requester/jobs/{job.name}/objects/{index}/answers")
            while reply.status == 429:  # one account asks for hundreds at once: as it is told
                time.sleep(int(reply.header("Retry-After", "1")))
                reply = admin.call("GET", f"/_/api/requester/jobs/{job.name}/objects/{index}/answers")
            require(reply.status == 200, f"answers of {where}: {reply}")
            listed = [each["assignment_id"] for each in reply.json()["answers"] if not each["withdrawn"]]
            require(sorted(listed) == sorted(task_id for _, task_id, _ in given), f"answers of {where}: {listed}; workers submitted {given}")
            wanted = job.workers + len(job.may_have(lambda event, index=index: event.kind == "reopen" and event.index == index))
            require(len(given) <= wanted, f"{where} has {len(given)} answers, {wanted} were wanted")
            require(len({account.name for account, _, _ in given}) == len(given), f"{where}: a worker answered twice")
            record = json.loads(line)
            uri = record.get(job.attribute)
            require(bool(uri) == bool(given), f"{where}: {len(given)} answers, mask {uri}: {line}")
            if not uri:
                continue
            reply = client.s3("GET", "/" + uri.removeprefix("s3://"))
            require(reply.status == 200, f"{where}: the mask {uri}: {reply}")
            width, height, rows, _ = decode_indexed(reply.body)
            drawn = [mask_rows(job.name, index, task.variants[task.answers[0]]) for _, _, task in given]
            require((width, height) == (len(drawn[0][0]), len(drawn[0])), f"{where}: the mask has {width} x {height} pixels")
            if all(each == drawn[0] for each in drawn):
                require(rows == drawn[0], f"{where}: the mask is not what {len(drawn)} workers drew")
            self.world.count("masks compared")
            self.check_response(job, index, given, where)

    def check_response(self, job, index, given, where):
        """The newest worker response holds every answer once."""
        folder = self.world.data / "objects" / "crash-work" / "out" / job.name / "annotations" / "worker-response"
        files = sorted(folder.glob(f"iteration-*/{index}/*.json"), key=lambda path: path.name)
        require(files, f"{where} has no worker response")
        answers = json.loads(files[-1].read_text())["answers"]
        require(
            sorted(each["workerId"] for each in answers) == sorted(account.session.account["id"] for account, _, _ in given),
            f"{where}: {files[-1]} has the answers of {[each['workerId'] for each in answers]}",
        )
        notes = sorted(each["answerContent"]["note"] for each in answers)
        require(notes == sorted(json.loads(task.answers[0])["note"] for _, _, task in given), f"{where}: {files[-1]} holds {notes}")

    def check_leftovers(self):
        """What a crash leaves without a row is gone once the job has ended (docs/formats/labeling-state.md)."""
        root = self.world.data / "objects" / "crash-work" / "out"
        found = []
        for job in self.jobs.all():
            named = {name for each in self.tasks_of(job).values() for _, name, task in each if task.state in ("submitted", "withdrawn")}
            answers = {}
            for path in (root / job.name / "intermediate" / "answers").glob("*/*.json"):
                answers.setdefault(path.stem.rsplit("_", 1)[0], []).append(path)
            for task_id, paths in answers.items():
                if task_id not in named or len(paths) > 1:
                    found += paths[1:] if task_id in named else paths
            manifest = (root / job.name / "manifests/output/output.manifest").read_text()
            found += [path for path in (root / job.name / "annotations/consolidated-annotation/output").glob("*") if path.name not in manifest]
        self.world.count("files left over", len(found))
        require(not found, f"{len(found)} files of no answer or mask are left in ended jobs, for example {found[:3]}")

    def run(self):
        self.set_up()
        for number in range(1, self.kills + 1):
            if number % 100 == 0:
                print(f"crash_test: kill {number} of {self.kills}, {self.world.counts.get('acknowledged deltas', 0)} acknowledged deltas so far", flush=True)
            try:
                self.round(number)
            except Wrong as error:
                raise Wrong(f"kill {number}: {error}") from None
        self.complete()
        require(self.world.counts.get("acknowledged deltas", 0) > self.kills, f"hardly anything happened: {self.world.counts}")
        require(self.world.counts.get("masks compared", 0) > self.kills // 5, f"hardly anything was labelled: {self.world.counts}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--kills", type=int, default=int(os.environ.get("TERRAPIN_KILLS", "50")), help="default: TERRAPIN_KILLS, or 50")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--folder", default=tempfile.gettempdir(), help="where the data folder is made: on a disk")
    parser.add_argument("--keep", action="store_true", help="leave the data folder")
    options = parser.parse_args()
    cluster = None
    if options.state == "postgresql":
        if postgres.programs() is None:
            print("crash_test.py: Skipped\nPostgreSQL is not installed (Debian: apt-get install postgresql)\n[  SKIPPED ] Crash.PostgreSQL (0 ms)")
            return 77
        cluster = postgres.Postgres()
    Path(options.folder).mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="terrapin-crash-", dir=options.folder))
    print(f"crash_test: {options.state}, {options.kills} kills, seed {options.seed}, data in {folder}", flush=True)
    if is_memory(folder):
        print("crash_test: that is memory, no disk: --folder names another place", flush=True)
    begin = time.monotonic()
    test = CrashTest(folder, cluster, options.seed, options.kills)
    failed = True
    try:
        test.run()
        failed = False
    except (Wrong, BrokenConnection) as error:
        print(f"crash_test: FAILED with seed {options.seed}: {error}\nthe server's log ends:\n{test.world.log_end()}", flush=True)
    finally:
        try:
            test.world.server.kill()
        except RuntimeError:
            pass
        if cluster:
            cluster.close()
        counts = ", ".join(f"{value} {name}" for name, value in sorted(test.world.counts.items()))
        print(f"crash_test: {time.monotonic() - begin:.0f} s: {counts}; counters behind the manifest for a moment: {test.reader.behind}")
        if failed or options.keep:
            print(f"crash_test: the data folder stays: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
