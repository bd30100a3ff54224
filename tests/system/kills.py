#!/usr/bin/python3
"""Bots walk across borders and play matches for minutes while every kind of process is killed, or stopped for a while, in each phase
of handoffs, drains, take-overs and matches; each time every player must exist exactly once afterwards.

    kills.py                        at least 30 kills of each kind and a stop at each step, then a table
    kills.py --kind gateway         of one kind alone
    kills.py --step source.frozen   of one step alone

A process is not hit at any moment: it stops itself at a named step (common/step.h, in test builds), and is then killed there, or
let go on after a while. The schedule is drawn from a seed. After each of them:

- every client that was not on a gateway that was killed is still connected; the others have come back
- every client gets snapshots, which begin with its own player: so each player exists at least once
- the zones together have as many players as there are clients, while all stand still: so each exists exactly once
- the whole world has owners, nothing is being handed over, and there is a spare again

and at the end the books hold, as those of chaos.py; every match is settled, and what its result says has been granted once.

Exit status: 0 all held, 1 something did not: it is told with its step, and the run directory is kept.
"""

import argparse
import contextlib
import dataclasses
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

from chaos import LOOT, PLAYER_BASE, Chaos, Findings, Ledger
from conftest import BIN_DIR, POLL_S, ROOT, SEGMENT_BYTES, alive, exit_on_signals, wait_until
from front_door import Document, Door

COMMUTERS = 16
DEALERS = 8  # they fight, trade and are in guilds
FIGHTERS = 8  # they play matches
COMMUTER_BASE, FIGHTER_BASE = 5000, 8000
GATEWAYS = ["gateway-0", "gateway-1"]
MATCHMAKER, PERSIST = "matchmaker-0", "persist-0"
CLIENT_TIMEOUT_S = 6  # more than any stop
STOP_S = (0.1, 3.0)  # silence_ms lies between: a short one is waited for, a long one is a death
SKIP_MAX = 3  # of what comes by all the time
COMES_BY_S = 40  # a step, once it was brought about
RECOVERY_S = 90  # sanitized, and on a busy machine
SETTLING_S = 8  # after all play, for what is still let go of
STILL_S = 4.0  # all bots stand still for so long at most, less than any time-out
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
MODE = """
name: brawl
instance: brawl
teams: 2
team_size: 1
window_start: 5000
window_max: 5000
balance_max: 10000
timeout_ms: 10000
"""
TEMPLATE = """
name: brawl
side_m: 24
capacity: 2
time_limit_s: 4
ends: [empty]
empty_s: 60
win: {gold: 40}
lose: {gold: 7}
"""
TICKET, INSTANCE, RESULT = 1, 3, 4  # kinds of documents
MATCH_KEY = -(1 << 48)  # what a match grants has keys from here, as PostgreSQL keeps them


@dataclasses.dataclass(frozen=True)
class Step:
    """A step of a kind of process, and what makes it come by."""
    kind: str
    name: str
    cause: str

    def __str__(self):
        return f"{self.name} ({self.cause})"


def steps_of(kind, **names):
    """Steps by what makes them come by: steps_of("source", walk="offered accepted")."""
    return [Step(kind, name if "." in name else f"{kind}.{name}", cause) for cause, list_ in names.items()
            for name in list_.split()]


# walk: bots cross borders; drain: a zone is drained; undrain: and told to stay; death: a zone is killed; leave: a gateway is
# drained; refusal: the target of a player under way is killed; orphan: the gateways of one are; strand: they are, and then a zone
# with their players is drained; rebirth: the matchmaker is killed; match: bots queue, go into an instance, fight and come home.
STEPS = [
    *steps_of("source", walk="offered accepted frozen sent done forgotten creature_left creature_done",
              drain="zone.directory frozen sent done", refusal="restored", orphan="asked answered",
              strand="given given_answered", match="frozen"),
    *steps_of("target", walk="reserved activate activated sent creature_taken", drain="zone.directory reserved activate sent",
              orphan="asked", strand="given", match="activate activated"),
    *steps_of("zone", match="instance_begun travelled instance_over went_home"),
    *steps_of("gateway", walk="reroute rerouted activate_sent activated done forgotten", drain="directory rerouted",
              leave="drain_begun drain_told claimed attached", death="attach_sent attached", refusal="restored"),
    *steps_of("matchmaker", drain="drain version told settled", undrain="undrain",
              death="dead fence_asked fenced taken version told admitted", rebirth="begun",
              match="ticket_kept match_made match_kept instance_ordered instance_running travel_told instance_over result_settling"
              " match_settled instance_closed"),
    *steps_of("persist", walk="reported", leave="claim_asked claim_written",
              death="fence_asked fence_written fence_answered load_asked load_answered lease_written",
              match="documents_written granted settled"),
]
UNPLANNED = {"gateway.waits"}  # where source and target die at once, which is not brought about here
KINDS = list(dict.fromkeys(step.kind for step in STEPS))


