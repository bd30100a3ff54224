"""A small cluster with modes and templates of its own, and what is asked of it: for tests of matches and instances."""

import contextlib
import json
import subprocess
import time
import urllib.request

from conftest import SEGMENT_BYTES, WAIT_S, Cluster, need, run, wait_until
from front_door import Document, Door

WORLD = f"""
cluster: {{protocol_id: 1}}
gateways:
  - {{name: gateway-0, listen: ["127.0.0.1:0"]}}
zones:
  - {{name: zone-0, rect: {{x_m: 0, y_m: 0, width_m: 60, height_m: 60}}, creatures: 5}}
  - {{name: zone-1, rect: {{x_m: 60, y_m: 0, width_m: 60, height_m: 60}}, creatures: 5}}
  - {{name: zone-2}}
  - {{name: zone-3}}
matchmaker:
  name: matchmaker-0
  silence_ms: 5000
  modes: modes
  front: {{address: "127.0.0.1:0", auth: dev}}
instances: {{blocks: 1, cells: 64, side_m: 64, templates: instances}}
persists:
  - {{name: persist-0}}
persist: {{journal_segment_bytes: {SEGMENT_BYTES}, journal_bytes_max: {8 * SEGMENT_BYTES}}}
limits: {{client_timeout_s: 10, link_dead_s: 60, prefix_packets_per_s: 1000000, prefix_burst: 1000000}}
"""
MODES = {
    "duel": "name: duel\ninstance: ring\nteams: 2\nteam_size: 1\nwindow_start: 5000\nwindow_max: 5000\nbalance_max: 10000\n",
    "check": "name: check\ninstance: ring\nteams: 2\nteam_size: 1\nwindow_start: 5000\nwindow_max: 5000\nbalance_max: 10000\n"
             "ready_ms: 6000\n",
    "lonely": "name: lonely\ninstance: ring\nteams: 2\nteam_size: 1\ntimeout_ms: 1500\n",
    "raid": "name: raid\ninstance: crypt\nteams: 1\nteam_size: 2\nmax_party: 2\nwindow_start: 5000\nwindow_max: 5000\n",
    "brawl": "name: brawl\ninstance: brawl\nteams: 2\nteam_size: 1\nwindow_start: 5000\nwindow_max: 5000\nbalance_max: 10000\n",
}
TEMPLATES = {
    "ring": "name: ring\nside_m: 24\ncapacity: 2\ntime_limit_s: 600\nends: [kills, empty]\nkills: 1\nempty_s: 60\n"
            "spots:\n  - {x_m: 6, y_m: 12, team: 0}\n  - {x_m: 18, y_m: 12, team: 1}\nwin: {gold: 40}\nlose: {gold: 7}\n",
    "brawl": "name: brawl\nside_m: 24\ncapacity: 2\ntime_limit_s: 4\nends: [empty]\nempty_s: 60\nwin: {gold: 40}\nlose: {gold: 7}\n",
    "crypt": "name: crypt\nside_m: 48\ncapacity: 4\ntime_limit_s: 600\nends: [cleared, empty]\nempty_s: 60\n"
             "waves:\n  - {creatures: 2, health_percent: 10}\n  - {creatures: 2, after_s: 1, health_percent: 10}\n"
             "map:\n  - {x_m: [23, 25], y_m: [23, 25]}\n"  # in the middle, where players without a spot come in
             "win: {gold: 30, item: gem}\ncrash: restart\ncheckpoints: true\n",
}


