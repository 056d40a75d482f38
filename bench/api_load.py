"""Load: 500 workers at once (accept, 20 draft saves, submit), and a job of 100,000 objects."""

import argparse
import base64
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from support import PROGRAM, ROOT, finish, of_tests, table

http = of_tests("signed_http")
portal = of_tests("portal_session")
png = of_tests("small_png")
service = of_tests("terrapin_server")

LOAD = Path(os.environ.get("TERRAPIN_HTTP_LOAD", ROOT / "build" / "bench" / "http_load"))
FUNCTION = "arn:aws:lambda:us-east-1:432418664414:function:"
SIZE = (64, 48)
TEMPLATE = '<crowd-form><crowd-semantic-segmentation name="m" src="{{ task.input.taskObject | grant_read_access }}"></crowd-semantic-segmentation></crowd-form>'


def check(reply, what):
    if reply.status not in (200, 201):
        sys.exit(f"api_load: {what}: {reply}")
    return reply


def make_material(client, lines, name):
    body = "".join(f'{{"source-ref":"s3://load/{key}"}}\n' for key in lines).encode()
    check(client.s3("PUT", f"/load/{name}.manifest", body=body), "manifest")


def create_job(client, name, concurrent=5000):
    request = {
        "LabelingJobName": name,
        "LabelAttributeName": "mask-ref",
        "InputConfig": {"DataSource": {"S3DataSource": {"ManifestS3Uri": f"s3://load/{name}.manifest"}}},
        "OutputConfig": {"S3OutputPath": "s3://load/out"},
        "RoleArn": "arn:aws:iam::111122223333:role/load",
        "LabelCategoryConfigS3Uri": "s3://load/labels.json",
        "HumanTaskConfig": {
            "WorkteamArn": "arn:aws:sagemaker:us-east-1:111122223333:workteam/private-crowd/load",
            "UiConfig": {"UiTemplateS3Uri": "s3://load/template.html"},
            "PreHumanTaskLambdaArn": FUNCTION + "PRE-SemanticSegmentation",
            "TaskTitle": "Load",
            "TaskDescription": "Load",
            "NumberOfHumanWorkersPerDataObject": 1,
            "TaskTimeLimitInSeconds": 3600,
            "MaxConcurrentTaskCount": concurrent,
            "AnnotationConsolidationConfig": {"AnnotationConsolidationLambdaArn": FUNCTION + "ACS-SemanticSegmentation"},
        },
    }
    begin = time.perf_counter()
    check(client.sagemaker("CreateLabelingJob", **request), "CreateLabelingJob")
    while True:
        status = check(client.sagemaker("DescribeLabelingJob", LabelingJobName=name), "Describe").json()
        if status["LabelingJobStatus"] == "InProgress":
            return time.perf_counter() - begin
        if status["LabelingJobStatus"] == "Failed":
            sys.exit(f"api_load: {name}: {status['FailureReason']}")
        time.sleep(0.01)


