"""HTTP/1.1 over plain sockets and AWS Signature Version 4, both by hand: a test decides every byte of a request,
nothing is sent twice, and what was signed may differ from what is sent.

Written from the public description of the signing process; AWS's own clients are used elsewhere (tests/api)."""

import base64
import datetime
import hashlib
import hmac
import json
import socket
import ssl
import zlib
from urllib.parse import quote, urlsplit

UNSIGNED = "UNSIGNED-PAYLOAD"
EMPTY_HASH = hashlib.sha256(b"").hexdigest()
ALGORITHM = "AWS4-HMAC-SHA256"


class BrokenConnection(Exception):
    """The server closed the connection, or did not answer in time: whether it did the work is unknown."""


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def header(self, name, default=None):
        values = [value for field, value in self.headers if field.lower() == name.lower()]
        return ", ".join(values) if values else default

    def all(self, name):
        return [value for field, value in self.headers if field.lower() == name.lower()]

    def json(self):
        return json.loads(self.body)

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    def __repr__(self):
        return f"{self.status} {self.text[:600]}"


class Connection:
    """One connection that is kept open between requests. One thread at a time."""

    def __init__(self, host, port, timeout=30, source_address=None):
        self.host, self.port, self.timeout, self.source_address = host, port, timeout, source_address
        self.tls = False  # True: TLS, whoever answers
        self.socket, self.buffer = None, b""

    def open(self):
        try:
            self.socket = socket.create_connection((self.host, self.port), self.timeout, self.source_address)
        except OSError as error:
            raise BrokenConnection(f"cannot connect: {error}") from error
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.tls:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            self.socket = context.wrap_socket(self.socket)
        self.buffer = b""

    def close(self):
        if self.socket:
            self.socket.close()
        self.socket = None

    def send(self, data):
        if self.socket is None:
            self.open()
        try:
            self.socket.sendall(data)
        except OSError as error:
            self.close()
            raise BrokenConnection(f"cannot send: {error}") from error

    def _more(self):
        try:
            data = self.socket.recv(1 << 18)
        except OSError as error:
            self.close()
            raise BrokenConnection(f"no answer: {error}") from error
        if not data:
            self.close()
            raise BrokenConnection("the connection was closed")
        self.buffer += data

    def _take(self, count):
        while len(self.buffer) < count:
            self._more()
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def _line(self):
        while b"\r\n" not in self.buffer:
            self._more()
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def receive(self, method="GET"):
        """The next answer. Informational ones (100) are skipped."""
        while True:
            start = self._line().split(b" ", 2)
            headers = []
            while line := self._line():
                name, _, value = line.partition(b":")
                headers.append((name.decode("latin-1"), value.strip().decode("latin-1")))
            status = int(start[1])
            if status >= 200:
                break
        reply = Reply(status, headers, b"")
        if method != "HEAD" and status not in (204, 304):
            if "chunked" in (reply.header("Transfer-Encoding") or ""):
                parts = []
                while size := int(self._line().split(b";")[0], 16):
                    parts.append(self._take(size))
                    self._take(2)
                while self._line():
                    pass
                reply.body = b"".join(parts)
            else:
                reply.body = self._take(int(reply.header("Content-Length", "0")))
        if (reply.header("Connection") or "").lower() == "close":
            self.close()
        return reply

    def request(self, method, target, headers=(), body=b""):
        self.send(request_bytes(method, target, headers, body, self.authority()))
        return self.receive(method)

    def authority(self):
        return f"{self.host}:{self.port}"


def request_bytes(method, target, headers, body, authority):
    """The request as sent: Host and Content-Length are added where `headers` lacks them."""
    headers = list(headers.items() if isinstance(headers, dict) else headers)
    names = {name.lower() for name, _ in headers}
    if "host" not in names:
        headers.insert(0, ("Host", authority))
    if "content-length" not in names and "transfer-encoding" not in names and (body or method in ("PUT", "POST", "DELETE")):
        headers.append(("Content-Length", str(len(body))))
    head = f"{method} {target} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers) + "\r\n"
    return head.encode("latin-1") + body


def exchange(address, data, timeout=10, method="GET"):
    """Sends bytes on a connection of their own and reads one answer."""
    connection = Connection(address[0], address[1], timeout)
    try:
        connection.send(data)
        return connection.receive(method)
    finally:
        connection.close()


def address_of(url):
    parts = urlsplit(url)
    return parts.hostname, parts.port


# ---- signing ----


def now():
    return datetime.datetime.now(datetime.timezone.utc)


def basic_time(when):
    return when.strftime("%Y%m%dT%H%M%SZ")


def encoded(text, safe=""):
    return quote(text, safe=safe + "-_.~")


def encoded_path(path):
    return encoded(path, safe="/")


def query_text(query):
    return "&".join(f"{encoded(name)}={encoded(value)}" for name, value in query)


