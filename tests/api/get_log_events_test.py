"""GetLogEvents."""

import json
import re

from support.terrapin_server import ACCOUNT
from support.training_case import TrainingCase

GROUP = "/aws/sagemaker/TrainingJobs"


class GetLogEvents(TrainingCase):
    def setUp(self):
        self.job_name = self.completed()[0]["TrainingJobName"]
        self.stream = self.stream_of(self.job_name)

    def get(self, **members):
        return self.logs.get_log_events(logGroupName=GROUP, logStreamName=self.stream, **members)

    def test_from_the_head_to_the_end(self):
        lines, token = [], {}
        for _ in range(1000):
            page = self.get(startFromHead=True, limit=2, **token)
            self.assertLessEqual(len(page["events"]), 2)
            lines += page["events"]
            if token.get("nextToken") == page["nextForwardToken"]:
                break
            token = {"nextToken": page["nextForwardToken"]}
        self.assertEqual(page["events"], [])
        messages = [event["message"] for event in lines]
        self.assertTrue(messages[0].startswith("terrapin job-work: channel train: 4 objects"), messages[0])
        self.assertTrue(any(line.startswith("[epoch 1/2] train:loss=") for line in messages))
        times = [event["timestamp"] for event in lines]
        self.assertEqual(times, sorted(times))
        self.assertEqual(lines, self.get(startFromHead=True)["events"])

    def test_the_latest_first_and_backwards(self):
        everything = self.get(startFromHead=True)["events"]
        page = self.get(limit=3)
        self.assertEqual(page["events"], everything[-3:])
        before = self.get(limit=2, nextToken=page["nextBackwardToken"])
        self.assertEqual(before["events"], everything[-5:-3])
        self.assertEqual(self.get(nextToken=before["nextForwardToken"])["events"], everything[-3:])
        head = self.get(startFromHead=True, limit=1)["nextBackwardToken"]
        empty = self.get(nextToken=head)
        self.assertEqual((empty["events"], empty["nextBackwardToken"]), ([], head))

    def test_between_two_times(self):
        everything = self.get(startFromHead=True)["events"]
        begin, end = everything[1]["timestamp"], everything[-1]["timestamp"]
        self.assertEqual(self.get(startFromHead=True, startTime=begin, endTime=end)["events"],
                         [event for event in everything if begin <= event["timestamp"] < end])

    def test_of_what_is_not_there(self):
        with self.refused("ResourceNotFoundException", "The specified log group does not exist."):
            self.logs.get_log_events(logGroupName="/aws/sagemaker/Nothing", logStreamName="a")
        for stream in ("nothing/algo-1-1", self.job_name, self.stream + "0"):
            with self.refused("ResourceNotFoundException", "The specified log stream does not exist."):
                self.logs.get_log_events(logGroupName=GROUP, logStreamName=stream)
        with self.refused("InvalidParameterException", "The specified nextToken is invalid."):
            self.get(nextToken="f/12/s")
        with self.refused("InvalidParameterException", re.compile("^1 validation error detected: Value '0' at 'limit'")):
            self.raw_logs.get_log_events(logGroupName=GROUP, logStreamName=self.stream, limit=0)

    def test_with_keys_that_may_not(self):
        for scope, code in (("invoke", "AccessDeniedException"), ("requester", "ResourceNotFoundException")):
            client = self.server.client("logs", self.server.key_of(scope, "other", ["elsewhere"]))
            with self.refused(code):
                client.get_log_events(logGroupName=GROUP, logStreamName=self.stream)

    def post_logs(self, operation, document):
        """Older clients know logGroupName only."""
        status, _, answer = self.server.signed("logs", "POST", "/", json.dumps(document).encode(), {
            "Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "Logs_20140328." + operation})
        return status, json.loads(answer)

    def test_by_the_identifier_of_the_group(self):
        for group in (GROUP, f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:{GROUP}"):
            status, answer = self.post_logs("GetLogEvents", {"logGroupIdentifier": group, "logStreamName": self.stream, "startFromHead": True})
            self.assertEqual((status, answer["events"]), (200, self.get(startFromHead=True)["events"]))
        status, answer = self.post_logs("GetLogEvents", {"logStreamName": self.stream})
        self.assertEqual((status, answer), (400, {"__type": "InvalidParameterException", "message": "Exactly one of logGroupName and logGroupIdentifier is needed."}))
