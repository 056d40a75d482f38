"""The AWS CLI of Debian: whole folders up and down, keys of every kind, large files, links, and a labeling job.

TERRAPIN_LONG_TESTS=1 copies 10,000 files instead of 300.
"""

import filecmp
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

from support.aws_case import S3Case, SageMakerCase, unique
from support.aws_cli import AWS, AwsCli

FILES = 10_000 if os.environ.get("TERRAPIN_LONG_TESTS") else 300
NAMES = ["plain.txt", "with space.txt", " leading.txt", "ümlaut.txt", "日本語/ファイル.txt", "🐢/turtle.jpg", "a+b&c=d;e.txt", "per%cent.txt", "it's \"quoted\".txt",
         "deep/er/and/deeper/file", "UPPER.TXT", "upper.txt", "#hash?question.txt", "comma,semi.txt", "[brackets](parens).txt", "tilde~.txt"]


class Cli(AwsCli):
    """Each test has a folder of its own."""

    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory(prefix="terrapin-cli-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def refused_cli(self, expected, *arguments):
        """Returns what the command said."""
        done = self.run_cli(*arguments)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(expected, done.stderr)
        return done.stderr


class S3Commands(Cli, S3Case):
    def write(self, name, content):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        # S3 tells whole seconds: of files younger than a second `sync` cannot know that they are there already.
        hour_ago = time.time() - 3600
        os.utime(path, (hour_ago, hour_ago))
        return path

    def same_trees(self, one, other):
        """Names and bytes."""
        def names(root):
            return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())
        self.assertEqual(names(one), names(other))
        _, different, unreadable = filecmp.cmpfiles(one, other, names(one), shallow=False)
        self.assertEqual((different, unreadable), ([], []))

    def test_buckets(self):
        name = unique("cli")
        self.assertIn(f"make_bucket: {name}", self.aws("s3", "mb", f"s3://{name}"))
        self.assertIn(name, self.aws("s3", "ls"))
        self.refused_cli("NoSuchBucket", "s3", "ls", f"s3://{unique()}")
        self.aws("s3", "cp", str(self.write("a", b"a")), f"s3://{name}/a")
        self.refused_cli("BucketNotEmpty", "s3", "rb", f"s3://{name}")
        self.assertIn(f"remove_bucket: {name}", self.aws("s3", "rb", "--force", f"s3://{name}"))

    def test_many_files_both_ways(self):
        for number in range(FILES):
            self.write(f"up/{number % 7}/file {number:05}.txt", b"%d" % number * (number % 50 + 1))
        target = f"s3://{self.bucket}/many"
        self.aws("s3", "cp", "up", target, "--recursive", "--only-show-errors")
        listed = self.aws("s3", "ls", target + "/", "--recursive", "--summarize")
        self.assertIn(f"Total Objects: {FILES}\n", listed)
        self.aws("s3", "cp", target, "down", "--recursive", "--only-show-errors")
        self.same_trees(self.folder / "up", self.folder / "down")
        # A sync of equal folders copies nothing; of a changed one what changed.
        self.assertEqual(self.aws("s3", "sync", "up", target), "")
        self.write("up/0/file 00000.txt", b"changed and longer")
        self.write("up/new", b"new")
        (self.folder / "up/1/file 00001.txt").unlink()
        lines = [line for line in self.aws("s3", "sync", "up", target, "--delete", "--no-progress").splitlines() if line.strip()]
        self.assertEqual(len(lines), 3, lines)
        self.aws("s3", "sync", target, "down", "--delete", "--exact-timestamps", "--only-show-errors")
        self.same_trees(self.folder / "up", self.folder / "down")
        # Server side, then away with all.
        other = unique("cli")
        self.aws("s3", "mb", f"s3://{other}")
        self.aws("s3", "sync", target, f"s3://{other}/copy", "--only-show-errors")
        self.aws("s3", "rm", target, "--recursive", "--only-show-errors")
        self.assertEqual(self.keys(), [])
        self.aws("s3", "mv", f"s3://{other}/copy", "moved", "--recursive", "--only-show-errors")
        self.same_trees(self.folder / "up", self.folder / "moved")
        self.assertEqual(self.keys(other), [])

    def test_keys_of_every_kind(self):
        for name in NAMES:
            self.write("up/" + name, name.encode())
        self.aws("s3", "sync", "up", f"s3://{self.bucket}/folder with space/ü", "--only-show-errors")
        self.assertEqual(sorted(self.keys()), sorted("folder with space/ü/" + name for name in NAMES))
        self.aws("s3", "sync", f"s3://{self.bucket}/folder with space/ü", "down", "--only-show-errors")
        self.same_trees(self.folder / "up", self.folder / "down")
        for name in NAMES:
            with self.subTest(name):
                self.assertEqual(self.s3.get_object(Bucket=self.bucket, Key="folder with space/ü/" + name)["Body"].read(), name.encode())

    def test_a_large_file_in_parts(self):
        content = os.urandom(1 << 20) * 17 + b"tail"
        self.write("large.bin", content)
        self.aws("s3", "cp", "large.bin", f"s3://{self.bucket}/large.bin", "--only-show-errors")
        head = self.s3.head_object(Bucket=self.bucket, Key="large.bin")
        self.assertRegex(head["ETag"], '^"[0-9a-f]{32}-3"$')
        self.aws("s3", "cp", f"s3://{self.bucket}/large.bin", f"s3://{self.bucket}/copy.bin", "--only-show-errors")
        self.aws("s3", "cp", f"s3://{self.bucket}/copy.bin", "back.bin", "--only-show-errors")
        self.assertEqual((self.folder / "back.bin").read_bytes(), content)

    def test_a_stream(self):
        done = subprocess.run([AWS, "--endpoint-url", self.server.url, "s3", "cp", "-", f"s3://{self.bucket}/piped"], input=b"from a pipe",
                              env=self.server.environment(), capture_output=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.aws("s3", "cp", f"s3://{self.bucket}/piped", "-"), "from a pipe")

    def test_a_link_for_curl(self):
        if not shutil.which("curl"):
            self.skipTest("curl is not installed: script/setup installs it")
        self.put("with space/ü.txt", b"by link")
        url = self.aws("s3", "presign", f"s3://{self.bucket}/with space/ü.txt", "--expires-in", "60").strip()
        done = subprocess.run(["curl", "-sS", "--fail", url], capture_output=True, check=False)
        self.assertEqual((done.returncode, done.stdout), (0, b"by link"), done.stderr)
        broken = url[:-1] + ("0" if url[-1] != "0" else "1")
        done = subprocess.run(["curl", "-sS", "-o", "-", "-w", "%{http_code}", broken], capture_output=True, text=True, check=False)
        self.assertTrue(done.stdout.endswith("403"), done.stdout)

    def test_the_plain_commands_of_the_api(self):
        self.write("photo.jpg", b"pixels")
        put = json.loads(self.aws("s3api", "put-object", "--bucket", self.bucket, "--key", "photo.jpg", "--body", "photo.jpg", "--checksum-algorithm", "SHA256",
                                  "--metadata", "camera=one"))
        head = json.loads(self.aws("s3api", "head-object", "--bucket", self.bucket, "--key", "photo.jpg", "--checksum-mode", "ENABLED"))
        self.assertEqual((head["ETag"], head["ChecksumSHA256"], head["Metadata"]), (put["ETag"], put["ChecksumSHA256"], {"camera": "one"}))
        self.aws("s3api", "get-object", "--bucket", self.bucket, "--key", "photo.jpg", "--range", "bytes=1-3", "part")
        self.assertEqual((self.folder / "part").read_bytes(), b"ixe")


