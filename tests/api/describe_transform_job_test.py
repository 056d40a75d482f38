from support.aws_case import unique
from support.transform_case import TransformCase


class DescribeTransformJob(TransformCase):
    def test_everything_that_was_asked_for(self):
        bucket = self.make_photos()
        request = self.transform(
            bucket, BatchStrategy="SingleRecord", MaxConcurrentTransforms=2, MaxPayloadInMB=6, Environment={"A": "b"},
            ModelClientConfig={"InvocationsTimeoutInSeconds": 30, "InvocationsMaxRetries": 1}, inputs={"SplitType": "None", "CompressionType": "None"},
            outputs={"Accept": "image/png", "AssembleWith": "None"}, ExperimentConfig={"ExperimentName": "e"})
        job = self.completed_transform(request)
        for member, value in request.items():
            self.assertEqual(job[member], value, member)
        self.assertEqual(job["TransformJobArn"], self.arn("transform-job/" + request["TransformJobName"]))
        self.assertEqual(job["DataProcessing"], {"InputFilter": "$", "OutputFilter": "$", "JoinSource": "None"})
        self.assertLessEqual(job["CreationTime"], job["TransformStartTime"])
        self.assertLessEqual(job["TransformStartTime"], job["TransformEndTime"])
        self.assertNotIn("FailureReason", job)

    def test_before_the_end(self):
        name = self.create_transform(self.transform(self.make_photos()))
        job = self.transform_job(name)
        if job["TransformJobStatus"] == "InProgress":
            self.assertNotIn("TransformEndTime", job)
        self.wait_for_transform(name)

    def test_missing(self):
        name = unique("nobody")
        with self.invalid(f"Could not find requested job with name: {name}"):
            self.transform_job(name)

    def test_buckets_of_others(self):
        name = self.create_transform(self.transform(self.make_photos()))
        stranger = self.server.client("sagemaker", self.server.key_of("requester", "other", ["elsewhere"]))
        with self.refused("AccessDeniedException"):
            stranger.describe_transform_job(TransformJobName=name)
        self.wait_for_transform(name)
