from support.aws_case import unique
from support.tuning_case import KNOWS_SEEDS, OBJECTIVE, TuningCase


class DescribeHyperParameterTuningJob(TuningCase):
    def test_everything_that_was_asked_for(self):
        job, request = self.completed_tuning()
        for member, value in request["HyperParameterTuningJobConfig"].items():
            if member != "RandomSeed" or KNOWS_SEEDS:
                self.assertEqual(job["HyperParameterTuningJobConfig"][member], value, member)
        definition = request["TrainingJobDefinition"]
        # As on AWS; clients that take a tuning job up count on it.
        static = {**definition["StaticHyperParameters"], "_tuning_objective_metric": OBJECTIVE}
        described = job["TrainingJobDefinition"]
        metrics = described["AlgorithmSpecification"].pop("MetricDefinitions")
        self.assertIn(OBJECTIVE, [one["Name"] for one in metrics])
        for member, value in {**definition, "StaticHyperParameters": static}.items():
            self.assertEqual(described[member], value, member)
        name = request["HyperParameterTuningJobName"]
        self.assertEqual(job["HyperParameterTuningJobArn"], self.arn("hyper-parameter-tuning-job/" + name))
        self.assertEqual(job["TrainingJobStatusCounters"],
                         {"Completed": 3, "InProgress": 0, "RetryableError": 0, "NonRetryableError": 0, "Stopped": 0})
        self.assertEqual(job["ObjectiveStatusCounters"], {"Succeeded": 3, "Pending": 0, "Failed": 0})
        self.assertLess(job["CreationTime"], job["HyperParameterTuningEndTime"])
        if KNOWS_SEEDS:
            self.assertGreaterEqual(job["ConsumedResources"]["RuntimeInSeconds"], 3)
        best = job["BestTrainingJob"]
        self.assertEqual(best["TrainingJobStatus"], "Completed")
        self.assertEqual(best["ObjectiveStatus"], "Succeeded")
        self.assertEqual(best["FinalHyperParameterTuningJobObjectiveMetric"]["MetricName"], OBJECTIVE)
        self.assertEqual(best["FinalHyperParameterTuningJobObjectiveMetric"]["Type"], "Maximize")
        self.assertEqual(set(best["TunedHyperParameters"]), {"learning_rate", "optimizer"})
        self.assertEqual(job["OverallBestTrainingJob"], best)

    def test_while_it_runs(self):
        name = self.create_tuning(self.tuning(self.make_data(), trainings=1, parallel=1))
        job = self.tuning_job(name)
        if job["HyperParameterTuningJobStatus"] == "InProgress":
            self.assertNotIn("HyperParameterTuningEndTime", job)
        self.wait_for_tuning(name)

    def test_missing(self):
        name = unique("nobody")
        with self.refused("ResourceNotFound", f"Amazon SageMaker can't find a tuning job with the name {name}. "
                                              "Provide the name of an existing tuning job."):
            self.tuning_job(name)

    def test_buckets_of_others(self):
        job, _ = self.completed_tuning()
        stranger = self.server.client("sagemaker", self.server.key_of("requester", "other", ["elsewhere"]))
        with self.refused("AccessDeniedException"):
            stranger.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=job["HyperParameterTuningJobName"])
