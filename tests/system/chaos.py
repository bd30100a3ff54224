#!/usr/bin/python3
"""Bots play while a seeded schedule breaks everything around them; afterwards the books must hold.

    chaos.py --seeds 200            seeds 1 to 200, one after the other
    chaos.py --seed 17              one of them again

The schedule of a seed is drawn before anything starts: which process is killed, stopped, asked to end or cut off from its
disk, when, and for how long. What the bots were told (the swarm's ledger) is then compared with what the databases hold:

- every command that was acknowledged is there once, with the same answer, and did what it was for; none is there by half
- all loot that a zone was told to be durable is there
- what was created less what was destroyed is what exists, to the unit, and every account is what its events add up to
- where each player is known to be is no older than MOTION_BOUND_S before the moment when everything was killed at last

Exit status: 0 all held, 1 one did not: its seed, schedule and findings are printed, its run directory is kept.
"""

import argparse
import collections
import contextlib
import dataclasses
import json
import math
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time

from conftest import BIN_DIR, ROOT, SEGMENT_BYTES, SHIPPED_CONFIG, Cluster, alive, exit_on_signals, run, wait_until

CLIENTS = 40
CALM_S = 6  # before the first fault and after the last: bots get their answers
GAP_S = (1.0, 5.0)  # between the beginnings of two faults
STOP_S = (0.1, 10.0)
FULL_S = (2.0, 8.0)
READY_S = 90  # for everything to be ready again, sanitized and on a busy machine
SETTLE_S = 90  # for bots to hear what became of their last commands
FLUSH_S = 30  # for motion to be in PostgreSQL: it is written every flush_ms = 5 s
MOTION_BOUND_S = 1.5  # report_ms, a commit of the journal, and a second for a machine that is full
STANDING_M = 1.0  # who has not moved is not reported again
TICK_HZ = 60
ZONES = [f"zone-{i}" for i in range(5)]  # the last is a spare at first
JOURNAL_DISK_BYTES = 24 << 20
PLAYER_BASE = 1000

# The numbers of what the swarm's ledger has as words. What is not here (unavailable, busy ...) says that nothing was done, or that
# nobody knows: then nothing is claimed.
STATUSES = {text: number for number, text in enumerate(
    ["ok", "not found", "conflict", "not enough", "no room", "forbidden", "invalid", "expired"])} | {"exists": 12}
OK = 0
READS = {"inventory", "guild_info", "board", "profile"}
CHANGES = {"stack", "split", "use", "drop", "trade_offer", "trade_accept", "trade_cancel", "auction_list", "auction_bid", "auction_buy",
           "auction_cancel", "guild_create", "guild_join", "guild_leave", "guild_deposit", "guild_withdraw"}  # never done without an event
LOOT, CLIENT = 2, 1  # domains of keys


@dataclasses.dataclass
class Fault:
    """One thing that goes wrong at a time after the beginning."""
    at_s: float
    action: str
    target: str
    for_s: float = 0.0

    def __str__(self):
        return f"{self.at_s:6.2f} s  {self.action} {self.target}" + (f" for {self.for_s:.1f} s" if self.for_s else "")


def schedule(seed, seconds, shards, disks):
    """The faults of a seed: a function of its arguments alone."""
    draw = random.Random(f"{seed}/{seconds}/{shards}/{disks}")
    persists = [f"persist-{i}" for i in range(shards)]
    zones = ZONES
    actions = [(6, "kill", persists), (3, "kill", zones), (2, "kill", ["gateway-0"]), (2, "kill", ["postgres"]),
               (2, "kill", ["redis"]), (3, "stop", persists), (2, "stop", zones), (1, "stop", ["gateway-0"]),
               (2, "stop", ["postgres"]), (2, "stop", ["redis"]), (2, "end", persists), (1, "end", zones),
               (1, "end", ["gateway-0"]), (3, "shut", ["postgres"]), (1, "end", ["redis"]),
               *((weight, action, ["matchmaker-0"]) for weight, action in ((2, "kill"), (2, "stop"), (1, "end")))]
    if disks:
        actions.append((3, "fill", persists))
    faults, at_s = [], CALM_S
    while at_s < CALM_S + seconds:
        _, action, targets = draw.choices(actions, [weight for weight, *_ in actions])[0]
        lengths = {"stop": STOP_S, "fill": FULL_S}.get(action)
        faults.append(Fault(at_s, action, draw.choice(targets), draw.uniform(*lengths) if lengths else 0.0))
        at_s += draw.uniform(*GAP_S)
    return faults


