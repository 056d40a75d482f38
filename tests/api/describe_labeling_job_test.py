"""DescribeLabelingJob, and that its counters are what the manifest on disk says."""

import datetime
import json

from support import labeling_material
from support.aws_case import JOB_NAME_PATTERN, NOT_NULL, SageMakerCase
from support.labeling_worker import Worker, answer_of
from support.terrapin_server import ACCOUNT


class DescribeLabelingJob(SageMakerCase):
    def test_every_member(self):
        request = self.job_request()
        self.sagemaker.create_labeling_job(**request)
        job = self.wait_for_status(request["LabelingJobName"], "InProgress")
        self.assertEqual({name: job[name] for name in request}, request)
        self.assertEqual(job["LabelingJobArn"], self.arn("labeling-job/" + request["LabelingJobName"]))
        self.assertEqual(job["LabelCounters"], {"TotalLabeled": 0, "HumanLabeled": 0, "MachineLabeled": 0, "FailedNonRetryableError": 0, "Unlabeled": 2})
        self.assertRegex(job["JobReferenceCode"], "^.+$")
        now = datetime.datetime.now(datetime.timezone.utc)
        for member in ("CreationTime", "LastModifiedTime"):
            self.assertLess(abs((now - job[member]).total_seconds()), 300)
        self.assertLessEqual(job["CreationTime"], job["LastModifiedTime"])
        self.assertNotIn("FailureReason", job)

    def test_names_are_found_whatever_their_case(self):
        name = self.make_job()
        self.assertEqual(self.describe(name.upper())["LabelingJobName"], name)

    def test_a_job_that_fails_says_why(self):
        request = self.job_request()
        bucket = request["OutputConfig"]["S3OutputPath"].split("/")[2]
        self.s3.put_object(Bucket=bucket, Key="path/manifest-with-input-data.json", Body=b'{"source-ref": "s3://some-bucket/k"}\nno json\n')
        self.sagemaker.create_labeling_job(**request)
        job = self.wait_for_status(request["LabelingJobName"], "Failed")
        self.assertRegex(job["FailureReason"], "line 2")

    def test_jobs_that_are_none(self):
        with self.refused("ResourceNotFound", f'Could not find labeling job "arn:aws:sagemaker:us-east-1:{ACCOUNT}:labeling-job/nothing".'):
            self.describe("nothing")
        with self.invalid(self.constraint("-", "labelingJobName", JOB_NAME_PATTERN)):
            self.describe("-")
        with self.invalid(self.constraint(None, "labelingJobName", NOT_NULL)):
            self.raw_sagemaker.describe_labeling_job()

    def test_counters_are_what_the_manifest_says(self):
        team = self.make_team(group="counters")
        name = self.make_job(team=team, photos=4)
        self.wait_for_status(name, "InProgress")
        worker = Worker(self.server, "counters")
        self.addCleanup(worker.close)
        for labeled in range(4):
            self.check_counters(name, "annotations/intermediate/1/output.manifest", labeled)
            task = worker.accept(name)
            content = worker.content(task["id"])
            mask = labeling_material.disc(seed=task["object_index"])
            worker.submit(task["id"], answer_of(mask, content["labels"], content["colors"]))
        job = self.wait_for_status(name, "Completed")
        self.check_counters(name, "manifests/output/output.manifest", 4)
        self.assertEqual(job["LabelingJobOutput"]["OutputDatasetS3Uri"],
                         f"{job['OutputConfig']['S3OutputPath']}/{name}/manifests/output/output.manifest")

    def check_counters(self, name, path, labeled):
        """Waits for `labeled` of 4, and holds every answer on the way against the file as it was before and after the answer."""
        while True:
            before = self.labels_on_disk(name, path)
            job = self.describe(name)
            after = self.labels_on_disk(name, path)
            counters = job["LabelCounters"]
            self.assertEqual(counters["TotalLabeled"] + counters["Unlabeled"] + counters["FailedNonRetryableError"], 4)
            self.assertEqual(counters["TotalLabeled"], counters["HumanLabeled"] + counters["MachineLabeled"])
            if before == after:
                self.assertEqual(counters["HumanLabeled"], before)
            if counters["HumanLabeled"] == labeled:
                return

    def labels_on_disk(self, name, path):
        job = self.describe(name)
        bucket, _, prefix = job["OutputConfig"]["S3OutputPath"][5:].partition("/")
        lines = self.s3.get_object(Bucket=bucket, Key=f"{prefix}/{name}/{path}")["Body"].read().decode().splitlines()
        self.assertEqual(len(lines), 4)
        return sum("label-ref" in json.loads(line) for line in lines)
