#!/usr/bin/python3
"""Stands in for gateway, zone, matchmaker, persist and swarm in tests of the supervisor. BIN/NAME.behaviour says how it
behaves:

(none)      publishes an HTTP address that says ready
die         writes an error and exits with code 7
unready     answers, but is never ready
deaf        ignores SIGTERM
chatty      writes 12 MB of log, then is ready

BIN/NAME.answers, an object in JSON, has what to answer to requests: {"GET /path": {...}, "PUT /path on": {...}}.
"""

import http.server
import json
import os
import pathlib
import select
import signal
import sys

METRICS = b"""march_zone_players 3
march_zone_tick_seconds_bucket{le="0.001"} 99
march_zone_tick_seconds_bucket{le="0.002"} 100
march_zone_tick_seconds_bucket{le="+Inf"} 100
"""


class Handler(http.server.BaseHTTPRequestHandler):
    ready = True
    answers = pathlib.Path()

    def do_GET(self):
        ok = self.ready or self.path != "/ready"
        self.answer(200 if ok else 503, self.known("GET " + self.path) or METRICS)

    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        known = self.known(f"PUT {self.path} {body}")
        self.answer(200 if known else 404, known or b'{"error": {"code": "not_found", "message": "no such flag"}}')

    def known(self, request):
        answers = json.loads(self.answers.read_bytes()) if self.answers.exists() else {}
        return json.dumps(answers[request]).encode() if request in answers else None

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def write_lines(count):
    """Writes lines of 1 KB; waits where the pipe, which does not block, is full."""
    poll = select.poll()
    poll.register(2, select.POLLOUT)
    for i in range(count):
        poll.poll()
        os.write(2, f"{i:08}{'x' * 1015}\n".encode())


def main():
    options = dict(zip(sys.argv[1::2], sys.argv[2::2]))
    name = options.get("--name", "bots")
    run_dir = pathlib.Path(options["--run-dir"])
    path = pathlib.Path(sys.argv[0]).with_name(f"{name}.behaviour")
    behaviour = path.read_text(encoding="ascii") if path.exists() else ""
    print(f"level=info proc={name} msg=start", file=sys.stderr)
    if behaviour == "die":
        print(f"level=error proc={name} msg=no-luck", file=sys.stderr)
        print(f"level=info proc={name} msg=end", file=sys.stderr)
        sys.exit(7)
    if behaviour == "chatty":
        write_lines(12 * 1024)
    signal.signal(signal.SIGTERM, signal.SIG_IGN if behaviour == "deaf" else lambda *_: os._exit(0))
    Handler.ready = behaviour != "unready"
    Handler.answers = path.with_suffix(".answers")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    (run_dir / f"{name}.http").write_text(f"127.0.0.1:{server.server_address[1]}\n", encoding="ascii")
    server.serve_forever()


if __name__ == "__main__":
    main()
