"""Matches and instances on a real cluster: players queue, are moved into an instance and back, whoever dies meanwhile; what a match
is worth is had once."""

import json
import os
import signal
import subprocess

import pytest
from conftest import WAIT_S, wait_until
from matches import World

DOCUMENT_TICKET, DOCUMENT_INSTANCE, DOCUMENT_RESULT = 1, 3, 4


@pytest.fixture(scope="module")
def shared(tmp_path_factory, postgres_template):
    """One cluster for the tests that break nothing."""
    world = World(tmp_path_factory.mktemp("matches"))
    try:
        yield world.start()
    finally:
        world.cluster.tear_down()


@pytest.fixture
def world(tmp_path, postgres_template):
    """A cluster of a test's own."""
    world = World(tmp_path / "world")
    try:
        yield world.start()
    finally:
        world.cluster.tear_down()


def present(match):
    return sum(player["present"] for player in match["players"])


def duel(world, *names, mode="duel"):
    """A match of two players that are in the world, in which both have arrived."""
    tickets = [world.enter(name, mode)["ticket"] for name in names]
    matched = [world.await_ticket(name, ticket, "matched") for name, ticket in zip(names, tickets)]
    assert len({ticket["match"] for ticket in matched}) == 1
    match = matched[0]["match"]
    return world.await_match(match, lambda m: present(m) == len(names), "all are there")


def kill(world, name):
    pid = world.cluster.process(name)["pid"]
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: (p := world.cluster.process(name)) and p["pid"] and p["pid"] != pid and p["ready"], f"{name} is back")


# --- queueing


def test_matches_two_who_queue_meet_and_come_home(shared):
    with shared.playing("anna", "bert"):
        match = duel(shared, "anna", "bert")
        assert {player["team"] for player in match["players"]} == {0, 1} and match["state"] == "running"
        wait_until(lambda: shared.in_world() == (2, 2), "both are in the instance, and nowhere else")
        answer = shared.ask("POST", "/v1/tickets", "anna", mode="duel")
        assert (answer.status, answer.code) == (409, "in_a_match")
        assert shared.ask("DELETE", f"/v1/instances/{match['match']}", "anybody").status == 200
        result = shared.await_result(match["match"])
        assert result["end"] == "ordered" and all(player["gold"] == 0 for player in result["players"])
        wait_until(lambda: shared.in_world() == (2, 0), "both are home")
        wait_until(lambda: shared.documents(DOCUMENT_INSTANCE) <= 1, "it is forgotten, but for the greatest number")  # key 0


def test_matches_a_result_rates_and_rewards(shared):
    players = {name: shared.player(name) for name in ("carl", "dora")}
    with shared.playing(*players):
        match = duel(shared, *players, mode="brawl")  # it ends by its time, in a tie
        result = shared.await_result(match["match"])
    assert (result["end"], result["goal"], result["mode"]) == ("goal", "time", "brawl")
    assert {p["player"] for p in result["players"]} == set(players.values()) and all(p["came"] for p in result["players"])
    for p in result["players"]:
        assert p["gold"] == (40 if p["won"] else 7) and shared.gold_of(p["player"]) == p["gold"]
    board = shared.ask("GET", "/v1/leaderboards/brawl").json
    assert board["complete"] and {row["player"] for row in board["rows"]} == set(players.values())
    assert all(row["played"] == 1 for row in board["rows"])
    assert shared.ask("GET", "/v1/leaderboards/brawl", limit=1).json["rows"] == board["rows"][:1]
    assert shared.ask("GET", "/v1/leaderboards/chess").status == 404
    shared.audit()


