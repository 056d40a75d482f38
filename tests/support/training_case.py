"""Training jobs on photos of a few pixels: what they need, and one that every file may look at."""

import io
import os
import pathlib

import PIL.Image

from support import labeling_material
from support.aws_case import SageMakerCase, unique
from support.files import entries_of
from support.terrapin_server import ACCOUNT

# Threads that wait for each other must not spin where tests share cores.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

IMAGE = "685385470294.dkr.ecr.us-east-1.amazonaws.com/semantic-segmentation:1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/Training"
TRAIN, VALIDATION = 4, 2
_completed = None


def mask(label=1, seed=0):
    """The PNG of labeling_material.disc()."""
    file = io.BytesIO()
    PIL.Image.fromarray(labeling_material.disc(label=label, seed=seed)).save(file, "PNG")
    return file.getvalue()


class TrainingCase(SageMakerCase):
    """`logs`; buckets with data, requests, jobs."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.logs = cls.server.client("logs")
        cls.raw_logs = cls.server.client("logs", validate=False)

    def make_data(self, label=1):
        """A bucket with four channels of tiny photos."""
        bucket = unique("b")
        self.s3.create_bucket(Bucket=bucket)
        for channel, numbers in (("train", range(TRAIN)), ("validation", range(100, 100 + VALIDATION))):
            for number in numbers:
                self.s3.put_object(Bucket=bucket, Key=f"data/{channel}/{number}.jpg", Body=labeling_material.photo(seed=number))
                self.s3.put_object(Bucket=bucket, Key=f"data/{channel}_annotation/{number}.png", Body=mask(label, number))
        return bucket

    def channel(self, name, uri, **members):
        """An element of InputDataConfig."""
        return {"ChannelName": name, "ContentType": "image/png" if name.endswith("annotation") else "image/jpeg", "CompressionType": "None",
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}}, **members}

    def request(self, bucket, name=None, epochs=2, without=(), **hyperparameters):
        """A request for a training of seconds."""
        values = {"backbone": "mobilenet-v2", "algorithm": "lite", "use_pretrained_model": "False", "num_classes": 2, "num_training_samples": TRAIN,
                  "epochs": epochs, "crop_size": 32, "base_size": 48, "mini_batch_size": 2, "validation_mini_batch_size": 2, **hyperparameters}
        channels = [self.channel(channel, f"s3://{bucket}/data/{channel}")
                    for channel in ("train", "train_annotation", "validation", "validation_annotation") if channel not in without]
        return {"TrainingJobName": name or unique("train"), "RoleArn": ROLE,
                "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
                "HyperParameters": {key: str(value) for key, value in values.items()},
                "InputDataConfig": channels, "OutputDataConfig": {"S3OutputPath": f"s3://{bucket}/out"},
                "ResourceConfig": {"InstanceType": "ml.p3.2xlarge", "InstanceCount": 1, "VolumeSizeInGB": 30},
                "StoppingCondition": {"MaxRuntimeInSeconds": 3600}}

    def create(self, request):
        """Returns the job's name."""
        self.sagemaker.create_training_job(**request)
        return request["TrainingJobName"]

    def job(self, name):
        return self.sagemaker.describe_training_job(TrainingJobName=name)

    def wait_for_step(self, name, *steps):
        """The job, as soon as one of these secondary statuses was reached."""
        def reached():
            job = self.job(name)
            return job if any(one["Status"] in steps for one in job["SecondaryStatusTransitions"]) else None
        return self.wait_for(reached, f"{' or '.join(steps)} of training job {name}", 300)

    def wait_with(self, waiter, status, **job):
        """Until the client's waiter sees the job's end. `status`: asks for how it stands."""
        try:
            self.sagemaker.get_waiter(waiter).wait(**job, WaiterConfig={"Delay": 1, "MaxAttempts": 600})
        except Exception:  # a failure is an end, too
            if status() != "Failed":
                raise

    def wait_for_end(self, name):
        self.wait_with("training_job_completed_or_stopped", lambda: self.job(name)["TrainingJobStatus"], TrainingJobName=name)
        return self.job(name)

    def run_job(self, request):
        return self.wait_for_end(self.create(request))

    def completed(self):
        """A job that is completed, the same for all who ask; (job, bucket)."""
        global _completed
        if _completed is None:
            bucket = self.make_data()
            job = self.run_job(self.request(bucket))
            self.assertEqual(job["TrainingJobStatus"], "Completed", job.get("FailureReason"))
            _completed = (job["TrainingJobName"], bucket)
        return self.job(_completed[0]), _completed[1]

    def stream_of(self, name):
        streams = self.logs.describe_log_streams(logGroupName="/aws/sagemaker/TrainingJobs", logStreamNamePrefix=name + "/")
        return streams["logStreams"][0]["logStreamName"]

    def messages(self, name):
        """Every line of the job's log."""
        token, lines = {}, []
        while True:
            page = self.logs.get_log_events(logGroupName="/aws/sagemaker/TrainingJobs", logStreamName=self.stream_of(name), startFromHead=True, **token)
            lines += [event["message"] for event in page["events"]]
            if token.get("nextToken") == page["nextForwardToken"]:
                return lines
            token = {"nextToken": page["nextForwardToken"]}

    def steps(self, job):
        return [one["Status"] for one in job["SecondaryStatusTransitions"]]

    def processes(self, *words):
        """Processes of this server's jobs whose command line has these words."""
        found = []
        mark = str(self.server.data_dir / "jobs").encode()
        for folder in pathlib.Path("/proc").iterdir():
            try:
                command = (folder / "cmdline").read_bytes().split(b"\0")
                where = os.readlink(folder / "cwd").encode()
            except OSError:
                continue
            if where.startswith(mark) and all(word.encode() in command for word in words):
                found.append(int(folder.name))
        return found

    def work_folders(self):
        """What is left of the jobs on the server's disk, without logs and pictures."""
        jobs = entries_of(self.server.data_dir / "jobs")
        return [path for job in jobs for path in entries_of(job / "work") if path.name not in ("phases.jsonl", "overlays")]
