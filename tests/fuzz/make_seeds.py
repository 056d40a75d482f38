#!/usr/bin/env python3
"""Writes the first inputs of every fuzz target to tests/fuzz/corpus. script/fuzz --merge then keeps what reaches something new.

All of it is made here: patterns of numbers, no photo of anything."""

import base64
import gzip
import hashlib
import hmac
import io
import json
import pathlib
import struct
import tarfile
import zlib

from PIL import Image

CORPUS = pathlib.Path(__file__).resolve().parent / "corpus"
KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


def write(target, *inputs):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    for data in inputs:
        data = data.encode() if isinstance(data, str) else data
        (folder / hashlib.sha1(data).hexdigest()).write_bytes(data)


# ---- signatures ----


def signature(service, method, path, query, headers, payload, names):
    canonical = "\n".join([method, path, query, *(f"{name}:{headers[name]}" for name in names), "", ";".join(names), payload])
    scope = f"20130524/us-east-1/{service}/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", "20130524T000000Z", scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{SECRET}".encode()
    for part in ("20130524", "us-east-1", service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def signed(choice, service, method, target, body="", **more):
    path, _, query = target.partition("?")
    payload = hashlib.sha256(body.encode()).hexdigest()
    headers = {"host": "h", "x-amz-date": "20130524T000000Z", **more}
    if service == "s3":
        headers.setdefault("x-amz-content-sha256", payload)
        payload = headers["x-amz-content-sha256"]
    names = sorted(headers)
    mark = signature(service, method, path, query, headers, payload, names)
    headers["authorization"] = f"AWS4-HMAC-SHA256 Credential={KEY}/20130524/us-east-1/{service}/aws4_request, SignedHeaders={';'.join(names)}, Signature={mark}"
    return bytes([choice]) + "\n".join([f"{method} {target}", *(f"{name}: {value}" for name, value in headers.items()), "", body]).encode()


def presigned(method, path):
    query = f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={KEY}%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host"
    mark = signature("s3", method, path, query, {"host": "h"}, "UNSIGNED-PAYLOAD", ["host"])
    return b"\0" + f"{method} {path}?{query}&X-Amz-Signature={mark}\nhost: h\n".encode()


write(
    "sigv4",
    signed(0, "s3", "GET", "/b/k"), signed(0, "s3", "PUT", "/b/k%20x?a=1&b=", "hello"), signed(1, "sagemaker", "POST", "/", "{}", **{"x-amz-target": "SageMaker.ListTags"}),
    signed(2, "sagemaker", "POST", "/endpoints/e/invocations", "x"), signed(3, "sts", "POST", "/", "Action=GetCallerIdentity&Version=2011-06-15"),
    signed(0, "s3", "PUT", "/b/k", **{"x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"}), signed(0, "s3", "PUT", "/b/k", **{"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}),
    presigned("GET", "/b/k"), b"\0GET /b/k\nhost: h\ndate: Fri, 24 May 2013 00:00:00 GMT\nauthorization: AWS4-HMAC-SHA256 Credential=a/b/c/d/e/f,SignedHeaders=host,Signature=0\n",
    b"\0GET /?AWSAccessKeyId=a&Signature=b\n", b"\3POST /\nauthorization: Basic eDp5\n",
)

# ---- masks as lengths of runs ----


def run_code(shift, width, height, *lengths):
    code = bytearray([shift, width, height])
    for length in lengths:
        while length > 127:
            code.append(length & 127 | 128)
            length >>= 7
        code.append(length)
    return bytes(code)


write(
    "run_lengths",
    run_code(0, 0, 0), run_code(0, 3, 2, 6), run_code(0, 3, 2, 0, 6), run_code(0, 3, 2, 1, 2, 3), run_code(0, 200, 200, 5000, 30_000, 5000), run_code(0, 255, 1, *[1] * 255),
    run_code(53, 255, 7, 255 << 53, 7), run_code(40, 1, 0, 0, 1 << 40), run_code(0, 3, 2) + b"\x80\x00\x06", run_code(0, 3, 2) + b"\xff" * 12, run_code(0, 3, 2, 3, 0, 3),
)

# ---- bodies of S3 ----

NAMESPACE = ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
write(
    "s3_xml",
    f"<Delete{NAMESPACE}><Quiet>true</Quiet><Object><Key>a/b</Key></Object><Object><Key>&lt;&amp;&#x41;</Key><VersionId>null</VersionId></Object></Delete>",
    "<Delete><Object><Key> a \n</Key><ETag>x</ETag></Object></Delete>", '<?xml version="1.0" encoding="UTF-8"?><Delete><!-- c --><Object><Key><![CDATA[<k>]]></Key></Object></Delete>',
    f'<CompleteMultipartUpload{NAMESPACE}><Part><PartNumber>1</PartNumber><ETag>"d41d8cd98f00b204e9800998ecf8427e"</ETag><ChecksumCRC32>AAAAAA==</ChecksumCRC32></Part><Part><PartNumber>2</PartNumber><ETag>b</ETag></Part></CompleteMultipartUpload>',
    f"<Tagging{NAMESPACE}><TagSet><Tag><Key>k</Key><Value>v</Value></Tag><Tag><Key>&#1;</Key><Value/></Tag></TagSet></Tagging>", "<Tagging><TagSet/></Tagging>",
    f"<CreateBucketConfiguration{NAMESPACE}><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>", '<!DOCTYPE a [<!ENTITY b "c">]><Delete>&b;</Delete>', "", "<a>" * 40,
)

# ---- aws-chunked: how, length, framing ----


def framed(choice, size, text):
    return bytes([choice]) + struct.pack("<H", size) + text.encode()


def signed_chunks(*chunks):
    key, before, text = b"\7" * 32, "a" * 64, ""
    for chunk in (*chunks, ""):
        words = ["AWS4-HMAC-SHA256-PAYLOAD", "20130524T000000Z", "20130524/us-east-1/s3/aws4_request", before, hashlib.sha256(b"").hexdigest(), hashlib.sha256(chunk.encode()).hexdigest()]
        before = hmac.new(key, "\n".join(words).encode(), hashlib.sha256).hexdigest()
        text += f"{len(chunk):x};chunk-signature={before}\r\n{chunk}\r\n"
    return text


write(
    "aws_chunked",
    framed(0, 5, "5\r\nhello\r\n0\r\n\r\n"), framed(1, 5, "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"), framed(0, 8, "5\r\nhello\r\n3\r\nabc\r\n0\r\n\r\n"), framed(0, 0, "0\r\n\r\n"),
    framed(2, 5, signed_chunks("hello")), framed(2, 0, signed_chunks()), framed(3, 5, signed_chunks("hello")[:-2] + "x-amz-checksum-crc32:NhCmhg==\r\nx-amz-trailer-signature:" + "0" * 64 + "\r\n\r\n"),
    framed(0, 5, "5;a=b\r\nhello\r\n0\r\n\r\n"), framed(0, 5, "ffffffffffffffff\r\nhello"), framed(1, 3, "3\r\nabc\r\n0\r\na:b\r\nc: d\r\n\r\n"),
)

# ---- manifests ----

METADATA = {
    "internal-color-map": {"0": {"class-name": "BACKGROUND", "hex-color": "#ffffff", "confidence": 0.9}, "1": {"class-name": "Turtle", "hex-color": "#2ca02c", "confidence": 0.5}},
    "type": "groundtruth/semantic-segmentation", "human-annotated": "yes", "creation-date": "2026-01-31T09:00:00.000000", "job-name": "labeling-job/turtles",
}
write(
    "manifest",
    json.dumps({"source-ref": "s3://b/1.jpg"}), json.dumps({"source-ref": "s3://b/1.jpg", "t-ref": "s3://b/1.png", "t-ref-metadata": METADATA, "id": 7, "extra": {"a": [1, None, 1.5e300, "é\U0001f422"]}}),
    json.dumps({"source-ref": "s3://b/1.jpg", "t-ref-metadata": {**METADATA, "failure-reason": "ClientError: no"}}), json.dumps({"source": "text"}), '{"source-ref":"s3://b/1","source-ref":"s3://b/2"}',
    '{"source-ref":"s3://b/1","a-ref":"s3://b/2","a-ref-metadata":{"type":"groundtruth/object-detection"}}', '{"source-ref":"\\ud800","x":-0.0,"y":18446744073709551616}', "[" * 70, "",
)

# ---- pictures ----


def pattern(mode, width=7, height=5):
    bands = len(mode) if mode in ("RGB", "RGBA", "LA", "CMYK") else 1
    picture = Image.frombytes(mode, (width, height), bytes((x * 37 + y * 11 + band * 5) % 256 for y in range(height) for x in range(width) for band in range(bands)))
    if mode == "P":
        picture = picture.point(lambda value: value % 5)
        picture.putpalette([c for i in range(5) for c in (i * 50, 255 - i * 50, i)])
    return picture


def saved(picture, kind, **options):
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def raw_png(width, height, depth, kind, interlace, rows, *chunks):
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, interlace)) + b"".join(chunk(*each) for each in chunks)
        + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    )