def test_matches_cancelled_is_cancelled(shared):
    ticket = shared.enter("emil", "duel")
    assert ticket["state"] == "waiting" and shared.ticket("emil").json["ticket"] == ticket["ticket"]
    answer = shared.ask("POST", "/v1/tickets", "emil", mode="duel")
    assert (answer.status, answer.code) == (409, "exists")
    assert shared.ticket("stranger", ticket["ticket"]).status == 404
    answer = shared.ask("DELETE", f"/v1/tickets/{ticket['ticket']}", "emil")
    assert (answer.status, answer.json["state"], answer.json["reason"]) == (200, "ended", "cancelled")
    other = shared.enter("fred", "duel")
    assert shared.ticket("fred", other["ticket"]).json["state"] == "waiting"
    assert shared.ask("DELETE", f"/v1/tickets/{ticket['ticket']}", "emil").status == 404
    assert shared.ask("DELETE", "/v1/tickets/current", "fred").status == 200


def test_matches_who_finds_nobody_is_told_so(shared):
    ticket = shared.enter("gert", "lonely")
    ended = shared.await_ticket("gert", ticket["ticket"], "ended")
    assert ended["reason"] == "timed_out" and ended["waited_ms"] >= 1500


def test_matches_who_declines_loses_the_ticket_alone(shared):
    tickets = {name: shared.enter(name, "check")["ticket"] for name in ("hans", "ilse")}
    for name, ticket in tickets.items():
        asked = shared.await_ticket(name, ticket, "asked")
        assert 0 < asked["ready_within_ms"] <= 6000
    assert shared.ask("PUT", f"/v1/tickets/{tickets['hans']}/ready", "hans", ready=True).json["players"][0]["ready"]
    answer = shared.ask("PUT", f"/v1/tickets/{tickets['ilse']}/ready", "ilse", ready=False)
    assert (answer.json["state"], answer.json["reason"]) == ("ended", "declined")
    assert shared.await_ticket("hans", tickets["hans"], "waiting")
    answer = shared.ask("PUT", f"/v1/tickets/{tickets['hans']}/ready", "hans", ready=True)
    assert (answer.status, answer.code) == (409, "not_asked")
    assert shared.ask("DELETE", "/v1/tickets/current", "hans").status == 200


def test_matches_a_party_plays_together(shared):
    names = ("jana", "kurt")
    jana, kurt = (shared.player(name) for name in names)
    assert shared.ask("POST", "/v1/party/members", "kurt", leader=jana).status == 404
    assert shared.ask("POST", "/v1/party/invitations", "jana", player=kurt).json["invited"] == [kurt]
    party = shared.ask("POST", "/v1/party/members", "kurt", leader=jana).json
    assert party["leader"] == jana and set(party["members"]) == {jana, kurt}
    answer = shared.ask("POST", "/v1/tickets", "kurt", mode="raid")
    assert (answer.status, answer.code) == (403, "not_leader")
    with shared.playing(*names):
        ticket = shared.enter("jana", "raid")["ticket"]
        match = shared.await_ticket("jana", ticket, "matched")["match"]
        running = shared.await_match(match, lambda m: present(m) == 2, "both are there")
        assert {p["player"] for p in running["players"]} == {jana, kurt} and {p["team"] for p in running["players"]} == {0}
        shared.await_match(match, lambda m: m["creatures"] == 2, "the first wave came")
        assert shared.ask("DELETE", f"/v1/instances/{match}", "jana").status == 200
        shared.await_result(match)
    assert shared.ask("DELETE", f"/v1/party/members/{kurt}", "jana").json["leader"] is None
    assert shared.ask("GET", "/v1/party", "kurt").json["leader"] is None


# --- designers and operators


def test_matches_a_designer_launches_and_ends_an_instance(shared):
    player = shared.player("lena")
    with shared.playing("lena"):
        result = shared.cluster.zonectl("instance", "launch", "crypt", "--players", player, "--set", "time_limit_s=300", "--json")
        assert result.returncode == 0, result.stderr
        match = str(json.loads(result.stdout).get("match") or json.loads(result.stdout)["id"])
        shared.await_match(match, lambda m: present(m) == 1, "she is there")
        assert match in shared.cluster.zonectl("instance", "list").stdout
        assert shared.cluster.zonectl("instance", "end", match).returncode == 0
        wait_until(lambda: shared.in_world()[1] == 0, "she is home")
    assert shared.cluster.zonectl("instance", "launch", "cathedral").returncode != 0
    answer = shared.ask("POST", "/v1/instances", "lena", template="crypt", players=[player], set={"time_limit_s": -1})
    assert (answer.status, answer.code) == (400, "bad_request")
    assert shared.ask("POST", "/v1/instances", "lena", template="cathedral").code == "unknown_template"


