"""The requester and admin: labeling jobs, their copies, what is reopened and taken out of them, tags, invitations, access keys; and a reader
who looks at manifests all the time."""

import datetime
import json
import subprocess
import threading
import time

from support.portal_session import PortalSession
from support.signed_http import AwsClient, Key
from support.small_png import encode_rgb
from workers_actor import SIZE
from world import PATIENCE, Actor, require, wait_for

PRE = "arn:aws:lambda:us-east-1:432418664414:function:PRE-SemanticSegmentation"
POST = "arn:aws:lambda:us-east-1:432418664414:function:ACS-SemanticSegmentation"
JOB_ARN = "arn:aws:sagemaker:us-east-1:111122223333:labeling-job/"
ENDED = ("Completed", "Stopped", "Failed")


class Event:
    """What the requester did to answers that were given: took a worker's answers out ("withdraw"), opened an object again ("reopen"), also
    without its answers ("discard")."""

    def __init__(self, kind, index=None, worker=None):
        self.kind, self.index, self.worker = kind, index, worker
        self.begin, self.end = time.monotonic(), None
        self.wall = datetime.datetime.now(datetime.timezone.utc)
        self.happened = None  # True: acknowledged, or seen; False: refused, or seen not to have happened; None: uncertain

    def takes_out(self, index, worker):
        """Whether it withdraws a submitted answer of that worker on that object."""
        return self.worker == worker if self.kind == "withdraw" else self.kind == "discard" and self.index == index

    def opens(self, index):
        return self.kind != "withdraw" and self.index == index

    def heard(self, happened):
        self.happened, self.end = happened, time.monotonic()

    def __repr__(self):
        return f"{self.kind} of {self.worker or self.index}: {self.happened}"


class Job:
    def __init__(self, name, photos, workers, source=None):
        """`source`: the job that it was made from, whose lines it shows."""
        self.name, self.photos, self.workers = name, photos, workers
        self.written = source.written if source else name  # what its manifest's lines say
        self.attribute = f"{name}-ref"
        self.inherited = set()  # keys that its input lines may have had before
        self.send = None  # creates it; again if nobody heard of the outcome
        self.events = []
        self.created = False  # acknowledged; None: uncertain
        self.stop = "no"  # "maybe", "yes"
        self.tags = [{}]
        self.labeled = 0  # as Describe said last
        self.manifest_labeled = 0
        self.ended = False

    def may_have(self, takes_effect):
        """Events that fit and may have happened."""
        return [event for event in self.events if event.happened is not False and takes_effect(event)]

    @property
    def disturbed(self):
        """Labels may have gone again."""
        return bool(self.may_have(lambda event: True))


class Jobs:
    """Known to all actors."""

    def __init__(self):
        self.mutex = threading.Lock()
        self.by_name = {}

    def add(self, job):
        with self.mutex:
            self.by_name[job.name] = job

    def all(self):
        with self.mutex:
            return list(self.by_name.values())

    def certain(self):
        return [job for job in self.all() if job.created]

    def may_be_stopped(self, name):
        return self.by_name[name].stop != "no"


def request_of(job):
    return {
        "LabelingJobName": job.name,
        "LabelAttributeName": f"{job.name}-ref",
        "InputConfig": {"DataSource": {"S3DataSource": {"ManifestS3Uri": f"s3://crash-work/{job.name}.manifest"}}},
        "OutputConfig": {"S3OutputPath": "s3://crash-work/out"},
        "RoleArn": "arn:aws:iam::111122223333:role/crash",
        "LabelCategoryConfigS3Uri": "s3://crash-work/labels.json",
        "HumanTaskConfig": {
            "WorkteamArn": "arn:aws:sagemaker:us-east-1:111122223333:workteam/private-crowd/crash",
            "UiConfig": {"UiTemplateS3Uri": "s3://crash-work/template.liquid"},
            "PreHumanTaskLambdaArn": PRE,
            "TaskTitle": "Turtles and divers",
            "TaskDescription": "Paint them.",
            "NumberOfHumanWorkersPerDataObject": job.workers,
            "TaskTimeLimitInSeconds": 7200,
            "TaskAvailabilityLifetimeInSeconds": 864000,
            "MaxConcurrentTaskCount": 1000,
            "AnnotationConsolidationConfig": {"AnnotationConsolidationLambdaArn": POST},
        },
        "Tags": [{"Key": "kind", "Value": "crash"}],
    }


