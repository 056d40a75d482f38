"""S3: put, get, copy, delete, delete many, tags, uploads in parts. Each actor has a bucket of its own."""

import base64
import hashlib
import xml.etree.ElementTree as ElementTree
from urllib.parse import unquote

from support.signed_http import encoded_path
from world import Actor, content, md5, require

# Names that try the rule by which keys become files.
KEYS = ["a", "a/b", "a/b/c", "photos/1.jpg", "photos/1.jpg/thumb", "dir/", "..", "x/../y", "%2e", "long/" + "n" * 300, "größe/日本", "A"]


class Object:
    """One state of a key: bytes that a seed makes, and the ETag they must have."""

    def __init__(self, data_of, etag, size):
        self.data_of, self.etag, self.size = data_of, etag, size

    def __repr__(self):
        return f"{self.size} bytes of ETag {self.etag}"


def plain(seed, size):
    return Object(lambda: content(seed, size), md5(content(seed, size)), size)


def in_parts(parts):
    """`parts`: (seed, size) in the order of their numbers."""
    digests = b"".join(hashlib.md5(content(*part)).digest() for part in parts)
    return Object(lambda: b"".join(content(*part) for part in parts), f"{hashlib.md5(digests).hexdigest()}-{len(parts)}", sum(size for _, size in parts))


class Upload:
    def __init__(self, upload_id, key):
        self.id, self.key = upload_id, key
        self.parts = {}  # number -> list of (seed, size): more than one while uncertain; None: not there
        self.ending = None  # "complete" or "abort", unheard of
        self.completed = None  # the Object that completing makes


def elements(text, path):
    root = ElementTree.fromstring(text)
    space = root.tag.partition("}")[0] + "}" if root.tag.startswith("{") else ""
    return [{child.tag.replace(space, ""): child.text or "" for child in node} for node in root.iter(space + path)]


