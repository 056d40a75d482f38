"""What every attack uses: one service for all, people and keys in it, and a look at the service afterwards.

Each test is one attack; its docstring is one sentence on what the attacker would gain. After every attack the service must
be alive, and no answer on the way may have told a path of the host, a secret, or an internal failure."""

import atexit
import itertools
import json
import secrets
import time
import unittest

from support.portal_session import PortalSession
from support.signed_http import AwsClient, Connection, Key, Signed, exchange, presigned
from support.small_png import encode_rgb
from support.terrapin_server import TerrapinServer

PASSWORD = "a long enough password"
PRE = "arn:aws:lambda:us-east-1:432418664414:function:PRE-SemanticSegmentation"
POST = "arn:aws:lambda:us-east-1:432418664414:function:ACS-SemanticSegmentation"
TEAM = "arn:aws:sagemaker:us-east-1:111122223333:workteam/private-crowd/"
SIZE = (24, 16)
TEMPLATE = """<script src="https://assets.crowd.aws/crowd-html-elements.js"></script><crowd-form>
<crowd-semantic-segmentation name="crowd-semantic-segmentation" src="{{ task.input.taskObject | grant_read_access }}"
 header="Paint" labels="{{ task.input.labels | to_json | escape }}"><full-instructions header="i"></full-instructions>
<short-instructions></short-instructions></crowd-semantic-segmentation></crowd-form>"""

_server = None
_addresses = itertools.count(2)


def server():
    """The service that all attacks share: its log tells everything that it ever tells."""
    global _server
    if _server is None:
        _server = TerrapinServer(["--log-level", "debug"]).start()
        atexit.register(_server.close)
    return _server


def fresh_address():
    """An address of this host that nobody used: the service counts attempts by address."""
    number = next(_addresses)
    return (f"127.1.{number >> 8}.{number & 255}", 0)


def unique(start="a"):
    return f"{start}-{secrets.token_hex(6)}"


def text_of(message):
    return message if isinstance(message, str) else json.dumps(message)