class Findings(AssertionError):
    """What does not hold after a run."""


@dataclasses.dataclass
class Ledger:
    """What the bots were told: answers by (player, key), and what each saw of itself, in the order of time."""
    answers: dict
    seen: dict
    done: collections.Counter  # by verb

    @classmethod
    def read(cls, path):
        ledger = cls({}, {}, collections.Counter())
        for line in path.read_text(encoding="utf-8").splitlines():
            ledger.take(json.loads(line))
        return ledger

    def take(self, entry):
        player = entry["player"]
        if "seen_tick" in entry:
            self.seen.setdefault(player, []).append(entry)
        elif entry["verb"] not in READS and entry["status"] in STATUSES:
            self.answers[player, entry["key"]] = (STATUSES[entry["status"]], entry["object"], entry["verb"])
            self.done[entry["verb"]] += entry["status"] == "ok"

    def last_seen(self, before_ns):
        """What each player saw of itself last before a moment: (player, tick, x_m, y_m)."""
        for player, entries in self.seen.items():
            for entry in reversed(entries):
                if entry["at_ns"] <= before_ns:
                    yield player, whole_tick(entry["seen_tick"], entry["at_ns"]), entry["x_m"], entry["y_m"]
                    break


def whole_tick(low, at_ns):
    """The tick near a moment whose low 32 bits are `low`."""
    near = at_ns * TICK_HZ // 10**9
    return near + (low - near + 2**31) % 2**32 - 2**31


def signed(number):
    """A u64 as PostgreSQL keeps it."""
    return number - (1 << 64) if number >= 1 << 63 else number