class ObjectsActor(Actor):
    def __init__(self, world, number):
        super().__init__(world, f"objects-{number}")
        self.bucket = f"crash-objects-{number}"
        self.possible = {}  # key -> states that it may have; None: absent
        self.tags = {}  # key -> list of tag values; only for certain keys
        self.uploads = []
        self.seeds = 0
        self.client = None

    def set_up(self):
        self.connect()
        require(self.call("PUT", "").status == 200, "cannot make a bucket")

    def connect(self):
        self.client = self.world.aws()

    def call(self, method, key, query=(), headers=(), body=b""):
        self.world.count("s3")
        return self.client.s3(method, f"/{self.bucket}" + (f"/{key}" if key else ""), query, headers, body)

    def states(self, key):
        return self.possible.setdefault(key, [None])

    def seed(self):
        self.seeds += 1
        return f"{self.world.seed}/{self.name}/{self.seeds}"

    # ---- what it does ----

    def step(self):
        choice = self.random.choices(
            [self.put, self.get, self.delete, self.delete_several, self.copy, self.upload, self.list], [8, 3, 2, 1, 2, 6, 1]
        )[0]
        choice()

    def put(self):
        key = self.random.choice(KEYS)
        size = self.random.choice([0, 1, 100, 5000, 70_000, 300_000] if self.random.random() < 0.97 else [5_000_000])
        seed = self.seed()
        new = plain(seed, size)
        body = content(seed, size)
        self.states(key).append(new)
        reply = self.call("PUT", key, body=body)
        require(reply.status == 200, f"PUT {key}: {reply}")
        require(reply.header("ETag") == f'"{new.etag}"', f"PUT {key}: ETag {reply.header('ETag')}, expected {new.etag}")
        self.possible[key] = [new]

    def get(self):
        self.check(self.random.choice(KEYS))

    def delete(self):
        key = self.random.choice(KEYS)
        self.states(key).append(None)
        reply = self.call("DELETE", key)
        require(reply.status == 204, f"DELETE {key}: {reply}")
        self.possible[key] = [None]

    def delete_several(self):
        keys = self.random.sample(KEYS, 3)
        entries = "".join(f"<Object><Key>{key}</Key></Object>" for key in keys)
        body = f"<Delete>{entries}</Delete>".encode()
        for key in keys:
            self.states(key).append(None)
        digest = base64.b64encode(hashlib.md5(body).digest()).decode()
        reply = self.call("POST", "", [("delete", "")], [("Content-MD5", digest)], body)
        require(reply.status == 200 and not elements(reply.text, "Error"), f"delete of several: {reply}")
        for key in keys:
            self.possible[key] = [None]

    def copy(self):
        source, target = self.random.sample(KEYS, 2)
        if self.states(source) == [None]:
            return
        found = self.possible[source][0]
        whole = plain_copy(found)
        self.states(target).append(whole)
        reply = self.call("PUT", target, headers=[("x-amz-copy-source", encoded_path(f"/{self.bucket}/{source}"))])
        require(reply.status == 200, f"copy {source} to {target}: {reply}")
        require(elements(reply.text, "CopyObjectResult")[0]["ETag"].strip('"') == whole.etag, f"copy {source}: {reply}")
        self.possible[target] = [whole]

    def list(self):
        self.check_list()

    # An upload lives over several steps, so that kills come between them.
    def upload(self):
        if not self.uploads or (len(self.uploads) < 3 and self.random.random() < 0.3):
            key = self.random.choice(KEYS)
            reply = self.call("POST", key, [("uploads", "")])
            require(reply.status == 200, f"start of an upload: {reply}")
            self.uploads.append(Upload(elements(reply.text, "InitiateMultipartUploadResult")[0]["UploadId"], key))
            return
        upload = self.random.choice(self.uploads)
        if self.random.random() < 0.1:
            upload.ending = "abort"
            reply = self.call("DELETE", upload.key, [("uploadId", upload.id)])
            require(reply.status == 204, f"abort: {reply}")
            self.uploads.remove(upload)
        elif not upload.parts or self.random.random() < 0.4:
            # One part may be small; only the last may, so further ones make the first a large one.
            number = 1 if not upload.parts else len(upload.parts) + 1 if self.random.random() < 0.3 else self.random.choice(list(upload.parts))
            large = number < 2 and self.random.random() < 0.1
            part = (self.seed(), 5 << 20 if large else self.random.choice([10, 4000, 100_000]))
            upload.parts.setdefault(number, [None]).append(part)
            body = content(*part)
            reply = self.call("PUT", upload.key, [("partNumber", str(number)), ("uploadId", upload.id)], body=body)
            require(reply.status == 200 and reply.header("ETag") == f'"{md5(body)}"', f"part {number}: {reply}")
            upload.parts[number] = [part]
        else:
            self.complete(upload)

    def complete(self, upload):
        numbers = sorted(upload.parts)
        parts = [upload.parts[number][0] for number in numbers]
        while len(parts) > 1 and any(size < 5 << 20 for _, size in parts[:-1]):
            numbers, parts = numbers[:1], parts[:1]  # the others are left out, as S3 allows
        whole = in_parts(parts)
        entries = "".join(f"<Part><PartNumber>{n}</PartNumber><ETag>{md5(content(*p))}</ETag></Part>" for n, p in zip(numbers, parts))
        upload.ending, upload.completed = "complete", whole
        self.states(upload.key).append(whole)
        body = f"<CompleteMultipartUpload>{entries}</CompleteMultipartUpload>".encode()
        reply = self.call("POST", upload.key, [("uploadId", upload.id)], body=body)
        require(reply.status == 200 and "<Error>" not in reply.text, f"completing an upload: {reply}")
        answer = elements(reply.text, "CompleteMultipartUploadResult")[0]
        require(answer["ETag"].strip('"') == whole.etag, f"completing an upload: ETag {answer}, expected {whole.etag}")
        self.possible[upload.key] = [whole]
        self.uploads.remove(upload)

    # ---- what must be there ----

    def check(self, key):
        states = self.states(key)
        reply = self.call("GET", key)
        require(reply.status in (200, 404), f"GET {key}: {reply.status}")
        found = None
        if reply.status == 200:
            etag = (reply.header("ETag") or "").strip('"')
            found = next((each for each in states if each and each.etag == etag and each.size == len(reply.body)), None)
            require(found, f"GET {self.bucket}/{key}: ETag {etag}, {len(reply.body)} bytes: none of {states}")
            require(reply.body == found.data_of(), f"GET {self.bucket}/{key}: the bytes are not those of ETag {etag}")
        else:
            require(None in states, f"GET {self.bucket}/{key}: gone; expected one of {states}")
        self.possible[key] = [found]
        return found

    def check_list(self):
        reply = self.call("GET", "", [("list-type", "2"), ("encoding-type", "url")])
        require(reply.status == 200, f"list: {reply}")
        listed = {unquote(each["Key"].replace("+", "%20")): each for each in elements(reply.text, "Contents")}
        for key in set(KEYS) | set(listed):
            states = self.possible.get(key, [None])
            each = listed.get(key)
            if each is None:
                require(None in states, f"list of {self.bucket}: {key} is missing")
            else:
                shown = (each["ETag"].strip('"'), int(each["Size"]))
                require(any(s and (s.etag, s.size) == shown for s in states), f"list of {self.bucket}: {key} is shown as {shown}")

    def settle_upload(self, upload):
        reply = self.call("GET", upload.key, [("uploadId", upload.id)])
        require(reply.status in (200, 404), f"parts of an upload: {reply}")
        if reply.status == 404:
            require(upload.ending, f"upload {upload.id} of {upload.key} is gone; nobody ended it")
            if upload.ending == "complete":
                require(self.check(upload.key) is upload.completed, f"upload {upload.id} is gone, and {upload.key} is not what it makes")
            self.uploads.remove(upload)
            return
        if upload.ending == "abort":  # begun, not finished: said again
            reply = self.call("DELETE", upload.key, [("uploadId", upload.id)])
            require(reply.status == 204, f"abort again: {reply}")
            self.uploads.remove(upload)
            return
        listed = {int(each["PartNumber"]): (each["ETag"].strip('"'), int(each["Size"])) for each in elements(reply.text, "Part")}
        for number, states in list(upload.parts.items()):
            shown = listed.get(number)
            fitting = [p for p in states if (p is None) == (shown is None) and (p is None or (md5(content(*p)), p[1]) == shown)]
            require(fitting, f"upload {upload.id}: part {number} is {shown}, expected one of {states}")
            upload.parts[number] = fitting[:1]
            if fitting[0] is None:
                del upload.parts[number]
        require(set(listed) <= set(upload.parts), f"upload {upload.id}: parts {sorted(listed)}, expected {sorted(upload.parts)}")
        upload.ending = None

    def settle(self):
        uncertain = [key for key, states in self.possible.items() if len(states) > 1]
        self.check_list()
        for key in uncertain + self.random.sample(KEYS, 2):
            self.check(key)
        for upload in list(self.uploads):
            self.settle_upload(upload)

    def verify(self):
        self.settle()
        for key in KEYS:
            self.check(key)
        self.check_list()
        # Uploads whose start was not heard of may be there; nothing else.
        reply = self.call("GET", "", [("uploads", "")])
        known = {upload.id for upload in self.uploads}
        there = {each["UploadId"]: each["Key"] for each in elements(reply.text, "Upload")}
        require(known <= set(there), f"uploads of {self.bucket}: {known - set(there)} are missing")
        for upload_id in set(there) - known:
            self.call("DELETE", there[upload_id], [("uploadId", upload_id)])


def plain_copy(source):
    """A copy has one part: its ETag is the MD5 of its bytes."""
    return Object(source.data_of, md5(source.data_of()), source.size)
