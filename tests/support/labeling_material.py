"""What a labeling job needs: photos, masks, manifest, label categories, template, and the request itself."""

import io
import json

import numpy
import PIL.Image

from support.terrapin_server import ACCOUNT, REGION

FUNCTION = "arn:aws:lambda:us-east-1:432418664414:function:"
# The template of the documentation of semantic segmentation jobs, shortened.
TEMPLATE = """<script src="https://assets.crowd.aws/crowd-html-elements.js"></script>
<crowd-form>
  <crowd-semantic-segmentation name="crowd-semantic-segmentation" src="{{ task.input.taskObject | grant_read_access }}"
    header="Please segment out all turtles." labels="{{ task.input.labels | to_json | escape }}">
    <full-instructions header="Segmentation instructions"><ol><li><strong>Read</strong> the task carefully.</li></ol></full-instructions>
    <short-instructions><p>Paint every turtle.</p></short-instructions>
  </crowd-semantic-segmentation>
</crowd-form>
"""


def photo(width=48, height=32, seed=0, kind="JPEG"):
    """The bytes of a small photo: a light disc on dark noise."""
    random = numpy.random.default_rng(seed)
    pixels = random.integers(0, 80, (height, width, 3), numpy.uint8)
    pixels[disc(width, height, seed) > 0] += 150
    file = io.BytesIO()
    PIL.Image.fromarray(pixels).save(file, kind, quality=90)
    return file.getvalue()


def disc(width=48, height=32, seed=0, label=1):
    """Class indices: `label` on the disc that photo() with the same seed shows, 0 elsewhere."""
    y, x = numpy.mgrid[0:height, 0:width]
    middle_x, middle_y = width * (0.35 + 0.3 * ((seed * 7) % 10) / 10), height * 0.5
    inside = (x - middle_x) ** 2 + (y - middle_y) ** 2 < (min(width, height) * 0.3) ** 2
    return numpy.where(inside, label, 0).astype(numpy.uint8)


def categories(labels):
    """A label category file."""
    return json.dumps({"document-version": "2018-11-28", "labels": [{"label": label} for label in labels]})


def manifest(uris, **more):
    """Lines of an input manifest; `more` keys stand on every line."""
    return "".join(json.dumps({"source-ref": uri, **more}) + "\n" for uri in uris)


def team_arn(name, kind="private-crowd", account=ACCOUNT):
    return f"arn:aws:sagemaker:{REGION}:{account}:workteam/{kind}/{name}"


def labeling_request(bucket, team, name, workers=1):
    """The documented request for a semantic segmentation job with every member, placeholders replaced."""
    return {
        "LabelingJobName": name,
        "LabelAttributeName": "label-ref",
        "InputConfig": {
            "DataSource": {"S3DataSource": {"ManifestS3Uri": f"s3://{bucket}/path/manifest-with-input-data.json"}},
            "DataAttributes": {"ContentClassifiers": ["FreeOfPersonallyIdentifiableInformation", "FreeOfAdultContent"]},
        },
        "OutputConfig": {"S3OutputPath": f"s3://{bucket}/output",
                         "KmsKeyId": f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"},
        "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/Labeling",
        "LabelCategoryConfigS3Uri": f"s3://{bucket}/path/label-categories.json",
        "StoppingConditions": {"MaxHumanLabeledObjectCount": 123, "MaxPercentageOfInputDatasetLabeled": 100},
        "HumanTaskConfig": {
            "WorkteamArn": team,
            "UiConfig": {"UiTemplateS3Uri": f"s3://{bucket}/path/worker-task-template.html"},
            "PreHumanTaskLambdaArn": FUNCTION + "PRE-SemanticSegmentation",
            "TaskKeywords": ["Semantic Segmentation"],
            "TaskTitle": "Semantic segmentation task",
            "TaskDescription": "For each category provided, segment out each relevant object using the color associated with that category",
            "NumberOfHumanWorkersPerDataObject": workers,
            "TaskTimeLimitInSeconds": 123,
            "TaskAvailabilityLifetimeInSeconds": 123,
            "MaxConcurrentTaskCount": 123,
            "AnnotationConsolidationConfig": {"AnnotationConsolidationLambdaArn": FUNCTION + "ACS-SemanticSegmentation"},
        },
        "Tags": [{"Key": "string", "Value": "string"}],
    }


def upload(s3, bucket, photos=2, labels=("Turtle",), width=48, height=32):
    """Makes the bucket with `photos` photos and the files that labeling_request() names. Returns the photos' URIs."""
    s3.create_bucket(Bucket=bucket)
    uris = []
    for index in range(photos):
        key = f"photos/{index:03}.jpg"
        s3.put_object(Bucket=bucket, Key=key, Body=photo(width, height, index), ContentType="image/jpeg")
        uris.append(f"s3://{bucket}/{key}")
    s3.put_object(Bucket=bucket, Key="path/manifest-with-input-data.json", Body=manifest(uris).encode())
    s3.put_object(Bucket=bucket, Key="path/label-categories.json", Body=categories(labels).encode())
    s3.put_object(Bucket=bucket, Key="path/worker-task-template.html", Body=TEMPLATE.encode(), ContentType="text/html")
    return uris
