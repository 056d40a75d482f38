"""examples/label_and_train.py and its notebook as their headers say to run them: labels -> channels -> fit -> deploy -> predictions."""

import json
import pathlib
import re
import tempfile

import PIL.Image

from support import labeling_material
from support.aws_case import SageMakerCase, unique
from support.sagemaker_sdk import QUICK, ROOT, require_sdk, run_script
from support.seed_case import BUCKET, JOB, Photos, SeedCase

EXAMPLES = ROOT / "examples"
UNSEEN = 3


class Manifests(SageMakerCase):
    """What the examples make of a manifest."""

    SCRIPT = """
import json
import pathlib
import sys
from label_and_train import CHANNELS, download, make_channels

bucket, job = sys.argv[1:]
pairs = download(bucket, job, pathlib.Path("labelled"))
make_channels(pairs, pathlib.Path("channels"), 0.5, seed=0)
files = {channel: {path.name: path.read_bytes().hex() for path in pathlib.Path("channels", channel).iterdir()} for channel in CHANNELS}
pathlib.Path("made.json").write_text(json.dumps(files))
"""

    def test_photos_without_a_mask_and_photos_of_one_name(self):
        require_sdk()
        bucket, job = unique("b"), "labelturtles"
        self.s3.create_bucket(Bucket=bucket)
        photos, lines = {}, []
        for number, key in enumerate(("a/1.jpg", "b/1.jpg", "b/2.jpg")):
            photos[key] = labeling_material.photo(seed=number)
            self.s3.put_object(Bucket=bucket, Key=key, Body=photos[key])
            self.s3.put_object(Bucket=bucket, Key=f"masks/{number}.png", Body=f"mask of {key}".encode())
            lines.append({"source-ref": f"s3://{bucket}/{key}", "label-ref": f"s3://{bucket}/masks/{number}.png", "label-ref-metadata": {}})
        lines.insert(1, {"source-ref": f"s3://{bucket}/gone.jpg", "label-ref-metadata": {"failure-reason": "unclear"}})
        self.s3.put_object(Bucket=bucket, Key=f"{job}/manifests/output/output.manifest", Body="".join(json.dumps(line) + "\n" for line in lines))
        with tempfile.TemporaryDirectory(prefix="terrapin-manifest-") as folder:
            folder = pathlib.Path(folder)
            (folder / "script.py").write_text(self.SCRIPT)
            done = run_script(self.server, "script.py", bucket, job, folder=folder, paths=[QUICK, EXAMPLES])
            self.assertEqual(done.returncode, 0, done.stdout[-3000:] + done.stderr[-3000:])
            self.assertIn("1 of 4 photos have no mask and are left out", done.stdout)
            made = json.loads((folder / "made.json").read_text())
        pairs = {}
        for part in ("train", "validation"):
            for name, photo in made[part].items():
                pairs[bytes.fromhex(photo)] = bytes.fromhex(made[part + "_annotation"][name.replace(".jpg", ".png")])
        self.assertEqual(pairs, {photo: f"mask of {key}".encode() for key, photo in photos.items()})


class TrainExamples(SeedCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        self = cls()
        cls.addClassCleanup(self.doCleanups)
        photos = Photos(drawn=True)
        photos.count = 10
        self.label(photos)
        self.write_photos(photos, cls.folder / "testturtle", UNSEEN)

    def run_example(self, name, *arguments, **variables):
        done = run_script(self.server, EXAMPLES / name, *arguments, folder=self.folder, paths=[QUICK], MPLBACKEND="Agg", **variables)
        self.assertEqual(done.returncode, 0, done.stdout[-6000:] + done.stderr[-6000:])
        self.assertRegex(done.stdout, r"validation[ :]mIOU")  # the job's own log, live
        self.wait_for(lambda: not self.sagemaker.list_endpoints()["Endpoints"], "the end of the endpoint")
        newest = self.sagemaker.list_training_jobs(SortBy="CreationTime", SortOrder="Descending")["TrainingJobSummaries"][0]
        self.assertEqual(newest["TrainingJobStatus"], "Completed")
        return done.stdout, self.sagemaker.describe_training_job(TrainingJobName=newest["TrainingJobName"])["HyperParameters"]

    def test_the_script(self):
        photos = sorted(path.relative_to(self.folder) for path in (self.folder / "testturtle").glob("*.jpg"))
        out, hyperparameters = self.run_example("label_and_train.py", "--bucket", BUCKET, "--job", JOB, "--backbone", "mobilenet-v2", "--algorithm", "lite",
                                                "--epochs", 2, "--crop-size", 96, "--batch", 4, *photos)
        self.assertEqual({name: hyperparameters[name] for name in ("epochs", "crop_size", "mini_batch_size", "num_training_samples")},
                         {"epochs": "2", "crop_size": "96", "mini_batch_size": "4", "num_training_samples": "8"})
        for photo in photos:
            self.assertRegex(out, re.compile(rf"{re.escape(str(photo))}: \d+\.\d% of the pixels are not background$", re.MULTILINE))
            with PIL.Image.open(self.folder / "predictions" / f"{photo.stem}.png") as overlay:
                self.assertEqual(overlay.size, (160, 120))
        self.assertEqual(len(photos), UNSEEN)
        self.assertFalse((self.folder / "predictions" / "work").exists())

    def test_the_notebook(self):
        (self.folder / "figures" / "channels" / "train").mkdir(parents=True)  # of an earlier run that was interrupted
        _, hyperparameters = self.run_example("label_and_train_notebook.py", BACKBONE="mobilenet-v2", ALGORITHM="lite", EPOCHS=2, CROP_SIZE=96,
                                              TEST_PHOTOS="testturtle", LABELS_BUCKET=BUCKET, LABELING_JOB=JOB)
        self.assertEqual((hyperparameters["epochs"], hyperparameters["num_training_samples"]), ("2", "8"))
        for name in ("labels", "metrics", "predictions"):
            with PIL.Image.open(self.folder / "figures" / f"{name}.png") as figure:
                self.assertGreater(len(figure.convert("RGB").getcolors(1 << 24)), 20, name)