class World:
    """The cluster, and its front door."""

    def __init__(self, folder):
        need("zonectl", "gateway", "zone", "matchmaker", "persist", "swarm", "example")
        self.folder = folder
        for name, files in (("modes", MODES), ("instances", TEMPLATES)):
            (folder / name).mkdir(parents=True)
            for file, text in files.items():
                (folder / name / f"{file}.yaml").write_text(text, encoding="utf-8")
        (folder / "cluster.yaml").write_text(WORLD, encoding="utf-8")
        self.cluster = Cluster(folder / "run", config=folder / "cluster.yaml").use_template()
        self.door = Door(self.cluster, Document())

    def start(self):
        self.cluster.up()
        self.cluster.wait_ready()
        return self

    # --- the front door

    def ask(self, method, path, name=None, **body):
        """The answer to a player's request; GET and DELETE say who asks in the query."""
        return self.door.act(method, path, **({"name": name} if name is not None else {}), **body)

    def player(self, name):
        return self.door.admitted(name=name)["player"]

    def enter(self, name, mode, **more):
        """A ticket, as soon as the matchmaker has read what it had kept."""
        answer = wait_until(lambda: (a := self.ask("POST", "/v1/tickets", name, mode=mode, **more)).status not in (429, 503) and a,
                            f"{name} may queue")
        assert answer.status == 201, answer.body
        return answer.json

    def ticket(self, name, ticket="current", **query):
        return self.ask("GET", f"/v1/tickets/{ticket}", name, **query)

    def await_ticket(self, name, ticket, state):
        """A ticket in a state, by long polls."""
        deadline = time.monotonic() + WAIT_S
        answer = self.ticket(name, ticket)
        while answer.status != 200 or answer.json["state"] != state:
            assert time.monotonic() < deadline, (state, answer.status, answer.body)
            if answer.status == 200:
                answer = self.ticket(name, ticket, wait_s=2, version=answer.json["version"])
            else:
                time.sleep(0.2)
                answer = self.ticket(name, ticket)
        return answer.json

    def match(self, match, name="watcher"):
        return self.ask("GET", f"/v1/matches/{match}", name)

    def await_match(self, match, condition, what):
        """A match in which something is so; asked for again while the matchmaker is away."""
        def look():
            with contextlib.suppress(OSError):
                answer = self.match(match)
                return answer.status == 200 and condition(answer.json) and answer.json
            return None

        return wait_until(look, f"match {match}: {what}")

    def await_result(self, match):
        return self.await_match(match, lambda m: m["state"] == "settled", "it is settled")

    # --- players

    @contextlib.contextmanager
    def playing(self, *names):
        """The example client for each of some names, in the world while the block runs."""
        with contextlib.ExitStack() as stack:
            for name in names:
                stack.enter_context(self.client(name))
            wait_until(lambda: self.cluster.playing() >= len(names), f"{names} play")
            yield

    @contextlib.contextmanager
    def client(self, name):
        token = self.door.admitted(name=name)["connect_token"]
        client = subprocess.Popen([self.cluster.bin_dir / "example", token], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            yield client
        finally:
            client.terminate()
            client.wait(timeout=WAIT_S)

    # --- what is so

    def zones(self):
        return [f"zone-{i}" for i in range(4)]

    def owner_of_block(self):
        """The zone that has the block, and so all instances."""
        def find():
            with contextlib.suppress(OSError):
                address = (self.cluster.run_dir / "matchmaker-0.http").read_text(encoding="ascii").strip()
                with urllib.request.urlopen(f"http://{address}/status", timeout=5) as reply:
                    partitions = json.loads(reply.read())["partitions"]
                return next((p["owner"] for p in partitions if p["kind"] == "instances" and not p["former"]), None)
            return None

        return wait_until(find, "a zone has the block")

    def in_world(self):
        """Players that zones simulate, and of these those who are in instances."""
        metrics = [self.cluster.metrics(zone) for zone in self.zones()]
        return (sum(m.get("march_zone_players", 0) for m in metrics),
                sum(m.get("march_zone_instance_players", 0) for m in metrics))

    def gold_of(self, player):
        rows = self.cluster.sql(f"select gold from accounts where owner_kind = 1 and owner = {player}")
        return int(rows[0][0]) if rows else 0

    def documents(self, kind):
        return int(self.cluster.sql(f"select count(*) from match_documents where kind = {kind} and body is not null")[0][0])

    def audit(self):
        result = run(self.cluster.bin_dir / "zonectl", "audit", "world", "--run-dir", self.cluster.run_dir)
        assert result.returncode == 0, result.stdout + result.stderr
