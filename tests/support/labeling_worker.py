"""A worker (or requester, or admin) over the HTTP interface that pages use: docs/formats/worker-http.md."""

import base64
import copy
import http.client
import io
import itertools
import json
import time

import numpy
import PIL.Image

_numbers = itertools.count(1)
PASSWORD = "paints turtles all day"


class Refused(Exception):
    """An answer other than 2xx."""

    def __init__(self, status, code, message):
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message


class Worker:
    """One person with one browser."""

    def __init__(self, server, group="labelers", role="worker", name=None):
        """Makes an account by an invitation of `group` and signs in."""
        self.server = server
        self.name = name or f"person{next(_numbers)}@example.com"
        self._connection = None
        self._cookie = ""
        self._csrf = ""
        self._enter("/_/api/invitation/accept", {"token": server.invitation(group, role), "name": self.name,
                                                 "display_name": self.name, "password": PASSWORD})
        self.id = self.account["id"]

    def _enter(self, path, body):
        answer = self.call("POST", path, body)
        self._csrf = answer["csrf"]
        self.account = answer["account"]

    def sign_in(self):
        """A new session, as from another browser."""
        self._cookie = ""
        self._enter("/_/api/sign-in", {"name": self.name, "password": PASSWORD})

    def beside(self):
        """The same session on a connection of its own, for another thread; its own to close."""
        other = copy.copy(self)
        other._connection = None
        return other

    def close(self):
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def request(self, method, path, body=None):
        """(status, headers, body) of one request with the session's cookie and CSRF token."""
        headers = {"Cookie": self._cookie} if self._cookie else {}
        if method != "GET":
            headers["X-CSRF-Token"] = self._csrf
        if body is not None:
            headers["Content-Type"] = "application/json"
        for fresh in (False, True):
            if self._connection is None or fresh:
                self.close()
                self._connection = http.client.HTTPConnection(*self.server.address, timeout=120)
            try:
                self._connection.request(method, path, body=body, headers=headers)
                answer = self._connection.getresponse()
                content = answer.read()
                break
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                # A connection that lay idle may be closed by the server, or by its restart.
                if fresh:
                    raise
        for field in answer.headers.get_all("Set-Cookie", []):
            self._cookie = field.split(";")[0]
        return answer.status, answer.headers, content

    def call(self, method, path, body=None):
        """The JSON of a 2xx answer; Refused for any other. Waits where it is told to (429)."""
        text = body if body is None or isinstance(body, str) else json.dumps(body)
        while True:
            status, headers, content = self.request(method, path, text)
            if status != 429:
                break
            time.sleep(int(headers["Retry-After"]))
        answer = json.loads(content)
        if not 200 <= status < 300:
            raise Refused(status, answer.get("code"), answer.get("message"))
        return answer

    def jobs(self):
        return self.call("GET", "/_/api/jobs")["jobs"]

    def accept(self, job="", prefetch=False):
        """The next assignment, or None."""
        return self.call("POST", "/_/api/assignments", {"job": job, "prefetch": prefetch})["assignment"]

    def assignment(self, identity):
        return self.call("GET", f"/_/api/assignments/{identity}")["assignment"]

    def content(self, identity):
        return self.call("GET", f"/_/api/assignments/{identity}/content")

    def photo(self, content):
        """The task's photo through its signed link, as an RGB array."""
        uri = content["task_input"]["taskObject"]
        status, _, body = self.request("GET", content["images"][uri])
        if status != 200:
            raise Refused(status, "photo", body)
        return numpy.asarray(PIL.Image.open(io.BytesIO(body)).convert("RGB"))

    def open_draft(self, identity, tab="tab"):
        return self.call("POST", f"/_/api/assignments/{identity}/draft/open", {"tab": tab})

    def save_deltas(self, identity, deltas, tab="tab"):
        """`deltas`: (sequence, text) pairs. Returns the next sequence expected."""
        body = {"tab": tab, "deltas": [{"sequence": number, "data": text} for number, text in deltas]}
        return self.call("POST", f"/_/api/assignments/{identity}/draft/deltas", body)["next_sequence"]

    def save_snapshot(self, identity, base_sequence, snapshot, tab="tab"):
        body = {"tab": tab, "snapshot": snapshot, "base_sequence": base_sequence}
        return self.call("PUT", f"/_/api/assignments/{identity}/draft/snapshot", body)

    def submit(self, identity, answer):
        return self.call("POST", f"/_/api/assignments/{identity}/submit", answer)["assignment"]

    def decline(self, identity, reason):
        return self.call("POST", f"/_/api/assignments/{identity}/decline", {"reason": reason})["assignment"]

    def give_back(self, identity):
        return self.call("POST", f"/_/api/assignments/{identity}/return", {})["assignment"]

    def label(self, job, mask_of):
        """Accepts and submits until nothing is left; `mask_of(content)` gives the class indices. Returns the object indices done."""
        done = []
        while True:
            try:
                task = self.accept(job)
            except Refused as refused:
                if refused.status != 404 or not done:
                    raise
                return done  # the last answer has ended the job
            if task is None:
                return done
            content = self.content(task["id"])
            self.submit(task["id"], answer_of(mask_of(content), content["labels"], content["colors"]))
            done.append(task["object_index"])


def answer_of(mask, labels, colors, element="crowd-semantic-segmentation"):
    """What the form of crowd-semantic-segmentation gives for class indices (0 = background, 1 = labels[0], ...): a colour PNG
    in the labels' colours, and which label has which colour."""
    table = numpy.zeros((256, 3), numpy.uint8)
    table[0] = 255
    for index, color in enumerate(colors, start=1):
        table[index] = tuple(bytes.fromhex(color.lstrip("#")))
    height, width = mask.shape
    file = io.BytesIO()
    PIL.Image.fromarray(table[mask]).save(file, "PNG", compress_level=1)
    return json.dumps({element: {
        "inputImageProperties": {"height": height, "width": width},
        "labelMappings": {label: {"color": color} for label, color in zip(labels, colors)},
        "labeledImage": {"pngImageData": base64.b64encode(file.getvalue()).decode()}}})