class Chaos:
    """One run of one seed in a folder of its own."""

    def __init__(self, folder, seed, seconds, bin_dir=BIN_DIR):
        self.folder = pathlib.Path(folder)
        self.seed, self.seconds = seed, seconds
        self.shards = 1 + seed % 2
        self.mounts = []
        self.stopped = []  # (when to go on, pids)
        self.fillers = []  # (when to remove, path)
        self.cluster = Cluster(self.folder / "run", config=self.write_config(), bin_dir=bin_dir).use_template()
        self.swarm = None
        self.done = []

    def write_config(self):
        """The shipped configuration with smaller journals, room for players on one address, and the seed's shards."""
        self.folder.mkdir(parents=True, exist_ok=True)
        text = SHIPPED_CONFIG.read_text(encoding="utf-8")
        more = "".join(f"  - name: persist-{i}\n" for i in range(1, self.shards))
        for old, new in (("  - name: persist-0\n", "  - name: persist-0\n" + more),
                         ("journal_bytes_max: 1073741824", f"journal_bytes_max: {8 * SEGMENT_BYTES}")):
            assert old in text, old
            text = text.replace(old, new, 1)
        path = self.folder / "chaos.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    def persists(self):
        return [f"persist-{i}" for i in range(self.shards)]

    # --- disks

    def mount_disks(self):
        """Puts each journal on a small disk of its own; only root can. Returns whether it is so."""
        for name in self.persists():
            disk = self.cluster.run_dir / "journal" / name
            disk.mkdir(parents=True, mode=0o700)
            if run("mount", "-t", "tmpfs", "-o", f"size={JOURNAL_DISK_BYTES},mode=700", "tmpfs", disk).returncode != 0:
                return False
            self.mounts.append(disk)
        return True

    def unmount_disks(self):
        while self.mounts:
            run("umount", "-l", self.mounts.pop())

    def fill(self, name, until):
        path = self.cluster.run_dir / "journal" / name / "filler"
        with contextlib.suppress(OSError), open(path, "wb", buffering=0) as file:
            while True:
                file.write(bytes(1 << 16))
        self.fillers.append((until, path))

    # --- faults

    def pids_of(self, name):
        """The pids of a process; of a database server, of all that belong to it. Asks nobody: some don't answer."""
        known = json.loads((self.cluster.run_dir / "cluster.json").read_text(encoding="utf-8"))["processes"]
        pids = [process["pid"] for process in known if process["name"] == name and process["pid"]]
        folder = f"{self.cluster.run_dir}/{name}"
        for path in pathlib.Path("/proc").glob("[0-9]*") if name in ("postgres", "redis") else []:
            with contextlib.suppress(OSError):
                if str((path / "cwd").readlink()).startswith(folder) and int(path.name) not in pids:
                    pids.append(int(path.name))
        return pids

    def send(self, name, number, all_of_it=False):
        pids = self.pids_of(name)
        for pid in pids if all_of_it else pids[:1]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        return pids

    def commit(self, fault, begin):
        """Makes a fault happen."""
        until = begin + fault.at_s + fault.for_s
        match fault.action:
            case "kill": self.send(fault.target, signal.SIGKILL)
            case "end": self.send(fault.target, signal.SIGTERM)
            case "shut": self.send(fault.target, signal.SIGQUIT)
            case "stop": self.stopped.append((until, self.send(fault.target, signal.SIGSTOP, all_of_it=True)))
            case "fill":
                self.fill(fault.target, until)
                self.send(fault.target, signal.SIGKILL)  # it must come up again on a full disk, too
        self.done.append(f"{time.monotonic() - begin:6.2f} s  {fault}")

    def undo(self, now):
        """Ends the faults whose time is over."""
        for entry in [e for e in self.stopped if now >= e[0]]:
            self.stopped.remove(entry)
            for pid in entry[1]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
        for entry in [e for e in self.fillers if now >= e[0]]:
            self.fillers.remove(entry)
            entry[1].unlink(missing_ok=True)

    def play_schedule(self, faults):
        begin = time.monotonic()
        for fault in faults:
            while (now := time.monotonic()) < begin + fault.at_s:
                self.undo(now)
                time.sleep(0.02)
            self.commit(fault, begin)
            assert self.swarm.poll() is None, "the swarm ended"
        while self.stopped or self.fillers:
            self.undo(time.monotonic())
            time.sleep(0.02)

    # --- the run

    def start(self):
        disks = self.mount_disks()
        self.faults = schedule(self.seed, self.seconds, self.shards, disks)
        self.cluster.up()
        with open(self.folder / "swarm.out", "wb") as out:
            self.swarm = subprocess.Popen(
                [self.cluster.bin_dir / "swarm", "--run-dir", self.cluster.run_dir, "--clients", str(CLIENTS), "--behaviour",
                 "live", "--duration", "0", "--seed", str(self.seed), "--players", str(PLAYER_BASE), "--ledger",
                 self.folder / "ledger.jsonl", "--json", "--reconnect"], stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        wait_until(lambda: self.cluster.playing() == CLIENTS, "all bots play", READY_S)

    def kill_everything(self):
        """Ends it all as a power cut would, and starts it again; what is kept of motion is noted before bots move on."""
        pids = self.cluster.pids()
        self.loot = {name: self.loot_of(name) for name in ZONES}
        self.killed_ns = time.time_ns()
        self.swarm.send_signal(signal.SIGSTOP)
        os.kill(self.cluster.status()["supervisor_pid"], signal.SIGKILL)
        wait_until(lambda: not any(alive(pid) for pid in pids), "everything is dead")
        self.cluster.up()
        wait_until(lambda: all(self.has_flushed(name) for name in self.persists()), "motion is written behind", FLUSH_S)
        self.kept = {player: (tick, x / 65536, y / 65536) for player, tick, x, y in
                     self.rows("select player, tick, x, y from player_state")}

    def loot_of(self, name):
        """What a zone knows of its loot: (granted, of these durable, the epoch of its lease by persist)."""
        metrics = wait_until(lambda: self.cluster.metrics(name), f"{name} tells its metrics")
        granted, answered, refused = (int(metrics[f"march_zone_grants_{what}total"]) for what in ("", "answered_", "refused_"))
        epochs = {persist: int(self.cluster.sql(f"select epoch from leases where partition = '{name}'", persist)[0][0])
                  for persist in self.persists()}
        return granted, answered - refused, epochs

    def has_flushed(self, name):
        metrics = self.cluster.metrics(name)
        return metrics.get("march_persist_motion_flushes_total") and not metrics["march_persist_motion_dirty"]

    def end_swarm(self):
        """Lets the bots come back, so that they hear what became of their last commands, and ends them."""
        self.swarm.send_signal(signal.SIGCONT)
        self.swarm.send_signal(signal.SIGINT)
        self.swarm.wait(timeout=SETTLE_S)

    def run(self):
        try:
            self.start()
            self.play_schedule(self.faults)
            wait_until(lambda: (s := self.cluster.status()) and s["ready"], "everything is ready again", READY_S)
            wait_until(lambda: self.cluster.playing() == CLIENTS, "all bots play again", READY_S)
            time.sleep(CALM_S)
            self.kill_everything()
            self.end_swarm()
            self.check()
        finally:
            self.tear_down()

    def tear_down(self):
        self.undo(float("inf"))
        if self.swarm is not None and self.swarm.poll() is None:
            self.swarm.kill()
            self.swarm.wait()
        self.cluster.tear_down()
        self.unmount_disks()

    # --- what must hold

    def rows(self, query):
        """The rows of a query in every shard, numbers as numbers."""
        return [[int(field) for field in row] for name in self.persists() for row in self.cluster.sql(query, name)]

    def check(self):
        self.ledger = Ledger.read(self.folder / "ledger.jsonl")
        findings = [*self.check_processes(), *self.check_answers(), *self.check_events(), *self.check_loot(), *self.check_books(),
                    *self.check_motion(), *self.check_liveliness()]
        if findings:
            raise Findings("\n".join(findings))

    def check_processes(self):
        """Nothing crashed but what was killed."""
        for line in self.cluster.events().splitlines():
            if any(words in line for words in ("signal 6", "signal 11", "signal 7", "given up")):
                yield f"a process crashed: {line}"
        for path in self.cluster.run_dir.glob("log/*.log"):
            if "Sanitizer" in path.read_text(encoding="utf-8", errors="replace"):
                yield f"a sanitizer found something: see {path}"

    def check_answers(self):
        """Every answer that a bot got is the one that is kept, and those that did something are kept."""
        kept = {(player, key): (status, object_) for player, key, status, object_ in
                self.rows(f"select player, key, status, object from commands where domain = {CLIENT}")}
        for (player, key), (status, object_, verb) in self.ledger.answers.items():
            found = kept.get((player, signed(key)))
            if found is None and status == OK:
                yield f"player {player} was told that {verb} {key} was done, and it is not there"
            elif found is not None and found != (status, signed(object_)):
                yield f"player {player}, {verb} {key}: was told {status, object_}, kept is {found}"

    def check_events(self):
        """An event and the answer of its command are there together, and once."""
        for domain, player, key, count in self.rows(
                "select domain, player, key, count(*) from events where domain in (1, 2)"
                " group by domain, player, key, type having count(*) > 1"):
            yield f"{count} events of player {player} by one key {key} of domain {domain}"
        for domain, player, key in self.rows(
                "select e.domain, e.player, e.key from events e where domain in (1, 2) and not exists"
                " (select from commands c where (c.domain, c.player, c.key) = (e.domain, e.player, e.key) and c.status = 0)"):
            yield f"an event of player {player} by key {key} of domain {domain} has no answer"

        done = {tuple(row) for row in self.rows(f"select player, key from events where domain = {CLIENT}")}
        for (player, key), (status, _, verb) in self.ledger.answers.items():
            if status == OK and verb in CHANGES and (player, signed(key)) not in done:
                yield f"player {player} was told that {verb} {key} was done, and no event tells of it"

    def check_loot(self):
        """What zones were told to be durable before everything was killed has been granted. A key ends in a number: from 0, by zone."""
        for index, (name, (granted, durable, epochs)) in enumerate(self.loot.items()):
            found = sum(int(row[0]) for persist, epoch in epochs.items() for row in self.cluster.sql(
                f"select count(*) from commands where domain = {LOOT} and key >> 32 = {index << 16 | epoch & 0xffff}"
                f" and key & 4294967295 < {granted}", persist))
            if found < durable:
                yield f"{name} was told that {durable} grants of loot are durable, {found} are there"

    def check_books(self):
        """Every account is what its events add up to; nothing was made or lost between accounts and shards."""
        result = self.cluster.zonectl("audit", "world")
        if result.returncode != 0:
            yield f"the world's audit: {result.stdout}{result.stderr}"
        player = PLAYER_BASE + 1 + self.seed % CLIENTS
        result = self.cluster.zonectl("audit", "player", player)
        if result.returncode != 0:
            yield f"a player's audit: {result.stdout}{result.stderr}"

    def check_motion(self):
        """Nobody is kept older than may be, but who stood still."""
        for player, tick, x_m, y_m in self.ledger.last_seen(self.killed_ns):
            there = self.kept.get(player)
            if there is None:
                yield f"player {player} is not kept at all"
            elif there[0] < tick - MOTION_BOUND_S * TICK_HZ and math.dist(there[1:], (x_m, y_m)) > STANDING_M:
                yield (f"player {player} was at {x_m:.1f}, {y_m:.1f}; kept is where it was {(tick - there[0]) / TICK_HZ:.2f} s"
                       f" before: {there[1]:.1f}, {there[2]:.1f}")
        if len(self.ledger.seen) != CLIENTS:
            yield f"{len(self.ledger.seen)} of {CLIENTS} players were seen"

    def check_liveliness(self):
        """A run in which little was done proves little."""
        done = self.ledger.done
        trades = done["trade_accept"]
        loot = sum(count for (count,) in self.rows(f"select count(*) from commands where domain = {LOOT} and status = 0"))
        guilds = sum(done[verb] for verb in ("guild_create", "guild_join"))
        self.summary = f"{sum(done.values())} commands done, {trades} trades, {guilds} guild joins, {loot} grants of loot"
        if min(trades, guilds, loot) == 0:
            yield f"too little happened: {self.summary}"


def run_seed(folder, seed, seconds, bin_dir=BIN_DIR):
    """Runs a seed; raises with all that is needed to look into it and to run it again."""
    chaos = Chaos(folder, seed, seconds, bin_dir)
    try:
        chaos.run()
    except (AssertionError, subprocess.SubprocessError) as error:
        raise Findings(f"seed {seed} failed: {error}\n--- done:\n" + "\n".join(chaos.done) +
                       f"\n--- run directory: {chaos.cluster.run_dir}\n--- again: tests/system/chaos.py --seed {seed}"
                       f" --seconds {seconds}") from error
    return f"{len(chaos.done)} faults, {chaos.shards} shards: {chaos.summary}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="run seeds 1 to N")
    parser.add_argument("--seed", type=int, metavar="N", help="run this one alone")
    parser.add_argument("--seconds", type=float, default=60, help="time in which faults begin [60]")
    options = parser.parse_args()
    exit_on_signals()
    seeds = [options.seed] if options.seed is not None else range(1, options.seeds + 1)
    failed = []
    for seed in seeds:
        folder = ROOT / f"build/chaos/{seed}"
        shutil.rmtree(folder, ignore_errors=True)
        try:
            print(f"seed {seed}: {run_seed(folder, seed, options.seconds)}", flush=True)
            shutil.rmtree(folder, ignore_errors=True)
        except Findings as findings:
            print(findings, flush=True)
            failed.append(seed)
    if failed:
        print("failed seeds:", *failed)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
