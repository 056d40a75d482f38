"""DescribeTrainingJob."""

from support.aws_case import JOB_NAME_PATTERN, NOT_NULL
from support.terrapin_server import ACCOUNT
from support.training_case import IMAGE, ROLE, TrainingCase


class DescribeTrainingJob(TrainingCase):
    def test_gives_back_what_was_asked_for(self):
        job, bucket = self.completed()
        name = job["TrainingJobName"]
        request = self.request(bucket, name)
        self.assertEqual(job["TrainingJobArn"], f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:training-job/{name}")
        for member in ("HyperParameters", "StoppingCondition", "ResourceConfig"):
            self.assertEqual(job[member], request[member], member)
        self.assertEqual((job["RoleArn"], job["AlgorithmSpecification"]["TrainingImage"]), (ROLE, IMAGE))
        self.assertEqual([one["Name"] for one in job["AlgorithmSpecification"]["MetricDefinitions"]][:3], ["train:loss", "train:throughput", "validation:mIOU"])
        self.assertEqual(job["InputDataConfig"], [{**channel, "RecordWrapperType": "None"} for channel in request["InputDataConfig"]])
        self.assertEqual(job["OutputDataConfig"]["S3OutputPath"], f"s3://{bucket}/out")
        self.assertEqual((job["EnableNetworkIsolation"], job["EnableManagedSpotTraining"]), (False, False))
        self.assertNotIn("FailureReason", job)

    def test_keeps_what_only_watches_and_says_so_in_the_log(self):
        _, bucket = self.completed()
        request = self.request(bucket, epochs=1)
        request["DebugHookConfig"] = {"S3OutputPath": f"s3://{bucket}/debug"}
        request["EnableNetworkIsolation"] = False
        job = self.run_job(request)
        self.assertEqual(job["TrainingJobStatus"], "Completed", job.get("FailureReason"))
        self.assertEqual(job["DebugHookConfig"], request["DebugHookConfig"])
        self.assertIn("terrapin job-work: DebugHookConfig is kept with the job and has no effect here", self.messages(request["TrainingJobName"]))

    def test_has_tags(self):
        _, bucket = self.completed()
        request = {**self.request(bucket, without=("train",)), "Tags": [{"Key": "color", "Value": "green"}]}
        arn = self.sagemaker.create_training_job(**request)["TrainingJobArn"]
        self.sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "color", "Value": "blue"}, {"Key": "sea", "Value": "red"}])
        self.assertEqual(self.sagemaker.list_tags(ResourceArn=arn)["Tags"], [{"Key": "color", "Value": "blue"}, {"Key": "sea", "Value": "red"}])
        self.sagemaker.delete_tags(ResourceArn=arn, TagKeys=["sea", "nothing"])
        self.assertEqual(self.sagemaker.list_tags(ResourceArn=arn)["Tags"], [{"Key": "color", "Value": "blue"}])
        with self.invalid("a resource can have 50 tags; with these it would have 51"):
            self.sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": str(number), "Value": ""} for number in range(50)])
        with self.invalid(f'Could not find resource "{arn}-x".'):
            self.sagemaker.list_tags(ResourceArn=arn + "-x")
        self.wait_for_end(request["TrainingJobName"])

    def test_whatever_the_letter_case(self):
        job, _ = self.completed()
        self.assertEqual(self.job(job["TrainingJobName"].upper())["TrainingJobName"], job["TrainingJobName"])

    def test_of_a_job_that_is_none(self):
        with self.invalid("Requested resource not found."):
            self.job("nothing")
        with self.invalid(self.constraint("-", "trainingJobName", JOB_NAME_PATTERN)):
            self.job("-")
        with self.invalid(self.constraint(None, "trainingJobName", NOT_NULL)):
            self.raw_sagemaker.describe_training_job()

    def test_of_a_job_in_the_bucket_of_others(self):
        job, bucket = self.completed()
        with self.refused("AccessDeniedException"):
            self.server.client("sagemaker", self.server.key_of("requester", "other", ["elsewhere"])).describe_training_job(TrainingJobName=job["TrainingJobName"])
        allowed = self.server.client("sagemaker", self.server.key_of("requester", "same", [bucket]))
        self.assertEqual(allowed.describe_training_job(TrainingJobName=job["TrainingJobName"])["TrainingJobStatus"], "Completed")