class Key:
    """An access key and where it signs for."""

    def __init__(self, key_id, secret, region="us-east-1", service="s3"):
        self.id, self.secret, self.region, self.service = key_id, secret, region, service

    def to(self, service):
        return Key(self.id, self.secret, self.region, service)

    def scope(self, when, region=None, service=None):
        return f"{when.strftime('%Y%m%d')}/{region or self.region}/{service or self.service}/aws4_request"

    def signing_key(self, scope):
        key = ("AWS4" + self.secret).encode()
        for part in scope.split("/"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        return key

    def signature(self, scope, text):
        return hmac.new(self.signing_key(scope), text.encode(), hashlib.sha256).hexdigest()


def canonical_request(method, path, query, headers, signed, payload_hash):
    fields = {}
    for name, value in headers:
        fields.setdefault(name.lower(), []).append(" ".join(value.split()))
    lines = "".join(f"{name}:{','.join(fields.get(name, ['']))}\n" for name in signed)
    ordered = "&".join(sorted(f"{encoded(name)}={encoded(value)}" for name, value in query))
    return f"{method}\n{path}\n{ordered}\n{lines}\n{';'.join(signed)}\n{payload_hash}"


def string_to_sign(when, scope, canonical):
    return f"{ALGORITHM}\n{basic_time(when)}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"


class Signed:
    """A request signed in its header. Members may be changed after signing: that is what attacks do."""

    def __init__(self, key, method, path, authority, query=(), headers=(), body=b"", when=None, payload=None, signed=None, scope=None):
        self.method, self.query, self.body = method, list(query), body
        self.path = encoded_path(path)
        when = when or now()
        self.when = when
        self.scope = scope or key.scope(when)
        self.headers = list(headers.items() if isinstance(headers, dict) else headers)
        names = {name.lower() for name, _ in self.headers}
        if "host" not in names:
            self.headers.insert(0, ("Host", authority))
        if "x-amz-date" not in names:
            self.headers.append(("X-Amz-Date", basic_time(when)))
        self.payload = payload or hashlib.sha256(body).hexdigest()
        if key.service == "s3" and "x-amz-content-sha256" not in names:
            self.headers.append(("X-Amz-Content-Sha256", self.payload))
        signed = sorted(signed or {name.lower() for name, _ in self.headers if name.lower() not in ("connection", "content-length", "expect")})
        canonical = canonical_request(method, self.path, self.query, self.headers, signed, self.payload)
        self.signature = key.signature(self.scope, string_to_sign(when, self.scope, canonical))
        self.key = key
        self.headers.append(
            ("Authorization", f"{ALGORITHM} Credential={key.id}/{self.scope}, SignedHeaders={';'.join(signed)}, Signature={self.signature}")
        )

    def set(self, name, value):
        """Replaces a header, or adds it."""
        self.headers = [(n, v) for n, v in self.headers if n.lower() != name.lower()] + [(name, value)]

    def get(self, name):
        return next(v for n, v in self.headers if n.lower() == name.lower())

    @property
    def target(self):
        return self.path + ("?" + query_text(self.query) if self.query else "")

    def bytes(self):
        return request_bytes(self.method, self.target, self.headers, self.body, "")


def presigned(key, method, path, authority, expires=300, query=(), when=None, headers=(), scope=None):
    """The target of a presigned request: path and query with the signature."""
    when = when or now()
    scope = scope or key.scope(when)
    path = encoded_path(path)
    fields = [("Host", authority)] + list(headers)
    signed = sorted(name.lower() for name, _ in fields)
    query = list(query) + [
        ("X-Amz-Algorithm", ALGORITHM),
        ("X-Amz-Credential", f"{key.id}/{scope}"),
        ("X-Amz-Date", basic_time(when)),
        ("X-Amz-Expires", str(expires)),
        ("X-Amz-SignedHeaders", ";".join(signed)),
    ]
    canonical = canonical_request(method, path, query, fields, signed, UNSIGNED)
    query.append(("X-Amz-Signature", key.signature(scope, string_to_sign(when, scope, canonical))))
    return path + "?" + query_text(query)


def signed_chunks(request, chunks, trailers=None):
    """An aws-chunked body whose chunks are signed after `request`: STREAMING-AWS4-HMAC-SHA256-PAYLOAD[-TRAILER]."""
    previous, parts = request.signature, []
    for data in list(chunks) + [b""]:
        text = "\n".join(
            [ALGORITHM + "-PAYLOAD", basic_time(request.when), request.scope, previous, EMPTY_HASH, hashlib.sha256(data).hexdigest()]
        )
        previous = request.key.signature(request.scope, text)
        parts.append(f"{len(data):x};chunk-signature={previous}\r\n".encode() + data + (b"\r\n" if data or trailers is None else b""))
    if trailers is not None:
        lines = "".join(f"{name}:{value}\n" for name, value in trailers)
        text = "\n".join(
            [ALGORITHM + "-TRAILER", basic_time(request.when), request.scope, previous, hashlib.sha256(lines.encode()).hexdigest()]
        )
        signature = request.key.signature(request.scope, text)
        parts.append("".join(f"{name}:{value}\r\n" for name, value in trailers).encode())
        parts.append(f"x-amz-trailer-signature:{signature}\r\n\r\n".encode())
    return parts


def crc32_text(data):
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


class AwsClient:
    """Signed requests on one kept connection; every call is one request, never repeated."""

    def __init__(self, address, key, connection=None):
        self.key = key
        self.connection = connection or Connection(*address)

    def s3(self, method, path, query=(), headers=(), body=b""):
        request = Signed(self.key.to("s3"), method, path, self.connection.authority(), query, headers, body)
        return self.connection.request(method, request.target, request.headers, body)

    def sagemaker(self, operation, **members):
        body = json.dumps(members).encode()
        headers = [("X-Amz-Target", "SageMaker." + operation), ("Content-Type", "application/x-amz-json-1.1")]
        request = Signed(self.key.to("sagemaker"), "POST", "/", self.connection.authority(), (), headers, body)
        return self.connection.request("POST", "/", request.headers, body)

    def close(self):
        self.connection.close()
