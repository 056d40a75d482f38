"""The second source page from end to end with its own code: labels -> transform -> upload -> fit -> deploy -> predict -> overlays -> delete.

tests/api/seed/label_and_train.ipy is that code. What this test changes in it is in REPLACED, and printed as a diff: bucket names, paths, backbone and epochs.
It runs under `terrapin run` with the SageMaker Python SDK, which knows nothing of Terrapin. TERRAPIN_SEED_FOLDER keeps what the run leaves.
"""

import difflib
import io
import os
import pathlib
import re
import shutil
import unittest

import numpy
import PIL.Image

from support import labeling_material
from support.aws_case import SageMakerCase
from support.aws_cli import AWS
from support.sagemaker_sdk import PYTHON, run_script
from support.seed_case import Photos, SeedCase

HERE = pathlib.Path(__file__).resolve().parent
TEST_PHOTOS = 10

# (of the page, in its place). Each stands in the code exactly once.
REPLACED = [
    # The page's first folder of its own, which it never makes.
    ("os.chdir('./semantic_segmentation_pascalvoc_2022-01-11')", "os.mkdir('semantic_segmentation_pascalvoc_2022-01-11')\n"
     "os.chdir('./semantic_segmentation_pascalvoc_2022-01-11')"),
    # A slip of the page: the folder is called otherwise three lines above and when it is uploaded.
    ("'validation_annotationT/'+val_annotation", "'validation_annotation/'+val_annotation"),
    ('    backbone="resnet-50",', '    backbone="mobilenet-v2",'),
    ("    epochs=30,", "    epochs={epochs},"),
    # Another day's job, which the page's author had at hand.
    ("training_job_name = 'ss-notebook-demo-2022-02-12-03-37-27-151'", "training_job_name = ss_estimator.latest_training_job.name"),
    ('path = "testturtle/"', "path = {test_folder!r}"),
]


def published():
    return (HERE / "seed" / "label_and_train.ipy").read_text()


def replaced(text, pairs):
    for old, new in pairs:
        if text.count(old) != 1:
            raise AssertionError(f"{old!r} stands {text.count(old)} times in the page's code")
        text = text.replace(old, new)
    return text


def as_python(text):
    """As a notebook runs it: "!" lines are shell commands, and a failed one ends the run."""
    return "import subprocess as _subprocess\n" + re.sub(r"^!(.*)$", lambda found: f"_subprocess.run({found[1]!r}, shell=True, check=True)", text,
                                                         flags=re.MULTILINE)


