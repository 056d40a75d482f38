"""Somebody signed in to the workers' interface (docs/formats/worker-http.md), on one kept connection."""

import json

from support.signed_http import Connection


class PortalSession:
    """Every call is one request, never repeated. One thread at a time."""

    def __init__(self, address, source_address=None, timeout=30):
        self.connection = Connection(*address, timeout=timeout, source_address=source_address)
        self.cookie = self.csrf = self.account = None

    def moved(self, address):
        """The server came back elsewhere; the session goes on."""
        self.connection.close()
        self.connection.host, self.connection.port = address

    def call(self, method, path, body=None, headers=()):
        """`body`: bytes as they are, or anything that JSON can say."""
        fields = list(headers)
        if self.cookie:
            fields.append(("Cookie", self.cookie))
        if self.csrf and method not in ("GET", "HEAD"):
            fields.append(("X-CSRF-Token", self.csrf))
        if method not in ("GET", "HEAD"):
            fields.append(("Content-Type", "application/json"))
            body = body if isinstance(body, bytes) else json.dumps({} if body is None else body).encode()
        return self.connection.request(method, path, fields, body or b"")

    def _take(self, reply):
        if reply.status in (200, 201):
            self.cookie = reply.all("Set-Cookie")[0].split(";")[0]
            self.csrf = reply.json()["csrf"]
            self.account = reply.json()["account"]
        return reply

    def join(self, token, name, password):
        return self._take(self.call("POST", "/_/api/invitation/accept", {"token": token, "name": name, "password": password}))

    def sign_in(self, name, password):
        return self._take(self.call("POST", "/_/api/sign-in", {"name": name, "password": password}))
