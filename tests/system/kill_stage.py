"""The cluster of kills.py with bots in it, and what can be done to its processes."""

import contextlib
import json
import os
import pathlib
import random
import signal
import subprocess
import urllib.error
import urllib.request

from chaos import PLAYER_BASE, Chaos
from conftest import BIN_DIR, PATIENCE, SEGMENT_BYTES, alive, wait_until
from kill_witnesses import SIEGE, SIEGE_TEMPLATE

COMMUTERS = 16
DEALERS = 8  # they fight, trade and are in guilds
FIGHTERS = 8  # they play matches
RAIDERS = 4  # and these, in parties of two, a dungeon that is restarted when its zone dies
CLIENTS = COMMUTERS + DEALERS + FIGHTERS + RAIDERS
COMMUTER_BASE, FIGHTER_BASE, RAIDER_BASE = 5000, 8000, 9000
GATEWAYS = ["gateway-0", "gateway-1"]
MATCHMAKER, PERSIST = "matchmaker-0", "persist-0"
CLIENT_TIMEOUT_S = 6  # more than any stop
COMES_BY_S = 40  # a step, once it was brought about
RECOVERY_S = 90  # sanitized, and on a busy machine
SILENCE_MS = 1000  # who has waited for a snapshot for longer has no player
TIMELINE_MS = 250
LINE_BYTES_MAX = 4096  # more than two lines
CONFIG = f"""
cluster: {{protocol_id: 1}}
gateways:
  - {{name: gateway-0, listen: ["127.0.0.1:0"]}}
  - {{name: gateway-1, listen: ["127.0.0.1:0"]}}
zones:
  - {{name: zone-0, rect: {{x_m: 0, y_m: 0, width_m: 60, height_m: 60}}, creatures: 10}}
  - {{name: zone-1, rect: {{x_m: 60, y_m: 0, width_m: 60, height_m: 60}}, creatures: 10}}
  - {{name: zone-2, rect: {{x_m: 0, y_m: 60, width_m: 60, height_m: 60}}, creatures: 10}}
  - {{name: zone-3, rect: {{x_m: 60, y_m: 60, width_m: 60, height_m: 60}}, creatures: 10}}
  - {{name: zone-4}}
  - {{name: zone-5}}
matchmaker:
  name: {MATCHMAKER}
  silence_ms: 2000
  modes: modes
  front: {{address: "127.0.0.1:0", auth: dev}}
instances: {{blocks: 1, cells: 64, side_m: 48, templates: instances}}
persists:
  - {{name: {PERSIST}}}
persist: {{journal_segment_bytes: {SEGMENT_BYTES}, journal_bytes_max: {8 * SEGMENT_BYTES}}}
limits: {{client_timeout_s: {CLIENT_TIMEOUT_S}, link_dead_s: 3600}}
"""  # link-dead players stay, so that one too many does not go by itself before it is noticed
BRAWL = """
name: brawl
instance: brawl
teams: 2
team_size: 1
window_start: 5000
window_max: 5000
balance_max: 10000
timeout_ms: 10000
"""
BRAWL_TEMPLATE = """
name: brawl
side_m: 24
capacity: 2
time_limit_s: 4
ends: [empty]
empty_s: 60
win: {gold: 40}
lose: {gold: 7}
"""
RAID = """
name: raid
instance: crypt
teams: 1
team_size: 2
max_party: 2
timeout_ms: 10000
"""
CRYPT = """
name: crypt
side_m: 32
capacity: 2
time_limit_s: 10
ends: [cleared, empty]
empty_s: 60
waves:
  - {creatures: 1, health_percent: 10}
  - {creatures: 2, after_s: 1, health_percent: 10}
win: {gold: 30, item: gem}
lose: {gold: 3}
crash: restart
checkpoints: true
"""


