"""A labeling service of its own for tests: started in a temporary folder on a free port, stopped at the end.

TERRAPIN names the program (default: build/terrapin of this checkout).
"""

import datetime
import functools
import http.client
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import threading
import urllib.parse

REGION = "us-east-1"
ACCOUNT = "111122223333"
_ROOT = pathlib.Path(__file__).resolve().parents[2]

# Nothing of the person who runs the tests: no profile, no role of the machine, no proxy.
for _name in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[_name]
os.environ.update(
    AWS_CONFIG_FILE=os.devnull, AWS_SHARED_CREDENTIALS_FILE=os.devnull, AWS_EC2_METADATA_DISABLED="true",
    NO_PROXY="127.0.0.1", no_proxy="127.0.0.1")


def program():
    """The path of the program under test."""
    path = os.environ.get("TERRAPIN") or str(_ROOT / "build" / "terrapin")
    if not os.access(path, os.X_OK):
        raise RuntimeError(f"{path}: is no program; build it with script/build or name it in TERRAPIN")
    return path


@functools.lru_cache
def _session():
    """One for the process: a session reads each service's description once."""
    import boto3.session
    return boto3.session.Session()


class Key:
    """An access key pair."""

    def __init__(self, identity, secret):
        self.id = identity
        self.secret = secret


class TerrapinServer:
    """`terrapin serve` on a folder that goes with it. Also a context manager."""

    def __init__(self, options=(), region=REGION):
        self.region = region
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="terrapin-api-"))
        self.data_dir = self.folder / "data"
        self.log = self.folder / "serve.log"
        self.url = ""
        self.printed = []  # the lines up to the one with its address
        self._options = list(options) + (["--region", region] if region != REGION else [])
        self._process = None
        self._keys = {}

    def __enter__(self):
        return self.start()

    def __exit__(self, *unused):
        self.close()

    def start(self):
        """Returns once the service has printed its address and says that it is ready."""
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                [program(), "serve", "--data-dir", str(self.data_dir), "--port", "0", *self._options],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True)
        start = "terrapin serve: "
        self.printed = []
        for line in self._process.stdout:
            self.printed.append(line)
            if line.startswith(start):
                self.url = line[len(start):].strip()
                break
        else:
            raise RuntimeError(f"terrapin serve ended with {self._process.wait()}: {self.log.read_text()[-4000:]}")
        threading.Thread(target=self._process.stdout.read, daemon=True).start()
        if self.url.startswith("http://"):
            status, _, body = self.fetch("GET", "/healthz")
            if status != 200:
                raise RuntimeError(f"{self.url}/healthz answered {status}: {body!r}")
        return self

    def stop(self, timeout_s=60):
        """Asks it to end, as a service manager does, and checks that it ended well."""
        self._end(signal.SIGTERM, timeout_s, (0,))

    def kill(self):
        """kill -9."""
        self._end(signal.SIGKILL, 60, (-signal.SIGKILL,))

    def _end(self, sent, timeout_s, expected):
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(sent)
        try:
            code = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise RuntimeError(f"terrapin serve did not end within {timeout_s} s of signal {sent}") from None
        finally:
            process.stdout.close()
        if code not in expected:
            raise RuntimeError(f"terrapin serve ended with {code}: {self.log.read_text()[-4000:]}")

    def close(self):
        try:
            self.stop()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def address(self):
        """(host, port)"""
        parts = urllib.parse.urlsplit(self.url)
        return parts.hostname, parts.port

    def fetch(self, method, path, body=None, headers=None):
        """One plain request: (status, headers, body)."""
        connection = http.client.HTTPConnection(*self.address, timeout=60)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def run(self, *command, check=True):
        """`terrapin COMMAND... --data-dir <folder>`, beside the running service."""
        return subprocess.run([program(), *command, "--data-dir", str(self.data_dir)], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=check)

    def key_of(self, scope="admin", owner="admin", buckets=()):
        """A pair, the same for the same members."""
        wanted = (scope, owner, tuple(buckets))
        if wanted not in self._keys:
            self._keys[wanted] = self.create_key(*wanted)
        return self._keys[wanted]

    def create_key(self, scope="admin", owner="admin", buckets=()):
        """A new pair, as `keys create --json` prints it."""
        options = [option for bucket in buckets for option in ("--bucket", bucket)]
        made = json.loads(self.run("keys", "create", "--scope", scope, "--owner", owner, "--json", *options).stdout)
        return Key(made["AccessKeyId"], made["SecretAccessKey"])

    @property
    def key(self):
        """An admin's pair."""
        return self.key_of()

    def client(self, service, key=None, validate=True, verify=None, **settings):
        """boto3's client of "s3", "sagemaker", "sts". `validate` False sends what its own checks would stop."""
        import botocore.config
        key = key or self.key
        settings.setdefault("retries", {"max_attempts": 0})
        if service == "s3":
            settings.setdefault("s3", {"addressing_style": "path"})
            settings.setdefault("signature_version", "s3v4")
        config = botocore.config.Config(parameter_validation=validate, **settings)
        return _session().client(service, endpoint_url=self.url, config=config, verify=verify, region_name=self.region,
                                 aws_access_key_id=key.id, aws_secret_access_key=key.secret)

    def environment(self, key=None):
        """What the AWS CLI and the SDKs of other languages need."""
        key = key or self.key
        return dict(os.environ, AWS_ACCESS_KEY_ID=key.id, AWS_SECRET_ACCESS_KEY=key.secret,
                    AWS_DEFAULT_REGION=self.region, AWS_REGION=self.region, AWS_ENDPOINT_URL=self.url,
                    AWS_PAGER="", AWS_RETRY_MODE="standard", AWS_MAX_ATTEMPTS="1")

    def signed(self, service, method, path, body=b"", headers=None, key=None, age=datetime.timedelta(0), send=None):
        """A request that no client would make, signed all the same: (status, headers, body). `age`: how long ago it was signed;
        `send`: what is sent in place of the signed body."""
        request = self._sign("S3SigV4Auth" if service == "s3" else "SigV4Auth", service, method, path, body, headers, key, age)
        return self.fetch(method, path, body=body if send is None else send, headers=dict(request.headers.items()))

    def presigned(self, path, lasts_s, age=datetime.timedelta(0)):
        """A link of S3 made `age` ago."""
        return self._sign("S3SigV4QueryAuth", "s3", "GET", path, b"", None, None, age, expires=lasts_s).url

    def _sign(self, kind, service, method, path, body, headers, key, age, **settings):
        import botocore.auth
        import botocore.awsrequest
        import botocore.credentials

        class SignerAt(getattr(botocore.auth, kind)):
            def add_auth(self, request):
                moment = datetime.datetime.now(datetime.timezone.utc) - age
                request.context["timestamp"] = moment.strftime("%Y%m%dT%H%M%SZ")
                self._modify_request_before_signing(request)
                text = self.string_to_sign(request, self.canonical_request(request))
                self._inject_signature_to_request(request, self.signature(text, request))

        key = key or self.key
        request = botocore.awsrequest.AWSRequest(method, self.url + path, headers=headers or {}, data=body)
        SignerAt(botocore.credentials.Credentials(key.id, key.secret), service, self.region, **settings).add_auth(request)
        return request

    def object_file(self, bucket, key):
        """Where the folder backend keeps an object with a plain key."""
        return self.data_dir / "objects" / bucket / key

    def invitation(self, group, role="worker"):
        """A token that makes one account."""
        made = self.run("people", "invite", "--group", group, "--role", role, "--url", self.url, "--json")
        return json.loads(made.stdout)["token"]
