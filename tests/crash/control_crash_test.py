#!/usr/bin/python3
"""Training jobs and an endpoint while kill -9 hits the service, trainers, keepers and model servers at random moments.

After every kill: what the service says of each job is true, the endpoint answers again, and at the end no process is left. TERRAPIN_KILLS: how many
(10; script/soak: 100). TERRAPIN_SEED: of the choices; printed.
"""

import contextlib
import io
import os
import pathlib
import random
import sqlite3
import sys
import tarfile
import time
import unittest

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1])]
from botocore.exceptions import ClientError, EndpointConnectionError  # noqa: E402

from support.endpoint_case import EndpointCase, package, photo  # noqa: E402
from support.training_case import TrainingCase  # noqa: E402

KILLS = int(os.environ.get("TERRAPIN_KILLS", "10"))
SEED = int(os.environ.get("TERRAPIN_SEED", str(random.randrange(1 << 30))))
MARK = "TERRAPIN_JOB="


def processes(data_dir):
    """{pid: (job id, what it is)} of every process that belongs to a job of this service."""
    found = {}
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_text().split("\0")
            environment = (folder / "environ").read_text().split("\0")
            if (folder / "stat").read_text().rpartition(")")[2].split()[0] == "Z":
                continue
        except OSError:
            continue
        if "job-keeper" in command and any(str(data_dir) in part for part in command):
            found[int(folder.name)] = (pathlib.Path(command[-2]).name, "keeper")
            continue
        variables = dict(part.split("=", 1) for part in environment if "=" in part)
        if "TERRAPIN_JOB" not in variables or str(data_dir) not in variables.get("HOME", ""):
            continue
        kind = "model server" if "endpoint-instance" in command or "host" in command else "trainer" if "train" in command else "worker"
        found[int(folder.name)] = (variables["TERRAPIN_JOB"], kind)
    return found


class ControlCrash(EndpointCase, TrainingCase):
    own_server = True

    def setUp(self):
        self.random = random.Random(SEED)
        self.killed = {}  # by kind
        self.hit = set()  # ids of jobs that lost a process
        print(f"TERRAPIN_SEED={SEED}, {KILLS} kills", flush=True)

    def renew_clients(self):
        """The port is another one after a restart."""
        cls = type(self)
        cls.s3, cls.sagemaker, cls.logs = (self.server.client(name) for name in ("s3", "sagemaker", "logs"))
        cls.runtime = self.server.client("sagemaker-runtime", read_timeout=90)

    def kill_one(self):
        found = processes(self.server.data_dir)
        targets = {"service"} | {kind for _, kind in found.values()}
        kind = self.random.choice(sorted(targets))
        if kind == "service":
            self.server.kill()
            # Something may end while nobody looks.
            if self.random.random() < 0.5:
                time.sleep(self.random.random())
            self.server.start()
            self.renew_clients()
        else:
            pid = self.random.choice(sorted(pid for pid, (_, what) in found.items() if what == kind))
            try:
                os.kill(pid, 9)
            except ProcessLookupError:
                return
            self.hit.add(found[pid][0])
        self.killed[kind] = self.killed.get(kind, 0) + 1

    def stop(self, name):
        """False: it had ended before."""
        try:
            self.sagemaker.stop_training_job(TrainingJobName=name)
        except ClientError as problem:
            error = problem.response["Error"]
            self.assertEqual(error["Code"], "ValidationException", problem)
            self.assertRegex(error["Message"], r"^The request was rejected because the training job is in status (Completed|Failed|Stopped)\.$")
            return False
        return True

    def job_ids(self):
        """{training job: id of its process's job}"""
        with contextlib.closing(sqlite3.connect(f"file:{self.server.data_dir / 'state.db'}?mode=ro", uri=True)) as state:
            return dict(state.execute("SELECT spec, id FROM jobs WHERE kind = 'training'"))

    def check_job(self, name):
        """What it says of its end is so."""
        job = self.job(name)
        status, artifact = job["TrainingJobStatus"], job.get("ModelArtifacts", {}).get("S3ModelArtifacts")
        self.assertIn(status, ("Completed", "Failed", "Stopped"))
        bucket, _, _ = job["OutputDataConfig"]["S3OutputPath"][5:].partition("/")
        there = [item["Key"] for item in self.s3.list_objects_v2(Bucket=bucket, Prefix=f"out/{name}/").get("Contents", [])]
        for key in there:  # whole, or not there
            with tarfile.open(fileobj=io.BytesIO(self.s3.get_object(Bucket=bucket, Key=key)["Body"].read())) as archive:
                names = archive.getnames()
            if key.endswith("model.tar.gz"):
                self.assertIn("model.json", [pathlib.PurePosixPath(one).name for one in names])
        if status == "Completed":
            self.assertIn(artifact.partition(bucket + "/")[2], there)
            self.assertIn("validation:mIOU", [metric["MetricName"] for metric in job["FinalMetricDataList"]])
        if status == "Failed":
            self.assertTrue(job["FailureReason"].strip())
        last = job["SecondaryStatusTransitions"][-1]
        self.assertEqual(last["Status"], {"Completed": "Completed", "Failed": "Failed", "Stopped": "Stopped"}[status])
        return status

    def test_every_end_is_true(self):
        bucket = self.make_data()
        endpoint = self.make_endpoint(self.variant(self.make_model(package()), count=2))
        running, ended, stopped = [], {}, set()
        while sum(self.killed.values()) < KILLS:
            while len(running) < 2:
                running.append(self.create(self.request(bucket, epochs=self.random.choice([1, 3, 30]))))
            if self.random.random() < 0.1:
                name = running[-1]
                if self.stop(name):
                    stopped.add(name)
            time.sleep(self.random.random() * 2)
            self.kill_one()
            for name in list(running):
                if self.job(name)["TrainingJobStatus"] in ("Completed", "Failed", "Stopped"):
                    running.remove(name)
                    ended[name] = self.check_job(name)
            self.wait_for(lambda: self.answers(endpoint), "an answer of the endpoint", 180)
        # One that comes after all of it.
        running.append(self.create(self.request(bucket, epochs=1)))
        for name in running:
            self.wait_for(lambda name=name: self.job(name)["TrainingJobStatus"] not in ("InProgress", "Stopping"), f"the end of {name}", 300)
            ended[name] = self.check_job(name)
        self.assertIn("Completed", ended.values())
        ids = self.job_ids()
        for name, status in ended.items():
            self.assertTrue(status != "Stopped" or name in stopped, f"nobody stopped {name}")
            # The end of the service is no job's: only who lost a process of its own may fail.
            if status == "Failed" and name not in stopped:
                self.assertIn(ids[name], self.hit, f"nobody killed {name}: {self.job(name)['FailureReason']}")
        self.assertEqual(self.status(endpoint), "InService")
        self.delete_endpoint(endpoint)
        self.wait_for(lambda: not processes(self.server.data_dir), "no process left", 60)
        counts = {status: list(ended.values()).count(status) for status in sorted(set(ended.values()))}
        print(f"killed: {self.killed}; {len(ended)} jobs: {counts}", flush=True)

    def answers(self, endpoint):
        try:
            return self.invoke(endpoint, photo())["Body"].read()
        except (ClientError, EndpointConnectionError) as problem:
            if isinstance(problem, ClientError):
                self.assertIn(problem.response["Error"]["Code"], ("ServiceUnavailable", "ModelError"), problem)
            return None


if __name__ == "__main__":
    unittest.main()
