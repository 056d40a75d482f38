"""From labelled photos to predictions and an evaluation of a folder with the AWS CLI alone: train, deploy, predict, transform, delete."""

import io
import json

import numpy
import PIL.Image

from support import labeling_material
from support.aws_case import unique
from support.aws_cli import AwsCli
from support.training_case import IMAGE, ROLE, TrainingCase


class TrainCli(AwsCli, TrainingCase):
    def aws(self, *arguments):
        """What it prints, as JSON where it is."""
        printed = super().aws(*arguments)
        return json.loads(printed) if printed.lstrip().startswith("{") else printed

    def test_train_deploy_predict_transform_delete(self):
        bucket = self.make_data()
        request = self.request(bucket)
        name = request["TrainingJobName"]
        (self.folder / "training.json").write_text(json.dumps(request))
        made = self.aws("sagemaker", "create-training-job", "--cli-input-json", "file://training.json")
        self.assertEqual(made["TrainingJobArn"], self.arn(f"training-job/{name}"))
        self.wait_for_end(name)
        job = self.aws("sagemaker", "describe-training-job", "--training-job-name", name)
        self.assertEqual(job["TrainingJobStatus"], "Completed", job.get("FailureReason"))
        self.assertIn(name, [one["TrainingJobName"] for one in self.aws("sagemaker", "list-training-jobs")["TrainingJobSummaries"]])
        streams = self.aws("logs", "describe-log-streams", "--log-group-name", "/aws/sagemaker/TrainingJobs", "--log-stream-name-prefix", name)
        events = self.aws("logs", "get-log-events", "--log-group-name", "/aws/sagemaker/TrainingJobs", "--log-stream-name",
                          streams["logStreams"][0]["logStreamName"], "--start-from-head")["events"]
        self.assertTrue(any("mIOU" in event["message"] for event in events))

        data = job["ModelArtifacts"]["S3ModelArtifacts"]
        self.aws("s3", "cp", data, "model.tar.gz", "--only-show-errors")
        self.assertGreater((self.folder / "model.tar.gz").stat().st_size, 10_000)
        self.aws("sagemaker", "create-model", "--model-name", name, "--execution-role-arn", ROLE, "--primary-container", f"Image={IMAGE},ModelDataUrl={data}")
        variant = f"VariantName=AllTraffic,ModelName={name},InitialInstanceCount=1,InstanceType=ml.c5.xlarge"
        self.aws("sagemaker", "create-endpoint-config", "--endpoint-config-name", name, "--production-variants", variant)
        self.aws("sagemaker", "create-endpoint", "--endpoint-name", name, "--endpoint-config-name", name)
        self.wait_for(lambda: self.aws("sagemaker", "describe-endpoint", "--endpoint-name", name)["EndpointStatus"] == "InService", "the endpoint", 240)

        (self.folder / "photo.jpg").write_bytes(labeling_material.photo(61, 37, 9))
        answer = self.aws("sagemaker-runtime", "invoke-endpoint", "--endpoint-name", name, "--content-type", "image/jpeg", "--accept", "image/png", "--body",
                          "fileb://photo.jpg", "mask.png")
        self.assertEqual(answer["InvokedProductionVariant"], "AllTraffic")
        mask = numpy.asarray(PIL.Image.open(self.folder / "mask.png"))
        self.assertEqual(mask.shape, (37, 61))

        transform = unique("transform")
        self.aws("sagemaker", "create-transform-job", "--transform-job-name", transform, "--model-name", name, "--transform-input",
                 json.dumps({"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/data/validation/"}}, "ContentType": "image/jpeg"}),
                 "--transform-output", json.dumps({"S3OutputPath": f"s3://{bucket}/masks", "Accept": "image/png"}), "--transform-resources",
                 "InstanceType=ml.c5.xlarge,InstanceCount=1")
        done = self.wait_for(lambda: (found := self.aws("sagemaker", "describe-transform-job", "--transform-job-name", transform))["TransformJobStatus"]
                             != "InProgress" and found, "the transform job", 240)
        self.assertEqual(done["TransformJobStatus"], "Completed", done.get("FailureReason"))
        self.aws("s3", "cp", f"s3://{bucket}/masks/", "masks", "--recursive", "--only-show-errors")
        files = sorted((self.folder / "masks").iterdir())
        self.assertEqual([file.name for file in files], ["100.jpg.out", "101.jpg.out"])
        for file in files:
            self.assertEqual(PIL.Image.open(io.BytesIO(file.read_bytes())).size, (48, 32))

        self.aws("sagemaker", "delete-endpoint", "--endpoint-name", name)
        self.wait_for(lambda: name not in [one["EndpointName"] for one in self.aws("sagemaker", "list-endpoints")["Endpoints"]], "its removal")
        self.aws("sagemaker", "delete-endpoint-config", "--endpoint-config-name", name)
        self.aws("sagemaker", "delete-model", "--model-name", name)