def test_matches_templates_and_modes_are_taken_over_live(shared):
    modes = shared.folder / "modes"
    (modes / "late.yaml").write_text("name: late\ninstance: ring\nteams: 2\nteam_size: 1\n", encoding="utf-8")
    wait_until(lambda: "late" in [m["mode"] for m in shared.ask("GET", "/v1/modes").json["modes"]], "the mode is there")
    (modes / "late.yaml").write_text("name: late\ninstance: nowhere\nteams: 2\nteam_size: 1\n", encoding="utf-8")
    result = wait_until(lambda: (r := shared.cluster.zonectl("template", "list")).returncode == 0 and "nowhere" in r.stdout + r.stderr and r,
                        "what is wrong is told")
    assert "late" in [m["mode"] for m in shared.ask("GET", "/v1/modes").json["modes"]], result.stdout
    wide = shared.folder / "instances" / "wide.yaml"  # it has no room in a cell, so no mode may have it
    wide.write_text("name: wide\nside_m: 65\ncapacity: 2\nends: [empty]\n", encoding="utf-8")
    (modes / "late.yaml").write_text("name: late\ninstance: wide\nteams: 2\nteam_size: 1\n", encoding="utf-8")
    wait_until(lambda: (r := shared.cluster.zonectl("template", "list")).returncode == 0 and "side_m of at most 64" in r.stdout + r.stderr,
               "what is too large is told")
    (modes / "late.yaml").unlink()
    wide.unlink()
    wait_until(lambda: "late" not in [m["mode"] for m in shared.ask("GET", "/v1/modes").json["modes"]], "the mode is gone")


def test_matches_bots_play_one_after_the_other(shared):
    """Bots that queue by the game connection; what they were told that they gained is in the books."""
    before = int(shared.cluster.sql("select coalesce(sum(gold), 0) from accounts where owner_kind = 1")[0][0])
    result = shared.cluster.swarm("--behaviour", "matchmaking", "--mode", "brawl", "--clients", "8", "--players", "700", "--duration", "20",
                                  "--json")
    assert result.returncode == 0, result.stderr + result.stdout
    report = json.loads(result.stdout)["matches"]
    assert report["matched"] >= 8 and report["played"] >= 4 and report["lost"] == 0, report
    wait_until(lambda: shared.documents(DOCUMENT_INSTANCE) <= 1 and shared.in_world() == (0, 0), "all is over")
    after = int(shared.cluster.sql("select coalesce(sum(gold), 0) from accounts where owner_kind = 1")[0][0])
    assert after - before >= report["gold"] > 0
    shared.audit()


# --- deaths


@pytest.mark.parametrize("victim", ["matchmaker-0", "persist-0"])
def test_matches_a_ticket_outlives(world, victim):
    ticket = world.enter("mona", "duel")["ticket"]
    kill(world, victim)
    world.await_ticket("mona", ticket, "waiting")
    other = world.enter("nils", "duel")["ticket"]
    match = world.await_ticket("mona", ticket, "matched")["match"]
    assert world.await_ticket("nils", other, "matched")["match"] == match


