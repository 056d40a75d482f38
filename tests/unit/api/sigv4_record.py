#!/usr/bin/env python3
"""Records requests as botocore signs them, for sigv4_recorded_test.cpp:

    for python in /usr/bin/python3 python3; do $python sigv4_record.py; done > sigv4_recorded.jsonl

One JSON object a line. Nothing is sent.
"""
import base64
import io
import json
import sys
from urllib.parse import urlsplit

import botocore
import botocore.session
from botocore.awsrequest import AWSResponse
from botocore.config import Config

KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
UNSIGNED = ("user-agent", "amz-sdk-invocation-id", "amz-sdk-request")  # and of no interest
session = botocore.session.Session()
session.set_credentials(KEY, SECRET)
session.set_config_variable("region", "us-east-1")


def text(value):
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def write(name, service, method, url, headers, body, content):
    parts = urlsplit(url)
    fields = [[text(k), text(v)] for k, v in headers if k.lower() not in UNSIGNED]
    if not any(k.lower() == "host" for k, _ in fields):
        fields.append(["Host", parts.netloc])
    record = {
        "client": "botocore " + botocore.__version__,
        "name": name,
        "service": service,
        "method": method,
        "target": parts.path + ("?" + parts.query if parts.query else ""),
        "headers": fields,
        "body": base64.b64encode(body).decode(),
    }
    if content is not None:
        record["content"] = base64.b64encode(content).decode()
    print(json.dumps(record))


class Raw(io.BytesIO):
    def stream(self, **_):
        yield self.read()


def client_for(service, endpoint, **config):
    client = session.create_client(service, endpoint_url=endpoint, config=Config(retries={"total_max_attempts": 1}, **config))
    state = {}

    def capture(request, **_):
        body = request.body or b""
        if hasattr(body, "read"):
            body = body.read()
        if isinstance(body, str):
            body = body.encode()
        write(state["name"], service, request.method, request.url, request.headers.items(), body, state["content"])
        answer = b"{}" if service == "sagemaker" else b""
        return AWSResponse(request.url, 200, {}, Raw(answer))

    client.meta.events.register("before-send", capture)

    def call(name, operation, content=None, **arguments):
        state.update(name=name, content=content)
        try:
            getattr(client, operation)(**arguments)
        except Exception as error:  # the made-up answer may not parse: the request was recorded
            print(f"{name}: {error}", file=sys.stderr)

    return client, call


path_style = {"s3": {"addressing_style": "path"}, "signature_version": "s3v4"}
KEYS = ["plain.jpg", "a b/c+d/e&f=g?h#i%20j", "héllo/日本.png", "double//slash/../dots/./x", "tilde~!*'();:@,$[]{}|\\^`\"<>"]
plain, s3 = client_for("s3", "http://127.0.0.1:9000", **path_style)
_, secure = client_for("s3", "https://localhost:9000", **path_style)
_, virtual = client_for("s3", "http://storage.example:9000", s3={"addressing_style": "virtual"})

for number, key in enumerate(KEYS):
    s3(f"get {number}", "get_object", Bucket="photos", Key=key, Range="bytes=0-9")
    s3(f"put {number}", "put_object", b"hello", Bucket="photos", Key=key, Body=b"hello")
    s3(f"copy {number}", "copy_object", b"", Bucket="photos", Key="to", CopySource={"Bucket": "photos", "Key": key})
    for method, operation in (("GET", "get_object"), ("PUT", "put_object")):
        url = plain.generate_presigned_url(operation, Params={"Bucket": "photos", "Key": key}, ExpiresIn=3600)
        write(f"presigned {method} {number}", "s3", method, url, [], b"", b"")
s3("metadata", "put_object", b"x", Bucket="photos", Key="m", Body=b"x", Metadata={"a": "two  spaces", "b": "  edge "},
   ContentType="image/jpeg", CacheControl="no-cache, private")
for query in ("a b", "a+b", "é/ü", "x&y=z", "%41", ""):
    s3(f"list {query!r}", "list_objects_v2", Bucket="photos", Prefix=query, Delimiter="/", StartAfter=query)
s3("acl", "get_bucket_acl", Bucket="photos")
s3("tagging", "get_object_tagging", Bucket="photos", Key="k")
s3("delete many", "delete_objects", Bucket="photos", Delete={"Objects": [{"Key": "a"}, {"Key": "<b>"}]})
s3("part", "upload_part", b"part", Bucket="photos", Key="k", UploadId="u+/=", PartNumber=3, Body=b"part")
s3("complete", "complete_multipart_upload", Bucket="photos", Key="k", UploadId="u",
   MultipartUpload={"Parts": [{"ETag": '"e"', "PartNumber": 1}]})
virtual("virtual host", "get_object", Bucket="photos", Key="a b")
big = bytes(range(256)) * 4
for algorithm in ("CRC32", "SHA1", "SHA256"):
    s3(f"checksum {algorithm}", "put_object", b"hello", Bucket="photos", Key="c", Body=b"hello", ChecksumAlgorithm=algorithm)
    secure(f"trailer {algorithm}", "put_object", big, Bucket="photos", Key="c", Body=io.BytesIO(big), ChecksumAlgorithm=algorithm)
secure("empty trailer", "put_object", b"", Bucket="photos", Key="c", Body=io.BytesIO(b""), ChecksumAlgorithm="CRC32")
secure("gzip", "put_object", big, Bucket="photos", Key="c", Body=io.BytesIO(big), ChecksumAlgorithm="CRC32",
       ContentEncoding="gzip")
_, sagemaker = client_for("sagemaker", "http://127.0.0.1:9000")
sagemaker("describe", "describe_labeling_job", LabelingJobName="turtles")
sagemaker("list", "list_labeling_jobs", NameContains="höh")
runtime_client, runtime = client_for("sagemaker-runtime", "http://127.0.0.1:9000")
runtime("invoke", "invoke_endpoint", EndpointName="turtle-1", Body=b"\x00\x01", ContentType="image/png")
sts_client, sts = client_for("sts", "http://127.0.0.1:9000")
sts("identity", "get_caller_identity")
write("presigned identity", "sts", "GET", sts_client.generate_presigned_url("get_caller_identity", HttpMethod="GET"), [], b"", None)