class Swarm:
    """Bots of one behaviour that come back when they are dropped, and count that."""

    def __init__(self, world, name, clients, *args):
        self.clients, self.timeline, self.out = clients, world.folder / f"{name}.timeline", world.folder / f"{name}.out"
        self.report = None  # until it has ended
        command = [world.cluster.bin_dir / "swarm", "--run-dir", world.cluster.run_dir, "--clients", clients, "--duration", 0,
                   "--timeline", self.timeline, "--every", TIMELINE_MS, "--json", *args]
        with open(self.out, "wb") as out, open(self.out.with_suffix(".err"), "wb") as err:
            self.process = subprocess.Popen([str(arg) for arg in command], stdin=subprocess.DEVNULL, stdout=out, stderr=err)

    def mark(self):
        """Where the next line of the timeline begins, or some line a little before."""
        return self.timeline.stat().st_size if self.timeline.exists() else 0

    def lines(self, mark):
        """The whole lines of the timeline from a mark on."""
        if not self.timeline.exists():
            return []
        with open(self.timeline, "rb") as file:
            file.seek(mark)
            whole = file.read().rpartition(b"\n")[0].split(b"\n")
        return [json.loads(line) for line in whole if line.startswith(b'{"t_s"')]

    def line(self):
        """The newest line; None where there is none yet."""
        lines = self.lines(max(0, self.mark() - LINE_BYTES_MAX))
        return lines[-1] if lines else None

    def disconnected(self):
        """How many clients have been dropped ever."""
        return line["disconnected"] if (line := self.line()) else 0

    def all_served(self, since_ms):
        """Whether all play, and all get snapshots, as seen when whoever has got none since a Unix time has waited for too long."""
        assert self.process.poll() is None, f"a swarm ended: {self.out}"
        line = self.line()
        if not line or line["wall_ms"] < since_ms + SILENCE_MS:
            return False
        if line["playing"] != self.clients or line["silence_ms"]["count"] != self.clients:
            return False
        return line["silence_ms"]["max"] < SILENCE_MS

    def end(self):
        """Ends it; its report."""
        self.process.send_signal(signal.SIGCONT)
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=PATIENCE * RECOVERY_S)
        self.report = json.loads(self.out.read_text(encoding="ascii"))
        return self.report


