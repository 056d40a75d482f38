"""InvokeEndpoint: requests/s and latency at 1, 8 and 64 clients against `terrapin host` alone and ONNX Runtime behind a Python server; an update under load.

Usage: script/bench endpoint [--seconds 10] [--threads 2] [--photo FILE] [--model FILE]
The same photo (480 x 360, generated, or --photo) and model for all three. Without --model one is trained for a moment on generated scenes: the times do not
depend on its weights. The request to the endpoint is signed once and sent again and again, so that the load costs the machine little.
`ratio_vs_onnxruntime_server`: requests/s at 8 clients. `failed_during_update`: requests that were not answered with 200 while UpdateEndpoint exchanged every
server, under a load of half of what the endpoint took at 8 clients.
The peer: ThreadingHTTPServer of Python's library with kept-alive connections, Pillow for photo and mask, the exported network in onnxruntime.
"""

import argparse
import datetime
import io
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from pathlib import Path

from support import PROGRAM, ROOT, finish, of_tests, run, table, train

service = of_tests("terrapin_server")

LOAD = Path(os.environ.get("TERRAPIN_HTTP_LOAD", ROOT / "build" / "bench" / "http_load"))
CLIENTS = (1, 8, 64)
IMAGE = "111122223333.dkr.ecr.us-east-1.amazonaws.com/semantic-segmentation:1"
PEER = """
import http.server, io, json, sys
import numpy, onnxruntime, PIL.Image
onnx, model, threads = sys.argv[1], json.load(open(sys.argv[2])), int(sys.argv[3])
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = threads
session = onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
mean, std = (numpy.array(model[name], numpy.float32).reshape(3, 1, 1) for name in ("mean", "std"))
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    def log_message(self, *unused): pass
    def do_POST(self):
        photo = PIL.Image.open(io.BytesIO(self.rfile.read(int(self.headers["Content-Length"])))).convert("RGB")
        size = (model["width"], model["height"])
        pixels = numpy.asarray(photo.resize(size, PIL.Image.BILINEAR), numpy.float32).transpose(2, 0, 1) / 255
        labels = session.run(["labels"], {"image": ((pixels - mean) / std)[None]})[0][0]
        answer = io.BytesIO()
        PIL.Image.fromarray(labels).resize(photo.size, PIL.Image.NEAREST).save(answer, "PNG")
        self.send_response(200)
        self.send_header("Content-Type", "image/png")
        self.send_header("Content-Length", str(len(answer.getvalue())))
        self.end_headers()
        self.wfile.write(answer.getvalue())
class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
server = Server(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
"""


def generated_photo():
    import numpy
    import PIL.Image
    random = numpy.random.default_rng(1)
    image = PIL.Image.fromarray(random.integers(0, 255, (12, 16, 3), numpy.uint8)).resize((480, 360), PIL.Image.BICUBIC)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=90)
    return file.getvalue()


def small_model(folder):
    run([PROGRAM, "scenes", folder / "scenes", "--count", "12", "--size", "96x72"])
    manifest = next((folder / "scenes").rglob("output.manifest"))
    run([PROGRAM, "transform", manifest, "--output", folder / "data", "--quiet", "--s3-root", f"scenes={folder / 'scenes'}"])
    train(folder / "data", folder / "run", "none", backbone="mobilenet-v2", algorithm="lite", epochs=1, crop_size=64, base_size=480, mini_batch_size=4)
    return folder / "run" / "model.tar.gz"


def whole_request(target, host, body, fields):
    lines = [f"POST {target} HTTP/1.1", f"Host: {host}", *(f"{name}: {value}" for name, value in fields.items() if name.lower() != "host")]
    if not any(name.lower() == "content-length" for name in fields):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Target:
    """Something that answers one request, by whatever way."""

    def __init__(self, name, url, make_request, folder):
        self.name, self.address, self.make_request = name, urllib.parse.urlsplit(url), make_request
        self.file = folder / f"{name.replace(' ', '-')}.request"

    def measure(self, clients, seconds):
        self.file.write_bytes(self.make_request())
        text = subprocess.run([str(LOAD), "repeat", self.address.hostname, str(self.address.port), str(self.file), str(seconds), str(clients)],
                              stdout=subprocess.PIPE, text=True, check=False).stdout
        return json.loads(text)


def endpoint_config(sagemaker, name, model, instances):
    sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[
        {"VariantName": "AllTraffic", "ModelName": model, "InstanceType": "ml.c5.xlarge", "InitialInstanceCount": instances}])


