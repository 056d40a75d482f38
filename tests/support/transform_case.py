"""Batch transforms of tiny photos: models, requests, results."""

import io

import numpy
import PIL.Image

from support import labeling_material
from support.aws_case import unique
from support.training_case import IMAGE, ROLE, TrainingCase

_models = {}


def photo(width, height, mode="RGB", form="JPEG"):
    """Bytes of a picture of that size."""
    across = numpy.linspace(0, 255, width)[None, :].repeat(height, 0)
    down = numpy.linspace(0, 255, height)[:, None].repeat(width, 1)
    pixels = numpy.stack([across, down, 255 - across], 2).astype(numpy.uint8)
    file = io.BytesIO()
    PIL.Image.fromarray(pixels).convert(mode).save(file, form)
    return file.getvalue()


class TransformCase(TrainingCase):
    """Photos in buckets, models that were trained here, transform jobs."""

    def model(self, algorithm="lite"):
        """The name of a model, trained once for all who ask."""
        if algorithm not in _models:
            bucket = self.make_data()
            job = self.run_job(self.request(bucket, epochs=1, algorithm=algorithm))
            self.assertEqual(job["TrainingJobStatus"], "Completed", job.get("FailureReason"))
            _models[algorithm] = self.make_model(job["ModelArtifacts"]["S3ModelArtifacts"])
        return _models[algorithm]

    def make_model(self, data):
        """The name of a model of that archive."""
        name = unique("model")
        self.sagemaker.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer={"Image": IMAGE, "ModelDataUrl": data})
        return name

    def make_photos(self, photos=None):
        """A bucket with photos below in/ : {key: bytes}."""
        bucket = unique("b")
        self.s3.create_bucket(Bucket=bucket)
        if photos is None:
            photos = {f"{number}.jpg": labeling_material.photo(seed=number) for number in range(3)}
        for key, body in photos.items():
            self.s3.put_object(Bucket=bucket, Key="in/" + key, Body=body)
        return bucket

    def transform(self, bucket, model=None, uri=None, kind="S3Prefix", inputs=None, outputs=None, **members):
        """A request for a transform of in/ to out/."""
        source = {"S3DataSource": {"S3DataType": kind, "S3Uri": uri or f"s3://{bucket}/in/"}}
        return {"TransformJobName": unique("transform"), "ModelName": model or self.model(),
                "TransformInput": {"DataSource": source, "ContentType": "application/x-image", **(inputs or {})},
                "TransformOutput": {"S3OutputPath": f"s3://{bucket}/out", **(outputs or {})},
                "TransformResources": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1}, **members}

    def create_transform(self, request):
        """Returns the job's name."""
        self.sagemaker.create_transform_job(**request)
        return request["TransformJobName"]

    def transform_job(self, name):
        return self.sagemaker.describe_transform_job(TransformJobName=name)

    def wait_for_transform(self, name):
        """The job as it ended."""
        self.wait_with("transform_job_completed_or_stopped", lambda: self.transform_job(name)["TransformJobStatus"], TransformJobName=name)
        return self.transform_job(name)

    def run_transform(self, request):
        return self.wait_for_transform(self.create_transform(request))

    def completed_transform(self, request):
        job = self.run_transform(request)
        self.assertEqual(job["TransformJobStatus"], "Completed", job.get("FailureReason"))
        return job

    def log(self, name):
        """Its lines."""
        group = "/aws/sagemaker/TransformJobs"
        stream = self.logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=name + "/")["logStreams"][0]["logStreamName"]
        return [event["message"] for event in self.logs.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True)["events"]]

    def outputs(self, bucket, prefix="out/"):
        """{key without the prefix: bytes}"""
        listed = self.s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
        return {item["Key"][len(prefix):]: self.s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read() for item in listed}

    def mask(self, body):
        """The pixels of a mask."""
        picture = PIL.Image.open(io.BytesIO(body))
        self.assertEqual((picture.format, picture.mode), ("PNG", "P"))
        return numpy.asarray(picture)
