"""StopTrainingJob."""

from support.aws_case import JOB_NAME_PATTERN
from support.training_case import TrainingCase


class StopTrainingJob(TrainingCase):
    def stop(self, name):
        self.sagemaker.stop_training_job(TrainingJobName=name)

    def test_after_an_epoch_keeps_the_model(self):
        bucket = self.make_data()
        name = self.create(self.request(bucket, epochs=100000))
        self.wait_for(lambda: self.job(name).get("FinalMetricDataList"), "the first epoch", 300)
        self.stop(name)
        self.stop(name)  # said twice is said once
        job = self.wait_for_end(name)
        self.assertEqual((job["TrainingJobStatus"], job["SecondaryStatus"]), ("Stopped", "Stopped"))
        self.assertEqual(self.steps(job), ["Pending", "Starting", "Downloading", "Training", "Stopping", "Uploading", "Stopped"])
        self.assertNotIn("FailureReason", job)
        bucket_of, _, key = job["ModelArtifacts"]["S3ModelArtifacts"][5:].partition("/")
        self.assertGreater(self.s3.head_object(Bucket=bucket_of, Key=key)["ContentLength"], 0)
        self.assertEqual(self.work_folders(), [])

    def test_before_an_epoch_leaves_no_model(self):
        _, bucket = self.completed()
        # A first epoch that is not over at once.
        name = self.create(self.request(bucket, crop_size=768, base_size=768, mini_batch_size=1))
        self.wait_for_step(name, "Training")
        self.stop(name)
        job = self.wait_for_end(name)
        self.assertEqual(job["TrainingJobStatus"], "Stopped", job.get("FailureReason"))
        self.assertNotIn("ModelArtifacts", job)

    def test_of_one_that_waits(self):
        _, bucket = self.completed()
        first = self.create(self.request(bucket, epochs=100000))
        second = self.create(self.request(bucket))
        self.stop(second)
        job = self.wait_for_end(second)
        self.assertEqual((job["TrainingJobStatus"], self.steps(job)), ("Stopped", ["Pending", "Stopped"]))
        self.assertNotIn("TrainingStartTime", job)
        self.stop(first)
        self.wait_for_end(first)

    def test_of_one_that_has_ended(self):
        job, _ = self.completed()
        with self.invalid("The request was rejected because the training job is in status Completed."):
            self.stop(job["TrainingJobName"])

    def test_of_jobs_that_are_none(self):
        with self.invalid("Requested resource not found."):
            self.stop("nothing")
        with self.invalid(self.constraint("-", "trainingJobName", JOB_NAME_PATTERN)):
            self.stop("-")
