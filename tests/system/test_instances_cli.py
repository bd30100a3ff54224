"""zonectl instance against a matchmaker that is made up: what it asks, what it tells, and its exit codes."""

import fcntl
import http.server
import json
import os
import pty
import struct
import subprocess
import threading

import pytest
from conftest import BIN_DIR, CONFIG, need, run


class Matchmaker:
    """Answers what a test says: `answers` are lists of (status, object) by "METHOD PATH", the last of which stays."""

    def __init__(self, run_dir):
        need("zonectl")
        self.run_dir = run_dir
        self.answers = {}
        self.asked = []
        self.lock = os.open(run_dir / "cluster.lock", os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.fcntl(self.lock, fcntl.F_OFD_SETLK, struct.pack("hhqqi", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
        os.write(self.lock, f"{os.getpid()}\n".encode())
        (run_dir / "cluster.yaml").symlink_to(CONFIG)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        address = f"127.0.0.1:{self.server.server_address[1]}"
        (run_dir / "matchmaker-0.http").write_text(address + "\n", encoding="ascii")
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def handler(matchmaker):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                name = f"{self.command} {self.path}"
                matchmaker.asked.append((name, json.loads(body) if body else None))
                answers = matchmaker.answers.get(name, [(404, {"error": {"code": "not_found", "message": "nothing there"}})])
                status, answer = answers.pop(0) if len(answers) > 1 else answers[0]
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(answer).encode())

            do_GET = do_PUT = do_POST = do

            def log_message(self, *args):
                pass
        return Handler

    def zonectl(self, *args):
        return run(BIN_DIR / "zonectl", *args, "--run-dir", self.run_dir)

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
        os.close(self.lock)


@pytest.fixture
def matchmaker(tmp_path):
    fake = Matchmaker(tmp_path)
    yield fake
    fake.close()


def instance(state="running", wave=0, present=0, **more):
    players = [{"player": str(i), "team": i, "present": i < present} for i in range(2)]
    return {"match": "7", "template": "cave", "state": state, "wave": wave, "waves": 3, "creatures": 5, "scores": [0, 0],
            "started_at_ms": 1, "restarts": 0, "players": players, **more}


OVER = instance("over", 3, 2, end="goal", goal="cleared", scores=[4, 1])


def test_launch_asks_for_what_was_said(matchmaker):
    matchmaker.answers["POST /v1/instances"] = [(201, instance("launching"))]
    result = matchmaker.zonectl("instance", "launch", "cave", "--players", "11,ann", "--set", "win.gold=5",
                                "--set", "waves[0].creatures=2")
    assert result.returncode == 0, result.stderr
    assert result.stdout == "instance 7 of cave is launched\n"
    assert matchmaker.asked == [("POST /v1/instances", {"template": "cave", "players": ["11", "ann"],
                                                        "set": {"win.gold": "5", "waves[0].creatures": "2"}})]
    result = matchmaker.zonectl("instance", "launch", "cave", "--party", "ann", "--region", "east", "--json")
    assert json.loads(result.stdout)["match"] == "7"
    assert matchmaker.asked[-1][1] == {"template": "cave", "party": "ann", "region": "east", "set": {}}


def test_launch_that_is_refused_says_why(matchmaker):
    message = "win.silver: unknown key, expected one of gold, item, count"
    matchmaker.answers["POST /v1/instances"] = [(400, {"error": {"code": "bad_request", "message": message}})]
    result = matchmaker.zonectl("instance", "launch", "cave", "--set", "win.silver=5", "--wait")
    assert result.returncode == 1
    assert result.stderr == f"zonectl: {message}\n"


def test_launch_waits_until_it_is_over(matchmaker):
    matchmaker.answers["POST /v1/instances"] = [(201, instance("launching"))]
    matchmaker.answers["GET /v1/instances/7"] = [
        (200, instance("starting")), (200, instance()), (200, instance(creatures=4)), (200, instance(wave=1, present=1)),
        (503, {"error": {"code": "starting", "message": "not yet"}}), (200, instance(wave=1, present=1)), (200, OVER)]
    result = matchmaker.zonectl("instance", "launch", "cave", "--wait")
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == [
        "instance 7 of cave is launched",
        "cave 7: starting, 0 of 3 waves over, players 0 of 2, scores 0:0",
        "cave 7: running, 0 of 3 waves over, players 0 of 2, scores 0:0",
        "cave 7: running, 1 of 3 waves over, players 1 of 2, scores 0:0",
        "cave 7: over: all waves are dead, 3 of 3 waves over, players 2 of 2, scores 4:1"]


def test_watch_tells_programs_one_object_a_change(matchmaker):
    matchmaker.answers["GET /v1/instances/7"] = [(200, instance()), (200, instance()), (200, OVER)]
    result = matchmaker.zonectl("instance", "watch", "7", "--json")
    assert result.returncode == 0, result.stderr
    assert [json.loads(line) for line in result.stdout.splitlines()] == [instance(), OVER]


def test_watch_on_a_terminal_keeps_one_line(matchmaker):
    matchmaker.answers["GET /v1/instances/7"] = [(200, instance()), (200, instance(creatures=4, slowed=2)), (200, OVER)]
    ours, theirs = pty.openpty()
    result = subprocess.run([BIN_DIR / "zonectl", "instance", "watch", "7", "--run-dir", matchmaker.run_dir], stdout=theirs,
                            stdin=subprocess.DEVNULL, check=False)
    os.close(theirs)
    text = os.read(ours, 65536).decode()
    os.close(ours)
    assert result.returncode == 0
    assert text.endswith("\r\n") and text.count("\n") == 1
    lines = text.strip().split("\r")
    assert [line.count("\033[K") for line in lines] == [1, 1, 1]
    assert "running" in lines[0] and ", 5 creatures" in lines[0] and ", 4 creatures" in lines[1]
    assert "creatures think in every 2. turn" in lines[1]
    assert "over: all waves are dead" in lines[2]


@pytest.mark.parametrize("end, words", [("crashed", "its process died"), ("refused", "the zone has no room for it")])
def test_watch_of_what_failed_fails(matchmaker, end, words):
    matchmaker.answers["GET /v1/instances/7"] = [(200, instance()), (200, instance("over", end=end))]
    result = matchmaker.zonectl("instance", "watch", "7")
    assert result.returncode == 1
    assert result.stderr == f"zonectl: instance 7: {words}\n"


def test_watch_of_what_is_forgotten_ends(matchmaker):
    gone = (404, {"error": {"code": "not_found", "message": "there is no such instance"}})
    matchmaker.answers["GET /v1/instances/7"] = [(200, instance()), gone]
    assert matchmaker.zonectl("instance", "watch", "7").returncode == 0
    matchmaker.answers["GET /v1/instances/7"] = [gone]
    result = matchmaker.zonectl("instance", "watch", "7")
    assert result.returncode == 1
    assert result.stderr == "zonectl: instance 7: there is no such instance\n"


def test_end_and_list(matchmaker):
    matchmaker.answers["PUT /v1/instances/7/end"] = [(200, {"done": True, "match": "7"})]
    assert matchmaker.zonectl("instance", "end", "7").stdout == "instance 7 is being ended\n"
    result = matchmaker.zonectl("instance", "end", "8")
    assert result.returncode == 1 and result.stderr == "zonectl: nothing there\n"
    short = {**instance(wave=2), "players": 5, "present": 3, "zone": "zone-4"}
    matchmaker.answers["GET /v1/instances"] = [(200, {"instances": [short, {**short, "slowed": 4}], "left_out": 2})]
    head, row, slow, more = matchmaker.zonectl("instance", "list").stdout.splitlines()
    assert head.split() == ["instance", "template", "state", "zone", "waves", "creatures", "slowed", "players", "since"]
    assert row.split()[:8] == ["7", "cave", "running", "zone-4", "2/3", "5", "-", "3/5"]
    assert slow.split()[6] == "1/4"
    assert more == "and 2 more"


def test_template_list_tells_of_files_that_were_not_taken_over(matchmaker):
    cave = {"name": "cave", "version": 3, "capacity": 5, "side_m": 64, "waves": 2, "time_limit_s": 600}
    matchmaker.answers["GET /v1/templates"] = [(200, {"templates": [cave], "error": "cave.yaml:3: side_m: expected"})]
    lines = matchmaker.zonectl("template", "list").stdout.splitlines()
    assert lines[1].split() == ["cave", "3", "5", "64", "m", "2", "600", "s"]
    assert lines[2] == "not taken over: cave.yaml:3: side_m: expected"
    duel = {"mode": "duel", "teams": 2, "team_size": 1, "instance": ""}
    matchmaker.answers["GET /v1/modes"] = [(200, {"modes": [duel], "error": ""})]
    lines = matchmaker.zonectl("mode", "list").stdout.splitlines()
    assert [line.split() for line in lines[1:]] == [["duel", "2", "1", "-"]]


@pytest.mark.parametrize("args", [
    [], ["dance"], ["launch"], ["launch", "a", "b"], ["launch", "a", "--set", "x"],
    ["launch", "a", "--players", "1", "--party", "2"], ["list", "x"], ["watch"], ["watch", "x"], ["end", "0"],
    ["end", "1", "--wait"], ["list", "--players", "1"]])
def test_wrong_usage_is_told(args):
    need("zonectl")
    assert run(BIN_DIR / "zonectl", "instance", *args).returncode == 2
