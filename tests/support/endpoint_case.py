"""Models that were really trained, and endpoints that serve them."""

import atexit
import functools
import io
import pathlib
import shutil
import subprocess
import tempfile

import numpy
import PIL.Image

from support.aws_case import SageMakerCase, unique
from support.terrapin_server import ACCOUNT, program

IMAGE = "433757028032.dkr.ecr.us-west-2.amazonaws.com/semantic-segmentation:1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/terrapin"
TYPE = "ml.c5.xlarge"


@functools.lru_cache
def _folder():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="terrapin-models-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _run(*arguments):
    ended = subprocess.run([program(), *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        raise RuntimeError(f"terrapin {arguments[0]} ended with {ended.returncode}: {ended.stderr[-2000:]}")


@functools.lru_cache
def _dataset():
    """A dataset folder of 12 scenes with 3 classes."""
    _run("scenes", _folder() / "scenes", "--count", "12", "--size", "96x72", "--classes", "3")
    manifest = next((_folder() / "scenes").rglob("output.manifest"))
    _run("transform", manifest, "--quiet", "--output", _folder() / "data", "--s3-root", f"scenes={_folder() / 'scenes'}")
    return _folder() / "data"


@functools.lru_cache
def package(algorithm="lite", seed=5):
    """The bytes of a model.tar.gz, trained for a moment. Another seed gives another model."""
    output = _folder() / f"{algorithm}-{seed}"
    hyperparameters = [part for name in ("backbone=mobilenet-v2", f"algorithm={algorithm}", "crop_size=64", "base_size=96", "mini_batch_size=4",
                                         "epochs=1", *(["skip_channels=0"] if algorithm == "lite" else [])) for part in ("-H", name)]
    _run("train", "--data", _dataset(), "--output", output, "--weights", "none", "--threads", "1", "--seed", seed, "--quiet", *hyperparameters)
    return (output / "model.tar.gz").read_bytes()


def photo(width=96, height=72, seed=1, mode="RGB", kind="JPEG"):
    random = numpy.random.default_rng(seed)
    pixels = random.integers(0, 255, (height // 8 + 1, width // 8 + 1, 3), numpy.uint8)
    image = PIL.Image.fromarray(pixels).resize((width, height), PIL.Image.BILINEAR).convert(mode)
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


def mask_of(answer):
    """The class indices of an answered PNG."""
    return numpy.asarray(PIL.Image.open(io.BytesIO(answer)))


def local_mask(model, image):
    """What `terrapin predict` answers with the same model and photo."""
    folder = pathlib.Path(tempfile.mkdtemp(dir=_folder()))
    (folder / "model.tar.gz").write_bytes(model)
    (folder / "photo.jpg").write_bytes(image)
    _run("predict", "--model", folder / "model.tar.gz", "--output", folder / "masks", folder / "photo.jpg")
    return numpy.asarray(PIL.Image.open(folder / "masks" / "photo.png"))


class EndpointCase(SageMakerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.runtime = cls.server.client("sagemaker-runtime", read_timeout=90)
        cls.bucket = unique("models")
        cls.s3.create_bucket(Bucket=cls.bucket)

    def stored(self, body=b"no model", key=None):
        """An object's address."""
        key = key or f"{unique()}/output/model.tar.gz"
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)
        return f"s3://{self.bucket}/{key}"

    def model_request(self, name=None, data=None, **members):
        return {"ModelName": name or unique("model"), "ExecutionRoleArn": ROLE,
                "PrimaryContainer": {"Image": IMAGE, "ModelDataUrl": data or self.stored()}, **members}

    def make_model(self, body=None, **members):
        """Returns its name. `body`: of the package; without one, a trained one."""
        request = self.model_request(data=self.stored(package() if body is None else body), **members)
        self.sagemaker.create_model(**request)
        self.addCleanup(self.forget, "delete_model", ModelName=request["ModelName"])
        return request["ModelName"]

    def variant(self, model, name="AllTraffic", count=1, weight=1.0, **members):
        return {"VariantName": name, "ModelName": model, "InstanceType": TYPE, "InitialInstanceCount": count, "InitialVariantWeight": weight, **members}

    def make_config(self, *variants, **members):
        name = unique("config")
        self.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=list(variants), **members)
        self.addCleanup(self.forget, "delete_endpoint_config", EndpointConfigName=name)
        return name

    def create_endpoint(self, config):
        """Returns its name; it is deleted at the end."""
        name = unique("endpoint")
        self.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)
        self.addCleanup(self.delete_endpoint, name)
        return name

    def make_endpoint(self, *variants, **members):
        """In service."""
        name = self.create_endpoint(self.make_config(*variants, **members))
        return self.wait_in_service(name)

    def wait_in_service(self, name):
        self.sagemaker.get_waiter("endpoint_in_service").wait(EndpointName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 240})
        return name

    def status(self, name):
        return self.sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"]

    def wait_status(self, name, *statuses, timeout_s=240):
        def reached():
            endpoint = self.sagemaker.describe_endpoint(EndpointName=name)
            return endpoint if endpoint["EndpointStatus"] in statuses else None
        return self.wait_for(reached, f"status {' or '.join(statuses)} of endpoint {name}", timeout_s)

    def delete_endpoint(self, name):
        self.forget("delete_endpoint", EndpointName=name)
        self.sagemaker.get_waiter("endpoint_deleted").wait(EndpointName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 240})

    def forget(self, operation, **members):
        """Deletes what a test may have deleted itself."""
        try:
            getattr(self.sagemaker, operation)(**members)
        except self.sagemaker.exceptions.ClientError as problem:
            if "Could not find" not in str(problem) and "in-progress" not in str(problem):
                raise

    def invoke(self, endpoint, body=None, runtime=None, **members):
        members.setdefault("ContentType", "image/jpeg")
        members.setdefault("Accept", "image/png")
        return (runtime or self.runtime).invoke_endpoint(EndpointName=endpoint, Body=photo() if body is None else body, **members)

    def instances(self):
        """The processes of model servers of this service: {job id: pid}."""
        found = {}
        for environment in pathlib.Path("/proc").glob("[0-9]*/environ"):
            try:
                if "endpoint-instance" not in (environment.parent / "cmdline").read_text():
                    continue
                variables = dict(part.split("=", 1) for part in environment.read_text().split("\0") if "=" in part)
            except OSError:
                continue
            if str(self.server.data_dir) in variables.get("HOME", ""):
                found[variables["TERRAPIN_JOB"]] = int(environment.parent.name)
        return found
