"""`terrapin run`: programs that know nothing of Terrapin, with AWS's own clients in them."""

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import unittest

from support.aws_cli import AWS
from support.terrapin_server import ACCOUNT, TerrapinServer, program

ROOT = pathlib.Path(__file__).resolve().parents[2]
SAGEMAKER = ROOT / ".venv-sagemaker" / "bin" / "python"
LIMIT_S = 240

try:
    import boto3  # noqa: F401
except ImportError:
    boto3 = None


def has_sagemaker():
    return os.access(SAGEMAKER, os.X_OK) and subprocess.run([SAGEMAKER, "-c", "import sagemaker"], capture_output=True, check=False).returncode == 0


class RunCase(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="terrapin-run-test-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.data_dir = self.folder / "data"

    def environment(self, **more):
        return dict(os.environ, HOME=str(self.folder), PYTHONDONTWRITEBYTECODE="1", **more)

    def command(self, *command, data_dir=None):
        return [program(), "run", "--data-dir", str(data_dir or self.data_dir), "--", *map(str, command)]

    def run_it(self, *command, code=0, data_dir=None, env=None):
        """What the command printed; its exit code must be `code`."""
        done = subprocess.run(self.command(*command, data_dir=data_dir), cwd=self.folder, env=env or self.environment(), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=LIMIT_S, check=False)
        self.assertEqual(done.returncode, code, done.stderr[-3000:] + done.stdout[-1000:])
        self.errors = done.stderr
        return done.stdout

    def python(self, script, *arguments, interpreter=sys.executable, **options):
        return self.run_it(interpreter, "-c", textwrap.dedent(script), *arguments, **options)

    def keys(self, data_dir=None):
        listed = subprocess.run([program(), "keys", "list", "--json", "--data-dir", str(data_dir or self.data_dir)], capture_output=True, text=True, check=True)
        return [key["AccessKeyId"] for key in json.loads(listed.stdout)]

    def assert_nothing_left(self):
        self.assertEqual(self.keys(), [])
        self.assertEqual(list((self.data_dir / "runs").iterdir()), [])
        self.assertFalse((self.data_dir / "server.json").exists())
        self.assertEqual(self.processes_of(self.data_dir), [])

    def processes_of(self, data_dir):
        """Command lines of programs that were started with that folder."""
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            try:
                line = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
            except OSError:
                continue
            if os.fsencode(data_dir) in line:
                found.append(line)
        return found


class Commands(RunCase):
    def test_exit_codes(self):
        self.run_it("true")
        self.run_it("sh", "-c", "exit 7", code=7)
        self.run_it("sh", "-c", "kill -9 $$", code=128 + 9)
        self.assertEqual(self.run_it("sh", "-c", 'printf "%s|" "$0" "$@"', "--flag", "-x", "a b", ""), "--flag|-x|a b||")
        self.run_it(self.folder / "no-such-program", code=1)
        self.assertIn(f"'{self.folder}/no-such-program' cannot be started: No such file or directory", self.errors)
        self.run_it(self.folder, code=1)
        self.assertIn(f"'{self.folder}' cannot be started: Permission denied", self.errors)
        self.assert_nothing_left()

    def test_waiting_threads_sleep_in_the_program_and_the_commands_environment_is_its_callers(self):
        script = 'tr "\\0" "\\n" </proc/$PPID/environ; echo; cat /proc/$PPID/comm; echo; env'
        ours = {key: value for key, value in self.environment().items() if key not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")}
        programs, name, commands = self.run_it("sh", "-c", script, env=ours).split("\n\n")
        self.assertIn("OMP_WAIT_POLICY=PASSIVE", programs.splitlines())
        self.assertEqual(name, pathlib.Path(program()).name[:15])
        self.assertEqual([line for line in commands.splitlines() if "WAIT_POLICY" in line], [])
        programs, _, commands = self.run_it("sh", "-c", script, env=dict(ours, OMP_WAIT_POLICY="ACTIVE")).split("\n\n")
        for text in (programs, commands):
            self.assertEqual([line for line in text.splitlines() if "WAIT_POLICY" in line], ["OMP_WAIT_POLICY=ACTIVE"])

    def test_wrong_command_lines(self):
        for arguments, part in ((["--"], "COMMAND"), (["--endpoint", "http://x", "--data-dir", "d", "--", "true"], "--endpoint"), (["--port", "1", "--", "true"], "--port")):
            done = subprocess.run([program(), "run", *arguments], cwd=self.folder, capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 2, arguments)
            self.assertIn(part, done.stderr + done.stdout)
        for url in ("x", "ftp://x", "http://", "http://x:0", "http://x:y", "http://x/path", "http://user@x"):
            done = subprocess.run([program(), "run", "--endpoint", url, "--", "true"], cwd=self.folder, capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 1, url)
            self.assertIn(f"--endpoint: '{url}' is no address of a service", done.stderr)
        done = subprocess.run([program(), "run", "--endpoint", "http://127.0.0.1:1", "--", "true"], cwd=self.folder, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("AWS_ACCESS_KEY_ID", done.stderr)

    def test_input_output_and_descriptors_are_the_commands_own(self):
        done = subprocess.run(self.command("sh", "-c", "cat; echo to-errors >&2"), input="through\n", capture_output=True, text=True, timeout=LIMIT_S, check=True)
        self.assertEqual(done.stdout, "through\n")
        self.assertIn("to-errors", done.stderr)
        read, write = os.pipe()
        self.addCleanup(os.close, read)
        with subprocess.Popen(self.command(sys.executable, "-c", "import os, sys; print(sorted(os.listdir('/proc/self/fd')));"
                                           "os.write(int(sys.argv[1]), b'mine')", write), pass_fds=(write,), stdout=subprocess.PIPE, text=True) as running:
            os.close(write)
            listed, _ = running.communicate(timeout=LIMIT_S)
        self.assertEqual(os.read(read, 10), b"mine")
        # Standard input, output and errors, the pipe, the listing itself, and none of the service's.
        self.assertEqual(listed.count("'"), 2 * 5, listed)

    def test_the_default_folder(self):
        for env, place in ((self.environment(XDG_DATA_HOME=str(self.folder / "xdg")), self.folder / "xdg" / "terrapin" / "service"),
                           (self.environment(TERRAPIN_DATA_DIR=str(self.folder / "mine")), self.folder / "mine")):
            subprocess.run([program(), "run", "--", "true"], cwd=self.folder, env=env, timeout=LIMIT_S, check=True)
            self.assertTrue((place / "settings.json").exists(), place)


class Interrupts(RunCase):
    SCRIPT = """
        import signal, sys
        count = 0
        def told(number, frame):
            global count
            count += 1
            print("told", number, flush=True)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, told)
        print("ready", flush=True)
        for line in sys.stdin:
            break
        print("count", count, flush=True)
        sys.exit(40 + count)
        """

    def start(self, script=SCRIPT):
        running = subprocess.Popen(self.command(sys.executable, "-c", textwrap.dedent(script)), cwd=self.folder, env=self.environment(), stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)

        def end():
            if running.poll() is None:
                running.kill()
            running.communicate()
        self.addCleanup(end)
        self.assertEqual(running.stdout.readline(), "ready\n")
        return running

    def test_the_command_is_told_once_and_waited_for(self):
        for number, to_group in ((signal.SIGINT, False), (signal.SIGINT, True), (signal.SIGTERM, False)):
            with self.subTest(number=number, to_group=to_group):
                running = self.start()
                (os.killpg if to_group else os.kill)(running.pid, number)
                self.assertEqual(running.stdout.readline(), f"told {int(number)}\n")
                self.assertIsNone(running.poll())
                out, _ = running.communicate("\n", timeout=LIMIT_S)
                self.assertEqual((out, running.returncode), ("count 1\n", 41))
                self.assert_nothing_left()

    def test_a_command_that_an_interrupt_ends(self):
        running = self.start("import signal, sys, time\nsignal.signal(signal.SIGINT, signal.SIG_DFL)\nprint('ready', flush=True)\nsys.stdin.read()")
        os.kill(running.pid, signal.SIGINT)
        self.assertEqual(running.wait(LIMIT_S), 128 + signal.SIGINT)
        self.assert_nothing_left()

    def test_in_a_terminal_ctrl_c_reaches_it_once(self):
        import pty
        pid, terminal = pty.fork()
        if pid == 0:
            line = self.command(sys.executable, "-c", textwrap.dedent(self.SCRIPT))
            os.execve(line[0], line, self.environment())
        self.addCleanup(os.close, terminal)
        seen = b""

        def read_until(text):
            nonlocal seen
            while text not in seen:
                seen += os.read(terminal, 1000)
        read_until(b"ready")
        os.write(terminal, b"\x03")
        read_until(b"told 2")
        os.write(terminal, b"\n")
        read_until(b"count 1")
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 41)
        self.assertEqual(seen.count(b"told"), 1)
        self.assert_nothing_left()

    def test_what_a_killed_run_leaves_goes_with_the_next(self):
        running = self.start()
        left = self.keys()
        self.assertEqual(len(left), 1)
        running.kill()
        running.wait()
        # The command was told with SIGTERM; it ends when its input does.
        running.communicate()
        self.assertEqual(self.keys(), left)
        self.run_it("true")
        self.assert_nothing_left()


@unittest.skipUnless(boto3, "python3 lacks boto3: script/setup installs it")
class Clients(RunCase):
    def test_boto3(self):
        out = self.python("""
            import boto3, sys
            bodies = {"plain": b"x", "with space/ü+%": b"y" * 20_000_000}
            assert boto3.client("sts").get_caller_identity()["Account"] == "111122223333"
            sts = boto3.client("sts", endpoint_url="https://sts.us-east-1.amazonaws.com")
            assert sts.get_caller_identity()["Arn"] == "arn:aws:iam::111122223333:user/admin"
            from botocore.config import Config
            boto3.client("s3").create_bucket(Bucket="photos")
            for style in ({}, {"addressing_style": "virtual"}, {"addressing_style": "path"}, {"us_east_1_regional_endpoint": "regional"}, {"use_dualstack_endpoint": True}):
                s3 = boto3.client("s3", config=Config(s3=style))
                for key, body in bodies.items():
                    s3.put_object(Bucket="photos", Key=key, Body=body)
                    assert s3.get_object(Bucket="photos", Key=key)["Body"].read() == body, (style, key)
                assert s3.list_objects_v2(Bucket="photos")["KeyCount"] == 2
                s3.head_bucket(Bucket="photos")
                assert s3.get_bucket_location(Bucket="photos")["LocationConstraint"] is None
            # A bucket with dots has no name that a wildcard certificate covers.
            s3.create_bucket(Bucket="photos.of.turtles")
            boto3.client("s3", config=Config(s3={"addressing_style": "virtual"})).put_object(Bucket="photos.of.turtles", Key="a", Body=b"a")
            assert boto3.client("sagemaker").list_workteams()["Workteams"] == []
            assert boto3.client("iam").get_role(RoleName="Any")["Role"]["Arn"] == "arn:aws:iam::111122223333:role/Any"
            print("done")
            """)
        self.assertEqual(out, "done\n")
        self.assertEqual((self.data_dir / "objects" / "photos" / "plain").read_bytes(), b"x")
        self.assert_nothing_left()

    def test_presigned_links(self):
        """Both signature versions, the bucket in the host name and in the path; and that a link is good for what was signed alone."""
        out = self.python("""
            import boto3, urllib.error, urllib.request
            from botocore.config import Config
            def status(url, method="GET", body=None):
                request = urllib.request.Request(url, data=body, method=method)
                if body is not None:
                    request.add_unredirected_header("Content-type", "")
                try:
                    with urllib.request.urlopen(request) as answer:
                        return answer.status, answer.read()
                except urllib.error.HTTPError as refused:
                    return refused.code, refused.read()
            boto3.client("s3").create_bucket(Bucket="photos")
            boto3.client("s3").create_bucket(Bucket="other")
            for bucket in ("photos", "other"):
                boto3.client("s3").put_object(Bucket=bucket, Key="a b/ü", Body=bucket.encode())
            versions = {"AWSAccessKeyId=": None, "X-Amz-Signature=": "s3v4"}
            for mark, version in versions.items():
                for style, start in (("virtual", "https://photos.s3.amazonaws.com/a%20b/"), ("path", "https://s3.amazonaws.com/photos/a%20b/"), ("auto", "https://photos.s3.")):
                    s3 = boto3.client("s3", config=Config(signature_version=version, s3={"addressing_style": style}))
                    member = {"Bucket": "photos", "Key": "a b/ü"}
                    url = s3.generate_presigned_url("get_object", member)
                    assert mark in url and url.startswith(start), url
                    assert status(url) == (200, b"photos"), (url, status(url))
                    assert status(s3.generate_presigned_url("put_object", {"Bucket": "photos", "Key": "new"}), "PUT", style.encode())[0] == 200
                    assert status(s3.generate_presigned_url("get_object", {"Bucket": "photos", "Key": "new"})) == (200, style.encode())
                    for changed in (url.replace("photos", "other"), url.replace("%C3%BC", "u"), url + "&response-content-type=text/html"):
                        code, said = status(changed)
                        assert code == 403 and b"<Code>SignatureDoesNotMatch</Code>" in said, (changed, said)
                    assert status(url, "DELETE")[0] == 403
            print("done")
            """)
        self.assertEqual(out, "done\n")
        self.assertEqual((self.data_dir / "objects" / "photos" / "new").read_bytes(), b"auto")

    def test_another_region(self):
        with TerrapinServer(region="eu-west-1") as server:
            out = self.python("""
                import boto3
                s3 = boto3.client("s3")
                s3.create_bucket(Bucket="photos", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
                print(s3.get_bucket_location(Bucket="photos")["LocationConstraint"], s3.meta.region_name)
                print(boto3.client("iam").get_role(RoleName="Any")["Role"]["RoleName"], boto3.client("sts").get_caller_identity()["Account"])
                """, data_dir=server.data_dir)
            self.assertEqual(out, f"eu-west-1 eu-west-1\nAny {ACCOUNT}\n")

    def test_what_the_person_has_set_up_is_not_used(self):
        (self.folder / "config").write_text("[default]\nregion = us-west-2\nendpoint_url = https://elsewhere.example.org\n[profile work]\nregion = us-west-2\n")
        env = self.environment(AWS_CONFIG_FILE=str(self.folder / "config"), AWS_PROFILE="work", AWS_SESSION_TOKEN="t", AWS_ENDPOINT_URL="https://elsewhere.example.org",
                               AWS_ENDPOINT_URL_S3="https://elsewhere.example.org", NO_PROXY="*", AWS_ACCESS_KEY_ID="AKIAREAL", AWS_SECRET_ACCESS_KEY="real")
        out = self.python("""
            import boto3
            print(boto3.client("sts").get_caller_identity()["Account"], boto3.client("s3").list_buckets()["Buckets"])
            """, env=env)
        self.assertEqual(out, f"{ACCOUNT} []\n")

    def test_hosts_that_are_not_answered_for(self):
        self.python("""
            import boto3, botocore.exceptions
            for service, region in (("ec2", None), ("s3", "eu-west-1"), ("sagemaker", "eu-west-1")):
                client = boto3.client(service, region_name=region, config=boto3.session.Config(retries={"max_attempts": 0}))
                try:
                    client.describe_instances() if service == "ec2" else client.list_buckets() if service == "s3" else client.list_models()
                except botocore.exceptions.ProxyConnectionError as refused:
                    assert "403" in str(refused.kwargs["error"]), refused.kwargs
                else:
                    raise SystemExit(f"{service} in {region} was answered")
            """)

    @unittest.skipUnless(os.access(AWS, os.X_OK), f"{AWS} is not installed: script/setup installs awscli")
    def test_the_aws_cli(self):
        (self.folder / "folder").mkdir()
        body = os.urandom(9_000_000)
        (self.folder / "folder" / "large").write_bytes(body)
        self.run_it("sh", "-ec", f"{AWS} s3 mb s3://photos && {AWS} s3 cp folder s3://photos/deep/ --recursive --quiet && {AWS} s3 cp s3://photos/deep/large back --quiet"
                    f" && {AWS} sts get-caller-identity --query Account --output text")
        self.assertEqual((self.folder / "back").read_bytes(), body)
        self.assert_nothing_left()

    @unittest.skipUnless(shutil.which("curl"), "curl is not installed: script/setup installs it")
    def test_curl(self):
        self.assertIn("<Code>AccessDenied</Code>", self.run_it("curl", "-sS", "https://photos.s3.amazonaws.com/a"))
        self.run_it("curl", "-sS", "https://example.org/", code=56)
        self.assertIn("403", self.errors)


@unittest.skipUnless(has_sagemaker(), f"{SAGEMAKER} lacks the SageMaker Python SDK: script/setup makes it from PyPI")
class SageMakerSdk(RunCase):
    def test_session(self):
        script = """
            import pathlib, sagemaker, sagemaker.s3
            session = sagemaker.Session()
            bucket = session.default_bucket()
            assert bucket == "sagemaker-us-east-1-111122223333", bucket
            assert session.account_id() == "111122223333"
            role = sagemaker.get_execution_role()
            assert role == session.get_caller_identity_arn() == "arn:aws:iam::111122223333:role/admin", role
            pathlib.Path("up/deep").mkdir(parents=True, exist_ok=True)
            pathlib.Path("up/deep/a b.txt").write_text("hello")
            pathlib.Path("up/large").write_bytes(b"z" * 20_000_000)
            where = session.upload_data("up", key_prefix="data")
            assert where == f"s3://{bucket}/data", where
            assert sorted(session.list_s3_files(bucket, "data")) == ["data/deep/a b.txt", "data/large"]
            assert sagemaker.s3.S3Downloader.read_file(where + "/deep/a b.txt") == "hello"
            assert session.read_s3_file(bucket, "data/deep/a b.txt") == "hello"
            session.download_data("down", bucket, "data")
            assert pathlib.Path("down/large").stat().st_size == 20_000_000
            sagemaker.s3.S3Downloader.download(where, "again")
            assert pathlib.Path("again/deep/a b.txt").read_text() == "hello"
            sagemaker.s3.S3Uploader.upload_string_as_file_body("text", where + "/text")
            assert len(sagemaker.s3.S3Downloader.list(where)) == 3
            session.upload_string_as_file_body("more", bucket, "data/more")
            assert sagemaker.Session().default_bucket() == bucket
            print("done")
            """
        self.assertEqual(self.python(script, interpreter=SAGEMAKER).splitlines()[-1], "done")  # the SDK tells of its settings before
        self.assertEqual((self.data_dir / "objects" / "sagemaker-us-east-1-111122223333" / "data" / "deep" / "a b.txt").read_text(), "hello")
        self.assert_nothing_left()

    def test_session_in_another_region(self):
        with TerrapinServer(region="eu-west-1") as server:
            out = self.python("import sagemaker; s = sagemaker.Session(); print(s.default_bucket(), sagemaker.get_execution_role())", interpreter=SAGEMAKER, data_dir=server.data_dir)
        self.assertEqual(out.splitlines()[-1], f"sagemaker-eu-west-1-{ACCOUNT} arn:aws:iam::{ACCOUNT}:role/admin")


class Attacks(RunCase):
    SCRIPT = """
        import os, socket, sys, urllib.parse
        proxy = urllib.parse.urlsplit(os.environ["HTTPS_PROXY"])
        assert proxy.hostname == "127.0.0.1", proxy
        for line in sys.stdin:
            with socket.create_connection((proxy.hostname, proxy.port), 30) as connection:
                connection.sendall(line.rstrip("\\n").encode().decode("unicode_escape").encode("latin-1"))
                answer = b""
                while b"\\r\\n\\r\\n" not in answer:
                    part = connection.recv(4096)
                    if not part:
                        break
                    answer += part
                print(answer.split(b"\\r\\n")[0].decode(), flush=True)
        """

    def test_where_the_proxy_does_not_go(self):
        end = r" HTTP/1.1\r\n\r\n"
        expected = {
            "CONNECT s3.amazonaws.com:443" + end: "200", "CONNECT localhost:22" + end: "403", "CONNECT 169.254.169.254:80" + end: "403",
            "CONNECT 169.254.169.254:443" + end: "403", "CONNECT [::1]:443" + end: "403", "CONNECT 127.0.0.1:443" + end: "403",
            "CONNECT amazonaws.com.evil.org:443" + end: "403", "CONNECT s3.amazonaws.com.evil.org:443" + end: "403", "CONNECT a.s3.amazonaws.com:80" + end: "403",
            r"CONNECT s3.amazonaws.com\r\n.evil.org:443" + end: "400", r"CONNECT evil.org\r\nX: s3.amazonaws.com:443" + end: "400",
            r"CONNECT evil.org\x00.s3.amazonaws.com:443" + end: "400", "GET http://s3.amazonaws.com/" + end: "403",
            "GET http://169.254.169.254/latest/meta-data/" + end: "403", "CONNECT x@s3.amazonaws.com:443" + end: "403"}
        done = subprocess.run(self.command(sys.executable, "-c", textwrap.dedent(self.SCRIPT)), input="\n".join(expected) + "\n", capture_output=True, text=True,
                              timeout=LIMIT_S, check=True)
        answers = dict(zip(expected, (line.split(" ")[1] for line in done.stdout.splitlines()), strict=True))
        self.assertEqual(answers, expected)

    def test_it_listens_for_this_machine_alone_and_ends_with_the_command(self):
        out = self.python("""
            import os, pathlib, urllib.parse
            print(urllib.parse.urlsplit(os.environ["HTTPS_PROXY"]).port)
            print(oct(os.stat(os.environ["AWS_CA_BUNDLE"]).st_mode & 0o777))
            port = "%04X" % urllib.parse.urlsplit(os.environ["HTTPS_PROXY"]).port
            print([line.split()[1] for name in ("tcp", "tcp6") for line in pathlib.Path("/proc/net", name).read_text().splitlines()[1:]
                   if line.split()[1].endswith(":" + port) and line.split()[3] == "0A"])
            """)
        port, _, listening = out.splitlines()
        self.assertRegex(listening, r"^\['0100007F:[0-9A-F]{4}'\]$")
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", int(port)), 5)
        for name, mode in (("authority", 0o700), ("authority/authority.pem", 0o600), ("runs", 0o700)):
            self.assertEqual((self.data_dir / name).stat().st_mode & 0o777, mode, name)


@unittest.skipUnless(boto3, "python3 lacks boto3: script/setup installs it")
class BesideAServer(RunCase):
    LIST = "import boto3; print([b['Name'] for b in boto3.client('s3').list_buckets()['Buckets']])"

    def test_a_running_serve_is_used(self):
        with TerrapinServer() as server:
            server.client("s3").create_bucket(Bucket="made-before")
            before = self.keys(server.data_dir)
            self.assertEqual(self.python(self.LIST, data_dir=server.data_dir), "['made-before']\n")
            self.assertEqual(self.keys(server.data_dir), before)
            told = json.loads((server.data_dir / "server.json").read_text())
            self.assertEqual((told["url"], told["command"]), (server.url, "serve"))
            # Its own folder: a second server is refused by name.
            second = subprocess.run([program(), "serve", "--data-dir", str(server.data_dir), "--port", "0"], capture_output=True, text=True, timeout=LIMIT_S, check=False)
            self.assertEqual(second.returncode, 1)
            self.assertIn(server.url, second.stderr)
            data_dir = server.data_dir
            server.stop()
            self.assertFalse((data_dir / "server.json").exists())

    def test_what_a_killed_serve_left_misleads_nobody(self):
        with TerrapinServer() as server:
            server.client("s3").create_bucket(Bucket="made-before")
            server.kill()
            self.assertTrue((server.data_dir / "server.json").exists())
            self.assertEqual(self.python(self.LIST, data_dir=server.data_dir), "['made-before']\n")

    def test_two_at_once_and_the_first_ends_before_the_second(self):
        script = """
            import boto3, sys
            s3 = boto3.client("s3", config=boto3.session.Config(retries={"max_attempts": 10}))
            print("ready", len(s3.list_buckets()["Buckets"]), flush=True)
            for line in sys.stdin:
                s3.create_bucket(Bucket=line.strip())
                print("made", flush=True)
            """
        running = []
        for _ in range(2):
            process = subprocess.Popen(self.command(sys.executable, "-c", textwrap.dedent(script)), env=self.environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       text=True)
            self.addCleanup(process.stdout.close)
            self.addCleanup(process.kill)
            running.append(process)
            self.assertTrue(process.stdout.readline().startswith("ready"))
        first, second = running
        self.assertEqual(len(self.keys()), 2)
        second.stdin.write("made-with-the-first\n")
        second.stdin.flush()
        self.assertEqual(second.stdout.readline(), "made\n")
        first.stdin.close()
        self.assertEqual(first.wait(LIMIT_S), 0)
        second.stdin.write("made-without-it\n")
        second.stdin.flush()
        self.assertEqual(second.stdout.readline(), "made\n")
        second.stdin.close()
        self.assertEqual(second.wait(LIMIT_S), 0)
        self.assertEqual(self.python(self.LIST), "['made-with-the-first', 'made-without-it']\n")
        self.assert_nothing_left()

    def test_an_endpoint_elsewhere(self):
        with TerrapinServer() as server:
            server.client("s3").create_bucket(Bucket="made-before")
            key = server.key
            env = self.environment(AWS_ACCESS_KEY_ID=key.id, AWS_SECRET_ACCESS_KEY=key.secret, TMPDIR=str(self.folder))
            done = subprocess.run([program(), "run", "--endpoint", server.url, "--", sys.executable, "-c", self.LIST], env=env, capture_output=True, text=True,
                                  timeout=LIMIT_S, check=False)
            self.assertEqual((done.returncode, done.stdout), (0, "['made-before']\n"), done.stderr)
            self.assertEqual([path.name for path in self.folder.iterdir() if path.name.startswith("terrapin-run")], [])

    @unittest.skipUnless(shutil.which("openssl"), "openssl is not installed: script/setup installs it")
    def test_services_that_speak_tls(self):
        for name, subject in (("right", "DNS:localhost"), ("wrong", "DNS:another.example.org")):
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=test", "-addext",
                            f"subjectAltName={subject}", "-keyout", self.folder / f"{name}.key", "-out", self.folder / f"{name}.crt"], check=True, capture_output=True)
        for name, trusted, answered in (("right", True, True), ("right", False, False), ("wrong", True, False)):
            with self.subTest(name=name, trusted=trusted), TerrapinServer(["--tls-cert", str(self.folder / f"{name}.crt"), "--tls-key", str(self.folder / f"{name}.key")]) as server:
                # Found through its folder it is known by the folder's lock.
                self.assertEqual(self.python(self.LIST, data_dir=server.data_dir), "[]\n")
                key = server.key
                env = self.environment(AWS_ACCESS_KEY_ID=key.id, AWS_SECRET_ACCESS_KEY=key.secret, AWS_MAX_ATTEMPTS="1")
                if trusted:
                    env["SSL_CERT_FILE"] = str(self.folder / f"{name}.crt")
                url = re.sub("127.0.0.1", "localhost", server.url)
                done = subprocess.run([program(), "run", "--endpoint", url, "--", sys.executable, "-c", self.LIST], env=env, capture_output=True, text=True, timeout=LIMIT_S,
                                      check=False)
                self.assertEqual(done.returncode == 0, answered, done.stderr[-2000:])
