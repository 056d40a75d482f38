"""The SageMaker Python SDK's HyperparameterTuner and Transformer, as its users call them."""

import os
import pathlib
import subprocess

from support.training_case import IMAGE, ROLE
from support.transform_case import TransformCase
from support.tuning_case import OBJECTIVE

PYTHON = pathlib.Path(__file__).resolve().parents[2] / ".venv-sagemaker" / "bin" / "python"

SCRIPT = """
import boto3, sagemaker
from sagemaker.estimator import Estimator
from sagemaker.inputs import TrainingInput
from sagemaker.tuner import CategoricalParameter, ContinuousParameter, HyperparameterTuner, IntegerParameter

session = sagemaker.Session(boto3.Session(), default_bucket={bucket!r})
estimator = Estimator({image!r}, {role!r}, instance_count=1, instance_type="ml.p3.2xlarge", output_path="s3://{bucket}/models", sagemaker_session=session)
estimator.set_hyperparameters(backbone="mobilenet-v2", algorithm="lite", use_pretrained_model=False, num_classes=2, num_training_samples=4, epochs=1,
                              crop_size=32, base_size=48, validation_mini_batch_size=2)
tuner = HyperparameterTuner(
    estimator, {objective!r},
    {{"learning_rate": ContinuousParameter(0.001, 0.1, "Logarithmic"), "optimizer": CategoricalParameter(["sgd", "adam"]), "mini_batch_size": IntegerParameter(1, 4)}},
    objective_type="Maximize", max_jobs=2, max_parallel_jobs=2, strategy="Random", early_stopping_type="Auto")
channels = {{name: TrainingInput("s3://{bucket}/data/" + name, distribution="FullyReplicated", s3_data_type="S3Prefix")
            for name in ("train", "train_annotation", "validation", "validation_annotation")}}
tuner.fit(channels, wait=False)
tuner.wait()
table = tuner.analytics().dataframe()
assert len(table) == 2, table
assert set(table["TrainingJobStatus"]) == {{"Completed"}}, table
assert table["FinalObjectiveValue"].notna().all() and table["learning_rate"].notna().all(), table
best = tuner.best_training_job()
assert best in set(table["TrainingJobName"])
assert tuner.best_estimator().model_data.endswith(best + "/output/model.tar.gz")
again = HyperparameterTuner.attach(tuner.latest_tuning_job.name, sagemaker_session=session)
assert again.best_training_job() == best

transformer = tuner.best_estimator().transformer(1, "ml.m5.xlarge", strategy="SingleRecord", accept="image/png", output_path="s3://{bucket}/masks",
                                                 max_concurrent_transforms=2, max_payload=6)
transformer.transform("s3://{bucket}/data/validation/", content_type="image/jpeg", split_type="None")
transformer.wait()
print("masks", transformer.output_path)
"""


class TunerAndTransformer(TransformCase):
    def test_as_users_call_them(self):
        if not os.access(PYTHON, os.X_OK):
            self.skipTest(f"{PYTHON} is not there: script/setup makes it with the SageMaker Python SDK from PyPI")
        bucket = self.make_data()
        script = SCRIPT.format(bucket=bucket, image=IMAGE, role=ROLE, objective=OBJECTIVE)
        ran = subprocess.run([str(PYTHON), "-c", script], env=self.server.environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                             timeout=600, check=False)
        self.assertEqual(ran.returncode, 0, ran.stdout[-2000:] + ran.stderr[-4000:])
        outputs = self.outputs(bucket, "masks/")
        self.assertEqual(sorted(outputs), ["100.jpg.out", "101.jpg.out"])
        for body in outputs.values():
            self.mask(body)
