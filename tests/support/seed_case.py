"""The labels that the source pages begin with: a labeling job over photos of turtles, painted by one worker."""

import os
import pathlib
import re
import tempfile

import numpy
import PIL.Image

from support import labeling_material
from support.aws_case import SageMakerCase
from support.labeling_worker import Worker
from support.sagemaker_sdk import require_sdk

BUCKET = "turtle2022"
JOB = "labelturtles"


class Photos:
    """Photos with masks: of turtles' heads where they are at hand, else drawn ones."""

    def __init__(self, drawn=False):
        data = os.environ.get("TERRAPIN_TEST_DATA")
        folder = pathlib.Path(data or "") / "turtle_heads"
        self.real = not drawn and bool(data) and folder.is_dir()
        if self.real:
            self.count, self.epochs = 60, 14
            self.files = sorted((folder / "images").glob("*.jpg"))
            self.masks = folder / "masks"
        else:
            self.count, self.epochs = 30, 8

    def jpeg(self, index):
        return self.files[index].read_bytes() if self.real else labeling_material.photo(160, 120, index)

    def mask(self, index):
        """1 on the object."""
        if not self.real:
            return labeling_material.disc(160, 120, index)
        pixels = numpy.asarray(PIL.Image.open(self.masks / (self.files[index].stem + ".png")))
        return (pixels == 1).astype(numpy.uint8)


class SeedCase(SageMakerCase):
    """`folder` is for the run; TERRAPIN_SEED_FOLDER keeps it."""

    own_server = True

    @classmethod
    def setUpClass(cls):
        require_sdk()
        super().setUpClass()
        kept = os.environ.get("TERRAPIN_SEED_FOLDER")
        if kept:
            cls.folder = pathlib.Path(kept)
            cls.folder.mkdir(parents=True, exist_ok=True)
        else:
            folder = tempfile.TemporaryDirectory(prefix="terrapin-seed-")
            cls.addClassCleanup(folder.cleanup)
            cls.folder = pathlib.Path(folder.name)

    def label(self, photos):
        """A labeling job over `photos`, painted by one worker, as Ground Truth leaves it."""
        self.s3.create_bucket(Bucket=BUCKET)
        for index in range(photos.count):
            self.s3.put_object(Bucket=BUCKET, Key=f"Image_{index + 1}.jpg", Body=photos.jpeg(index))
        uris = [f"s3://{BUCKET}/Image_{index + 1}.jpg" for index in range(photos.count)]
        self.s3.create_bucket(Bucket="turtle-setup")
        for key, text in (("input.manifest", labeling_material.manifest(uris)), ("labels.json", labeling_material.categories(["Turtle"])),
                          ("template.html", labeling_material.TEMPLATE)):
            self.s3.put_object(Bucket="turtle-setup", Key=key, Body=text.encode())
        request = labeling_material.labeling_request(BUCKET, self.make_team("turtle-painters", "painters"), JOB, 1)
        request["LabelAttributeName"] = JOB + "-ref"
        request["InputConfig"]["DataSource"]["S3DataSource"]["ManifestS3Uri"] = "s3://turtle-setup/input.manifest"
        request["OutputConfig"]["S3OutputPath"] = f"s3://{BUCKET}"
        request["LabelCategoryConfigS3Uri"] = "s3://turtle-setup/labels.json"
        request["HumanTaskConfig"]["UiConfig"]["UiTemplateS3Uri"] = "s3://turtle-setup/template.html"
        self.sagemaker.create_labeling_job(**request)
        worker = Worker(self.server, "painters")
        self.addCleanup(worker.close)
        worker.label(JOB, lambda content: photos.mask(int(re.search(r"Image_(\d+)\.jpg$", content["task_input"]["taskObject"])[1]) - 1))
        self.wait_for_status(JOB, "Completed")

    def write_photos(self, photos, folder, count):
        """Photos that were not labelled, as files <index>.jpg; returns the indices."""
        folder.mkdir(exist_ok=True)
        indices = range(photos.count, photos.count + count)
        for index in indices:
            (folder / f"{index}.jpg").write_bytes(photos.jpeg(index))
        return indices