exif = Image.Exif()
exif[0x0112] = 6
write("png", *(saved(pattern(mode), "PNG") for mode in ("RGB", "RGBA", "L", "LA", "P")), saved(pattern("L").convert("1"), "PNG"), saved(pattern("RGB"), "PNG", exif=exif.tobytes()))
write(
    "png",
    raw_png(3, 2, 16, 0, 0, b"\0" + bytes(6) + b"\1\0\1\0\2\0\3"), raw_png(3, 2, 16, 2, 0, (b"\2" + bytes(range(18))) * 2), raw_png(8, 8, 8, 0, 1, bytes(79)),
    raw_png(5, 2, 2, 3, 0, b"\0\x1b\0" * 2, (b"PLTE", bytes(range(12))), (b"tRNS", b"\0\x80")), raw_png(5, 2, 4, 0, 0, b"\0\x12\x34\x50" * 2, (b"tRNS", b"\0\1")),
    raw_png(2, 2, 8, 2, 0, (b"\4" + bytes(6)) * 2, (b"gAMA", struct.pack(">I", 45455)), (b"tEXt", b"a\0b"), (b"iCCP", b"p\0\0" + zlib.compress(b"profile"))),
    raw_png(2**31 - 1, 2**31 - 1, 8, 2, 0, b"\0"), b"\x89PNG\r\n\x1a\n",
)
write(
    "jpeg",
    saved(pattern("RGB", 17, 9), "JPEG", quality=60), saved(pattern("L"), "JPEG"), saved(pattern("CMYK"), "JPEG"), saved(pattern("RGB", 17, 9), "JPEG", progressive=True), saved(pattern("RGB"), "JPEG", exif=exif.tobytes()),
    saved(pattern("RGB", 16, 16), "JPEG", subsampling=0, optimize=True), b"\xff\xd8\xff", b"\xff\xd8\xff\xc0\0\x11\x08\xff\xff\xff\xff\x03\1\x11\0\2\x11\0\3\x11\0\xff\xd9",
)

