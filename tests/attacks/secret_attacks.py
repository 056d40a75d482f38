"""What the log, the metrics, the files and the answers tell."""

import os
import pathlib
import shutil
import stat
import subprocess
import sys

from attack_case import PASSWORD, AttackCase, unique
from support.signed_http import AwsClient, Key, exchange
from support.terrapin_server import TerrapinServer, program

HERE = pathlib.Path(__file__).resolve().parent


class Secrets(AttackCase):
    def log(self):
        return self.server.log.read_text(errors="replace")

    def test_forged_log_lines(self):
        """An attacker would write lines of their own into the log, to hide what they do or to blame another."""
        mark = unique("forged")
        bucket = self.bucket()
        texts = [f"{mark}\n[2026-01-01] [info] admin signed in", f"{mark}\r\nevil", f"{mark}\x1b[2Jevil", f"{mark}\x00", f"{mark}\u2028evil", f"{mark}\x85evil"]
        job, _, [worker] = self.labeled_team_job(1)
        task = self.task(worker, job)
        for text in texts:
            if "\0" not in text:
                self.aws.s3("PUT", f"/{bucket}/{text}", body=b"x")
            self.aws.s3("GET", f"/{bucket}/{text}")
            self.aws.s3("GET", f"/{text}")
            self.aws.sagemaker("DescribeLabelingJob", LabelingJobName=text)
            self.stranger().sign_in(text, text)
            self.stranger().call("POST", "/_/api/invitation/look", {"token": text})
            self.heard(worker.call("POST", f"/_/api/assignments/{task}/draft/open", {"tab": text}))
        self.send(f"GET /{mark} HTTP/1.1\r\nHost: x\r\nUser-Agent: {mark}\x1b[31m\r\nReferer: {mark}\r\n\r\n".encode("latin-1"))
        self.send(f"GET /%0a{mark}evil%0d%0a HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        for line in self.log().replace("\r", "\n").splitlines():
            if "evil" in line or "admin signed in" in line or mark in line:
                self.assertTrue(line.startswith("[") or line[:4].isdigit(), f"a forged line: {line!r}")
            self.assertFalse(any(ord(character) < 32 for character in line if character != "\t"), f"control characters: {line!r}")

    def test_secrets_in_the_log(self):
        """An attacker who reads the log would sign in or sign requests with secrets that it holds."""
        token = self.server.invitation("nobody", "admin")
        person = self.stranger()
        name = unique("p") + "@example.com"
        self.assertEqual(person.join(token, name, "password-in-no-log-1234").status, 201)
        unused = self.server.invitation("nobody")
        invited = person.call("POST", "/_/api/invitations", {}).json()["link"].split("#")[1]
        reset = person.call("POST", f"/_/api/accounts/{person.account['id']}/reset-link").json()["link"].split("#")[1]
        self.stranger().sign_in(name, "wrong-password-in-no-log")
        bucket = self.bucket()
        self.put(bucket, "a", b"x")
        link = self.link("GET", f"/{bucket}/a")
        self.follow(link)
        signed = self.signed("GET", f"/{bucket}/a")
        self.send(signed)
        broken = self.signed("GET", f"/{bucket}/a")
        broken.query = [("x", "y")]
        self.send(broken)
        job, _, [worker] = self.labeled_team_job(1)
        content = worker.call("GET", f"/_/api/assignments/{self.task(worker, job)}/content").json()
        image = next(iter(content["images"].values()))
        worker.call("GET", image)
        self.stranger().call("GET", image)
        self.stranger().call("GET", f"/_/join?token={unused}")
        made = self.new_key()
        text = self.log()
        self.assertIn(bucket, text, "the log tells nothing at all")
        for what, secret in (
            ("the admin key's secret", self.key.secret), ("a key's secret", made.secret), ("a session", person.cookie.split("=", 1)[1]), ("a CSRF token", person.csrf),
            ("a used invitation", token), ("an open invitation", unused), ("an invitation made by an admin", invited), ("a reset link", reset), ("a password", "password-in-no-log-1234"),
            ("a wrong password", "wrong-password-in-no-log"), ("the signature of a link", link.split("X-Amz-Signature=")[1]), ("a signature", signed.signature),
            ("the link of a photo", image.rsplit("/", 1)[1]), ("the common password", PASSWORD),
        ):
            self.assertNotIn(secret, text, what)

    def test_secrets_in_files(self):
        """An attacker with another account on the host would read keys, sessions and answers in the data folder."""
        self.assertEqual(stat.S_IMODE(os.stat(self.data).st_mode), 0o700)
        for name in ("access-keys.json", "settings.json", "portal.key", "state.db"):
            mode = stat.S_IMODE(os.stat(self.data / name).st_mode)
            self.assertEqual(mode & 0o077, 0, f"{name}: {mode:o}")
        self.assertNotIn(self.key.secret, self.server.run("keys", "list", "--json").stdout)
        backup = self.server.folder / unique("backup")
        self.server.run("backup", "--output", str(backup), "--quiet")
        self.assertEqual(stat.S_IMODE(os.stat(backup).st_mode), 0o700)
        for path in backup.iterdir():
            if path.is_file() and path.name != "backup.json":
                self.assertEqual(stat.S_IMODE(os.stat(path).st_mode) & 0o077, 0, path)
        shutil.rmtree(backup)

    def test_tokens_in_the_database(self):
        """An attacker who gets a copy of the database would sign in with the sessions and invitations in it."""
        token = self.server.invitation("nobody")
        person = self.person()
        data = b"".join(path.read_bytes() for path in self.data.glob("state.db*"))
        for secret in (token, person.cookie.split("=", 1)[1], PASSWORD, self.key.secret):
            self.assertNotIn(secret.encode(), data)

    def test_opened_key_file(self):
        """An attacker would go unnoticed after the key file was opened to other accounts of the host."""
        with TerrapinServer() as server:
            key = Key(server.key.id, server.key.secret)
            self.assertEqual(AwsClient(server.address, key).s3("GET", "/").status, 200)
            os.chmod(server.data_dir / "access-keys.json", 0o644)
            self.assertGreaterEqual(AwsClient(server.address, key).s3("GET", "/").status, 400)
            server.stop()
            command = [program(), "serve", "--data-dir", str(server.data_dir), "--port", "0"]
            result = subprocess.run(command, capture_output=True, text=True, timeout=60)
            self.assertEqual(result.returncode, 1)
            self.assertIn("0600", result.stderr)

    def test_first_key(self):
        """An attacker who sees a later start, or its log, would read the first key's secret there."""
        folder = self.server.folder / unique("fresh")
        def start():
            process = subprocess.Popen([program(), "serve", "--data-dir", str(folder), "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            text = ""
            for line in process.stdout:
                text += line
                if line.startswith("terrapin serve:"):
                    break
            process.terminate()
            rest, log = process.communicate(timeout=60)
            return text + rest, log

        first, log = start()
        secret = first.split("AWS_SECRET_ACCESS_KEY=")[1].split()[0]
        self.assertNotIn(secret, log)
        again, log = start()
        self.assertNotIn(secret, again + log)
        self.assertNotIn("SECRET", again)

    def test_metrics_from_elsewhere(self):
        """An attacker on the network would watch what is labelled and how much, at /metrics, or say that they are on the host."""
        reply = exchange(self.address, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertEqual(reply.status, 200)
        self.assertNotIn(self.key.id, reply.text)
        # Another machine's address exists here only in a network of our own.
        if not shutil.which("unshare") or not shutil.which("ip"):
            self.skipTest("needs unshare and ip (Debian: util-linux, iproute2) for a network of its own")
        probe = subprocess.run(["unshare", "--net", "--map-root-user", "ip", "link", "set", "lo", "up"], capture_output=True, text=True)
        if probe.returncode != 0:
            self.skipTest(f"this host allows no network of its own: {probe.stderr.strip()}")
        result = subprocess.run(["unshare", "--net", "--map-root-user", sys.executable, str(HERE / "from_elsewhere.py")], capture_output=True, text=True, timeout=120)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_wide_address_without_tls(self):
        """An attacker on the network would read sessions and photos on the way, if the service listened everywhere without TLS."""
        folder = self.server.folder / unique("wide")
        for address in ("0.0.0.0", "::", "192.0.2.1"):
            result = subprocess.run([program(), "serve", "--data-dir", str(folder), "--port", "0", "--listen", address], capture_output=True, text=True, timeout=60)
            self.assertNotEqual(result.returncode, 0)
            self.assertIn("--tls-cert", result.stderr)

    def test_errors_tell_little(self):
        """An attacker would learn the host's folders, users and program parts from failures that they cause."""
        bucket, team = self.bucket(), self.team()
        self.job_files(bucket)
        folder = self.data / "objects" / bucket
        (folder / "blocked").mkdir()
        (folder / "blocked" / "x").write_bytes(b"x")
        for reply in (
            self.aws.s3("PUT", f"/{bucket}/0.png/below", body=b"x"), self.aws.s3("GET", f"/{bucket}/blocked"), self.aws.s3("GET", f"/{bucket}/{'x' * 2000}"),
            self.aws.s3("DELETE", f"/{bucket}"), self.aws.s3("GET", "/no-such-bucket-here/x"),
            self.aws.sagemaker("CreateLabelingJob", **self.job_request(bucket, team, labels=f"s3://{bucket}/0.png")[1]),
            self.aws.sagemaker("CreateLabelingJob", **self.job_request(bucket, team, manifest=f"s3://{bucket}/none")[1]),
        ):
            self.heard(reply)
            for word in (str(self.data), "/objects/", "errno", "No such file", "sqlite", "SQL", ".cpp", "std::"):
                self.assertNotIn(word, reply.text)