class AttackCase(unittest.TestCase):
    maxDiff = None
    own_server = None  # options of a service for this class alone

    @classmethod
    def setUpClass(cls):
        if cls.own_server is None:
            cls.server = server()
        else:
            cls.server = TerrapinServer(["--log-level", "debug", *cls.own_server]).start()
            cls.addClassCleanup(cls.server.close)
        cls.key = Key(cls.server.key.id, cls.server.key.secret)
        cls.address = cls.server.address
        cls.authority = f"{cls.address[0]}:{cls.address[1]}"
        cls.data = cls.server.data_dir

    def setUp(self):
        self.replies = []
        self.aws = AwsClient(self.address, self.key)

    def tearDown(self):
        reply = exchange(self.address, f"GET /healthz HTTP/1.1\r\nHost: {self.authority}\r\n\r\n".encode())
        self.assertEqual(reply.status, 200, "the service is not well after the attack")
        for reply in self.replies:
            self.check_told(reply)

    def check_told(self, reply):
        """An answer tells neither the host's paths nor secrets, and blames nobody for a failure inside."""
        if reply.status >= 400:
            self.assertNotEqual(reply.status, 500, reply)
            self.assertNotIn(str(self.server.folder), reply.text)
            self.assertNotIn(self.key.secret, reply.text)
            self.assertNotIn("terrapin::", reply.text)

    # ---- sending ----

    def heard(self, reply):
        self.replies.append(reply)
        return reply

    def send(self, request, method="GET"):
        """A Signed, or bytes, on a connection of its own."""
        if isinstance(request, Signed):
            method, request = request.method, request.bytes()
        return self.heard(exchange(self.address, request, 60, method))

    def signed(self, method, path, key=None, **members):
        return Signed((key or self.key), method, path, self.authority, **members)

    def follow(self, target, method="GET", body=b"", headers=()):
        """A link, as a browser follows it."""
        connection = Connection(*self.address)
        try:
            return self.heard(connection.request(method, target, headers, body))
        finally:
            connection.close()

    def link(self, method, path, key=None, **members):
        return presigned(key or self.key, method, path, self.authority, **members)

    def client(self, key):
        return AwsClient(self.address, key)

    # ---- what there is ----

    def bucket(self):
        name = unique("b")
        reply = self.aws.s3("PUT", f"/{name}")
        self.assertEqual(reply.status, 200, reply)
        return name

    def put(self, bucket, key, body=b"content", **headers):
        fields = [(name.replace("_", "-"), value) for name, value in headers.items()]
        reply = self.aws.s3("PUT", f"/{bucket}/{key}", headers=fields, body=body)
        self.assertEqual(reply.status, 200, reply)

    def content(self, bucket, key):
        """The object's bytes; None if there is none."""
        reply = self.aws.s3("GET", f"/{bucket}/{key}")
        self.assertIn(reply.status, (200, 404), reply)
        return reply.body if reply.status == 200 else None

    def new_key(self, scope="requester", owner=None, buckets=()):
        made = self.server.create_key(scope, owner or unique("owner"), buckets)
        return Key(made.id, made.secret)

    def person(self, group="nobody", role="worker", name=None):
        session = PortalSession(self.address, fresh_address())
        reply = session.join(self.server.invitation(group, role), name or unique("person") + "@example.com", PASSWORD)
        self.assertEqual(reply.status, 201, reply)
        return session

    def stranger(self):
        """Somebody without a session."""
        return PortalSession(self.address, fresh_address())

    def team(self):
        """A work team; its group has the same name."""
        name = unique("team")
        members = [{"CognitoMemberDefinition": {"UserPool": "us-east-1_pool", "UserGroup": name, "ClientId": "client"}}]
        reply = self.aws.sagemaker("CreateWorkteam", WorkteamName=name, Description="attack", MemberDefinitions=members)
        self.assertEqual(reply.status, 200, reply)
        return name

    def photo(self):
        return encode_rgb(*SIZE, lambda x, y: (x * 9, y * 9, 99))

    def job_files(self, bucket, lines=None, template=TEMPLATE, photos=2, labels=None):
        for index in range(photos):
            self.put(bucket, f"{index}.png", self.photo())
        lines = lines if lines is not None else [json.dumps({"source-ref": f"s3://{bucket}/{i}.png"}) for i in range(photos)]
        self.put(bucket, "input.manifest", ("\n".join(lines) + "\n").encode())
        self.put(bucket, "labels.json", labels or json.dumps({"labels": [{"label": "Turtle"}]}).encode())
        self.put(bucket, "template.html", template.encode())

    def job_request(self, bucket, team, **changes):
        name = unique("job")
        request = {
            "LabelingJobName": name,
            "LabelAttributeName": "mask-ref",
            "InputConfig": {"DataSource": {"S3DataSource": {"ManifestS3Uri": changes.get("manifest", f"s3://{bucket}/input.manifest")}}},
            "OutputConfig": {"S3OutputPath": changes.get("output", f"s3://{bucket}/out")},
            "RoleArn": "arn:aws:iam::111122223333:role/x",
            "LabelCategoryConfigS3Uri": changes.get("labels", f"s3://{bucket}/labels.json"),
            "HumanTaskConfig": {
                "WorkteamArn": TEAM + team,
                "UiConfig": {"UiTemplateS3Uri": changes.get("template", f"s3://{bucket}/template.html")},
                "PreHumanTaskLambdaArn": changes.get("pre", PRE),
                "TaskTitle": "t",
                "TaskDescription": "d",
                "NumberOfHumanWorkersPerDataObject": changes.get("workers", 1),
                "TaskTimeLimitInSeconds": 3600,
                "TaskAvailabilityLifetimeInSeconds": 3600,
                "AnnotationConsolidationConfig": {"AnnotationConsolidationLambdaArn": changes.get("post", POST)},
            },
        }
        return name, request

    def job(self, bucket, team, key=None, **changes):
        name, request = self.job_request(bucket, team, **changes)
        reply = (self.client(key) if key else self.aws).sagemaker("CreateLabelingJob", **request)
        self.assertEqual(reply.status, 200, reply)
        return name

    def wait_for_job(self, name, *statuses):
        return self.wait_for(lambda: self.job_if(name, statuses), f"job {name} is {' or '.join(statuses)}")

    def job_if(self, name, statuses):
        body = self.aws.sagemaker("DescribeLabelingJob", LabelingJobName=name).json()
        if body["LabelingJobStatus"] == "Failed" and "Failed" not in statuses:
            self.fail(f"job {name}: {body.get('FailureReason')}")
        return body if body["LabelingJobStatus"] in statuses else None

    def wait_for(self, condition, what, seconds=60):
        deadline = time.monotonic() + seconds
        while True:
            result = condition()
            if result:
                return result
            self.assertLess(time.monotonic(), deadline, f"{what}: not within {seconds} s")
            time.sleep(0.02)

    def task(self, worker, job, another=False):
        """A task of the job for that worker; `another`: beside those they hold."""
        self.wait_for_job(job, "InProgress")
        reply = worker.call("POST", "/_/api/assignments", {"job": job, "prefetch": another})
        self.assertEqual(reply.status, 201, reply)
        return reply.json()["assignment"]["id"]

    def labeled_team_job(self, worker_count=1, **files):
        """A job in progress, its bucket, and workers of its team."""
        team, bucket = self.team(), self.bucket()
        self.job_files(bucket, **files)
        job = self.job(bucket, team)
        return job, bucket, [self.person(team) for _ in range(worker_count)]

    # ---- what must hold ----

    def refused(self, reply, *statuses, code=None):
        self.assertIn(reply.status, statuses or (400, 401, 403, 404, 405), reply)
        if code:
            self.assertIn(code, reply.text)
        return reply

    def forget_memory_peak(self):
        """From now on memory_peak_mib() tells the most since."""
        with open(f"/proc/{self.server._process.pid}/clear_refs", "w", encoding="ascii") as file:
            file.write("5")

    def memory_peak_mib(self):
        """The most that the service held at one time, as the system counts."""
        for line in open(f"/proc/{self.server._process.pid}/status", encoding="ascii"):
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
        raise AssertionError("no VmHWM")