# ---- tensors, records, archives ----


def tensors(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


write(
    "safetensors",
    tensors({"a": {"dtype": "F32", "shape": [2, 1], "data_offsets": [0, 8]}, "b": {"dtype": "I64", "shape": [], "data_offsets": [8, 16]}}, bytes(range(16))), tensors({"__metadata__": {"k": "v"}}), tensors({}),
    *(tensors({"t": {"dtype": kind, "shape": [2], "data_offsets": [0, 2 * size]}}, bytes(range(2 * size))) for kind, size in (("F64", 8), ("F16", 2), ("BF16", 2), ("I8", 1), ("BOOL", 1))),
    tensors({"a": {"dtype": "F32", "shape": [0, 5], "data_offsets": [0, 0]}}), tensors({"a": {"dtype": "U8", "shape": [2**40, 2**40], "data_offsets": [0, 4]}}, bytes(4)), struct.pack("<Q", 2**63), b"",
)


def message(number, data):
    return bytes([number << 3 | 2, len(data)]) + data


values = message(1, b"a") + message(2, message(2, message(1, struct.pack("<2f", 1, 2)))) + message(2, message(7, message(1, b"\1\2")))
record = message(1, values) + message(3, b"uid")
write(
    "recordio",
    b"\0" + bytes([2, 3, 2]) + struct.pack("<12f", *range(12)), b"\0" + bytes([1, 1, 1]) + struct.pack("<f", 0.5), b"\0" + bytes([0, 4, 4]), b"\0" + bytes([8, 8, 8]) + b"\xff" * 64,
    *(b"\1" + struct.pack("<II", 0xCED7230A, len(body)) + body + bytes(-len(body) % 4) for body in (record, b"", message(2, values), b"\x0a\x80\x80\x80\x80\x10")),
)


def archive(*entries, style=tarfile.USTAR_FORMAT):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=style) as tar:
        for name, data, kind in entries:
            info = tarfile.TarInfo(name)
            info.size, info.type, info.linkname = len(data), kind, "target" if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE) else ""
            tar.addfile(info, io.BytesIO(data))
    return stream.getvalue().rstrip(b"\0") + bytes(1024)