def test_matches_go_on_whoever_dies_and_are_settled_once(world):
    """The matchmaker, persist and the gateway die while a match runs; nobody is dropped but by the gateway."""
    players = {name: world.player(name) for name in ("olga", "paul")}
    with world.playing(*players):
        match = duel(world, *players)["match"]
        for victim in ("matchmaker-0", "persist-0", "matchmaker-0"):
            kill(world, victim)
            world.await_match(match, lambda m: m["state"] == "running" and present(m) == 2, f"it goes on after {victim}")
        assert world.in_world() == (2, 2)
        world.cluster.zonectl("instance", "end", match)
        world.await_result(match)
        wait_until(lambda: world.in_world() == (2, 0), "both are home")
        match = duel(world, *players, mode="brawl")["match"]
        wait_until(lambda: world.match(match).json["state"] == "over" or world.match(match).json["state"] == "settled", "it is over")
        kill(world, "matchmaker-0")
        result = world.await_result(match)
    for p in result["players"]:
        assert world.gold_of(p["player"]) == p["gold"] > 0
    world.audit()


def test_matches_players_return_when_their_zone_dies(world):
    """The template of a duel says that it is lost; its players go home, and stay connected."""
    with world.playing("quin", "rosa"):
        match = duel(world, "quin", "rosa")["match"]
        kill(world, world.owner_of_block())
        result = world.await_result(match)
        assert result["end"] == "crashed" and all(p["gold"] == 0 for p in result["players"])
        wait_until(lambda: world.in_world() == (2, 0), "both are in the world")
        assert world.cluster.metrics("gateway-0").get('march_gateway_sessions_ended_total{reason="timed_out"}', 0) == 0


def test_matches_a_dungeon_is_restarted_when_its_zone_dies(world):
    player = world.player("sven")
    with world.playing("sven"):
        match = world.ask("POST", "/v1/instances", "sven", template="crypt", players=[player]).json["match"]
        world.await_match(match, lambda m: present(m) == 1 and m["creatures"] == 2, "it runs")
        kill(world, world.owner_of_block())
        again = world.await_match(match, lambda m: m["restarts"] == 1 and present(m) == 1 and m["creatures"] == 2, "it runs again")
        assert again["state"] == "running"
        wait_until(lambda: world.in_world() == (1, 1), "he is there once")


def test_matches_are_drained_like_the_world(world):
    """The block moves to another zone under a match that runs."""
    with world.playing("tina", "udo"):
        match = duel(world, "tina", "udo")["match"]
        zone = world.owner_of_block()
        assert world.cluster.zonectl("drain", zone, "--wait").returncode == 0
        assert world.owner_of_block() != zone
        running = world.await_match(match, lambda m: m["state"] == "running" and present(m) == 2, "it goes on")
        assert running["restarts"] == 0
        wait_until(lambda: world.in_world() == (2, 2), "both are there once")
        assert subprocess.run([world.cluster.bin_dir / "zonectl", "instance", "end", match, "--run-dir", world.cluster.run_dir],
                              timeout=WAIT_S, check=False).returncode == 0
        wait_until(lambda: world.in_world() == (2, 0), "both are home")


def test_matches_who_loses_the_connection_comes_back_to_it(world):
    """Quietly, as a client that crashed: link-dead in the instance until it connects anew; and by the gateway, which dies."""
    with world.playing("vera"):
        with world.client("wim") as wim:
            wait_until(lambda: world.cluster.playing() == 2, "both play")
            match = duel(world, "vera", "wim")["match"]
            wim.kill()
        with world.client("wim"):
            wait_until(lambda: world.cluster.playing() == 2 and world.in_world() == (2, 2), "both are there, once")
            world.await_match(match, lambda m: m["state"] == "running" and present(m) == 2, "it goes on")
            kill(world, "gateway-0")
            wait_until(lambda: world.cluster.playing() == 0, "nobody is connected")
    with world.playing("vera", "wim"):
        wait_until(lambda: world.in_world() == (2, 2), "both are there, once")
        world.await_match(match, lambda m: m["state"] == "running" and present(m) == 2, "it goes on")
        assert world.ask("DELETE", f"/v1/instances/{match}", "anybody").status == 200
        wait_until(lambda: world.in_world() == (2, 0), "both are home")
