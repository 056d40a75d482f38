from support.aws_case import unique
from support.tuning_case import TuningCase


class ListTrainingJobsForHyperParameterTuningJob(TuningCase):
    def test_filters_order_and_pages(self):
        job, _ = self.completed_tuning()
        name = job["HyperParameterTuningJobName"]
        trainings = self.trainings(name)
        names = [one["TrainingJobName"] for one in trainings]
        self.assertEqual(names, sorted(names))
        self.assertEqual([one["TrainingJobName"] for one in self.trainings(name, SortOrder="Descending")], names[::-1])
        values = [one["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]
                  for one in self.trainings(name, SortBy="FinalObjectiveMetricValue", SortOrder="Descending")]
        self.assertEqual(values, sorted(values, reverse=True))
        created = [one["CreationTime"] for one in self.trainings(name, SortBy="CreationTime")]
        self.assertEqual(created, sorted(created))
        self.assertEqual(len(self.trainings(name, StatusEquals="Completed")), 3)
        self.assertEqual(self.trainings(name, StatusEquals="Failed"), [])
        pages = self.page_through(self.sagemaker.list_training_jobs_for_hyper_parameter_tuning_job, 2, HyperParameterTuningJobName=name)
        self.assert_last_page_only(pages, "TrainingJobSummaries", 3)
        for one in trainings:
            self.assertEqual(one["TrainingJobArn"], self.arn("training-job/" + one["TrainingJobName"]))
            self.assertLess(one["TrainingStartTime"], one["TrainingEndTime"])

    def test_missing(self):
        name = unique("nobody")
        with self.refused("ResourceNotFound"):
            self.trainings(name)
