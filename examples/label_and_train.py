#!/usr/bin/env python3
"""From a finished labeling job to predictions with the SageMaker Python SDK, in the steps of the page "Semantic segmentation data labeling and
model training using Amazon SageMaker". It knows nothing of Terrapin: the same file runs against AWS.

    pip install 'sagemaker<3' numpy pillow           # once, in a virtual environment; script/setup makes one, .venv-sagemaker
    build/terrapin run --data-dir data -- python3 examples/label_and_train.py --bucket turtle2022 --job labelturtles \\
        --backbone mobilenet-v2 --algorithm lite --epochs 8 testturtle/*.jpg

A ResNet-50 (the default, as on the page) trains for hours on a few cores and needs weights: `terrapin weights add FILE`.
`label_and_train_notebook.py` does the same cell by cell, with plots.
"""

import argparse
import io
import json
import pathlib
import random
import shutil

import numpy
import PIL.Image
import sagemaker
from sagemaker.deserializers import BaseDeserializer
from sagemaker.inputs import TrainingInput
from sagemaker.s3 import S3Downloader
from sagemaker.serializers import IdentitySerializer

CHANNELS = ("train", "train_annotation", "validation", "validation_annotation")


class MaskDeserializer(BaseDeserializer):
    """An indexed PNG, one class a pixel, as an array."""

    ACCEPT = ("image/png",)

    def deserialize(self, stream, content_type):
        try:
            return numpy.asarray(PIL.Image.open(io.BytesIO(stream.read())))
        finally:
            stream.close()


def numbered(name, taken):
    """The name, with a number behind it where it is taken: a/1.jpg and b/1.jpg are 1 and 1-2."""
    made, number = name, 1
    while made in taken:
        number += 1
        made = f"{name}-{number}"
    return made


def download(bucket, job, folder):
    """The job's manifest, and what it names, below `folder`. Returns (photo, mask) by the name of the photo; photos without a mask are left out."""
    lines = S3Downloader.read_file(f"s3://{bucket}/{job}/manifests/output/output.manifest").splitlines()
    pairs = {}
    for line in map(json.loads, lines):
        reference = next((name for name in line if f"{name}-metadata" in line), None)
        if reference is None:  # labeling this photo failed
            continue
        photo, mask = line["source-ref"], line[reference]
        name = numbered(pathlib.PurePosixPath(photo).stem, pairs)
        for uri in (photo, mask):
            S3Downloader.download(uri, str(folder / name))
        pairs[name] = (folder / name / photo.rpartition("/")[2], folder / name / mask.rpartition("/")[2])
    if len(pairs) < len(lines):
        print(f"{len(lines) - len(pairs)} of {len(lines)} photos have no mask and are left out")
    return pairs


def make_channels(pairs, folder, validation_share, seed):
    """Four folders; a photo x.jpg and its annotation x.png have the same name."""
    names = sorted(pairs)
    random.Random(seed).shuffle(names)
    validation = names[:max(1, round(len(names) * validation_share))]
    shutil.rmtree(folder, ignore_errors=True)
    for channel in CHANNELS:
        (folder / channel).mkdir(parents=True)
    for name, (photo, mask) in pairs.items():
        part = "validation" if name in validation else "train"
        shutil.copy(photo, folder / part / f"{name}.jpg")
        shutil.copy(mask, folder / f"{part}_annotation" / f"{name}.png")
    return len(names) - len(validation)


def overlay(photo, mask):
    """The photo, grey where nothing was found, with the classes in colour."""
    picture = numpy.asarray(PIL.Image.open(photo).convert("RGB")).astype(float)
    colours = numpy.array([[0, 0, 0], [44, 160, 44], [214, 39, 40], [31, 119, 180], [255, 127, 14]])
    share = numpy.where(mask > 0, 0.6, 0)[..., None]
    return PIL.Image.fromarray((picture * (1 - share) + colours[mask % len(colours)] * share).astype(numpy.uint8))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("photos", nargs="+", help="photos to predict at the end")
    parser.add_argument("--bucket", default="turtle2022", help="where the labeling job put its output")
    parser.add_argument("--job", default="labelturtles", help="its name")
    parser.add_argument("--classes", type=int, default=2, help="background counts")
    parser.add_argument("--role", default="arn:aws:iam::111122223333:role/SageMaker")
    parser.add_argument("--backbone", default="resnet-50")
    parser.add_argument("--algorithm", default="fcn")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--crop-size", type=int, default=240)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("predictions"), help="folder for the overlays")
    options = parser.parse_args()

    session = sagemaker.Session()
    bucket = session.default_bucket()
    work = options.output / "work"
    pairs = download(options.bucket, options.job, work / "labelled")
    training_photos = make_channels(pairs, work / "channels", 0.2, seed=0)
    inputs = {}
    for channel in CHANNELS:
        uri = session.upload_data(str(work / "channels" / channel), bucket, f"{options.job}/{channel}")
        inputs[channel] = TrainingInput(uri, distribution="FullyReplicated", content_type="image/png" if "annotation" in channel else "image/jpeg",
                                        s3_data_type="S3Prefix")

    estimator = sagemaker.estimator.Estimator(
        sagemaker.image_uris.retrieve("semantic-segmentation", session.boto_region_name), options.role, instance_count=1,
        instance_type="ml.p3.2xlarge", volume_size=50, max_run=360000, output_path=f"s3://{bucket}/{options.job}/output",
        base_job_name="ss-notebook-demo", sagemaker_session=session)
    estimator.set_hyperparameters(
        backbone=options.backbone, algorithm=options.algorithm, use_pretrained_model="True", crop_size=options.crop_size,
        num_classes=options.classes, epochs=options.epochs, learning_rate=0.0001, optimizer="rmsprop", lr_scheduler="poly",
        mini_batch_size=options.batch, validation_mini_batch_size=options.batch, early_stopping=True, early_stopping_patience=2,
        early_stopping_min_epochs=10, num_training_samples=training_photos)
    estimator.fit(inputs, logs=True)

    # Another day, another process: the name of the training job is enough.
    estimator = sagemaker.estimator.Estimator.attach(estimator.latest_training_job.name, sagemaker_session=session)
    predictor = estimator.deploy(initial_instance_count=1, instance_type="ml.c5.xlarge", serializer=IdentitySerializer("image/jpeg"),
                                 deserializer=MaskDeserializer())
    names = set()
    try:
        for photo in map(pathlib.Path, options.photos):
            mask = predictor.predict(photo.read_bytes())
            name = numbered(photo.stem, names)
            names.add(name)
            overlay(photo, mask).save(options.output / f"{name}.png")
            print(f"{photo}: {(mask > 0).mean():.1%} of the pixels are not background")
    finally:
        predictor.delete_endpoint()
    shutil.rmtree(work)


if __name__ == "__main__":
    main()
