"""Base classes of the API tests: one service for all files of a run, AWS's clients of it, and what a refusal must say."""

import atexit
import contextlib
import json
import re
import secrets
import time
import unittest

import botocore
from botocore.exceptions import ClientError

from support import labeling_material
from support.terrapin_server import ACCOUNT, REGION, TerrapinServer

BOTOCORE = tuple(int(part) for part in botocore.__version__.split(".")[:2])
_shared = None


def shared_server():
    """The service that all cases of this process use; it ends with the process."""
    global _shared
    if _shared is None:
        _shared = TerrapinServer().start()
        atexit.register(_shared.close)
    return _shared


def unique(start="t"):
    """A name that no other test uses; fits buckets, jobs, teams."""
    return f"{start}-{secrets.token_hex(6)}"


class AwsCase(unittest.TestCase):
    """`server`, `s3`, `sagemaker`; the raw_ ones send what the clients' own checks would stop."""

    maxDiff = None
    own_server = False  # True: a service for this class alone
    server_options = ()
    region = REGION

    @classmethod
    def setUpClass(cls):
        if cls.own_server or cls.server_options or cls.region != REGION:
            cls.server = TerrapinServer(cls.server_options, cls.region).start()
            cls.addClassCleanup(cls.server.close)
        else:
            cls.server = shared_server()
        cls.s3 = cls.server.client("s3")
        cls.sagemaker = cls.server.client("sagemaker")
        cls.raw_s3 = cls.server.client("s3", validate=False)
        cls.raw_sagemaker = cls.server.client("sagemaker", validate=False)

    @contextlib.contextmanager
    def refused(self, code, message=None, status=400):
        """The block must fail with exactly this. `message`: the text, or a compiled pattern that it must hold."""
        with self.assertRaises(ClientError) as caught:
            yield caught
        answer = caught.exception.response
        error = answer["Error"]
        # Two SageMaker error shapes spell the member `Message`, the others `message`.
        text = error.get("Message") or answer.get("Message") or answer.get("message") or ""
        self.assertEqual((error["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]), (code, status), text)
        if isinstance(message, re.Pattern):
            self.assertRegex(text, message)
        elif message is not None:
            self.assertEqual(text, message)

    def invalid(self, message):
        """ValidationException with that text."""
        return self.refused("ValidationException", message)

    def assert_last_page_only(self, pages, member, count):
        """All pages but the last are full, and no name shows twice."""
        names = [item for page in pages for item in page[member]]
        self.assertEqual(len(names), count)
        self.assertTrue(all(page.get("NextToken") for page in pages[:-1]))
        self.assertNotIn("NextToken", pages[-1])

    def wait_for(self, condition, what, timeout_s=120):
        """Asks until `condition()` is true and returns what it gave."""
        end = time.monotonic() + timeout_s
        while True:
            result = condition()
            if result:
                return result
            if time.monotonic() > end:
                self.fail(f"{what}: not within {timeout_s} s")
            time.sleep(0.02)


class S3Case(AwsCase):
    """Each test has a bucket of its own."""

    def setUp(self):
        self.bucket = unique("b")
        self.s3.create_bucket(Bucket=self.bucket)

    def put(self, key, body=b"content", **members):
        return self.s3.put_object(Bucket=self.bucket, Key=key, Body=body, **members)

    def keys(self, bucket=None):
        listed = self.s3.list_objects_v2(Bucket=bucket or self.bucket)
        return [item["Key"] for item in listed.get("Contents", [])]

    def no_such_bucket(self):
        return self.refused("NoSuchBucket", "The specified bucket does not exist", 404)

    def no_such_key(self):
        return self.refused("NoSuchKey", "The specified key does not exist.", 404)

    def no_such_upload(self):
        return self.refused("NoSuchUpload", "The specified upload does not exist. The upload ID may be invalid, or the upload "
                            "may have been aborted or completed.", 404)

    def not_found(self):
        """HEAD has no body: the clients know the status only."""
        return self.refused("404", "Not Found", 404)

    def access_denied(self):
        return self.refused("AccessDenied", "Access Denied", 403)

    def stranger(self):
        """A client whose key may use another bucket only."""
        return self.server.client("s3", self.server.key_of("requester", "other", ["elsewhere"]))

    def start_upload(self, key="large", **members):
        return self.s3.create_multipart_upload(Bucket=self.bucket, Key=key, **members)["UploadId"]

    def upload_parts(self, key, upload, bodies):
        """Uploads them as parts 1, 2, ... Returns what CompleteMultipartUpload takes."""
        return [{"PartNumber": number,
                 "ETag": self.s3.upload_part(Bucket=self.bucket, Key=key, UploadId=upload, PartNumber=number, Body=body)["ETag"]}
                for number, body in enumerate(bodies, start=1)]

    def complete(self, key, upload, parts, **members):
        return self.s3.complete_multipart_upload(Bucket=self.bucket, Key=key, UploadId=upload,
                                                 MultipartUpload={"Parts": parts}, **members)


class SageMakerCase(AwsCase):
    """Work teams and jobs with what they need."""

    def account_pool(self):
        """The user pool and client of the private workforce."""
        config = self.sagemaker.list_workforces()["Workforces"][0]["CognitoConfig"]
        return {"UserPool": config["UserPool"], "ClientId": config["ClientId"]}

    def member(self, group):
        return {"CognitoMemberDefinition": {**self.account_pool(), "UserGroup": group}}

    def make_team(self, name=None, group=None, **members):
        """Returns the ARN."""
        name = name or unique("team")
        members.setdefault("Description", "Paints turtles")
        return self.sagemaker.create_workteam(
            WorkteamName=name, MemberDefinitions=[self.member(group or name)], **members)["WorkteamArn"]

    def job_request(self, name=None, team=None, workers=1, **material):
        """A request with every member, and all that it names."""
        bucket = unique("b")
        labeling_material.upload(self.s3, bucket, **material)
        return labeling_material.labeling_request(bucket, team or self.make_team(), name or unique("job"), workers)

    def make_job(self, **options):
        """Returns the job's name."""
        request = self.job_request(**options)
        self.sagemaker.create_labeling_job(**request)
        return request["LabelingJobName"]

    def describe(self, name):
        return self.sagemaker.describe_labeling_job(LabelingJobName=name)

    def wait_for_status(self, name, *statuses):
        def reached():
            job = self.describe(name)
            if job["LabelingJobStatus"] == "Failed" and "Failed" not in statuses:
                self.fail(f"job {name} failed: {job.get('FailureReason')}")
            return job if job["LabelingJobStatus"] in statuses else None
        return self.wait_for(reached, f"status {' or '.join(statuses)} of job {name}")

    def arn(self, resource):
        return f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:{resource}"

    def constraint(self, value, path, *rules):
        """AWS's sentence about one member and each rule that it breaks. `value` None: a missing one."""
        shown = "null" if value is None else f"'{value}'"
        broken = "; ".join(f"Value {shown} at '{path}' failed to satisfy constraint: Member must {rule}" for rule in rules)
        return f"{len(rules)} validation error{'s' if len(rules) > 1 else ''} detected: {broken}"

    def post(self, operation, document):
        """A request as the document says: (status, answer). The clients send whole seconds and members that they know."""
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        status, _, answer = self.server.signed("sagemaker", "POST", "/", body, {
            "Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "SageMaker." + operation})
        return status, json.loads(answer or b"null")

    def page_through(self, operation, size, **members):
        """All pages by NextToken."""
        pages = [operation(MaxResults=size, **members)]
        while "NextToken" in pages[-1]:
            pages.append(operation(MaxResults=size, NextToken=pages[-1]["NextToken"], **members))
        return pages


NOT_NULL = "not be null"
MATCH = "satisfy regular expression pattern: "
JOB_NAME_PATTERN = r"satisfy regular expression pattern: [a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}"
