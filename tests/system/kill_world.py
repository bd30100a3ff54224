"""What must hold in the world of kills.py: after each kill or stop, and in its books at the end."""

import collections
import json
import signal
import time

from chaos import LOOT, Findings, Ledger
from conftest import PATIENCE, POLL_S, wait_until
from front_door import Document, Door
from kill_causes import Causes
from kill_stage import GATEWAYS, MATCHMAKER, PERSIST, RECOVERY_S
from kill_steps import Trial
from kill_witnesses import Witnesses

SETTLING_S = 8  # after all play, for what is still let go of
STILL_S = 4.0  # all bots stand still for so long at most, less than any time-out
TICKET, INSTANCE, RESULT = 1, 3, 4  # kinds of documents
MATCH_KEY = -(1 << 48)  # what a match grants has keys from here, as PostgreSQL keeps them


class World(Causes):
    """The cluster, with what must hold in it."""

    def start(self):
        self.open()
        self.await_recovery(Trial())
        if self.has_matches():
            self.witnesses = Witnesses(self.cluster, self.seed)
        return self

    def tear_down(self):
        if self.witnesses:
            self.witnesses.is_over.set()
        super().tear_down()

    def has_matches(self):
        return "\ninstances:" in self.cluster.config.read_text(encoding="utf-8")

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
            assert waited_s < PATIENCE * (SETTLING_S if wrong else RECOVERY_S), f"{clients} players are to exist; counted were {wrong}"
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

    def keep_state(self):
        """Writes down who has what and what each process counts, for whoever looks into what did not hold."""
        state = {"directory": self.directory()} | {name: self.cluster.metrics(name) for name in [*self.zones, *GATEWAYS, MATCHMAKER, PERSIST]}
        (self.folder / "state.json").write_text(json.dumps(state, indent=1), encoding="utf-8")

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
            command.wait(timeout=PATIENCE * RECOVERY_S)
        self.commands = []
        trial.seconds = time.monotonic() - begun
        trial.dropped = sum(swarm.disconnected() for swarm in self.swarms) - dropped
        trial.harmed = max(0, trial.dropped - self.may_drop(trial, sessions))
        trial.dropped -= trial.harmed
        assert not self.witnesses or not self.witnesses.findings, self.witnesses.findings
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

    def granted(self):
        """What players had of matches: {(player, match): (grants, gold, items)}."""
        return {(int(player), int(key) - MATCH_KEY): (int(count), int(gold), int(items)) for player, key, count, gold, items in self.cluster.sql(
            "select e.player, e.key, count(distinct e.id), coalesce(sum(delta) filter (where n.item_kind = 0), 0),"
            " coalesce(sum(delta) filter (where n.item_kind <> 0), 0) from events e join event_entries n using (id, at)"
            f" where e.domain = {LOOT} and e.key >= {MATCH_KEY} and e.key < 0 and n.owner_kind = 1 group by e.player, e.key")}

    def check_told(self, matches):
        """Nobody was told of more than there is, or stayed where no match was."""
        told, had = sum(report["gold"] for report in matches), sum(gold for _, gold, _ in self.granted().values())
        if told > had:
            yield f"players were told of {told} gold, and had {had}"
        if lost := sum(report["lost"] for report in matches):
            yield f"{lost} times a player stayed beyond the world without a match"

    def check_matches(self):
        """All that began is over and settled; every player of a match has got what its result says, and is rated for it, once."""
        wait_until(lambda: not self.documents(TICKET) + self.documents(INSTANCE), "no ticket and no instance is left", RECOVERY_S)
        due, rated = {}, collections.Counter()
        for result in self.results():
            if result["state"] != "settled":
                yield f"match {result['match']} is {result['state']}"
            due |= {(int(p["player"]), int(result["match"])): (1, p["gold"], p.get("item", {}).get("count", 0))
                    for p in result["players"] if p["gold"]}
            if result["end"] == "goal" and len(result["scores"]) > 1 and any(p["came"] for p in result["players"]):
                rated.update(int(p["player"]) for p in result["players"])
        granted = self.granted()
        for player, match in sorted(due.keys() | granted.keys()):
            if granted.get((player, match)) != due.get((player, match)):
                yield (f"match {match}: player {player} is to have {due.get((player, match))} (grants, gold, items),"
                       f" had {granted.get((player, match))}")
        played = collections.Counter({int(player): int(count) for player, count in self.cluster.sql("select player, played from ratings")})
        for player in sorted(player for player in played.keys() | rated.keys() if played[player] != rated[player]):
            yield f"player {player} is to be rated {rated[player]} times, was {played[player]} times"
        if not due and self.has_matches():
            yield "no match was worth anything"

    def check_witnesses(self):
        """What they were told is what a matchmaker finds again that knows nothing else."""
        if not self.witnesses:
            return []
        self.witnesses.stop()
        for name in (PERSIST, MATCHMAKER):
            self.kill(name)
        wait_until(lambda: self.directory().get("state") == "running" and self.all_run(), "all run again", RECOVERY_S)
        return self.witnesses.check()

    def check_end(self):
        """Ends the bots, and looks into the books; returns what the commuters have counted."""
        report = self.swarms[0].end()
        self.swarms[1].end()
        matches = [swarm.end()["matches"] for swarm in self.swarms[2:]]
        self.ledger = Ledger.read(self.folder / "ledger.jsonl")
        findings = [*self.check_processes(), *self.check_answers(), *self.check_events(), *self.check_witnesses(),
                    *self.check_matches(), *self.check_told(matches)]
        result = self.cluster.zonectl("audit", "world")
        if result.returncode != 0:
            findings.append(f"the world's audit: {result.stdout}{result.stderr}")
        if sum(self.ledger.done.values()) == 0:
            findings.append("nothing of value was done")
        if findings:
            raise Findings("\n".join(findings))
        return {"crossings": report["continuity"]["crossings"], "commands": sum(self.ledger.done.values()),
                "matches": len(self.documents(RESULT))}
