"""A 100-megapixel photo and 9 workers through the whole service: peak memory of the server, time to the consolidated mask.

Every worker submits the answer that a form gives, a colour PNG in JSON over HTTP, all at once. Usage: large_photo.py [--side 10000]
[--workers 9] [--classes 10] [--seed 1]. The program: build/terrapin, or TERRAPIN. It must stay within 4 GiB."""

import argparse
import base64
import io
import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy
import PIL.Image

from support import PROGRAM, finish, of_tests, table

os.environ.setdefault("TERRAPIN", str(PROGRAM))
http = of_tests("signed_http")
service = of_tests("terrapin_server")
portal = of_tests("portal_session")

LIMIT_GIB = 4
BUCKET = "large"
PASSWORD = "a long enough password"
PIL.Image.MAX_IMAGE_PIXELS = None


def scene(side, classes, seed):
    """Class indices with discs of every class, large and small."""
    random = numpy.random.default_rng(seed)
    mask = numpy.zeros((side, side), numpy.uint8)
    for number in range(40 * classes):
        radius = int(side * random.choice([0.1, 0.03, 0.01]))
        y, x = (int(value) for value in random.integers(0, side, 2))
        top, left = max(y - radius, 0), max(x - radius, 0)
        part = mask[top : y + radius, left : x + radius]
        rows, columns = numpy.ogrid[top : top + part.shape[0], left : left + part.shape[1]]
        part[(rows - y) ** 2 + (columns - x) ** 2 < radius**2] = 1 + number % classes
    return mask