FILE, FOLDER = tarfile.REGTYPE, tarfile.DIRTYPE
for made in (
    archive(("model.json", b"{}", FILE), ("a/b.bin", bytes(600), FILE), ("a", b"", FOLDER)), archive(("x" * 150 + "/" + "y" * 90, b"1", FILE)), archive(("n" * 300, b"1", FILE), style=tarfile.PAX_FORMAT),
    archive(("n" * 300, b"1", FILE), style=tarfile.GNU_FORMAT), archive(("../up", b"1", FILE)), archive(("/root", b"1", FILE)), archive(("link", b"", tarfile.SYMTYPE)), archive(("hard", b"", tarfile.LNKTYPE)), bytes(1024),
):
    write("tar", made)
write("tar", gzip.compress(archive(("a", b"1", FILE)), mtime=0), gzip.compress(b"", mtime=0), b"\x1f\x8b")

# ---- HTTP and answers ----

write(
    "http_target",
    "/", "/a/b/b?x=1&y=%20+z&x=2", "http://host:9000/a/c%2Fd?q", "/a/%zz", "/a/b#c", "*", "//x", "/%00", "a=1&&b=&=c&%3D=%26", "text/html; charset=\"utf-8\"", "/a/" + "%C3%A9" * 9, "/a//b/", "https://u@h/a?b?c",
)


def answer(png, **more):
    return json.dumps({"crowd": {"labeledImage": {"pngImageData": base64.b64encode(png).decode()}, "labelMappings": {"Turtle": {"color": "#2ca02c"}, "Diver": {"color": "#0000ff"}}, **more}})


def painted(mode):
    picture = Image.new("RGBA", (8, 6), (255, 255, 255, 0))
    for x in range(4):
        for y in range(3):
            picture.putpixel((x, y), (0x2C, 0xA0, 0x2C, 255) if x < 2 else (0, 0, 255, 255))
    if mode == "RGB":
        flat = Image.new("RGB", picture.size, "white")
        flat.paste(picture, mask=picture)
        return flat
    return picture


write(
    "answer",
    answer(saved(painted("RGBA"), "PNG")), answer(saved(painted("RGB"), "PNG"), inputImageProperties={"width": 8, "height": 6}, labeledImageInitialValueModified=False), answer(saved(painted("RGB").quantize(4), "PNG")),
    answer(saved(pattern("L", 8, 6), "PNG")), answer(saved(pattern("RGB", 8, 6), "PNG")), answer(b"x"), '{"crowd":{"label":"Turtle"},"feedback":"ok"}', '{"a":{"labels":["Diver"]},"comments":"c"}', '{"a":{"label":"No"}}', "[]", '{"a":{}}', "{",
)