@dataclasses.dataclass
class Trial:
    """One kill or stop, and what came of it."""
    step: Step = None  # none: nothing is hit
    for_s: float = 0.0  # 0: it is killed
    victim: str = ""
    seconds: float = 0.0
    silence_ms: float = 0.0  # the longest that a client waited for a snapshot
    interruptions: int = 0  # of more than 100 ms
    crossings: int = 0
    dropped: int = 0  # clients of a killed gateway
    harmed: int = 0  # clients that were dropped and should not have been
    lost: int = 0
    doubled: int = 0
    finding: str = ""

    def __str__(self):
        return f"{self.step.kind:10} {self.step}: " + (f"stop for {self.for_s:.1f} s" if self.for_s else "kill")


def schedule(seed, kills, stops, steps=tuple(STEPS)):
    """So many kills and stops of each kind at least, and one at each step, in an order that a seed draws."""
    draw = random.Random(seed)
    trials = []
    for kind in KINDS:
        its = [step for step in steps if step.kind == kind]
        draw.shuffle(its)
        for count, is_stop in ((kills, False), (stops, True)):
            for i in range(max(count, len(its)) if its and count else 0):
                trials.append(Trial(its[i % len(its)], draw.uniform(*STOP_S) if is_stop else 0.0))
    draw.shuffle(trials)
    return trials


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
        self.process.wait(timeout=RECOVERY_S)
        self.report = json.loads(self.out.read_text(encoding="ascii"))
        return self.report


