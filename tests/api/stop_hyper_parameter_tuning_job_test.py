from support.aws_case import unique
from support.tuning_case import TuningCase


class StopHyperParameterTuningJob(TuningCase):
    def stop(self, name):
        self.sagemaker.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)

    def test_trainings_that_run_are_stopped(self):
        name = self.create_tuning(self.tuning(self.make_data(), trainings=20, parallel=2, epochs=1000))
        first = self.wait_for(lambda: self.trainings(name), "the first training")[0]["TrainingJobName"]
        self.wait_for_step(first, "Training")
        self.stop(name)
        self.stop(name)
        job = self.wait_for_tuning(name)
        self.assertEqual(job["HyperParameterTuningJobStatus"], "Stopped")
        trainings = self.trainings(name)
        self.assertLessEqual(len(trainings), 2)
        for one in trainings:
            self.assertEqual(one["TrainingJobStatus"], "Stopped")
            self.assertEqual(self.job(one["TrainingJobName"])["TrainingJobStatus"], "Stopped")

    def test_after_its_end(self):
        job, _ = self.completed_tuning()
        with self.invalid("The request was rejected because the hyperparameter tuning job is in status Completed."):
            self.stop(job["HyperParameterTuningJobName"])

    def test_missing(self):
        with self.refused("ResourceNotFound"):
            self.stop(unique("nobody"))