def make_workers(server, admin, count, path):
    """Accounts, each by an invitation of its own. Their passwords are hashed, which takes a minute: not measured."""
    sessions = [None] * count
    links = []
    while len(links) < count:
        reply = admin.call("POST", "/_/api/invitations", {"groups": ["load"]})
        if reply.status == 429:  # one account asks for hundreds at once: as it is told
            time.sleep(int(reply.header("Retry-After", "1")))
            continue
        links.append(check(reply, "invitation").json()["link"].split("#")[1])

    def join(first, step):
        for number in range(first, count, step):
            # Attempts are counted by address: each worker has one.
            session = portal.PortalSession(server.address, (f"127.2.{number >> 8}.{number & 255}", 0), timeout=120)
            check(session.join(links[number], f"worker{number}@example.com", "a long enough password"), "joining")
            sessions[number] = session
            session.connection.close()

    threads = [threading.Thread(target=join, args=[first, 4]) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    path.write_text("".join(f"{session.cookie} {session.csrf}\n" for session in sessions))


def memory(server, field):
    for line in Path(f"/proc/{server._process.pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) / 1024
    return 0.0


def answer_text():
    draw = random.Random(1)
    left, top = draw.randrange(20), draw.randrange(20)
    image = png.encode_rgb(*SIZE, lambda x, y: (0x2C, 0xA0, 0x2C) if left <= x < left + 30 and top <= y < top + 20 else (255, 255, 255))
    element = {"labelMappings": {"Turtle": {"color": "#2ca02c"}}, "labeledImage": {"pngImageData": base64.b64encode(image).decode()}}
    return json.dumps({"m": element})


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=500)
    parser.add_argument("--tasks", type=int, default=2, help="of each worker (service limits one account to 300 requests at once and 50 a second)")
    parser.add_argument("--deltas", type=int, default=20, help="draft saves of a task")
    parser.add_argument("--delta-bytes", type=int, default=2000)
    parser.add_argument("--objects", type=int, default=100_000, help="of the large job")
    parser.add_argument("--state", help="postgresql://... (default: SQLite)")
    options = parser.parse_args()
    if not LOAD.exists():
        sys.exit(f"{LOAD} is missing: build with -DTERRAPIN_BUILD_BENCH=ON (the default)")
    os.environ.setdefault("TERRAPIN", str(PROGRAM))
    settings = ["--quiet", "--log-level", "warn"] + (["--state", options.state] if options.state else [])
    with service.TerrapinServer(settings) as server, tempfile.TemporaryDirectory() as folder:
        client = http.AwsClient(server.address, http.Key(server.key.id, server.key.secret))
        check(client.s3("PUT", "/load"), "bucket")
        photos = [f"{i}.png" for i in range(50)]
        for i, key in enumerate(photos):
            check(client.s3("PUT", f"/load/{key}", body=png.encode_rgb(*SIZE, lambda x, y, i=i: (x, y, i))), "photo")
        check(client.s3("PUT", "/load/labels.json", body=b'{"labels":[{"label":"Turtle"}]}'), "labels")
        check(client.s3("PUT", "/load/template.html", body=TEMPLATE.encode()), "template")
        members = [{"CognitoMemberDefinition": {"UserPool": "us-east-1_pool", "UserGroup": "load", "ClientId": "client"}}]
        check(client.sagemaker("CreateWorkteam", WorkteamName="load", Description="load", MemberDefinitions=members), "team")

        # A job of 100,000 objects: memory before and at its peak.
        make_material(client, (f"set/{i // 1000}/photo-{i}.jpg" for i in range(options.objects)), "large")
        Path(f"/proc/{server._process.pid}/clear_refs").write_text("5")
        before = memory(server, "VmRSS")
        job_seconds = create_job(client, "large", 1000)
        peak, after = memory(server, "VmHWM"), memory(server, "VmRSS")
        check(client.sagemaker("StopLabelingJob", LabelingJobName="large"), "stop")

        admin = portal.PortalSession(server.address)
        check(admin.join(server.invitation("admins", "admin"), "admin@example.com", "a long enough password"), "admin")
        sessions, answer = Path(folder) / "sessions", Path(folder) / "answer.json"
        print(f"making {options.workers} accounts ...", file=sys.stderr, flush=True)
        make_workers(server, admin, options.workers, sessions)
        answer.write_text(answer_text())
        total = options.workers * options.tasks
        make_material(client, (photos[i % len(photos)] for i in range(total)), "work")
        while client.sagemaker("DescribeLabelingJob", LabelingJobName="large").json()["LabelingJobStatus"] != "Stopped":
            time.sleep(0.1)
        create_job(client, "work")
        host, port = server.address
        command = [LOAD, "workers", host, port, sessions, options.tasks, options.deltas, options.delta_bytes, answer]
        result = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, text=True)
        if not result.stdout:
            sys.exit("api_load: the load program failed")
        load = json.loads(result.stdout)
        answered = load["submit"]["count"]
        begin = time.perf_counter()
        while True:
            status = client.sagemaker("DescribeLabelingJob", LabelingJobName="work").json()
            if status["LabelingJobStatus"] == "Completed":
                break
            if time.perf_counter() - begin > 600:
                sys.exit(f"api_load: the job does not complete: {status['LabelCounters']}")
            time.sleep(0.1)
        completed = time.perf_counter() - begin
        if load["refused"] or answered != total or status["LabelCounters"]["HumanLabeled"] != total:
            sys.exit(f"api_load: {load['refused']} refused, {answered} of {total} answers taken, {status['LabelCounters']}")

    rows = [[kind, load[kind]["count"], load[kind]["p50_ms"], load[kind]["p99_ms"]] for kind in ("accept", "open", "save", "submit")]
    table(
        f"{options.workers} workers at once, {options.tasks} tasks each of {options.deltas} draft saves of {options.delta_bytes} bytes; every save durable before its answer",
        ["operation", "count", "p50 ms", "p99 ms"],
        rows + [["all", load["operations"], load["p50_ms"], load["p99_ms"]]],
    )
    print(f"{load['operations_per_s']:.0f} operations/s; the job's masks were complete {completed:.1f} s after the last answer")
    print(f"a job of {options.objects} objects: {job_seconds:.1f} s until tasks are open; memory {before:.0f} MiB before, {peak:.0f} at most, {after:.0f} after")
    finish(
        {
            "operations_per_s": load["operations_per_s"],
            "p50_ms": load["p50_ms"],
            "p99_ms": load["p99_ms"],
            "save_p50_ms": load["save"]["p50_ms"],
            "save_p99_ms": load["save"]["p99_ms"],
            "workers": options.workers,
            "tasks": options.tasks,
            "deltas": options.deltas,
            "delta_bytes": options.delta_bytes,
            "state": "postgresql" if options.state else "sqlite",
            "job_objects": options.objects,
            "job_seconds": job_seconds,
            "job_memory_before_mib": before,
            "job_memory_peak_mib": peak,
        }
    )


if __name__ == "__main__":
    main()