class World(Chaos):
    """A cluster with bots in it, and its steps."""

    zones = [f"zone-{i}" for i in range(6)]

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
        for name, text in (("modes", MODE), ("instances", TEMPLATE)):
            (self.folder / name).mkdir(exist_ok=True)
            (self.folder / name / "brawl.yaml").write_text(text, encoding="utf-8")
        path = self.folder / "kills.yaml"
        path.write_text(CONFIG, encoding="utf-8")
        return path

    def start(self):
        self.cluster.up()
        self.swarms = [
            Swarm(self, "commuters", COMMUTERS, "--behaviour", "commute", "--borders", "x=60,y=60", "--players", COMMUTER_BASE),
            Swarm(self, "dealers", DEALERS, "--behaviour", "live", "--players", PLAYER_BASE, "--ledger",
                  self.folder / "ledger.jsonl"),
            Swarm(self, "fighters", FIGHTERS, "--behaviour", "matchmaking", "--mode", "brawl", "--players", FIGHTER_BASE),
        ]
        self.swarm = self.swarms[1]
        self.await_recovery(Trial())
        return self

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

    def fullest_zone(self):
        return max(self.directory()["workers"], key=lambda worker: worker["players"])["name"]

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

    # --- causes: each returns the process that has stopped at the step

    def walk(self, step):
        names = self.those_of(step.kind, *[self.zones_of("active")] * 2)
        self.arm(names, step.name, 0 if "creature" in step.name else self.draw.randint(0, SKIP_MAX))
        return self.await_stop(names, step)

    def drain(self, step):
        zone = self.fullest_zone()
        names = self.those_of(step.kind, [zone], self.zones_of("spare"))
        self.arm(names, step.name)
        self.drained.append(zone)
        self.zonectl("drain", zone)
        return self.await_stop(names, step)

    def undrain(self, step):
        zone = self.fullest_zone()
        self.drained.append(zone)
        assert self.zonectl("drain", zone).wait() == 0
        self.arm([MATCHMAKER], step.name)
        self.zonectl("undrain", zone)
        return self.await_stop([MATCHMAKER], step)

    def death(self, step):
        names = self.those_of(step.kind)
        zone = self.fullest_zone()
        self.arm(names, step.name)
        self.kill(zone)
        return self.await_stop(names, step)

    def leave(self, step):
        other, gateway = sorted(GATEWAYS, key=self.sessions)  # the emptier one has taken what was drained before
        names = self.those_of(step.kind)
        if step.kind == "gateway":
            names = [gateway if "drain" in step.name else other]
        self.arm(names, step.name)
        self.drained.append(gateway)
        self.zonectl("drain", gateway)
        return self.await_stop(names, step)

    def refusal(self, step):
        zones = self.zones_of("active")
        self.arm(zones, "target.activate")
        target = self.await_stop(zones, "target.activate")
        names = self.those_of(step.kind, [zone for zone in zones if zone != target])
        self.arm(names, step.name)
        self.kill(target)
        return self.await_stop(names, step)

    def orphan(self, step):
        """Which of the gateways has the player is not known, so both are killed."""
        zones = self.zones_of("active")
        self.arm(zones, "source.frozen")
        source = self.await_stop(zones, "source.frozen")
        names = self.those_of(step.kind, [source], [zone for zone in zones if zone != source])
        self.arm(names, step.name)
        for gateway in GATEWAYS:
            self.kill(gateway)
        self.signal(source, signal.SIGCONT)
        return self.await_stop(names, step)

    def strand(self, step):
        """Clients notice later that their gateways are gone, and come back."""
        zone = self.fullest_zone()
        for gateway in GATEWAYS:
            self.kill(gateway)
        wait_until(lambda: self.cluster.metrics(zone).get("march_zone_link_dead"), f"players are link-dead in {zone}")
        names = self.those_of(step.kind, [zone], self.zones_of("spare"))
        self.arm(names, step.name)
        self.drained.append(zone)
        self.zonectl("drain", zone)
        return self.await_stop(names, step)

    def rebirth(self, step):
        self.kill(MATCHMAKER)
        self.arm([MATCHMAKER], step.name)
        return self.await_stop([MATCHMAKER], step)

    def match(self, step):
        """Who has the block lets go of players that go home, and takes those that come."""
        block = next(p["owner"] for p in self.directory()["partitions"] if p["kind"] == "instances")
        names = self.those_of(step.kind, [block], [block])
        self.arm(names, step.name, self.draw.randint(0, SKIP_MAX))
        return self.await_stop(names, step)

    # --- what must hold

    def is_in_order(self):
        """Everything runs, every part of the world has an owner and is nobody else's, and there is a spare."""
        if not self.all_run():
            return False
        directory = self.directory()
        workers = {worker["state"] for worker in directory.get("workers", [])}
        return (directory.get("state") == "running" and workers == {"active", "spare"}
                and all(p["owner"] and not p["former"] for p in directory["partitions"])
                and all(g["state"] == "up" for g in directory["gateways"]))

    def is_in_use(self, name):
        directory = self.directory()
        return any(entry["name"] == name and not entry["draining"]
                   for entry in [*directory.get("workers", []), *directory.get("gateways", [])])

    def forget_drains(self):
        """Undrains what has been drained; of what was not, or not yet, zonectl says so."""
        wait_until(lambda: self.directory().get("state") == "running", "the matchmaker runs", RECOVERY_S)
        for name in self.drained:
            wait_until(lambda name=name: self.zonectl("undrain", name).wait() in (0, 1) and self.is_in_use(name),
                       f"{name} is undrained")
        self.drained = []

    def zone_totals(self):
        """(players, under way, handed over ever, the least tick) of all zones; None while one does not say."""
        zones = [self.cluster.metrics(name) for name in self.zones]
        if not all(zones):
            return None
        total = {name: sum(zone[f"march_zone_{name}"] for zone in zones)
                 for name in ("players", "handoffs", "handoffs_done_total", "arrived_total")}
        return total, min(zone["march_zone_tick"] for zone in zones)

    def count_players(self):
        """How many players there are while all bots stand still; None where that did not come to rest."""
        for swarm in self.swarms:
            swarm.process.send_signal(signal.SIGSTOP)
        try:
            deadline, before, since = time.monotonic() + STILL_S, None, 0
            while time.monotonic() < deadline:
                now = self.zone_totals()
                if now and now[0] == before and before["handoffs"] == 0 and now[1] > since + 40:
                    return int(before["players"])
                if now and now[0] != before:
                    before, since = now
                time.sleep(POLL_S[1] / 2)
            return None
        finally:
            for swarm in self.swarms:
                swarm.process.send_signal(signal.SIGCONT)

    def all_served(self):
        return all(swarm.all_served(self.hit_ms) for swarm in self.swarms)

    def await_recovery(self, trial):
        wait_until(lambda: self.all_served() and self.is_in_order(), "all is in order, and all play", RECOVERY_S)
        self.look_back(trial)
        self.await_each_once(trial)

    def await_each_once(self, trial):
        """Waits until there are as many players as clients."""
        clients, wrong = sum(swarm.clients for swarm in self.swarms), []
        begun = time.monotonic()
        while (count := self.count_players()) != clients:
            if count is not None:
                wrong.append(count)
                trial.lost, trial.doubled = max(0, clients - count), max(0, count - clients)
            waited_s = time.monotonic() - begun
            assert waited_s < (SETTLING_S if wrong else RECOVERY_S), f"{clients} players are to exist; counted were {wrong}"
            wait_until(self.all_served, "all play", RECOVERY_S)
        trial.lost = trial.doubled = 0
        assert self.lost_count() == 0, "a player found no room where it had been"

    def look_back(self, trial):
        """What clients have noticed since the trial began. What comes next they notice, too: to be counted they are stopped."""
        lines = [line for swarm, mark in zip(self.swarms, self.marks) for line in swarm.lines(mark)]
        trial.silence_ms = max((max(line["silence_ms"]["max"], line["gap_ms"]["max"]) for line in lines), default=0.0)
        trial.interruptions = sum(line["interruptions"] for line in lines)
        trial.crossings = sum(line["crossing_ms"]["count"] for line in lines)

    def lost_count(self):
        return sum(self.cluster.metrics(name)["march_zone_handoffs_lost_total"] for name in self.zones)

    # --- a trial

    def sessions(self, name):
        """How many clients are on a gateway."""
        metrics = self.cluster.metrics(name)
        return sum(int(value) for series, value in metrics.items()
                   if series.startswith("march_gateway_sessions{") and 'state="free"' not in series)

    def may_drop(self, trial, before):
        """How many clients may be dropped, when so many were on the gateways before: those on gateways that were killed. From
        one that is drained they go to the other meanwhile."""
        if trial.step.cause in ("orphan", "strand"):
            return sum(before.values())
        if trial.step.kind != "gateway" or trial.for_s:
            return 0
        return sum(before.values()) if trial.step.cause == "leave" else before[trial.victim]

    def commit(self, trial):
        """Brings a step about, and kills or stops the process there."""
        trial.victim = getattr(self, trial.step.cause)(trial.step)
        if not trial.for_s:
            self.kill(trial.victim)
        else:
            time.sleep(trial.for_s)
            self.signal(trial.victim, signal.SIGCONT)
        self.hit_ms = time.time() * 1000
        self.disarm()

    def run_trial(self, trial):
        """Runs one; raises where something does not hold."""
        begun = time.monotonic()
        sessions = {name: self.sessions(name) for name in GATEWAYS}
        self.marks = [swarm.mark() for swarm in self.swarms]
        dropped = sum(swarm.disconnected() for swarm in self.swarms)
        self.commit(trial)
        self.forget_drains()
        self.await_recovery(trial)
        for command in self.commands:
            command.wait(timeout=RECOVERY_S)
        self.commands = []
        trial.seconds = time.monotonic() - begun
        trial.dropped = sum(swarm.disconnected() for swarm in self.swarms) - dropped
        trial.harmed = max(0, trial.dropped - self.may_drop(trial, sessions))
        trial.dropped -= trial.harmed
        assert trial.harmed == 0, f"{trial.harmed} clients were dropped that were not on a killed gateway"

    def documents(self, kind):
        """The keys of what the matchmaker has kept; what lies beyond ids among instances says which were reserved."""
        return [int(row[0]) for row in self.cluster.sql(
            f"select key from match_documents where kind = {kind} and body is not null and (kind <> {INSTANCE} or key < {1 << 32})")]

    def results(self):
        """What every match there ever was came to."""
        door = Door(self.cluster, Document())
        for match in self.documents(RESULT):
            path = f"/v1/matches/{match}"
            answer = door.act("GET", path, name="watcher")
            assert answer.status == 200, (match, answer.body)
            yield answer.json

    def check_matches(self):
        """All that began is over and settled, and every player of a match has got what its result says, once."""
        wait_until(lambda: not self.documents(TICKET) + self.documents(INSTANCE), "no ticket and no instance is left", RECOVERY_S)
        due = {}
        for result in self.results():
            if result["state"] != "settled":
                yield f"match {result['match']} is {result['state']}"
            due |= {(int(p["player"]), int(result["match"])): p["gold"] for p in result["players"] if p["gold"]}
        granted = {(int(player), int(key) - MATCH_KEY): (int(count), int(gold)) for player, key, count, gold in self.cluster.sql(
            "select e.player, e.key, count(distinct e.id), sum((entry->>4)::bigint) from events e"
            " cross join jsonb_array_elements(e.detail->'entries') entry"
            f" where e.domain = {LOOT} and e.key >= {MATCH_KEY} and e.key < 0 and entry->>0 = '1' and entry->>3 = '0'"
            " group by e.player, e.key")}
        for player, match in sorted(due.keys() | granted.keys()):
            count, gold = granted.get((player, match), (0, 0))
            if (count, gold) != (1, due.get((player, match))):
                yield f"match {match}: player {player} is to have {due.get((player, match), 0)} gold, had {gold} by {count} grants"
        if not due and "\ninstances:" in self.cluster.config.read_text(encoding="utf-8"):
            yield "no match was worth anything"

    def check_end(self):
        """Ends the bots, and looks into the books; returns what the commuters have counted."""
        report = self.swarms[0].end()
        self.swarms[1].end()
        matches = self.swarms[2].end()["matches"]
        self.ledger = Ledger.read(self.folder / "ledger.jsonl")
        findings = [*self.check_processes(), *self.check_answers(), *self.check_events(), *self.check_matches()]
        result = self.cluster.zonectl("audit", "world")
        if result.returncode != 0:
            findings.append(f"the world's audit: {result.stdout}{result.stderr}")
        if matches["lost"]:
            findings.append(f"{matches['lost']} times a player stayed beyond the world without a match")
        if sum(self.ledger.done.values()) == 0:
            findings.append("nothing of value was done")
        if findings:
            raise Findings("\n".join(findings))
        return {"crossings": report["continuity"]["crossings"], "commands": sum(self.ledger.done.values()),
                "matches": len(self.documents(RESULT))}