class SeedTraining(SeedCase):
    @classmethod
    def setUpClass(cls):
        if not os.access(AWS, os.X_OK):
            raise unittest.SkipTest(f"{AWS} is not installed: script/setup installs awscli")
        super().setUpClass()
        cls.photos = Photos()

    def test_the_pages_code_trains_and_predicts(self):
        self.label(self.photos)
        test_folder = self.folder / "testturtle"
        unseen = self.write_photos(self.photos, test_folder, TEST_PHOTOS)
        pairs = [(old, new.format(epochs=self.photos.epochs, test_folder=str(test_folder) + "/")) for old, new in REPLACED]
        ours = replaced(published(), pairs)
        print("\n" + "\n".join(difflib.unified_diff(published().splitlines(), ours.splitlines(), "the page", "this run", lineterm="", n=0)), flush=True)
        # What the test looks at afterwards.
        ours += f"""
np.savez({str(self.folder / 'masks.npz')!r}, **{{os.path.basename(name): ss_predictor_masks[name] for name in img_path_list}})
"""
        ours = ours.replace("    cls_mask = ss_predictor.predict(imbytes)\n",
                            "    cls_mask = ss_predictor.predict(imbytes)\n    globals().setdefault('ss_predictor_masks', {})[img_path_list[i]] = cls_mask\n")
        log = self.run_page(ours)
        # fit(logs=True) shows the job's own output while it runs.
        self.assertRegex(log, r"validation[ :]mIOU")
        self.assertIn("Training job completed", log)
        self.check_masks(unseen)
        self.check_that_nothing_is_left()

    def run_page(self, text):
        script = self.folder / "seed.py"
        script.write_text(as_python(text))
        work = self.folder / "work"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        done = run_script(self.server, script, folder=work, paths=[HERE / "seed"], MPLBACKEND="module://show_to_file", FIGURES=self.folder, HOME=self.folder,
                          PATH=f"{PYTHON.parent}:{pathlib.Path(AWS).parent}:{os.environ['PATH']}")
        (self.folder / "seed.log").write_text(done.stdout + done.stderr)
        self.assertEqual(done.returncode, 0, done.stdout[-6000:] + done.stderr[-6000:])
        return done.stdout + done.stderr

    def check_masks(self, unseen):
        """The masks have the photos' sizes and find the object; the figure was drawn."""
        both, either = 0, 0
        with numpy.load(self.folder / "masks.npz") as masks:
            self.assertEqual(len(masks.files), TEST_PHOTOS)
            for index in unseen:
                truth, found = self.photos.mask(index), masks[f"{index}.jpg"]
                self.assertEqual(found.shape, truth.shape)
                self.assertTrue(set(numpy.unique(found)) <= {0, 1})
                both += int(((found == 1) & (truth == 1)).sum())
                either += int(((found == 1) | (truth == 1)).sum())
        print(f"IoU of the object on {TEST_PHOTOS} unseen photos: {both / either:.3f}", flush=True)
        self.assertGreater(both / either, 0.5)
        with PIL.Image.open(self.folder / "figure1.png") as figure:
            self.assertGreater(len(figure.convert("RGB").getcolors(1 << 24)), 100)

    def check_that_nothing_is_left(self):
        self.wait_for(lambda: not self.sagemaker.list_endpoints()["Endpoints"], "the end of the endpoint")
        jobs = self.sagemaker.list_training_jobs()["TrainingJobSummaries"]
        self.assertEqual([job["TrainingJobStatus"] for job in jobs], ["Completed"])
        described = self.sagemaker.describe_training_job(TrainingJobName=jobs[0]["TrainingJobName"])
        bucket, _, key = described["ModelArtifacts"]["S3ModelArtifacts"][5:].partition("/")
        self.assertTrue(bucket.startswith("sagemaker-us-east-1-"))
        self.assertGreater(self.s3.head_object(Bucket=bucket, Key=key)["ContentLength"], 100_000)


class SeedUnchanged(SageMakerCase):
    """The page's request as it stands: a ResNet-50 for which no weights are at hand."""

    def test_resnet_50_is_accepted_and_says_what_it_lacks(self):
        bucket = "turtle-channels"
        self.s3.create_bucket(Bucket=bucket)
        for index in range(4):
            part = "train" if index < 3 else "validation"
            self.s3.put_object(Bucket=bucket, Key=f"{part}/{index}.jpg", Body=labeling_material.photo(160, 120, index))
            mask = io.BytesIO()
            PIL.Image.fromarray(labeling_material.disc(160, 120, index)).save(mask, "PNG")
            self.s3.put_object(Bucket=bucket, Key=f"{part}_annotation/{index}.png", Body=mask.getvalue())
        channels = ("train", "train_annotation", "validation", "validation_annotation")
        self.sagemaker.create_training_job(
            TrainingJobName="resnet-without-weights", RoleArn="arn:aws:iam::111122223333:role/r",
            AlgorithmSpecification={"TrainingImage": "685385470294.dkr.ecr.us-east-1.amazonaws.com/semantic-segmentation:1", "TrainingInputMode": "File"},
            HyperParameters={"backbone": "resnet-50", "algorithm": "fcn", "num_classes": "2", "num_training_samples": "3", "epochs": "30"},
            InputDataConfig=[{"ChannelName": channel, "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/{channel}/"}}}
                             for channel in channels],
            OutputDataConfig={"S3OutputPath": f"s3://{bucket}/out"}, ResourceConfig={"InstanceType": "ml.p3.2xlarge", "InstanceCount": 1, "VolumeSizeInGB": 50},
            StoppingCondition={"MaxRuntimeInSeconds": 3600})
        job = self.wait_for(lambda: (found := self.sagemaker.describe_training_job(TrainingJobName="resnet-without-weights"))["TrainingJobStatus"]
                            not in ("InProgress", "Stopping") and found, "the job's end")
        self.assertEqual(job["TrainingJobStatus"], "Failed")
        self.assertRegex(job["FailureReason"], r"^ClientError: .*resnet-?50.*(safetensors|weights add)")
