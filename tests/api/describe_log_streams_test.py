"""DescribeLogStreams and DescribeLogGroups."""

from support.terrapin_server import ACCOUNT
from support.training_case import TrainingCase

GROUP = "/aws/sagemaker/TrainingJobs"


class DescribeLogStreams(TrainingCase):
    def test_one_for_each_job(self):
        job, bucket = self.completed()
        other = self.run_job(self.request(bucket, without=("train",)))
        for name in (job["TrainingJobName"], other["TrainingJobName"]):
            found = self.logs.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix=name + "/", orderBy="LogStreamName", limit=1)["logStreams"]
            self.assertRegex(found[0]["logStreamName"], rf"^{name}/algo-1-\d+$")
            self.assertLessEqual(found[0]["firstEventTimestamp"], found[0]["lastEventTimestamp"])
        everything = self.logs.describe_log_streams(logGroupName=GROUP)["logStreams"]
        names = [stream["logStreamName"] for stream in everything]
        self.assertEqual(names, sorted(names))
        pages = self.logs.get_paginator("describe_log_streams").paginate(logGroupName=GROUP, descending=True, PaginationConfig={"PageSize": 1})
        self.assertEqual([stream["logStreamName"] for page in pages for stream in page["logStreams"]], names[::-1])
        latest = self.logs.describe_log_streams(logGroupName=GROUP, orderBy="LastEventTime", descending=True, limit=1)["logStreams"]
        self.assertTrue(latest[0]["logStreamName"].startswith(other["TrainingJobName"] + "/"))

    def test_refusals(self):
        self.completed()
        with self.refused("ResourceNotFoundException", "The specified log group does not exist."):
            self.logs.describe_log_streams(logGroupName="/aws/sagemaker/Nothing")
        with self.refused("InvalidParameterException", "Cannot order by LastEventTime with a logStreamNamePrefix."):
            self.logs.describe_log_streams(logGroupName=GROUP, orderBy="LastEventTime", logStreamNamePrefix="a")
        with self.refused("UnknownOperationException"):
            self.logs.create_log_group(logGroupName="mine")

    def test_groups(self):
        self.completed()
        group = self.logs.describe_log_groups(logGroupNamePrefix=GROUP)["logGroups"][0]
        self.assertEqual((group["logGroupName"], group["arn"]), (GROUP, f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:{GROUP}:*"))
        self.assertEqual(self.logs.describe_log_groups(logGroupNamePrefix="/else")["logGroups"], [])


class BeforeTheFirstJob(TrainingCase):
    own_server = True

    def test_there_is_no_group(self):
        self.assertEqual(self.logs.describe_log_groups()["logGroups"], [])
        with self.refused("ResourceNotFoundException", "The specified log group does not exist."):
            self.logs.describe_log_streams(logGroupName=GROUP)
