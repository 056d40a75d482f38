"""Tuning jobs of tiny trainings: requests, and one that every file may look at."""

from support.aws_case import BOTOCORE, unique
from support.training_case import IMAGE, ROLE, TrainingCase

OBJECTIVE = "validation:mIOU"
KNOWS_SEEDS = BOTOCORE >= (1, 33)  # older clients neither send nor tell some members
_completed = None


def ranges(**parameters):
    """ParameterRanges: a pair of numbers is a range, a list a choice."""
    made = {"IntegerParameterRanges": [], "ContinuousParameterRanges": [], "CategoricalParameterRanges": []}
    for name, value in parameters.items():
        if isinstance(value, list):
            made["CategoricalParameterRanges"].append({"Name": name, "Values": [str(one) for one in value]})
            continue
        kind = "Integer" if all(isinstance(one, int) for one in value) else "Continuous"
        made[kind + "ParameterRanges"].append({"Name": name, "MinValue": str(value[0]), "MaxValue": str(value[1]), "ScalingType": "Auto"})
    return made


class TuningCase(TrainingCase):
    """Requests for tuning jobs, and their ends."""

    def tuning(self, bucket, parameters=None, trainings=2, parallel=2, strategy="Random", definition=None, limits=None, epochs=1, **config):
        """A request for a tuning of seconds."""
        training = self.request(bucket, epochs=epochs)
        parameters = parameters or {"learning_rate": (0.001, 0.1), "optimizer": ["sgd", "adam"]}
        static = {key: value for key, value in training["HyperParameters"].items() if key not in parameters}
        if limits is None:
            limits = {"MaxNumberOfTrainingJobs": trainings, "MaxParallelTrainingJobs": parallel}
        return {"HyperParameterTuningJobName": unique("tune"),
                "HyperParameterTuningJobConfig": {
                    "Strategy": strategy, "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": OBJECTIVE},
                    "ResourceLimits": limits, "ParameterRanges": ranges(**parameters), "RandomSeed": 7, **config},
                "TrainingJobDefinition": {
                    "StaticHyperParameters": static, "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
                    "RoleArn": ROLE, "InputDataConfig": training["InputDataConfig"], "OutputDataConfig": training["OutputDataConfig"],
                    "ResourceConfig": training["ResourceConfig"], "StoppingCondition": training["StoppingCondition"], **(definition or {})}}

    def create_tuning(self, request):
        """Returns the job's name."""
        if KNOWS_SEEDS:
            self.sagemaker.create_hyper_parameter_tuning_job(**request)
        else:
            status, answer = self.post("CreateHyperParameterTuningJob", request)
            self.assertEqual(status, 200, answer)
        return request["HyperParameterTuningJobName"]

    def assert_refused(self, request, words, code="ValidationException"):
        """With members that older clients do not know."""
        status, answer = self.post("CreateHyperParameterTuningJob", request)
        self.assertEqual((status, answer["__type"]), (400, code), answer)
        self.assertRegex(answer.get("message") or answer["Message"], words)

    def tuning_job(self, name):
        return self.sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)

    def trainings(self, name, **members):
        return self.sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(
            HyperParameterTuningJobName=name, **members)["TrainingJobSummaries"]

    def wait_for_tuning(self, name, timeout_s=300):
        """The job as it ended."""
        def ended():
            job = self.tuning_job(name)
            return job if job["HyperParameterTuningJobStatus"] in ("Completed", "Failed", "Stopped") else None
        return self.wait_for(ended, f"end of tuning job {name}", timeout_s)

    def completed_tuning(self):
        """A job that is completed, the same for all who ask: (job, request)."""
        global _completed
        if _completed is None:
            request = self.tuning(self.make_data(), trainings=3)
            _completed = (self.create_tuning(request), request)
        job = self.wait_for_tuning(_completed[0])
        self.assertEqual(job["HyperParameterTuningJobStatus"], "Completed", job.get("FailureReason"))
        return job, _completed[1]