def failures_during_update(server, sagemaker, photo, rate):
    """(requests, failures) from before the update until it is over and the old servers are gone."""
    stop, lock, counts = threading.Event(), threading.Lock(), [0, 0]
    threads = 8

    def ask():
        runtime = server.client("sagemaker-runtime", read_timeout=90)
        due = time.monotonic()
        while not stop.is_set():
            due += threads / rate
            stop.wait(max(0.0, due - time.monotonic()))
            try:
                runtime.invoke_endpoint(EndpointName="bench", Body=photo, ContentType="image/jpeg")["Body"].read()
                failed = 0
            except Exception as problem:  # whatever it is, it is a failed request
                print(f"endpoint: {problem}", file=sys.stderr)
                failed = 1
            with lock:
                counts[0] += 1
                counts[1] += failed

    workers = [threading.Thread(target=ask) for _ in range(threads)]
    for worker in workers:
        worker.start()
    try:
        sagemaker.update_endpoint(EndpointName="bench", EndpointConfigName="bench-2")
        sagemaker.get_waiter("endpoint_in_service").wait(EndpointName="bench", WaiterConfig={"Delay": 1, "MaxAttempts": 600})
        time.sleep(5)  # the old servers drain
    finally:
        stop.set()
        for worker in workers:
            worker.join()
    return counts


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--threads", type=int, default=0, help="of each server; 0: all cores")
    parser.add_argument("--photo", type=Path)
    parser.add_argument("--model", type=Path)
    options = parser.parse_args()
    if not LOAD.exists():
        sys.exit(f"{LOAD} is missing: build with -DTERRAPIN_BUILD_BENCH=ON (the default)")
    threads = options.threads or len(os.sched_getaffinity(0))
    photo = options.photo.read_bytes() if options.photo else generated_photo()
    try:
        import onnxruntime  # noqa: F401
    except ImportError:
        onnxruntime = None
        print("onnxruntime is not installed (pip install onnxruntime): its column is left out", file=sys.stderr)
    figures, processes = {}, []
    with tempfile.TemporaryDirectory(prefix="terrapin-bench-") as scratch:
        folder = Path(scratch)
        model = options.model or small_model(folder)
        server = service.TerrapinServer(["--slot", f"ml.c5.xlarge={threads}"])
        try:
            server.start()
            s3, sagemaker = server.client("s3"), server.client("sagemaker")
            s3.create_bucket(Bucket="bench")
            s3.put_object(Bucket="bench", Key="model.tar.gz", Body=Path(model).read_bytes())
            sagemaker.create_model(ModelName="bench", ExecutionRoleArn="arn:aws:iam::111122223333:role/bench",
                                   PrimaryContainer={"Image": IMAGE, "ModelDataUrl": "s3://bench/model.tar.gz"})
            endpoint_config(sagemaker, "bench-1", "bench", 1)
            endpoint_config(sagemaker, "bench-2", "bench", 1)
            sagemaker.create_endpoint(EndpointName="bench", EndpointConfigName="bench-1")

            fields = {"Content-Type": "image/jpeg", "Accept": "image/png"}
            path = "/endpoints/bench/invocations"

            def signed():
                request = server._sign("SigV4Auth", "sagemaker", "POST", path, photo, dict(fields), None, datetime.timedelta(0))
                return whole_request(path, urllib.parse.urlsplit(server.url).netloc, photo, dict(request.headers.items()))

            def plain():
                return whole_request("/invocations", "127.0.0.1", photo, fields)

            host = subprocess.Popen([str(PROGRAM), "host", "--model", str(model), "--port", "0", "--threads", str(threads), "--quiet"],
                                    stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            processes.append(host)
            host_url = host.stdout.readline().split()[2]
            targets = [Target("endpoint", server.url, signed, folder), Target("terrapin host", host_url, plain, folder)]
            if onnxruntime:
                run([PROGRAM, "export", "--model", model, "--output", folder / "model.onnx", "--labels"])
                spec = json.loads(subprocess.run(["tar", "-xzOf", str(model), "model.json"], stdout=subprocess.PIPE, check=True).stdout)["preprocessing"]
                import PIL.Image
                width, height = PIL.Image.open(io.BytesIO(photo)).size
                scale = spec["long_side"] / max(width, height) if spec["long_side"] else 1
                multiple, offset = spec["size_multiple"], spec["size_offset"]
                fit = [max(1, round((side * scale - offset) / multiple)) * multiple + offset for side in (width, height)]
                (folder / "peer.json").write_text(json.dumps({"mean": spec["mean"], "std": spec["std"], "width": fit[0], "height": fit[1]}))
                (folder / "peer.py").write_text(PEER)
                peer = subprocess.Popen([sys.executable, str(folder / "peer.py"), str(folder / "model.onnx"), str(folder / "peer.json"), str(threads)],
                                        stdout=subprocess.PIPE, text=True)
                processes.append(peer)
                targets.append(Target("onnxruntime server", f"http://127.0.0.1:{peer.stdout.readline().strip()}", plain, folder))
            sagemaker.get_waiter("endpoint_in_service").wait(EndpointName="bench", WaiterConfig={"Delay": 1, "MaxAttempts": 600})

            rows, rates = [], {}
            for target in targets:
                target.measure(1, min(2.0, options.seconds))  # warm
            for clients in CLIENTS:
                for target in targets:
                    measured = target.measure(clients, options.seconds)
                    name = target.name.replace(" ", "_")
                    rates[target.name, clients] = measured["operations_per_s"]
                    for figure, key in (("requests_per_s", "operations_per_s"), ("p50_ms", "p50_ms"), ("p99_ms", "p99_ms"), ("refused", "refused")):
                        figures[f"{name}_{clients}_{figure}"] = measured[key]
                    rows.append([f"{target.name}, {clients} clients", measured["operations_per_s"], measured["p50_ms"], measured["p99_ms"], measured["refused"]])
            figures["ratio_vs_host"] = rates["endpoint", 8] / rates["terrapin host", 8]
            if onnxruntime:
                figures["ratio_vs_onnxruntime_server"] = rates["endpoint", 8] / rates["onnxruntime server", 8]
            for process in processes:  # so that the update has the machine to itself
                process.terminate()
                process.wait()
            asked, failed = failures_during_update(server, sagemaker, photo, rates["endpoint", 8] / 2)
            figures["requests_during_update"], figures["failed_during_update"] = asked, failed
            sagemaker.delete_endpoint(EndpointName="bench")
            sagemaker.get_waiter("endpoint_deleted").wait(EndpointName="bench", WaiterConfig={"Delay": 1, "MaxAttempts": 600})
        finally:
            for process in processes:
                process.kill()
                process.wait()
            server.close()
    table("InvokeEndpoint, one server", ["", "requests/s", "p50 ms", "p99 ms", "refused"], rows)
    print(f"during an update at half of the load of 8 clients: {asked} requests, {failed} failed")
    finish(figures)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