TEMPLATE = """<script src="https://assets.crowd.aws/crowd-html-elements.js"></script><crowd-form>
<crowd-semantic-segmentation name="crowd-semantic-segmentation" src="{{ task.input.taskObject | grant_read_access }}"
 header="Paint" labels="{{ task.input.labels | to_json | escape }}"><full-instructions header="i"></full-instructions>
<short-instructions></short-instructions></crowd-semantic-segmentation></crowd-form>"""


class RequesterActor(Actor):
    def __init__(self, world, jobs):
        super().__init__(world, "requester")
        self.jobs = jobs
        self.admin = None
        self.client = None
        self.numbers = 0
        self.most_open = 5
        self.invitations = {}  # id -> (token, states): "open", "revoked", "used"
        self.joined = []  # (session, name) of invitations accepted here
        self.joining = None  # (invitation id, name) whose acceptance was not heard of
        self.access_keys = {}  # id -> (secret, states): "alive", "revoked"
        self.unheard_keys = 0
        self.first_keys = set()
        self.rounds = 0

    def set_up(self, admin_token):
        self.connect()
        self.first_keys = self.listed_keys()
        for bucket in ("crash-photos", "crash-work"):
            require(self.client.s3("PUT", f"/{bucket}").status == 200, "cannot make buckets")
        for i in range(8):
            photo = encode_rgb(*SIZE, lambda x, y, i=i: (x * 9 % 256, y * 15 % 256, i * 30))
            require(self.client.s3("PUT", f"/crash-photos/{i}.png", body=photo).status == 200, "cannot put a photo")
        labels = {"document-version": "2018-11-28", "labels": [{"label": "Turtle"}, {"label": "Diver"}]}
        require(self.client.s3("PUT", "/crash-work/labels.json", body=json.dumps(labels).encode()).status == 200, "labels")
        require(self.client.s3("PUT", "/crash-work/template.liquid", body=TEMPLATE.encode()).status == 200, "template")
        members = [{"CognitoMemberDefinition": {"UserPool": "us-east-1_pool", "UserGroup": "crash", "ClientId": "client"}}]
        reply = self.client.sagemaker("CreateWorkteam", WorkteamName="crash", Description="crash", MemberDefinitions=members)
        require(reply.status == 200, f"CreateWorkteam: {reply}")
        self.admin = PortalSession(self.world.address, timeout=PATIENCE)
        reply = self.admin.join(admin_token, "admin@example.com", "a long enough password")
        require(reply.status == 201, f"the admin cannot join: {reply}")

    def connect(self):
        self.client = self.world.aws()
        if self.admin:
            self.admin.moved(self.world.address)

    def invite(self, **members):
        reply = self.admin.call("POST", "/_/api/invitations", members)
        require(reply.status == 201, f"an invitation: {reply}")
        return reply.json()["invitation"]["id"], reply.json()["link"].split("#")[1]

    # ---- what they do ----

    def step(self):
        self.world.stop.wait(self.random.random() * 0.05)
        choice = self.random.choices(
            [self.create_job, self.stop_job, self.tag, self.untag, self.new_invitation, self.revoke_invitation, self.create_key, self.join,
             self.copy_job, self.reopen, self.withdraw],
            [10, 1, 3, 1, 2, 1, 0.15, 0.1, 2, 6, 0.6],
        )[0]
        choice()

    def create_job(self):
        if sum(not job.ended for job in self.jobs.all()) >= self.most_open:
            return
        self.numbers += 1
        photos = [self.random.randrange(8) for _ in range(self.random.randint(1, 8))]
        job = Job(f"job-{self.numbers}", photos, self.random.choice([1, 1, 2]))
        lines = [json.dumps({"source-ref": f"s3://crash-photos/{photo}.png", "line": i, "name": job.name}) for i, photo in enumerate(photos)]
        reply = self.client.s3("PUT", f"/crash-work/{job.name}.manifest", body=("\n".join(lines) + "\n").encode())
        require(reply.status == 200, f"the manifest: {reply}")
        job.created = None
        job.tags = [{"kind": "crash"}]
        job.send = self.send_job
        self.jobs.add(job)
        self.send_job(job)

    def send_job(self, job):
        reply = self.client.sagemaker("CreateLabelingJob", **request_of(job))
        require(reply.status == 200 and reply.json() == {"LabelingJobArn": JOB_ARN + job.name}, f"CreateLabelingJob: {reply}")
        job.created = True
        self.world.count("jobs")

    # As the console does: a clone labels the same photos, a chained job those of another's output manifest.
    def copy_job(self):
        source = self.some_job()
        if not source or sum(not job.ended for job in self.jobs.all()) >= self.most_open:
            return
        chained = source.ended and self.random.random() < 0.7
        self.numbers += 1
        job = Job(f"job-{self.numbers}", source.photos, source.workers, source)
        body = {"new_name": job.name}
        if chained:
            body["label_attribute"] = job.attribute
            job.inherited = source.inherited | {source.attribute, source.attribute + "-metadata"}
        else:
            job.attribute, job.inherited = source.attribute, set(source.inherited)
        path = f"/_/api/requester/jobs/{source.name}/{'chain' if chained else 'clone'}"
        job.tags = [None]  # its own; whether it has any is not asked

        def send(again):
            reply = self.patient("POST", path, body)
            require(reply.status == 201 and reply.json()["job"]["name"] == again.name, f"{path}: {reply}")
            again.created = True
            self.world.count("chained jobs" if chained else "cloned jobs")

        job.send, job.created = send, None
        self.jobs.add(job)
        send(job)

    def patient(self, method, path, body=None):
        """The admin's request, made again while the rate is over."""
        while (reply := self.admin.call(method, path, body)).status == 429:
            time.sleep(int(reply.header("Retry-After", "1")))
        return reply

    # So many workers there are that none of these leaves an object without somebody who may still answer it.
    def reopen(self):
        job = self.some_job()
        if not job or job.ended:
            return
        index = self.random.randrange(len(job.photos))
        before = job.may_have(lambda event: event.opens(index))
        discard = self.random.random() < 0.5 and not any(event.kind == "discard" for event in before)
        if len(before) >= 2:
            return
        event = Event("discard" if discard else "reopen", index)
        job.events.append(event)
        reply = self.admin.call("POST", f"/_/api/requester/jobs/{job.name}/objects/{index}/reopen", {"discard_answers": discard})
        require(reply.status in (200, 409, 429), f"reopening object {index} of {job.name}: {reply}")
        event.heard(reply.status == 200)
        if event.happened:
            self.world.count("objects reopened")

    def withdraw(self):
        job = self.some_job()
        if not job or job.may_have(lambda event: event.kind == "withdraw"):
            return
        statistics = self.patient("GET", f"/_/api/requester/jobs/{job.name}/workers")
        require(statistics.status == 200, f"workers of {job.name}: {statistics}")
        found = [each["worker_id"] for each in statistics.json()["workers"] if each["submitted"]]
        if not found:
            return
        event = Event("withdraw", worker=self.random.choice(found))
        job.events.append(event)
        reply = self.admin.call("POST", f"/_/api/requester/jobs/{job.name}/workers/{event.worker}/withdraw")
        require(reply.status in (200, 404, 409, 429), f"withdrawing {event.worker} from {job.name}: {reply}")
        event.heard(reply.status == 200)
        if event.happened:
            self.world.count("workers taken out")
            self.look_for_withdrawal(job, event)

    def look_for_withdrawal(self, job, event):
        """Taking a worker out happens to all of their answers, or to none: which, or None if they had given none."""
        flags = {}
        for index in range(len(job.photos)):
            if job.may_have(lambda other, index=index: other.kind == "discard" and other.index == index):
                continue  # an answer may be out for that reason
            reply = self.patient("GET", f"/_/api/requester/jobs/{job.name}/objects/{index}/answers")
            require(reply.status == 200, f"answers of object {index} of {job.name}: {reply}")
            for each in reply.json()["answers"]:
                submitted = datetime.datetime.fromisoformat(each["submitted"].replace("Z", "+00:00"))
                if each["worker_id"] == event.worker and submitted < event.wall:
                    flags[each["assignment_id"]] = each["withdrawn"]
        require(len(set(flags.values())) <= 1, f"{event} in {job.name}: only a part of the answers is out: {flags}")
        happened = next(iter(flags.values()), None)
        require(event.happened is not True or happened is not False, f"{event} in {job.name}, which was acknowledged: {flags}")
        return happened

    def settle_events(self, job):
        for event in job.events:
            if event.happened is None and event.end is None and event.kind == "withdraw":
                happened = self.look_for_withdrawal(job, event)
                if happened is not None:
                    event.heard(happened)
            # Whether an object was opened again cannot be told once workers go on: both stay possible.
            if event.happened is None and event.end is None:
                event.end = time.monotonic()

    def some_job(self):
        jobs = self.jobs.certain()
        return self.random.choice(jobs[-6:]) if jobs else None

    def stop_job(self):
        job = self.some_job()
        if not job or job.ended or job.stop != "no":
            return
        job.stop = "maybe"
        reply = self.client.sagemaker("StopLabelingJob", LabelingJobName=job.name)
        if reply.status == 400 and "in status Completed" in reply.text:
            job.stop = "no"
            return
        require(reply.status == 200, f"StopLabelingJob {job.name}: {reply}")
        job.stop = "yes"

    def tag(self):
        job = self.some_job()
        if job and job.tags[0] is not None:
            change = {f"key-{self.random.randrange(5)}": f"value {self.random.randrange(1000)}"}
            job.tags.append({**job.tags[0], **change})
            tags = [{"Key": key, "Value": value} for key, value in change.items()]
            reply = self.client.sagemaker("AddTags", ResourceArn=JOB_ARN + job.name, Tags=tags)
            require(reply.status == 200, f"AddTags: {reply}")
            job.tags = job.tags[-1:]

    def untag(self):
        job = self.some_job()
        if job and job.tags[0]:
            key = self.random.choice(sorted(job.tags[0]))
            job.tags.append({k: v for k, v in job.tags[0].items() if k != key})
            reply = self.client.sagemaker("DeleteTags", ResourceArn=JOB_ARN + job.name, TagKeys=[key])
            require(reply.status == 200, f"DeleteTags: {reply}")
            job.tags = job.tags[-1:]

    def new_invitation(self):
        if len([1 for _, states in self.invitations.values() if states == ["open"]]) < 20:
            invitation, token = self.invite(groups=["others"])
            self.invitations[invitation] = (token, ["open"])

    def open_invitation(self):
        found = [id for id, (_, states) in self.invitations.items() if states == ["open"]]
        return self.random.choice(found) if found else None

    def revoke_invitation(self):
        invitation = self.open_invitation()
        if invitation:
            token, states = self.invitations[invitation]
            states.append("revoked")
            reply = self.admin.call("DELETE", f"/_/api/invitations/{invitation}")
            require(reply.status == 200, f"revoking an invitation: {reply}")
            self.invitations[invitation] = (token, ["revoked"])

    def join(self):
        invitation = self.open_invitation()
        if invitation:
            token, states = self.invitations[invitation]
            name = f"{invitation}@example.com"
            states.append("used")
            self.joining = (invitation, name)
            session = PortalSession(self.world.address)
            reply = session.join(token, name, "a long enough password")
            require(reply.status == 201, f"accepting an invitation: {reply}")
            self.invitations[invitation] = (token, ["used"])
            self.joining = None
            self.joined.append((session, name))

    # The command is killed too, now and then.
    def create_key(self):
        if self.access_keys and self.random.random() < 0.3:
            key_id = self.random.choice(list(self.access_keys))
            secret, states = self.access_keys[key_id]
            if states == ["alive"]:
                states.append("revoked")
                if self.command_killed_sometimes("keys", "revoke", key_id) is not None:
                    self.access_keys[key_id] = (secret, ["revoked"])
            return
        text = self.command_killed_sometimes("keys", "create", "--json")
        if text is None:
            self.unheard_keys += 1
        else:
            made = json.loads(text)
            self.access_keys[made["AccessKeyId"]] = (made["SecretAccessKey"], ["alive"])

    def command_killed_sometimes(self, *arguments):
        command = [self.world.program, *arguments, "--data-dir", str(self.world.data)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            output, errors = process.communicate(timeout=self.random.random() * 2 if self.random.random() < 0.3 else 60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return None
        require(process.returncode == 0, f"terrapin {' '.join(arguments)}: {errors}")
        return output

    # ---- what must be there ----

    def describe(self, job):
        return self.client.sagemaker("DescribeLabelingJob", LabelingJobName=job.name)

    def settle(self):
        self.rounds += 1
        for job in self.jobs.all():
            if job.created is None:
                reply = self.describe(job)
                if reply.status == 200:
                    job.created = True
                else:
                    require(reply.json()["__type"] == "ResourceNotFound", f"DescribeLabelingJob {job.name}: {reply}")
                    job.send(job)  # as a client does whose request was not answered
            elif not job.ended or self.random.random() < 0.05:
                self.check_job(job)
            if len(job.tags) > 1:
                self.check_tags(job)
            self.settle_events(job)
        self.settle_invitations()
        self.settle_keys()

    def check_job(self, job):
        reply = self.describe(job)
        require(reply.status == 200, f"labeling job {job.name}, which was acknowledged: {reply}")
        body = reply.json()
        status = body["LabelingJobStatus"]
        allowed = {"no": ("Initializing", "InProgress", "Completed"), "yes": ("Stopping", "Stopped")}.get(
            job.stop, ("Initializing", "InProgress", "Completed", "Stopping", "Stopped")
        )
        require(status in allowed, f"labeling job {job.name} is {status} ({body.get('FailureReason')}); expected one of {allowed}")
        if job.stop == "maybe":
            job.stop = "yes" if status.startswith("Stop") else "no"
        job.ended = status in ENDED
        return body

    def check_tags(self, job):
        if job.tags[0] is None:
            return
        reply = self.client.sagemaker("ListTags", ResourceArn=JOB_ARN + job.name)
        require(reply.status == 200, f"ListTags: {reply}")
        found = {each["Key"]: each["Value"] for each in reply.json()["Tags"]}
        require(found in job.tags, f"tags of {job.name}: {found}, expected one of {job.tags}")
        job.tags = [found]

    def settle_invitations(self):
        reply = self.admin.call("GET", "/_/api/invitations")
        require(reply.status == 200, f"invitations: {reply}")
        there = {each["id"] for each in reply.json()["invitations"]}
        for invitation, (token, states) in self.invitations.items():
            if invitation in there:
                require("open" in states, f"invitation {invitation} is open again; it was {states}")
                self.invitations[invitation] = (token, ["open"])
            else:
                require(states != ["open"], f"invitation {invitation}, which was acknowledged, is gone")
                self.invitations[invitation] = (token, [states[-1]])
        if self.joining:
            invitation, name = self.joining
            self.joining = None
            if self.invitations[invitation][1] == ["used"]:
                session = PortalSession(self.world.address)
                reply = session.sign_in(name, "a long enough password")
                require(reply.status == 200, f"the invitation of {name} is used up, and they cannot sign in: {reply}")
                self.joined.append((session, name))
        for session, name in self.joined[-2:]:
            session.moved(self.world.address)
            reply = session.call("GET", "/_/api/me")
            require(reply.status == 200 and reply.json()["account"]["name"] == name, f"the session of {name}: {reply}")

    def settle_keys(self):
        for key_id, (secret, states) in list(self.access_keys.items())[-4:]:
            reply = AwsClient(self.world.address, Key(key_id, secret)).s3("GET", "/")
            require(reply.status in (200, 403), f"key {key_id}: {reply}")
            state = "alive" if reply.status == 200 else "revoked"
            require(state in states, f"access key {key_id} is {state}; it was acknowledged as {states}")
            self.access_keys[key_id] = (secret, [state])

    def listed_keys(self):
        return {each["AccessKeyId"] for each in json.loads(self.world.command("keys", "list", "--json"))}

    def verify(self):
        self.settle()
        for job in self.jobs.all():
            self.check_job(job)
            self.check_tags(job)
        for key_id, (secret, states) in self.access_keys.items():
            reply = AwsClient(self.world.address, Key(key_id, secret)).s3("GET", "/")
            require(("alive" if reply.status == 200 else "revoked") in states, f"access key {key_id}: {reply.status}, expected {states}")
        names = self.listed_keys() - self.first_keys
        alive = {key_id for key_id, (_, states) in self.access_keys.items() if states == ["alive"]}
        require(alive <= names, f"keys {alive - names} are gone")
        require(len(names - alive) <= self.unheard_keys, f"keys that nobody made: {names - alive}")


def labels_of(job, text, where):
    """Checks a manifest, whole: every line parses, in the input's order. Returns (labeled, failed, unlabeled)."""
    require(text.endswith("\n"), f"{where}: does not end in a line end")
    lines = text.split("\n")[:-1]
    require(len(lines) == len(job.photos), f"{where}: {len(lines)} lines, the input has {len(job.photos)}")
    labeled = failed = 0
    for i, (line, photo) in enumerate(zip(lines, job.photos)):
        try:
            record = json.loads(line)
        except ValueError as error:
            require(False, f"{where}, line {i + 1}: {error}: {line[:200]}")
        expected = {"source-ref": f"s3://crash-photos/{photo}.png", "line": i, "name": job.written}
        attribute = job.attribute
        require({key: record.get(key) for key in expected} == expected, f"{where}, line {i + 1}: {line}")
        require(set(record) <= set(expected) | job.inherited | {attribute, attribute + "-metadata"}, f"{where}, line {i + 1}: {line}")
        if attribute in record:
            require("internal-color-map" in record[attribute + "-metadata"], f"{where}, line {i + 1}: {line}")
            labeled += 1
        elif attribute + "-metadata" in record:
            failed += 1
    return labeled, failed, len(lines) - labeled - failed


def manifest_key(job, final):
    return f"out/{job.name}/" + ("manifests/output/output.manifest" if final else "annotations/intermediate/1/output.manifest")


class ReaderActor(Actor):
    """Reads manifests and counters all the time."""

    def __init__(self, world, jobs):
        super().__init__(world, "reader")
        self.jobs = jobs
        self.client = None
        self.behind = 0

    def connect(self):
        self.client = self.world.aws()

    def step(self):
        jobs = self.jobs.certain()
        if not jobs:
            self.world.stop.wait(0.02)
            return
        self.look(self.random.choice(jobs[-5:]))

    def counters(self, job):
        reply = self.client.sagemaker("DescribeLabelingJob", LabelingJobName=job.name)
        require(reply.status == 200, f"labeling job {job.name}: {reply}")
        body = reply.json()
        counters = body["LabelCounters"]
        return body["LabelingJobStatus"], (counters["TotalLabeled"], counters["FailedNonRetryableError"], counters["Unlabeled"])

    def manifest(self, job, final):
        reply = self.client.s3("GET", "/crash-work/" + manifest_key(job, final))
        if reply.status == 404:
            return None
        require(reply.status == 200, f"the manifest of {job.name}: {reply}")
        return labels_of(job, reply.text, f"{'final' if final else 'intermediate'} manifest of {job.name}")

    def look(self, job):
        status, before = self.counters(job)
        final = status in ("Completed", "Stopped")
        shown = self.manifest(job, final)
        require(shown or not final, f"labeling job {job.name} is {status} and has no output manifest")
        if not shown:
            return
        self.world.count("manifests read")
        # Only what the requester opens again or takes out may go.
        require(job.disturbed or shown[0] >= job.manifest_labeled, f"the manifest of {job.name} had {job.manifest_labeled} labels, now {shown[0]}")
        job.manifest_labeled = shown[0]
        require(job.disturbed or before[0] >= job.labeled, f"counters of {job.name} said {job.labeled} labels, now {before[0]}")
        job.labeled = before[0]
        if before != shown and self.counters(job)[1] == before:
            self.behind += 1
            self.agree(job)

    def agree(self, job):
        """Counters and manifest, once nothing happens between the two looks at the counters."""

        def same():
            _, before = self.counters(job)
            status, _ = self.counters(job)
            shown = self.manifest(job, status in ("Completed", "Stopped"))
            return shown in (before, self.counters(job)[1])

        wait_for(same, 20, f"counters of {job.name} equal its manifest")

    def verify(self):
        for job in self.jobs.certain():
            self.look(job)
            self.agree(job)

