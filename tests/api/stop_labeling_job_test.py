"""StopLabelingJob."""

import json

from support import labeling_material
from support.aws_case import JOB_NAME_PATTERN, NOT_NULL, SageMakerCase
from support.labeling_worker import Refused, Worker, answer_of
from support.terrapin_server import ACCOUNT


class StopLabelingJob(SageMakerCase):
    def stop(self, name):
        return self.sagemaker.stop_labeling_job(LabelingJobName=name)

    def test_keeps_what_is_done_and_finishes_the_manifest(self):
        team = self.make_team(group="stopping")
        name = self.make_job(team=team, photos=3)
        self.wait_for_status(name, "InProgress")
        worker = Worker(self.server, "stopping")
        self.addCleanup(worker.close)
        tasks = [worker.accept(name, prefetch=True) for _ in range(2)]
        content = worker.content(tasks[0]["id"])
        worker.submit(tasks[0]["id"], answer_of(labeling_material.disc(), content["labels"], content["colors"]))
        self.wait_for(lambda: self.describe(name)["LabelCounters"]["HumanLabeled"] == 1, "the first label")
        answer = self.stop(name)
        self.assertEqual(answer["ResponseMetadata"]["HTTPStatusCode"], 200)
        job = self.wait_for_status(name, "Stopped")
        self.assertEqual((job["LabelCounters"]["HumanLabeled"], job["LabelCounters"]["TotalLabeled"]), (1, 1))
        bucket, _, key = job["LabelingJobOutput"]["OutputDatasetS3Uri"][5:].partition("/")
        lines = [json.loads(line) for line in self.s3.get_object(Bucket=bucket, Key=key)["Body"].read().splitlines()]
        self.assertEqual([("label-ref" in line) for line in lines], [True, False, False])
        with self.assertRaises(Refused) as caught:
            worker.submit(tasks[1]["id"], answer_of(labeling_material.disc(), content["labels"], content["colors"]))
        self.assertEqual(caught.exception.status, 409)
        self.assertNotIn(name, [job["job_name"] for job in worker.jobs()])

    def test_saying_it_twice(self):
        name = self.make_job()
        self.stop(name)
        self.wait_for_status(name, "Stopped")
        with self.invalid("The request was rejected because the labeling job is in status Stopped."):
            self.stop(name)

    def test_a_completed_job(self):
        team = self.make_team(group="finished")
        name = self.make_job(team=team, photos=1)
        self.wait_for_status(name, "InProgress")
        worker = Worker(self.server, "finished")
        self.addCleanup(worker.close)
        worker.label(name, lambda content: labeling_material.disc())
        self.wait_for_status(name, "Completed")
        with self.invalid("The request was rejected because the labeling job is in status Completed."):
            self.stop(name)

    def test_jobs_that_are_none(self):
        with self.refused("ResourceNotFound", f'Could not find labeling job "arn:aws:sagemaker:us-east-1:{ACCOUNT}:labeling-job/nothing".'):
            self.stop("nothing")
        with self.invalid(self.constraint("-", "labelingJobName", JOB_NAME_PATTERN)):
            self.stop("-")
        with self.invalid(self.constraint(None, "labelingJobName", NOT_NULL)):
            self.raw_sagemaker.stop_labeling_job()
