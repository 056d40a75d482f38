"""Bytes on the wire that two programs in a row would understand differently, and clients that take their time."""

import socket

from attack_case import AttackCase
from support.signed_http import BrokenConnection, Connection


class Wire(AttackCase):
    def answers(self, data, most=5):
        """All answers to these bytes on one connection."""
        connection = Connection(*self.address, timeout=8)
        connection.send(data)
        try:
            connection.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        found = []
        try:
            while len(found) < most:
                found.append(connection.receive())
                if connection.socket is None:
                    break
        except (BrokenConnection, ValueError, IndexError):
            pass
        connection.close()
        for reply in found:
            self.heard(reply)
        return found

    def smuggled(self, head, body):
        """The request is refused, once, and nothing behind it is answered."""
        data = f"POST /_/api/sign-in HTTP/1.1\r\nHost: {self.authority}\r\nContent-Type: application/json\r\n{head}\r\n\r\n".encode() + body
        found = self.answers(data)
        self.assertLessEqual(len(found), 1, (head, found))
        for reply in found:  # none: the connection was closed
            self.assertIn(reply.status, (400, 411, 413, 501), (head, found))
            self.assertNotIn("ready", reply.text)

    NEXT = b"GET /healthz HTTP/1.1\r\nHost: smuggled\r\n\r\n"

    def test_length_and_chunks(self):
        """An attacker would hide a second request behind a proxy's back by a body with both a length and chunks."""
        for head in (
            "Content-Length: 5\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: 5", "Content-Length: 0\r\ntransfer-encoding: Chunked",
            f"Transfer-Encoding: chunked\r\nContent-Length: {5 + len(self.NEXT)}",
        ):
            self.smuggled(head, b"0\r\n\r\n" + self.NEXT)

    def test_two_lengths(self):
        """An attacker would hide a second request behind a proxy's back by two lengths, or one that is written strangely."""
        for head in (
            "Content-Length: 2\r\nContent-Length: 44", "Content-Length: 44\r\nContent-Length: 2", "Content-Length: 2, 44", "Content-Length: 2 44", "Content-Length: +2", "Content-Length: -1",
            "Content-Length: 0x2", "Content-Length: 2\x0b", "Content-Length: 2;", "Content-Length: ", "Content-Length: 18446744073709551618", "Content-Length : 2", "Content-Length: 2e0", "Content-Length: 02x", "Content-Length: 2\r\n 4", "Content-Length\r\n : 2",
        ):
            with self.subTest(head=head):
                self.smuggled(head, b"{}" + self.NEXT)

    def test_odd_encodings(self):
        """An attacker would hide a second request by a transfer encoding that a proxy reads and the service does not, or the other way."""
        for head in (
            "Transfer-Encoding: xchunked", "Transfer-Encoding : chunked", "Transfer-Encoding: chunked, identity", "Transfer-Encoding: identity", "Transfer-Encoding: gzip, chunked",
            "Transfer-Encoding:\tchunked\x0b", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", "Transfer-Encoding: \"chunked\"", "Transfer-Encoding: chunked;q=1", "Transfer-Encoding: gzip",
        ):
            with self.subTest(head=head):
                self.smuggled(head, b"0\r\n\r\n" + self.NEXT)

    def test_odd_chunks(self):
        """An attacker would hide a second request, or write beyond a buffer, by chunk sizes that are negative, huge or no numbers."""
        for body in (
            b"-1\r\n\r\n", b"0x5\r\nhello\r\n0\r\n\r\n", b"FFFFFFFFFFFFFFFFF\r\n", b"ffffffffffffffff\r\nhello", b"+5\r\nhello\r\n0\r\n\r\n", b" 5\r\nhello\r\n0\r\n\r\n", b"5 \r\nhelloX\r\n0\r\n\r\n",
            b"5\r\nhelloXX0\r\n\r\n", b"\r\n0\r\n\r\n", b"g\r\n", b"5;a=\"\r\nhello\r\n0\r\n\r\n", b"5\nhello\n0\n\n", b'2;a="\n"\r\n{}\r\n0\r\n\r\n', b'2;a="\r\n"\r\n{}\r\n0\r\n\r\n',
            b'2;a="\0"\r\n{}\r\n0\r\n\r\n', b"2;a\nb\r\n{}\r\n0\r\n\r\n",
        ):
            with self.subTest(body=body[:20]):
                self.smuggled("Transfer-Encoding: chunked", body + self.NEXT)

    def test_split_headers(self):
        """An attacker would add headers or whole requests by line ends and zero bytes inside of a header."""
        for head in ("X: a\nY: b", "X: a\rY: b", "X: a\0b", "X : b", "X", ": b", "X(a): b", "Host: a\r\nHost: b", "X: a\r\n\x0bY: b"):
            data = f"GET /healthz HTTP/1.1\r\nHost: {self.authority}\r\n{head}\r\n\r\n".encode("latin-1")
            with self.subTest(head=head):
                found = self.answers(data)
                self.assertEqual([reply.status for reply in found], [400], found)
        for line in ("GET /healthz HTTP/1.1 x", "GET  /healthz HTTP/1.1", "GET /healthz\tHTTP/1.1", "GET /healthz HTTP/9.9", "GET /healthz http/1.1", "GET /a b HTTP/1.1", "GET healthz HTTP/1.1", "GE\0T / HTTP/1.1"):
            with self.subTest(line=line):
                found = self.answers(f"{line}\r\nHost: {self.authority}\r\n\r\n".encode())
                self.assertTrue(all(reply.status in (400, 404, 405, 501, 505) for reply in found), found)

    def test_host_missing(self):
        """An attacker would reach another site's pages through a proxy by leaving the host out or naming several."""
        for head in ("GET /healthz HTTP/1.1\r\n\r\n", "GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"):
            found = self.answers(head.encode())
            self.assertEqual([reply.status for reply in found], [400], (head, found))

    def test_other_protocols(self):
        """An attacker would switch to a protocol that nothing checks: HTTP/2 by Upgrade, CONNECT, TRACE, or no HTTP at all."""
        found = self.answers(f"GET /healthz HTTP/1.1\r\nHost: {self.authority}\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n".encode(), 1)
        self.assertEqual([reply.status for reply in found], [200])
        for data in (
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: x\r\n\r\n", b"TRACE / HTTP/1.1\r\nHost: x\r\nCookie: terrapin-session=secret\r\n\r\n",
            b"PROPFIND / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500), b"GET /healthz\r\n\r\n", b"\r\n\r\n\r\n", b"EHLO x\r\n", bytes(1000),
        ):
            for reply in self.answers(data):
                self.assertGreaterEqual(reply.status, 400, (data[:30], reply))
                self.assertNotIn("secret", reply.text)

    def test_absolute_targets(self):
        """An attacker would reach what the path's checks forbid by a target that is a whole address."""
        for target in (f"http://{self.authority}/_/api/me", "http://evil.example/_/api/me", "http:///_/api/me", "//evil.example/_/api/me", "http://x@y/_/api/accounts"):
            found = self.answers(f"GET {target} HTTP/1.1\r\nHost: {self.authority}\r\nConnection: close\r\n\r\n".encode())
            self.assertTrue(found and all(reply.status in (400, 401, 403, 404) for reply in found), (target, found))

    def test_slow_heads(self):
        """An attacker with one machine would take all connections by sending requests a byte at a time."""
        slow = []
        for _ in range(600):
            connection = Connection(*self.address, timeout=40)
            connection.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ")
            slow.append(connection)
        # Others are served meanwhile.
        for _ in range(20):
            self.assertEqual(self.follow("/healthz").status, 200)
        # And the slow ones are turned away, however steadily they send.
        statuses = set()
        for connection in slow[:5]:
            try:
                for _ in range(60):
                    connection.socket.settimeout(0.5)
                    try:
                        connection.socket.sendall(b"y")
                        if connection.socket.recv(1, socket.MSG_PEEK) is not None:
                            break
                    except TimeoutError:
                        continue
                connection.socket.settimeout(10)
                statuses.add(connection.receive().status)
            except (OSError, BrokenConnection):
                statuses.add("closed")
        self.assertTrue(statuses <= {408, "closed"}, statuses)
        for connection in slow:
            connection.close()

    def test_idle_connections(self):
        """An attacker with one machine would keep everybody else out by thousands of connections that say nothing."""
        idle = []
        try:
            for _ in range(3000):
                connection = Connection(*self.address)
                connection.open()
                idle.append(connection)
        except BrokenConnection:
            pass
        try:
            for _ in range(5):
                self.assertEqual(self.follow("/healthz").status, 200)
        finally:
            for connection in idle:
                connection.close()

    def test_unread_answers(self):
        """An attacker would use up memory by asking for large objects and not reading them."""
        bucket = self.bucket()
        self.put(bucket, "large", bytes(64 << 20))
        self.forget_memory_peak()
        before = self.memory_peak_mib()
        target = self.link("GET", f"/{bucket}/large")
        slow = []
        for _ in range(100):
            connection = Connection(*self.address)
            connection.send(f"GET {target} HTTP/1.1\r\nHost: {self.authority}\r\n\r\n".encode())
            slow.append(connection)
        self.assertEqual(self.follow("/healthz").status, 200)
        self.assertLess(self.memory_peak_mib() - before, 500)
        for connection in slow:
            connection.close()
