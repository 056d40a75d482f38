# %% [markdown]
# # From labels to predictions, cell by cell
# The page "Semantic segmentation data labeling and model training using Amazon SageMaker" as a notebook: open it in an editor that knows `# %%` cells, or
# run it whole. Start the editor or Jupyter under `terrapin run --`, and everything below talks to Terrapin; start it alone, and it talks to AWS.
#
#     pip install 'sagemaker<3' numpy pillow matplotlib
#     build/terrapin run --data-dir data -- python3 examples/label_and_train_notebook.py

# %% What to work on: the environment, for runs without hands.
import os
import pathlib

import matplotlib.pyplot as plt
import numpy
import PIL.Image
import sagemaker
from sagemaker.inputs import TrainingInput
from sagemaker.serializers import IdentitySerializer

from label_and_train import CHANNELS, MaskDeserializer, download, make_channels

BUCKET = os.environ.get("LABELS_BUCKET", "turtle2022")
JOB = os.environ.get("LABELING_JOB", "labelturtles")
BACKBONE = os.environ.get("BACKBONE", "resnet-50")
ALGORITHM = os.environ.get("ALGORITHM", "fcn")
EPOCHS = int(os.environ.get("EPOCHS", "30"))
CROP_SIZE = int(os.environ.get("CROP_SIZE", "240"))
TEST_PHOTOS = sorted(pathlib.Path(os.environ.get("TEST_PHOTOS", "testturtle")).glob("*.jpg"))
FIGURES = pathlib.Path(os.environ.get("FIGURES", "figures"))
FIGURES.mkdir(exist_ok=True)

session = sagemaker.Session()
bucket = session.default_bucket()
role = os.environ.get("ROLE", "arn:aws:iam::111122223333:role/SageMaker")

# %% The labels that people made, and how they look.
pairs = download(BUCKET, JOB, FIGURES / "labelled")
figure, axes = plt.subplots(1, 3, figsize=(12, 4))
for axis, (name, (photo, mask)) in zip(axes, sorted(pairs.items())):
    labels = numpy.asarray(PIL.Image.open(mask))
    axis.imshow(PIL.Image.open(photo))
    axis.imshow(numpy.ma.masked_equal(labels, 0), cmap="jet", alpha=0.6, interpolation="nearest")
    axis.set_title(name)
    axis.axis("off")
figure.savefig(FIGURES / "labels.png")
plt.show()

# %% Four channels, in the bucket that the SDK makes.
training_photos = make_channels(pairs, FIGURES / "channels", 0.2, seed=0)
inputs = {channel: TrainingInput(session.upload_data(str(FIGURES / "channels" / channel), bucket, f"{JOB}/{channel}"),
                                 distribution="FullyReplicated") for channel in CHANNELS}

# %% Training: the log, live.
estimator = sagemaker.estimator.Estimator(
    sagemaker.image_uris.retrieve("semantic-segmentation", session.boto_region_name), role, instance_count=1,
    instance_type="ml.p3.2xlarge", output_path=f"s3://{bucket}/{JOB}/output", base_job_name="ss-notebook-demo", sagemaker_session=session)
estimator.set_hyperparameters(backbone=BACKBONE, algorithm=ALGORITHM, num_classes=2, epochs=EPOCHS, crop_size=CROP_SIZE, mini_batch_size=8,
                              num_training_samples=training_photos)
estimator.fit(inputs, logs=True)

# %% What the service kept of it.
description = estimator.latest_training_job.describe()
metrics = {metric["MetricName"]: metric["Value"] for metric in description["FinalMetricDataList"]}
figure, axis = plt.subplots(figsize=(6, 3))
axis.barh(sorted(metrics), [metrics[name] for name in sorted(metrics)])
axis.set_title(description["TrainingJobName"])
figure.tight_layout()
figure.savefig(FIGURES / "metrics.png")
plt.show()

# %% A server for the model, and photos that it has never seen.
predictor = estimator.deploy(initial_instance_count=1, instance_type="ml.c5.xlarge", serializer=IdentitySerializer("image/jpeg"),
                             deserializer=MaskDeserializer())
columns = 5
rows = max(1, -(-len(TEST_PHOTOS) // columns))
figure, axes = plt.subplots(rows, columns, figsize=(20, 5 * rows), squeeze=False)
for axis in axes.flat:
    axis.axis("off")
for axis, path in zip(axes.flat, TEST_PHOTOS):
    cls_mask = predictor.predict(path.read_bytes())
    axis.imshow(PIL.Image.open(path))
    axis.imshow(numpy.ma.masked_equal(cls_mask, 0), cmap="jet", alpha=0.8, interpolation="nearest")
figure.savefig(FIGURES / "predictions.png")
plt.show()

# %% Clean up.
predictor.delete_endpoint()