class SageMakerCommands(Cli, SageMakerCase):
    def test_a_labeling_job(self):
        request = self.job_request()
        name = request["LabelingJobName"]
        (self.folder / "job.json").write_text(json.dumps(request))
        arn = json.loads(self.aws("sagemaker", "create-labeling-job", "--cli-input-json", "file://job.json"))["LabelingJobArn"]
        self.assertEqual(arn, self.arn("labeling-job/" + name))
        self.wait_for_status(name, "InProgress")
        job = json.loads(self.aws("sagemaker", "describe-labeling-job", "--labeling-job-name", name))
        self.assertEqual({member: job[member] for member in request}, request)
        listed = json.loads(self.aws("sagemaker", "list-labeling-jobs", "--name-contains", name))["LabelingJobSummaryList"]
        self.assertEqual([one["LabelingJobArn"] for one in listed], [arn])
        self.aws("sagemaker", "stop-labeling-job", "--labeling-job-name", name)
        self.wait_for_status(name, "Stopped")

    def test_what_is_refused(self):
        request = dict(self.job_request(), LabelAttributeName="label")
        (self.folder / "job.json").write_text(json.dumps(request))
        said = self.refused_cli("An error occurred (ValidationException) when calling the CreateLabelingJob operation", "sagemaker", "create-labeling-job",
                                "--cli-input-json", "file://job.json")
        self.assertIn("LabelAttributeName 'label' must end in '-ref' for semantic segmentation; write 'label-ref'.", said)

    def test_work_teams_and_tags(self):
        name = unique("team")
        arn = json.loads(self.aws("sagemaker", "create-workteam", "--workteam-name", name, "--description", "by hand", "--member-definitions",
                                  json.dumps([self.member("painters")])))["WorkteamArn"]
        self.aws("sagemaker", "add-tags", "--resource-arn", arn, "--tags", "Key=color,Value=green")
        self.assertEqual(json.loads(self.aws("sagemaker", "list-tags", "--resource-arn", arn))["Tags"], [{"Key": "color", "Value": "green"}])
        self.aws("sagemaker", "delete-workteam", "--workteam-name", name)

    def test_who_am_i(self):
        self.assertEqual(json.loads(self.aws("sts", "get-caller-identity"))["Arn"], "arn:aws:iam::111122223333:user/admin")
