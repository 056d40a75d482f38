"""ListTrainingJobs."""

import datetime

from support.aws_case import unique
from support.training_case import TrainingCase

SECOND = datetime.timedelta(seconds=1)


class ListTrainingJobs(TrainingCase):
    def test_pages_filters_and_sorts(self):
        _, bucket = self.completed()
        start = unique("list")
        # Wrong on purpose: they end at once.
        names = [self.create(self.request(bucket, f"{start}-{number}", without=("train",))) for number in range(5)]
        for name in names:
            self.wait_for_end(name)
        listed = self.sagemaker.list_training_jobs(NameContains=start.upper())["TrainingJobSummaries"]
        self.assertEqual([job["TrainingJobName"] for job in listed], names)
        self.assertEqual({job["TrainingJobStatus"] for job in listed}, {"Failed"})
        self.assertTrue(all(job["TrainingEndTime"] >= job["CreationTime"] for job in listed))
        pages = self.page_through(self.sagemaker.list_training_jobs, 2, NameContains=start, SortBy="Name", SortOrder="Descending")
        self.assert_last_page_only(pages, "TrainingJobSummaries", 5)
        self.assertEqual([job["TrainingJobName"] for page in pages for job in page["TrainingJobSummaries"]], names[::-1])
        self.assertEqual(self.sagemaker.list_training_jobs(NameContains=start, StatusEquals="Completed")["TrainingJobSummaries"], [])
        # The clients send whole seconds.
        for name, filters in (("later", {"CreationTimeAfter": listed[-1]["CreationTime"] + SECOND}), ("earlier", {"CreationTimeBefore": listed[0]["CreationTime"] - SECOND}),
                              ("unchanged", {"LastModifiedTimeBefore": listed[0]["CreationTime"] - SECOND})):
            self.assertEqual(self.sagemaker.list_training_jobs(NameContains=start, **filters)["TrainingJobSummaries"], [], name)
        self.assertEqual(len(self.sagemaker.list_training_jobs(NameContains=start, CreationTimeAfter=listed[0]["CreationTime"] - SECOND)["TrainingJobSummaries"]), 5)
        self.assertEqual(self.sagemaker.list_training_jobs(NameContains=start, WarmPoolStatusEquals="Available")["TrainingJobSummaries"], [])

    def test_with_a_token_of_another_request(self):
        with self.invalid("Invalid NextToken; give back the one of the answer before, as it is."):
            self.sagemaker.list_training_jobs(NextToken="x")
