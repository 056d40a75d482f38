import re
import time

from support.aws_case import unique
from support.tuning_case import OBJECTIVE, TuningCase, ranges


class CreateHyperParameterTuningJob(TuningCase):
    def test_trainings_are_made_and_the_best_is_told(self):
        job, request = self.completed_tuning()
        trainings = self.trainings(job["HyperParameterTuningJobName"])
        self.assertEqual(len(trainings), 3)
        values = [one["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] for one in trainings]
        best = job["BestTrainingJob"]
        static = {**request["TrainingJobDefinition"]["StaticHyperParameters"], "_tuning_objective_metric": OBJECTIVE}
        self.assertEqual(job["TrainingJobDefinition"]["StaticHyperParameters"], static)
        self.assertEqual(best["FinalHyperParameterTuningJobObjectiveMetric"]["Value"], max(values))
        for one in trainings:
            training = self.job(one["TrainingJobName"])
            self.assertEqual(training["TuningJobArn"], job["HyperParameterTuningJobArn"])
            tuned = one["TunedHyperParameters"]
            self.assertEqual(training["HyperParameters"], {**static, **tuned})
            self.assertLessEqual(0.001, float(tuned["learning_rate"]))
            self.assertLessEqual(float(tuned["learning_rate"]), 0.1)
            final = {metric["MetricName"]: metric["Value"] for metric in training["FinalMetricDataList"]}
            self.assertEqual(one["FinalHyperParameterTuningJobObjectiveMetric"]["Value"], final[OBJECTIVE])
            self.assertTrue(self.s3.head_object(
                Bucket=training["OutputDataConfig"]["S3OutputPath"].split("/")[2],
                Key=training["ModelArtifacts"]["S3ModelArtifacts"].split("/", 3)[3]))

    def test_the_seed_decides(self):
        bucket = self.make_data()
        tuned = []
        for seed in (5, 5, 6):
            request = self.tuning(bucket, trainings=2, parallel=2, RandomSeed=seed)
            name = self.create_tuning(request)
            trials = self.wait_for(lambda name=name: len(self.trainings(name)) == 2 and self.trainings(name, SortBy="CreationTime"), "trainings")
            tuned.append([one["TunedHyperParameters"] for one in trials])
            self.sagemaker.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
            self.wait_for_tuning(name)
        self.assertEqual(tuned[0], tuned[1])
        self.assertNotEqual(tuned[0], tuned[2])

    def test_a_grid(self):
        request = self.tuning(self.make_data(), {"optimizer": ["sgd", "adam"]}, strategy="Grid", limits={"MaxParallelTrainingJobs": 2})
        name = self.create_tuning(request)
        job = self.wait_for_tuning(name)
        self.assertEqual(job["HyperParameterTuningJobStatus"], "Completed", job.get("FailureReason"))
        self.assertEqual(sorted(one["TunedHyperParameters"]["optimizer"] for one in self.trainings(name)), ["adam", "sgd"])

    def test_bayesian(self):
        parameters = {"mini_batch_size": (1, 4), "momentum": (0.5, 0.99)}
        name = self.create_tuning(self.tuning(self.make_data(), parameters, strategy="Bayesian"))
        job = self.wait_for_tuning(name)
        self.assertEqual(job["HyperParameterTuningJobStatus"], "Completed", job.get("FailureReason"))
        self.assertEqual(len({str(one["TunedHyperParameters"]) for one in self.trainings(name)}), 2)

    def test_early_stopping_and_target_are_taken(self):
        request = self.tuning(self.make_data(), trainings=6, parallel=1, TrainingJobEarlyStoppingType="Auto",
                              TuningJobCompletionCriteria={"TargetObjectiveMetricValue": 0.0001})
        name = self.create_tuning(request)
        job = self.wait_for_tuning(name)
        self.assertEqual(job["HyperParameterTuningJobStatus"], "Completed")
        self.assertEqual(len(self.trainings(name)), 1, "the first one reached the target")

    def test_all_trainings_fail(self):
        request = self.tuning(self.make_data())
        request["TrainingJobDefinition"]["StaticHyperParameters"]["num_classes"] = "1000"
        name = self.create_tuning(request)
        job = self.wait_for_tuning(name)
        self.assertEqual(job["HyperParameterTuningJobStatus"], "Failed")
        self.assertEqual(job["FailureReason"],
                         "All training jobs failed. Please take a look at the training jobs failures to get more details.")
        for one in self.trainings(name):
            self.assertEqual((one["TrainingJobStatus"], one["ObjectiveStatus"]), ("Failed", "Failed"))
            self.assertRegex(one["FailureReason"], "^ClientError: .*num_classes")
        self.assertNotIn("BestTrainingJob", job)

    def test_a_warm_start_tries_nothing_twice(self):
        bucket, optimizers = self.make_data(), ["sgd", "adam", "nag"]
        first = self.create_tuning(self.tuning(bucket, {"optimizer": optimizers}))
        self.wait_for_tuning(first)
        start = {"ParentHyperParameterTuningJobs": [{"HyperParameterTuningJobName": first}], "WarmStartType": "IdenticalDataAndAlgorithm"}
        second = self.create_tuning(self.tuning(bucket, {"optimizer": optimizers}) | {"WarmStartConfig": start})
        job = self.wait_for_tuning(second)
        tried = [one["TunedHyperParameters"]["optimizer"] for name in (first, second) for one in self.trainings(name)]
        self.assertEqual(sorted(tried), sorted(optimizers))
        values = [one["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] for name in (first, second) for one in self.trainings(name)]
        self.assertEqual(job["OverallBestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]["Value"], max(values))

    def test_names_are_unique(self):
        job, request = self.completed_tuning()
        self.assert_refused(request, f"already exists .*{job['HyperParameterTuningJobArn']}", "ResourceInUse")

    def test_what_is_not_served_or_wrong_is_named(self):
        bucket = self.make_data()

        def config(**members):
            request = self.tuning(bucket)
            request["HyperParameterTuningJobConfig"].update(members)
            return request
        objective = {"HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": OBJECTIVE}}
        other = {"HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "validation:f1"}}
        twice = self.tuning(bucket)
        twice["TrainingJobDefinition"]["StaticHyperParameters"]["learning_rate"] = "0.1"
        cases = [
            (config(Strategy="Hyperband"), "Hyperband is not served"),
            (config(**objective), r"The objective metric type, \[Minimize\], that you specified for objective metric, \[validation:mIOU\]"),
            (config(**other), r"The objective metric for the hyperparameter tuning job, \[validation:f1\], isn't valid"),
            (config(ParameterRanges=ranges(gamma1=(0.1, 0.9))), r"\[gamma1\] is not tunable"),
            (config(ParameterRanges=ranges(learning_rate=(0.1, 3.0))), "goes from 0.1 to 3"),
            (config(ParameterRanges=ranges(optimizer=["sgd", "lbfgs"])), "optimizer=lbfgs"),
            (config(ParameterRanges={"ContinuousParameterRanges": [{"Name": "learning_rate", "MinValue": "x", "MaxValue": "1"}]}), "'x'"),
            (config(ParameterRanges={"AutoParameters": [{"Name": "learning_rate", "ValueHint": "0.1"}]}), "AutoParameters is not served"),
            (config(ParameterRanges={}), "nothing to tune"),
            (config(Strategy="Grid"), "categorical parameters only"),
            (config(ResourceLimits={"MaxNumberOfTrainingJobs": 2, "MaxParallelTrainingJobs": 3}), "more than the 2 in all"),
            (config(ResourceLimits={"MaxParallelTrainingJobs": 1}), "MaxNumberOfTrainingJobs is needed"),
            (config(ResourceLimits={"MaxNumberOfTrainingJobs": 751, "MaxParallelTrainingJobs": 1}), "1 to 750"),
            (config(TuningJobCompletionCriteria={"ConvergenceDetected": {"CompleteOnConvergence": "Enabled"}}), "ConvergenceDetected is not served"),
            (twice, r"\[learning_rate\] is both static and tuned"),
            (self.tuning(bucket) | {"Autotune": {"Mode": "Enabled"}}, "Autotune is not served"),
            (self.tuning(bucket, definition={"EnableNetworkIsolation": True}), "EnableNetworkIsolation is not served"),
            (self.tuning(bucket, definition={"VpcConfig": {"SecurityGroupIds": ["sg"], "Subnets": ["s"]}}), "VpcConfig is not served"),
            (self.tuning(bucket, definition={"AlgorithmSpecification": {"TrainingImage": "1.dkr.ecr.us-east-1.amazonaws.com/xgboost:1",
                                                                       "TrainingInputMode": "File"}}), "xgboost"),
            (self.tuning(bucket) | {"WarmStartConfig": {"ParentHyperParameterTuningJobs": [{"HyperParameterTuningJobName": "nobody"}],
                                                        "WarmStartType": "TransferLearning"}}, "'nobody' does not exist"),
        ]
        for request, words in cases:
            with self.subTest(words):
                self.assert_refused(request, words)

    def test_data_that_is_not_there(self):
        request = self.tuning(self.make_data())
        channel = request["TrainingJobDefinition"]["InputDataConfig"][0]
        channel["DataSource"]["S3DataSource"]["S3Uri"] = "s3://nobody-here/train"
        self.assert_refused(request, 'No S3 objects found under S3 URL "s3://nobody-here/train"')

    def test_buckets_of_others(self):
        stranger = self.server.client("sagemaker", self.server.key_of("requester", "other", ["elsewhere"]))
        with self.refused("AccessDeniedException", re.compile("other buckets only")):
            request = self.tuning(self.make_data())
            del request["HyperParameterTuningJobConfig"]["RandomSeed"]
            stranger.create_hyper_parameter_tuning_job(**request)

    def test_tags(self):
        request = self.tuning(self.make_data()) | {"Tags": [{"Key": "k", "Value": "v"}]}
        arn = self.tuning_job(self.create_tuning(request))["HyperParameterTuningJobArn"]
        self.assertEqual(arn, self.arn("hyper-parameter-tuning-job/" + request["HyperParameterTuningJobName"]))
        self.assertEqual(self.sagemaker.list_tags(ResourceArn=arn)["Tags"], [{"Key": "k", "Value": "v"}])
        self.sagemaker.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName=request["HyperParameterTuningJobName"])
        self.wait_for_tuning(request["HyperParameterTuningJobName"])

    def test_a_long_name(self):
        request = self.tuning(self.make_data(), trainings=1, parallel=1)
        request["HyperParameterTuningJobName"] = unique("t").ljust(32, "x")
        name = self.create_tuning(request)
        self.assertEqual(self.wait_for_tuning(name)["HyperParameterTuningJobStatus"], "Completed")


class KilledTuning(TuningCase):
    own_server = True

    def test_kills_lose_and_double_nothing(self):
        """kill -9 of the server, again and again while trainings are made and end."""
        name = self.create_tuning(self.tuning(self.make_data(), trainings=3, parallel=2))
        for _ in range(4):
            self.server.kill()
            self.server.start()
            self.s3, self.sagemaker = self.server.client("s3"), self.server.client("sagemaker")
            begin = time.monotonic()
            self.wait_for(lambda begin=begin: time.monotonic() - begin > 0.7 and self.tuning_job(name), "a while")
        job = self.wait_for_tuning(name)
        self.assertEqual(job["HyperParameterTuningJobStatus"], "Completed", job.get("FailureReason"))
        trainings = self.trainings(name)
        self.assertEqual(len(trainings), 3)
        self.assertEqual(len({str(one["TunedHyperParameters"]) for one in trainings}), 3)
        made = self.sagemaker.list_training_jobs(NameContains=name)["TrainingJobSummaries"]
        self.assertEqual(sorted(one["TrainingJobName"] for one in made), sorted(one["TrainingJobName"] for one in trainings))
