"""A platform that grants everything at once: where the soak's worker sends its messages.

python -m benchmarks.platform PORT
"""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

GRANTED = json.dumps(
    {"errcode": 0, "errmsg": "ok", "access_token": "granted", "expires_in": 7200}
).encode()


class Granting(BaseHTTPRequestHandler):
    """Answers every call with the same grant, on connections that are kept."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer is one packet, not its head and then its body

    def do_POST(self) -> None:
        """Any call with a body."""
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.do_GET()

    def do_GET(self) -> None:
        """Any call without one."""
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(GRANTED)))
        self.end_headers()
        self.wfile.write(GRANTED)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Granting).serve_forever()