def has_steps(bin_dir):
    """Whether the programs of a folder stop at steps."""
    return all(name in (bin_dir / program).read_bytes()
               for program, name in (("zone", b"source.frozen"), ("gateway", b"gateway.rerouted")))


class Run:
    """A schedule, world after world: one in which something did not hold is left, and its folder kept."""

    def __init__(self, folder, seed, bin_dir=BIN_DIR):
        self.folder, self.seed, self.bin_dir = pathlib.Path(folder), seed, bin_dir
        self.worlds, self.world, self.reports, self.findings = 0, None, [], []
        self.trials = []

    def open_world(self):
        if self.world is None:
            self.worlds += 1
            self.world = World(self.folder / str(self.worlds), self.seed + self.worlds, self.bin_dir)
            self.world.start()

    def close_world(self, is_good):
        """Ends a world; one in which all held must have books that hold, too."""
        world, self.world = self.world, None
        if world is None:
            return
        try:
            if is_good:
                self.reports.append(world.check_end())
        except (AssertionError, subprocess.SubprocessError) as error:
            self.findings.append(f"{world.folder}: {error}")
        finally:
            world.tear_down()

    def run_trial(self, trial):
        try:
            self.open_world()
            self.world.run_trial(trial)
        except (AssertionError, subprocess.SubprocessError, OSError) as error:
            trial.finding = f"{trial} of {trial.victim}: {error}"
            self.findings.append(f"{self.folder / str(self.worlds)}: {trial.finding}")
            self.close_world(False)
        self.trials.append(trial)

    def run(self, trials, until=float("inf"), tell=lambda *_: None):
        """Runs trials as long as there is time."""
        try:
            for i, trial in enumerate(trials):
                if time.monotonic() >= until:
                    break
                self.run_trial(trial)
                tell(i, trial)
        except BaseException:
            self.close_world(False)
            raise
        self.close_world(True)
        return self

    # --- telling

    def sums(self, chosen):
        """What has happened in some trials."""
        done = [trial for trial in self.trials if chosen(trial)]
        silences = sorted(trial.silence_ms for trial in done) or [0.0]
        return {"kills": sum(not t.for_s for t in done), "stops": sum(bool(t.for_s) for t in done),
                "lost": sum(t.lost for t in done), "doubled": sum(t.doubled for t in done),
                "disconnected": sum(t.harmed for t in done), "disconnected_of_killed_gateways": sum(t.dropped for t in done),
                "failed": sum(bool(t.finding) for t in done), "seconds": round(sum(t.seconds for t in done), 1),
                "silence_ms_p50": silences[len(silences) // 2], "silence_ms_max": silences[-1]}

    def summary(self):
        return {"seed": self.seed, "clients": COMMUTERS + DEALERS + FIGHTERS, "worlds": self.worlds,
                "kinds": {kind: self.sums(lambda t, kind=kind: t.step.kind == kind) for kind in KINDS},
                "steps": [{"kind": step.kind, "step": step.name, "cause": step.cause} |
                          self.sums(lambda t, step=step: t.step == step) for step in STEPS],
                "crossings": sum(report["crossings"] for report in self.reports),
                "crossings_in_trials": sum(trial.crossings for trial in self.trials),
                "interruptions_in_trials": sum(trial.interruptions for trial in self.trials),
                "commands": sum(report["commands"] for report in self.reports),
                "matches": sum(report["matches"] for report in self.reports), "findings": self.findings}

    def table(self):
        columns = {"kills": 5, "stops": 5, "lost": 5, "doubled": 7, "disconnected": 12, "of killed gateways": 18,
                   "max silence ms": 14}
        keys = ("kills", "stops", "lost", "doubled", "disconnected", "disconnected_of_killed_gateways", "silence_ms_max")
        summary = self.summary()

        def row(kind, what, cells):
            return f"{kind:10}  {what:30}" + "".join(f"  {cell:>{width}}" for cell, width in zip(cells, columns.values()))

        lines = [row("kind", "step", columns)]
        for kind in KINDS:
            done = [(f"{sums['step']} ({sums['cause']})", sums) for sums in summary["steps"]
                    if sums["kind"] == kind and sums["kills"] + sums["stops"] > 0]
            for what, sums in done + [("all", summary["kinds"][kind])]:
                lines.append(row(kind, what, [round(sums[key]) for key in keys]))
        books = "the books hold" if self.reports and not self.findings else "see below"
        lines.append(f"{summary['crossings']} crossings of commuters; {summary['interruptions_in_trials']} interruptions of over "
                     f"100 ms from a hit until all was in order again; {summary['commands']} commands done, {summary['matches']} matches played: {books}")
        return "\n".join(lines + self.findings)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=30, metavar="N", help="of each kind at least [30]")
    parser.add_argument("--stops", type=int, default=10, metavar="N", help="of each kind at least [10]")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the schedule [1]")
    parser.add_argument("--kind", choices=KINDS, help="this kind alone")
    parser.add_argument("--step", metavar="NAME", help="this step alone")
    parser.add_argument("--minutes", type=float, default=float("inf"), metavar="N", help="end after so many, whatever is left")
    parser.add_argument("--json", action="store_true", help="print an object in place of the table")
    options = parser.parse_args()
    exit_on_signals()
    if not has_steps(BIN_DIR):
        parser.error(f"the programs in {BIN_DIR} were built without steps: build with MODE=test, and tell where by MARCH_BIN_DIR")
    steps = [step for step in STEPS if options.kind in (None, step.kind) and options.step in (None, step.name)]
    folder = ROOT / "build/kills"
    shutil.rmtree(folder, ignore_errors=True)
    begun = time.monotonic()
    trials = schedule(options.seed, options.kills, options.stops, steps)

    def tell(i, trial):
        print(f"{time.monotonic() - begun:6.0f} s  {i + 1} of {len(trials)}  {trial}  {trial.victim}  {trial.seconds:.1f} s"
              f"  {trial.finding or 'held'}", file=sys.stderr, flush=True)

    run = Run(folder, options.seed).run(trials, begun + 60 * options.minutes, tell)
    print(json.dumps(run.summary(), indent=2) if options.json else run.table())
    if not run.findings:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if run.findings else 0


if __name__ == "__main__":
    sys.exit(main())