def drawn(mask, seed):
    """What one worker makes of it: everything shifted a little, and some of it left out."""
    random = numpy.random.default_rng(seed)
    result = numpy.roll(mask, tuple(int(value) for value in random.integers(-3, 4, 2)), (0, 1))
    side = mask.shape[0]
    for y, x in random.integers(0, side, (20, 2)):
        result[y : y + side // 50, x : x + side // 50] = 0
    return result


def answer(mask, labels, colors):
    """The form's JSON: RGB, as browsers make it."""
    palette = [255, 255, 255] + [value for color in colors for value in bytes.fromhex(color.lstrip("#"))]
    image = PIL.Image.fromarray(mask, "P")
    image.putpalette(palette + [0] * (768 - len(palette)))
    file = io.BytesIO()
    image.convert("RGB").save(file, "PNG", compress_level=1)
    return json.dumps({"crowd-semantic-segmentation": {
        "inputImageProperties": {"height": mask.shape[0], "width": mask.shape[1]},
        "labelMappings": {label: {"color": color} for label, color in zip(labels, colors)},
        "labeledImage": {"pngImageData": base64.b64encode(file.getvalue()).decode()}}}).encode()


class Memory:
    """The most that the server held, as the system counts, in GiB."""

    def __init__(self, server):
        self.pid = server._process.pid

    def field(self, name):
        for line in open(f"/proc/{self.pid}/status", encoding="ascii"):
            if line.startswith(name + ":"):
                return int(line.split()[1]) / (1 << 20)
        raise RuntimeError(f"no {name}")

    def peak(self):
        return self.field("VmHWM")

    def busy_seconds(self):
        """Of processor time, all threads: what a busy machine does not change."""
        fields = open(f"/proc/{self.pid}/stat", encoding="ascii").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def call(session, method, path, body=None, status=(200, 201)):
    reply = session.call(method, path, body)
    if reply.status not in status:
        raise RuntimeError(f"{method} {path}: {reply}")
    return reply


def wait_for(condition, what, seconds=1800):
    end = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > end:
            raise RuntimeError(f"{what}: not within {seconds} s")
        time.sleep(0.2)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=10_000, help="pixels of the photo's sides")
    parser.add_argument("--workers", type=int, default=9)
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    truth = scene(options.side, options.classes, options.seed)
    labels = [f"Class {number}" for number in range(options.classes)]
    with service.TerrapinServer(["--log-level", "warn", "--quiet"]) as server:
        memory = Memory(server)
        made = server.create_key()
        client = http.AwsClient(server.address, http.Key(made.id, made.secret))
        client.connection.timeout = 600
        admin = portal.PortalSession(server.address, timeout=600)
        admin.join(server.invitation("admins", "admin"), "admin@example.com", PASSWORD)
        call(admin, "POST", "/_/api/requester/buckets", {"name": BUCKET})
        file = io.BytesIO()
        PIL.Image.fromarray(truth * (200 // options.classes)).convert("RGB").save(file, "JPEG", quality=85)
        reply = client.s3("PUT", f"/{BUCKET}/photos/large.jpg", body=file.getvalue())
        if reply.status != 200:
            raise RuntimeError(f"the photo: {reply}")
        team = call(admin, "POST", "/_/api/requester/workteams", {"name": "team"}).json()["workteam"]["arn"]
        call(admin, "POST", "/_/api/requester/jobs", {
            "name": "large", "input_uri": f"s3://{BUCKET}/photos/", "output_uri": f"s3://{BUCKET}/out", "workteam_arn": team, "title": "Large",
            "labels": [{"label": label} for label in labels], "workers_per_object": options.workers, "task_time_limit_s": 7200})
        wait_for(lambda: call(admin, "GET", "/_/api/requester/jobs/large").json()["job"]["status"] == "InProgress", "the job begins")
        people, tasks = [], []
        for number in range(options.workers):
            person = portal.PortalSession(server.address, timeout=1800)
            person.join(server.invitation("team", "worker"), f"worker{number}@example.com", PASSWORD)
            tasks.append(call(person, "POST", "/_/api/assignments", {"job": "large"}).json()["assignment"]["id"])
            people.append(person)
        content = call(people[0], "GET", f"/_/api/assignments/{tasks[0]}/content").json()
        answers = [answer(drawn(truth, options.seed * 100 + number), labels, content["colors"]) for number in range(options.workers)]
        print(f"{options.side ** 2 / 1e6:.0f} megapixels, {options.workers} workers; answers of {max(map(len, answers)) / 1e6:.1f} MB at most", file=sys.stderr)
        idle = memory.peak()
        began, busy_began = time.monotonic(), memory.busy_seconds()

        def submit(number):
            people[number].connection.close()  # it lay idle while the answers were made
            return call(people[number], "POST", f"/_/api/assignments/{tasks[number]}/submit", answers[number])

        with ThreadPoolExecutor(options.workers) as pool:
            list(pool.map(submit, range(options.workers)))
        submitted, busy_submitted = time.monotonic(), memory.busy_seconds()
        submit_peak = memory.peak()

        admin.connection.close()

        def labeled():
            job = call(admin, "GET", "/_/api/requester/jobs/large").json()["job"]
            if job["status"] in ("Failed", "Stopped") or job["counters"]["failed_non_retryable"]:
                raise RuntimeError(f"the job: {job}")
            return job["counters"]["total_labeled"] == 1

        wait_for(labeled, "the consolidated mask")
        consolidated = time.monotonic()
        wait_for(lambda: call(admin, "GET", "/_/api/requester/jobs/large").json()["job"]["status"] == "Completed", "the job ends")
        completed, busy_end = time.monotonic(), memory.busy_seconds()
        consolidation_peak = memory.peak()
        call(admin, "GET", "/_/api/requester/jobs/large/objects/0/mask?width=1000")
        disagreement = admin.call("GET", "/_/api/requester/jobs/large/objects/0/disagreement?width=1000").status
        client.connection.close()
        mask = numpy.asarray(PIL.Image.open(io.BytesIO(client.s3("GET", "/" + json.loads(
            client.s3("GET", f"/{BUCKET}/out/large/manifests/output/output.manifest").text)["label-ref"].removeprefix("s3://")).body)))
        agrees = float((mask == truth).mean())
        peak = memory.peak()
    if agrees < 0.95:
        raise RuntimeError(f"the mask agrees with what all drew at {agrees:.3f} of its pixels only")
    table("One large photo through the service", ["", "peak GiB", "seconds", "processor seconds"], [
        ["before", f"{idle:.2f}", "", ""], ["all answers taken", f"{submit_peak:.2f}", f"{submitted - began:.1f}", f"{busy_submitted - busy_began:.1f}"],
        ["mask consolidated", f"{consolidation_peak:.2f}", f"{consolidated - submitted:.1f}", ""],
        ["job ended", f"{consolidation_peak:.2f}", f"{completed - submitted:.1f}", f"{busy_end - busy_submitted:.1f}"],
        ["looked at in the console", f"{peak:.2f}", "", ""]])
    finish({"megapixels": options.side**2 / 1e6, "workers": options.workers, "peak_gib": round(peak, 2), "submit_peak_gib": round(submit_peak, 2),
                           "seconds_to_take_answers": round(submitted - began, 1), "seconds_to_mask": round(consolidated - submitted, 1),
                           "seconds_to_end": round(completed - submitted, 1), "processor_seconds": round(busy_end - busy_began, 1), "agreement": round(agrees, 4), "disagreement_status": disagreement,
                           "within_limit": peak <= LIMIT_GIB})


if __name__ == "__main__":
    main()
