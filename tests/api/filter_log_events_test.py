"""FilterLogEvents."""

import re

from support.training_case import TrainingCase

GROUP = "/aws/sagemaker/TrainingJobs"


class FilterLogEvents(TrainingCase):
    def setUp(self):
        self.stream = self.stream_of(self.completed()[0]["TrainingJobName"])

    def messages_of(self, **members):
        pages = self.logs.get_paginator("filter_log_events").paginate(logGroupName=GROUP, logStreamNames=[self.stream], **members)
        return [event["message"] for page in pages for event in page["events"]]

    def test_by_terms(self):
        everything = self.messages_of()
        epochs = [line for line in everything if "train:loss" in line]
        self.assertEqual(len(epochs), 2)
        self.assertEqual(self.messages_of(filterPattern="train:loss"), epochs)
        self.assertEqual(self.messages_of(filterPattern='"epoch 2/2" train:loss'), epochs[1:])
        self.assertEqual(self.messages_of(filterPattern="-train:loss"), [line for line in everything if line not in epochs])
        self.assertEqual(self.messages_of(filterPattern='?"epoch 1/2" ?"epoch 2/2"'), [line for line in everything if "epoch 1/2" in line or "epoch 2/2" in line])

    def test_in_pages_over_streams(self):
        name = self.stream.split("/")[0]
        events = self.logs.filter_log_events(logGroupName=GROUP, logStreamNamePrefix=name)["events"]
        self.assertEqual({event["logStreamName"] for event in events}, {self.stream})
        self.assertEqual(len({event["eventId"] for event in events}), len(events))
        paged, token = [], {}
        while True:
            page = self.logs.filter_log_events(logGroupName=GROUP, logStreamNamePrefix=name, limit=1, **token)
            paged += page["events"]
            if "nextToken" not in page:
                break
            token = {"nextToken": page["nextToken"]}
        self.assertEqual(paged, events)

    def test_refusals(self):
        for pattern in ("{ $.a = 1 }", "[a, b]", '"open'):
            with self.refused("InvalidParameterException", re.compile("^Invalid filter pattern")):
                self.logs.filter_log_events(logGroupName=GROUP, filterPattern=pattern)
        with self.refused("ResourceNotFoundException", "The specified log stream does not exist."):
            self.logs.filter_log_events(logGroupName=GROUP, logStreamNames=["nothing/algo-1-1"])
        with self.refused("InvalidParameterException", "The specified nextToken is invalid."):
            self.logs.filter_log_events(logGroupName=GROUP, nextToken="x!")