class Stage(Chaos):
    """A cluster with bots in it, whose processes can be stopped at steps."""

    zones = [f"zone-{i}" for i in range(6)]
    witnesses = None  # where there are no matches

    def __init__(self, folder, seed, bin_dir=BIN_DIR):
        super().__init__(folder, 2 * seed, 0, bin_dir)  # an even one is of one shard
        self.steps = self.cluster.run_dir / "steps"
        self.steps.mkdir(parents=True, mode=0o700, exist_ok=True)
        self.draw = random.Random(seed)
        self.serial = 0
        self.swarms = []
        self.commands = []  # zonectl's that may still wait for an answer
        self.drained = []
        self.marks = []
        self.hit_ms = 0  # when the newest hit was

    def write_config(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        for path, text in (("modes/brawl.yaml", BRAWL), ("instances/brawl.yaml", BRAWL_TEMPLATE), ("modes/raid.yaml", RAID),
                           ("instances/crypt.yaml", CRYPT), ("modes/siege.yaml", SIEGE), ("instances/siege.yaml", SIEGE_TEMPLATE)):
            (self.folder / path).parent.mkdir(exist_ok=True)
            (self.folder / path).write_text(text, encoding="utf-8")
        path = self.folder / "kills.yaml"
        path.write_text(CONFIG, encoding="utf-8")
        return path

    def open(self):
        """Starts it, and the bots; they may not play yet."""
        self.cluster.up()
        self.swarms = [
            Swarm(self, "commuters", COMMUTERS, "--behaviour", "commute", "--borders", "x=60,y=60", "--players", COMMUTER_BASE),
            Swarm(self, "dealers", DEALERS, "--behaviour", "live", "--players", PLAYER_BASE, "--ledger",
                  self.folder / "ledger.jsonl"),
            Swarm(self, "fighters", FIGHTERS, "--behaviour", "matchmaking", "--mode", "brawl", "--players", FIGHTER_BASE),
            Swarm(self, "raiders", RAIDERS, "--behaviour", "matchmaking", "--mode", "raid", "--party", 2, "--players", RAIDER_BASE),
        ]
        self.swarm = self.swarms[1]

    def tear_down(self):
        for swarm in self.swarms:
            if swarm.process.poll() is None:
                swarm.process.kill()
                swarm.process.wait()
        for command in self.commands:
            command.kill()
            command.wait()
        self.disarm()
        for name in self.pids():
            self.signal(name, signal.SIGCONT)
        self.cluster.tear_down()

    # --- processes

    def processes(self):
        """What the supervisor knows, which asks nobody: a stopped one would not answer."""
        path = self.cluster.run_dir / "cluster.json"
        return json.loads(path.read_text(encoding="utf-8"))["processes"] if path.exists() else []

    def pids(self):
        return {process["name"]: process["pid"] for process in self.processes() if process["pid"]}

    def all_run(self):
        """Whether every process runs and says that it is ready."""
        return all(process["ready"] and alive(process["pid"]) for process in self.processes())

    def signal(self, name, number):
        with contextlib.suppress(ProcessLookupError, KeyError):
            os.kill(self.pids()[name], number)

    def kill(self, name):
        """Kills a process, and waits until it is gone."""
        pid = self.pids()[name]
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not alive(pid), f"{name} is dead")

    def is_stopped(self, name):
        try:
            stat = pathlib.Path(f"/proc/{self.pids()[name]}/stat").read_text(encoding="ascii")
        except (KeyError, FileNotFoundError, ProcessLookupError):
            return False
        return stat.rpartition(")")[2].split()[0] == "T"

    def directory(self):
        """What the matchmaker says; {} while it is away."""
        try:
            address = (self.cluster.run_dir / f"{MATCHMAKER}.http").read_text(encoding="ascii").strip()
            with urllib.request.urlopen(f"http://{address}/status", timeout=5) as reply:
                return json.loads(reply.read())
        except (FileNotFoundError, urllib.error.URLError, ConnectionError, TimeoutError, ValueError):
            return {}

    def zones_of(self, state):
        """Zones that are active, or spare, in the order of the seed."""
        names = [worker["name"] for worker in self.directory()["workers"] if worker["state"] == state]
        self.draw.shuffle(names)
        return names

    def owner_of_block(self):
        return next(p["owner"] for p in self.directory()["partitions"] if p["kind"] == "instances")

    def fullest_zone(self, among=None):
        """The zone with most players, of all or of some."""
        workers = [worker for worker in self.directory()["workers"] if among is None or worker["name"] in among]
        return max(workers, key=lambda worker: worker["players"])["name"]

    # --- steps

    def arm(self, names, step, skip=0):
        """Has the first of some processes that comes by at a step stop there."""
        for name in names:
            self.serial += 1
            (self.steps / f"{name}.at").unlink(missing_ok=True)
            partial = self.steps / f"{name}.new"
            partial.write_text(f"{step} {skip} {self.serial}\n", encoding="ascii")
            partial.rename(self.steps / name)

    def disarm(self):
        for path in self.steps.glob("*"):
            path.unlink(missing_ok=True)

    def await_stop(self, names, step):
        """The process that has come by; others that have, too, go on."""
        def find():
            return next((name for name in names if (self.steps / f"{name}.at").exists() and self.is_stopped(name)), None)

        found = wait_until(find, f"{step} comes by in {names}", COMES_BY_S)
        for name in names:
            if name == found:
                continue
            (self.steps / name).unlink(missing_ok=True)
            if (self.steps / f"{name}.at").exists():  # it is about to stop, if it has not
                wait_until(lambda other=name: self.is_stopped(other), f"{name} stops, too")
                self.signal(name, signal.SIGCONT)
        return found

    def zonectl(self, *args):
        """Starts a command, which may have to wait for an answer until its process goes on."""
        command = [self.cluster.bin_dir / "zonectl", args[0], "--run-dir", self.cluster.run_dir, *args[1:]]
        self.commands.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                              stderr=subprocess.DEVNULL))
        return self.commands[-1]

    def those_of(self, kind, source=None, target=None):
        """Which processes may come by at a step of a kind."""
        return {"source": source, "target": target, "zone": self.zones, "gateway": GATEWAYS, "matchmaker": [MATCHMAKER], "persist": [PERSIST]}[kind]
