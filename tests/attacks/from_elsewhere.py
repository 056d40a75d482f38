"""Run in a network of its own (unshare --net): the service on an address that is not loopback, and a client there."""

import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from support.signed_http import exchange  # noqa: E402
from support.terrapin_server import TerrapinServer  # noqa: E402

ADDRESS = "192.0.2.1"  # of the documentation, here only

for command in (["ip", "link", "set", "lo", "up"], ["ip", "address", "add", ADDRESS + "/32", "dev", "lo"]):
    subprocess.run(command, check=True)


def ask(server, *headers):
    head = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return exchange(server.address, f"GET /metrics HTTP/1.1\r\nHost: x\r\n{head}\r\n".encode())


with TerrapinServer(["--listen", ADDRESS, "--allow-insecure"]) as server:
    assert server.address[0] == ADDRESS, server.address
    for headers in ([], [("X-Forwarded-For", "127.0.0.1")], [("Forwarded", "for=127.0.0.1")], [("X-Real-IP", "127.0.0.1")], [("X-Forwarded-For", "127.0.0.1"), ("Host", "localhost")]):
        reply = ask(server, *headers)
        assert reply.status >= 400, (headers, reply)
        assert "terrapin_" not in reply.text
with TerrapinServer(["--listen", ADDRESS, "--allow-insecure", "--metrics-from", ADDRESS + "/32"]) as server:
    assert ask(server).status == 200
print("refused from elsewhere")
