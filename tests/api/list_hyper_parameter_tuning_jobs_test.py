from support.aws_case import unique
from support.tuning_case import TuningCase


class ListHyperParameterTuningJobs(TuningCase):
    def test_filters_order_and_pages(self):
        word, bucket = unique("l"), self.make_data()
        names = []
        for number in (1, 0, 2):
            request = self.tuning(bucket, trainings=1, parallel=1, strategy="Bayesian")
            request["HyperParameterTuningJobName"] = f"{word}-{number}"
            names.append(self.create_tuning(request))
            self.sagemaker.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName=names[-1])
        for name in names:
            self.wait_for_tuning(name)

        def listed(**members):
            found = self.sagemaker.list_hyper_parameter_tuning_jobs(NameContains=word, **members)["HyperParameterTuningJobSummaries"]
            return [one["HyperParameterTuningJobName"] for one in found]
        self.assertEqual(listed(), sorted(names))
        self.assertEqual(listed(SortBy="CreationTime"), names)
        self.assertEqual(listed(SortBy="CreationTime", SortOrder="Descending"), names[::-1])
        self.assertEqual(listed(StatusEquals="Stopped"), sorted(names))
        self.assertEqual(listed(StatusEquals="Completed"), [])
        pages = self.page_through(self.sagemaker.list_hyper_parameter_tuning_jobs, 2, NameContains=word)
        self.assert_last_page_only(pages, "HyperParameterTuningJobSummaries", 3)
        summary = pages[0]["HyperParameterTuningJobSummaries"][0]
        self.assertEqual(summary["Strategy"], "Bayesian")
        self.assertEqual(summary["ResourceLimits"], {"MaxNumberOfTrainingJobs": 1, "MaxParallelTrainingJobs": 1})
        self.assertEqual(sum(summary["TrainingJobStatusCounters"].values()), sum(summary["ObjectiveStatusCounters"].values()))
