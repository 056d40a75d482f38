"""Annotation functions, webhooks and identity providers: what the service calls, and whom it must not."""

import http.server
import json
import threading

from attack_case import AttackCase, unique
from support.signed_http import Key

FORBIDDEN = [
    "http://169.254.169.254/latest/meta-data/", "http://127.0.0.1:80/", "http://localhost/", "http://[::1]/", "http://0.0.0.0/", "http://[::]/", "http://2130706433/", "http://0x7f.1/",
    "http://0177.0.0.1/", "http://[::ffff:127.0.0.1]/", "http://[::ffff:a9fe:a9fe]/", "http://10.0.0.1/", "http://192.168.1.1/", "http://172.16.0.1/", "http://100.64.0.1/",
    "http://[fd00:ec2::254]/", "http://[fe80::1]/", "http://user:secret@127.0.0.1/", "file:///etc/passwd", "gopher://127.0.0.1/", "ftp://127.0.0.1/", "http://127.1/", "http:///x", "http://",
]


class Recorder(http.server.ThreadingHTTPServer):
    """A service on this host that notes who calls it."""

    def __init__(self, answer):
        recorder = self
        self.calls = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):  # noqa: N802
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                recorder.calls.append((self.path, dict(self.headers), body))
                status, headers, content = answer(self.path)
                self.send_response(status)
                for name, value in headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST  # noqa: N815

            def log_message(self, *unused):
                pass

            def handle(self):
                try:
                    super().handle()
                except ConnectionError:  # the service has heard enough
                    pass

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


class Functions(AttackCase):
    def test_private_addresses(self):
        """An attacker who may suggest addresses of functions or webhooks would reach the host's own services and the cloud's metadata."""
        commands = [["functions", "add", unique("f"), "--url", url] for url in FORBIDDEN] + [["webhooks", "add", url] for url in FORBIDDEN[:5]]
        for command in commands:
            with self.subTest(command=command):
                result = self.server.run(*command, check=False)
                self.assertNotEqual(result.returncode, 0, f"{command} was accepted")

    def function_job(self, answer_pre, **add):
        """A job whose pre-annotation function is at a recorder; the job ends as that has it."""
        recorder = Recorder(answer_pre)
        self.addCleanup(recorder.server_close)
        self.addCleanup(recorder.shutdown)
        name = unique("f")
        self.server.run("functions", "add", name, "--url", recorder.url + "/call", "--allow-private", "--retries", "0", "--timeout", str(add.get("timeout", 5)))
        bucket, team = self.bucket(), self.team()
        self.job_files(bucket, photos=1)
        job = self.job(bucket, team, pre=f"arn:aws:lambda:us-east-1:111122223333:function:{name}")
        return recorder, job, bucket

    def test_redirected_functions(self):
        """An attacker who runs a registered function would send the service on to the host's other services by a redirect."""
        inner = Recorder(lambda path: (200, [], b'{"taskInput":{"secret":"of the host"}}'))
        self.addCleanup(inner.server_close)
        self.addCleanup(inner.shutdown)
        for status in (301, 302, 303, 307, 308):
            recorder, job, _ = self.function_job(lambda path, status=status: (status, [("Location", inner.url + "/secret")], b""))
            self.wait_for_job(job, "Completed", "Failed")
            self.assertTrue(recorder.calls)
            self.assertFalse(inner.calls, f"the redirect {status} was followed")

    def test_large_answers_of_functions(self):
        """An attacker who runs a registered function would use up the service's memory by an answer without an end."""
        self.forget_memory_peak()
        before = self.memory_peak_mib()
        _, job, _ = self.function_job(lambda path: (200, [], b'{"taskInput":"' + b"x" * (200 << 20) + b'"}'), timeout=60)
        self.wait_for_job(job, "Completed", "Failed")
        self.assertLess(self.memory_peak_mib() - before, 150)

    def test_answers_of_functions(self):
        """An attacker who runs a registered function would have links made to buckets that the job's owner may not read."""
        theirs = self.bucket()
        self.put(theirs, "secret", b"secret bytes")
        answer = json.dumps({"taskInput": {"taskObject": f"s3://{theirs}/secret", "more": [f"s3://{theirs}/secret"]}}).encode()
        recorder = Recorder(lambda path: (200, [], answer))
        self.addCleanup(recorder.server_close)
        self.addCleanup(recorder.shutdown)
        name = unique("f")
        self.server.run("functions", "add", name, "--url", recorder.url, "--allow-private")
        mine, team = self.bucket(), self.team()
        self.job_files(mine, photos=1)
        job = self.job(mine, team, self.new_key(buckets=[mine]), pre=f"arn:aws:lambda:us-east-1:111122223333:function:{name}")
        worker = self.person(team)

        def offered():
            return worker.call("POST", "/_/api/assignments", {"job": job}).json().get("assignment")

        self.wait_for_job(job, "InProgress")
        task = self.wait_for(offered, "the function's task is there")
        content = self.heard(worker.call("GET", f"/_/api/assignments/{task['id']}/content")).json()
        self.assertFalse([uri for uri, link in content["images"].items() if theirs in uri and link])
        for _, headers, body in recorder.calls:
            self.assertNotIn(self.key.secret.encode(), body)
            self.assertFalse({name.lower() for name in headers} & {"authorization", "cookie"})

    def test_identity_providers(self):
        """An attacker with a requester's key would make the service call the host's own addresses as an identity provider, or sign everybody in through theirs."""
        client = self.client(Key(*self.requester()))
        for host in ("https://127.0.0.1:1", "https://169.254.169.254", "https://evil.example"):
            config = {
                "ClientId": "c", "ClientSecret": "s", "Issuer": host, "AuthorizationEndpoint": host + "/a", "TokenEndpoint": host + "/t", "UserInfoEndpoint": host + "/u",
                "LogoutEndpoint": host + "/l", "JwksUri": host + "/j",
            }
            name = self.aws.sagemaker("ListWorkforces").json()["Workforces"][0]["WorkforceName"]
            self.refused(self.heard(client.sagemaker("UpdateWorkforce", WorkforceName=name, OidcConfig=config)), 400, code="AccessDenied")
            self.refused(self.heard(client.sagemaker("CreateWorkforce", WorkforceName=unique("w"), OidcConfig=config)), 400, code="AccessDenied")
        for query in ("?code=x&state=y", "?code=x", "?error=x", "?state=%00", ""):
            self.refused(self.follow("/oauth2/idpresponse" + query), 400, 403, 404)
        self.refused(self.follow("/_/api/open-id/start?redirect=https://evil.example"), 400, 404)

    def requester(self):
        made = self.new_key("requester")
        return made.id, made.secret
