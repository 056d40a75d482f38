"""Keys and people who use what is not theirs."""

import json

from attack_case import AttackCase, unique
from support.signed_http import Key


class Scopes(AttackCase):
    def test_invoke_key(self):
        """An attacker with the key of an endpoint's caller would read photos and steer labeling jobs."""
        bucket = self.bucket()
        self.put(bucket, "a", b"secret bytes")
        key = self.new_key("invoke")
        client = self.client(key)
        for method, path, query in (
            ("GET", "/", ()), ("GET", f"/{bucket}", ()), ("GET", f"/{bucket}/a", ()), ("HEAD", f"/{bucket}/a", ()), ("PUT", f"/{bucket}/b", ()),
            ("DELETE", f"/{bucket}/a", ()), ("PUT", f"/{unique('b')}", ()), ("POST", f"/{bucket}/a", [("uploads", "")]), ("POST", f"/{bucket}", [("delete", "")]),
        ):
            with self.subTest(method=method, path=path):
                self.refused(self.heard(client.s3(method, path, query)), 403)
        self.refused(self.follow(self.link("GET", f"/{bucket}/a", key)), 403)
        for operation in ("ListLabelingJobs", "ListWorkteams", "ListWorkforces"):
            self.refused(self.heard(client.sagemaker(operation)), 400, code="AccessDeniedException")
        self.refused(client.sagemaker("StopLabelingJob", LabelingJobName="x"), 400, code="AccessDeniedException")
        self.assertEqual(self.content(bucket, "a"), b"secret bytes")

    def test_requester_on_workforces(self):
        """An attacker with a requester's key would let themselves into work teams, or lock workers out by their addresses."""
        team = self.team()
        client = self.client(self.new_key("requester"))
        name = self.aws.sagemaker("ListWorkforces").json()["Workforces"][0]["WorkforceName"]
        members = [{"CognitoMemberDefinition": {"UserPool": "us-east-1_pool", "UserGroup": "evil", "ClientId": "client"}}]
        for operation, request in (
            ("CreateWorkteam", {"WorkteamName": unique("t"), "Description": "x", "MemberDefinitions": members}),
            ("UpdateWorkteam", {"WorkteamName": team, "MemberDefinitions": members}),
            ("DeleteWorkteam", {"WorkteamName": team}),
            ("UpdateWorkforce", {"WorkforceName": name, "SourceIpConfig": {"Cidrs": ["192.0.2.0/24"]}}),
            ("DeleteWorkforce", {"WorkforceName": name}),
            ("AddTags", {"ResourceArn": f"arn:aws:sagemaker:us-east-1:111122223333:workteam/private-crowd/{team}", "Tags": [{"Key": "a", "Value": "b"}]}),
        ):
            with self.subTest(operation=operation):
                self.refused(self.heard(client.sagemaker(operation, **request)), 400, code="AccessDenied")
        self.assertEqual(self.aws.sagemaker("DescribeWorkteam", WorkteamName=team).status, 200)

    def restricted(self):
        """A bucket, a key that may use it alone and whose owner has no other, and a bucket that is not theirs with something in it."""
        mine, theirs = self.bucket(), self.bucket()
        self.put(theirs, "secret", b"secret bytes")
        self.job_files(mine)
        return mine, theirs, self.new_key(buckets=[mine])

    def test_other_buckets(self):
        """An attacker with a key for one bucket would read, list, change or remove another."""
        mine, theirs, key = self.restricted()
        client = self.client(key)
        self.assertEqual(client.s3("GET", f"/{mine}/0.png").status, 200)
        delete = b"<Delete><Object><Key>secret</Key></Object></Delete>"
        for method, path, query, body in (
            ("GET", f"/{theirs}", (), b""), ("GET", f"/{theirs}", [("list-type", "2")], b""), ("HEAD", f"/{theirs}", (), b""), ("GET", f"/{theirs}", [("location", "")], b""),
            ("GET", f"/{theirs}/secret", (), b""), ("HEAD", f"/{theirs}/secret", (), b""), ("PUT", f"/{theirs}/secret", (), b"evil"), ("DELETE", f"/{theirs}/secret", (), b""),
            ("POST", f"/{theirs}", [("delete", "")], delete), ("POST", f"/{theirs}/secret", [("uploads", "")], b""), ("GET", f"/{theirs}", [("uploads", "")], b""),
            ("DELETE", f"/{theirs}", (), b""), ("PUT", f"/{theirs}/secret", [("tagging", "")], b"<Tagging><TagSet/></Tagging>"), ("GET", f"/{theirs}/secret", [("attributes", "")], b""),
            ("GET", f"/{theirs}/secret", [("acl", "")], b""), ("PUT", f"/{unique('new')}", (), b""),
        ):
            with self.subTest(method=method, path=path, query=query):
                reply = self.refused(self.heard(client.s3(method, path, query, body=body)), 403)
                self.assertNotIn(b"secret bytes", reply.body)
        self.refused(self.follow(self.link("GET", f"/{theirs}/secret", key)), 403)
        self.assertEqual(self.content(theirs, "secret"), b"secret bytes")
        self.assertNotIn(theirs, client.s3("GET", "/").text)

    def test_copy_from_other_buckets(self):
        """An attacker with a key for one bucket would copy another's objects into it."""
        mine, theirs, key = self.restricted()
        client = self.client(key)
        for source in (f"/{theirs}/secret", f"{theirs}/secret", f"{theirs}%2Fsecret", f"/{mine}/../{theirs}/secret", f"/{theirs}/secret?versionId=null"):
            reply = client.s3("PUT", f"/{mine}/stolen", headers=[("x-amz-copy-source", source)])
            self.refused(self.heard(reply), 400, 403, 404)
        started = client.s3("POST", f"/{mine}/stolen", [("uploads", "")])
        upload = started.text.split("<UploadId>")[1].split("<")[0]
        part = [("partNumber", "1"), ("uploadId", upload)]
        self.refused(self.heard(client.s3("PUT", f"/{mine}/stolen", part, [("x-amz-copy-source", f"/{theirs}/secret")])), 403)
        self.assertIsNone(self.content(mine, "stolen"))

    def test_jobs_on_other_buckets(self):
        """An attacker with a key for one bucket would have a labeling job read from or write to another."""
        mine, theirs, key = self.restricted()
        self.job_files(theirs)
        team = self.team()
        before = self.aws.s3("GET", f"/{theirs}").text.count("<Key>")
        for changes in (
            {"output": f"s3://{theirs}/out"}, {"manifest": f"s3://{theirs}/input.manifest"}, {"labels": f"s3://{theirs}/labels.json"}, {"template": f"s3://{theirs}/template.html"},
            {"manifest": f"s3://{theirs}/"},
        ):
            with self.subTest(**changes):
                _, request = self.job_request(mine, team, **changes)
                self.refused(self.heard(self.client(key).sagemaker("CreateLabelingJob", **request)), 400, code="AccessDenied")
        self.assertEqual(self.aws.s3("GET", f"/{theirs}").text.count("<Key>"), before)

    def test_jobs_of_other_buckets(self):
        """An attacker with a key for one bucket would stop labeling jobs of another, or learn what they ask."""
        _, theirs, key = self.restricted()
        self.job_files(theirs)
        job = self.job(theirs, self.team())
        for operation in ("DescribeLabelingJob", "StopLabelingJob"):
            self.refused(self.heard(self.client(key).sagemaker(operation, LabelingJobName=job)), 400, code="AccessDenied")
        self.assertIn(self.aws.sagemaker("DescribeLabelingJob", LabelingJobName=job).json()["LabelingJobStatus"], ("Initializing", "InProgress"))

    def check_manifest(self, mine, theirs, key):
        team = self.team()
        self.put(theirs, "photo.png", self.photo())
        self.put(mine, "input.manifest", json.dumps({"source-ref": f"s3://{theirs}/photo.png"}).encode() + b"\n")
        job = self.job(mine, team, key)
        body = self.wait_for_job(job, "Failed", "InProgress")
        self.assertEqual(body["LabelingJobStatus"], "Failed", f"the job shows photos of {theirs} to workers")

    def test_manifest_of_other_buckets(self):
        """An attacker with a key for one bucket would look at another's photos by naming them in a manifest."""
        self.check_manifest(*self.restricted())

    def test_manifest_of_other_buckets_by_a_second_key(self):
        """An attacker with a key for one bucket would look at other buckets' photos with the rights that its owner's other keys have."""
        mine, theirs = self.bucket(), self.bucket()
        self.job_files(mine)
        made = json.loads(self.server.run("keys", "create", "--bucket", mine, "--json").stdout)  # owner: the default
        self.check_manifest(mine, theirs, Key(made["AccessKeyId"], made["SecretAccessKey"]))

    def test_template_of_other_buckets(self):
        """An attacker with a key for one bucket would have links to another's objects made by naming them in a template or a line."""
        mine, theirs, key = self.restricted()
        team = self.team()
        self.put(mine, "template.html", f'<img src="s3://{theirs}/secret"> {{{{ "s3://{theirs}/secret" | grant_read_access }}}}'.encode())
        self.put(mine, "input.manifest", json.dumps({"source-ref": f"s3://{mine}/0.png", "more": f"s3://{theirs}/secret"}).encode())
        job = self.job(mine, team, key)
        worker = self.person(team)
        content = worker.call("GET", f"/_/api/assignments/{self.task(worker, job)}/content").json()
        self.assertIn(f"s3://{mine}/0.png", content["images"])
        self.assertFalse([uri for uri, link in content["images"].items() if theirs in uri and link])

    def test_links_after_rights_are_gone(self):
        """An attacker would go on reading a bucket through tasks after the job owner's key to it was revoked."""
        mine, _, key = self.restricted()
        team = self.team()
        job = self.job(mine, team, key)
        worker = self.person(team)
        content = worker.call("GET", f"/_/api/assignments/{self.task(worker, job)}/content").json()
        [link] = content["images"].values()
        self.assertEqual(worker.call("GET", link).status, 200)
        self.server.run("keys", "revoke", key.id)
        self.refused(self.heard(worker.call("GET", link)), 403)

    def test_unregistered_functions(self):
        """An attacker with a requester's key would run commands of the host by naming them as annotation functions."""
        bucket, team = self.bucket(), self.team()
        self.job_files(bucket)
        lambda_arn = "arn:aws:lambda:us-east-1:111122223333:function:"
        for name in ("sh", "bin-sh", "../../bin/sh", "/bin/sh", "x;id", "PRE-Other", "http://127.0.0.1/"):
            for member in ("pre", "post"):
                with self.subTest(name=name, member=member):
                    _, request = self.job_request(bucket, team, **{member: lambda_arn + name})
                    reply = self.heard(self.client(self.new_key()).sagemaker("CreateLabelingJob", **request))
                    self.refused(reply, 400, code="ValidationException")
        for operation in ("CreateFunction", "RegisterFunction", "AddFunction"):
            self.refused(self.aws.sagemaker(operation, Name="x", Command=["/bin/sh"]), 400, code="UnknownOperation")

    def test_owner_claims(self):
        """An attacker would act as another owner by saying so: another account in ARNs, in headers or in the job's own members."""
        mine, theirs, key = self.restricted()
        client = self.client(key)
        self.refused(client.s3("GET", f"/{mine}/0.png", headers=[("x-amz-expected-bucket-owner", "999999999999")]), 403)
        for header in ("X-Forwarded-User", "X-Amz-Source-Account", "X-Remote-User", "X-Terrapin-Owner"):
            self.refused(self.heard(client.s3("GET", f"/{theirs}/secret", headers=[(header, "admin")])), 403)
        _, request = self.job_request(mine, self.team())
        request["Owner"] = "admin"
        self.refused(self.heard(client.sagemaker("CreateLabelingJob", **request)), 400)


