#!/usr/bin/env python3
"""The smallest complete labeling run with AWS's client for Python: photos up, a job, one worker who paints, masks down.

Needs a running service and boto3, numpy and Pillow (Debian: python3-boto3 python3-numpy python3-pil):

    build/terrapin serve --data-dir data &           # prints the export lines for the next command: keys, address
    export AWS_ENDPOINT_URL=... AWS_ACCESS_KEY_ID=... AWS_SECRET_ACCESS_KEY=...
    build/terrapin people invite --data-dir data --group painters --url $AWS_ENDPOINT_URL
    examples/labeling.py LINK photo1.jpg photo2.jpg  # LINK: what the line before printed

Here a program stands in for the worker: it paints what is bright. People do the same in a browser.
"""

import base64
import http.client
import io
import json
import os
import pathlib
import sys
import time
import urllib.parse

import boto3
import numpy
import PIL.Image

ACCOUNT, REGION = "111122223333", os.environ.get("AWS_DEFAULT_REGION", "us-east-1")
FUNCTIONS = f"arn:aws:lambda:{REGION}:432418664414:function:"
TEMPLATE = """<script src="https://assets.crowd.aws/crowd-html-elements.js"></script>
<crowd-form><crowd-semantic-segmentation name="crowd-semantic-segmentation" src="{{ task.input.taskObject | grant_read_access }}"
  header="Paint what is bright." labels="{{ task.input.labels | to_json | escape }}">
  <full-instructions header="How">Paint every bright thing.</full-instructions><short-instructions>Paint every bright thing.</short-instructions>
</crowd-semantic-segmentation></crowd-form>"""


def client(service):
    return boto3.client(service, endpoint_url=os.environ["AWS_ENDPOINT_URL"], region_name=REGION)


def create_job(s3, sagemaker, photos, name):
    """Uploads the photos and what a job needs, makes the work team and the job."""
    bucket = name
    s3.create_bucket(Bucket=bucket)
    lines = []
    for photo in photos:
        s3.upload_file(str(photo), bucket, f"photos/{photo.name}")
        lines.append(json.dumps({"source-ref": f"s3://{bucket}/photos/{photo.name}"}))
    labels = {"document-version": "2018-11-28", "labels": [{"label": "Bright"}]}
    for key, text in (("input.manifest", "\n".join(lines)), ("labels.json", json.dumps(labels)), ("template.html", TEMPLATE)):
        s3.put_object(Bucket=bucket, Key=key, Body=text.encode())
    pool = sagemaker.list_workforces()["Workforces"][0]["CognitoConfig"]
    team = sagemaker.create_workteam(WorkteamName=name, Description="Painters",
                                     MemberDefinitions=[{"CognitoMemberDefinition": {**pool, "UserGroup": "painters"}}])["WorkteamArn"]
    sagemaker.create_labeling_job(
        LabelingJobName=name, LabelAttributeName="bright-ref", RoleArn=f"arn:aws:iam::{ACCOUNT}:role/Labeling",
        InputConfig={"DataSource": {"S3DataSource": {"ManifestS3Uri": f"s3://{bucket}/input.manifest"}}},
        OutputConfig={"S3OutputPath": f"s3://{bucket}"}, LabelCategoryConfigS3Uri=f"s3://{bucket}/labels.json",
        HumanTaskConfig={
            "WorkteamArn": team, "UiConfig": {"UiTemplateS3Uri": f"s3://{bucket}/template.html"}, "TaskTitle": "Bright things",
            "TaskDescription": "Paint every bright thing", "NumberOfHumanWorkersPerDataObject": 1, "TaskTimeLimitInSeconds": 3600,
            "PreHumanTaskLambdaArn": FUNCTIONS + "PRE-SemanticSegmentation",
            "AnnotationConsolidationConfig": {"AnnotationConsolidationLambdaArn": FUNCTIONS + "ACS-SemanticSegmentation"}})


class Worker:
    """What a browser does: docs/formats/worker-http.md."""

    def __init__(self, link):
        self.address = urllib.parse.urlsplit(link)
        self.headers = {"Content-Type": "application/json"}
        answer = self.call("POST", "/_/api/invitation/accept",
                           {"token": self.address.fragment, "name": f"painter{time.time_ns()}", "password": "paints bright things"})
        self.headers["X-CSRF-Token"] = answer["csrf"]

    def request(self, method, path, body=None):
        kind = http.client.HTTPSConnection if self.address.scheme == "https" else http.client.HTTPConnection
        connection = kind(self.address.netloc)
        connection.request(method, path, json.dumps(body) if body is not None else None, self.headers)
        answer = connection.getresponse()
        content = answer.read()
        if answer.status >= 300:
            sys.exit(f"{method} {path}: {answer.status} {content.decode(errors='replace')}")
        if answer.headers["Set-Cookie"]:
            self.headers["Cookie"] = answer.headers["Set-Cookie"].split(";")[0]
        return content

    def call(self, method, path, body=None):
        return json.loads(self.request(method, path, body))

    def paint_all(self, job):
        """Accepts, paints and submits until nothing is left."""
        while True:
            task = self.call("POST", "/_/api/assignments", {"job": job})["assignment"]
            if task is None:
                return
            content = self.call("GET", f"/_/api/assignments/{task['id']}/content")
            link = content["images"][content["task_input"]["taskObject"]]
            photo = PIL.Image.open(io.BytesIO(self.request("GET", link))).convert("L")
            color = content["colors"][0]
            mask = PIL.Image.fromarray((numpy.asarray(photo) > 128).astype(numpy.uint8), "P")
            mask.putpalette(b"\xff\xff\xff" + bytes.fromhex(color[1:]))
            file = io.BytesIO()
            mask.convert("RGB").save(file, "PNG")
            self.call("POST", f"/_/api/assignments/{task['id']}/submit", {"crowd-semantic-segmentation": {
                "inputImageProperties": {"width": photo.width, "height": photo.height},
                "labelMappings": {"Bright": {"color": color}},
                "labeledImage": {"pngImageData": base64.b64encode(file.getvalue()).decode()}}})


def wait(sagemaker, name, *statuses):
    while True:
        job = sagemaker.describe_labeling_job(LabelingJobName=name)
        if job["LabelingJobStatus"] in statuses:
            return job
        if job["LabelingJobStatus"] == "Failed":
            sys.exit(f"the job failed: {job['FailureReason']}")
        time.sleep(0.2)


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    link, photos = sys.argv[1], [pathlib.Path(name) for name in sys.argv[2:]]
    s3, sagemaker = client("s3"), client("sagemaker")
    name = f"bright-{time.time_ns()}"
    create_job(s3, sagemaker, photos, name)
    wait(sagemaker, name, "InProgress")
    Worker(link).paint_all(name)
    job = wait(sagemaker, name, "Completed")
    print(json.dumps(job["LabelCounters"]))
    bucket, _, key = job["LabelingJobOutput"]["OutputDatasetS3Uri"][len("s3://"):].partition("/")
    for line in s3.get_object(Bucket=bucket, Key=key)["Body"].iter_lines():
        print(line.decode())


if __name__ == "__main__":
    main()
