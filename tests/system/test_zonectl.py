"""zonectl with the real gateway and zones: up, down, status, token, restarts, two clusters, Ctrl-C, bad configurations."""

import base64
import json
import os
import signal
import socket
import struct
import time

import pytest
from conftest import BIN_DIR, WAIT_S, alive, edited, need, run, wait_until


def test_up_status_down(make_cluster):
    cluster = make_cluster().up()
    status = cluster.status()
    assert status["ready"] and status["players"] == 0
    assert {p["name"]: p["role"] for p in status["processes"]} == {
        "zone-0": "zone", "zone-1": "zone", "zone-2": "zone", "zone-3": "zone", "zone-4": "zone",
        "zone-5": "zone", "matchmaker-0": "matchmaker", "gateway-0": "gateway"}
    assert all(p["state"] == "ready" and p["restarts"] == 0 for p in status["processes"])
    assert cluster.zonectl("status").returncode == 0
    pids = cluster.pids()
    assert cluster.down().returncode == 0
    assert not any(alive(pid) for pid in pids)
    assert cluster.zonectl("status").returncode == 3
    assert cluster.zonectl("token", "--player", "1").returncode == 3
    assert cluster.down().returncode == 3


def test_block_of_instances_is_given_to_a_spare_and_shown(cluster):
    def block():
        partitions = json.loads(cluster.zonectl("zones", "--json").stdout)["partitions"]
        assert [p["kind"] for p in partitions] == 4 * ["world"] + ["instances"]
        return partitions[4] if partitions[4]["owner"] else None
    owner = wait_until(block, "the block has an owner")["owner"]
    assert owner in ("zone-4", "zone-5")
    shown = [line.split()[:2] for line in cluster.zonectl("zones").stdout.splitlines()]
    assert ["block-0", owner] in shown
    for words in (["split", "block-0"], ["split", owner], ["merge", "0", "block-0"], ["merge", owner, "zone-1"]):
        result = cluster.zonectl("zone", *words)
        assert result.returncode == 1 and "is a block of instances" in result.stderr, result
    assert "there is no such" in cluster.zonectl("zone", "split", "block-7").stderr


def test_up_second_in_the_same_run_directory_is_refused(cluster):
    result = cluster.try_up()
    assert result.returncode == 4
    assert f"a cluster runs in {cluster.run_dir} already" in result.stderr
    assert str(cluster.status()["supervisor_pid"]) in result.stderr
    assert cluster.status()["ready"]


def test_two_clusters_live_side_by_side(make_cluster):
    first, second = make_cluster("first").up(), make_cluster("second").up()
    assert not set(first.pids()) & set(second.pids())
    assert (first.run_dir / "connect.key").read_bytes() != (second.run_dir / "connect.key").read_bytes()
    assert first.down().returncode == 0
    assert second.status()["ready"]


@pytest.mark.parametrize("name", ["zone-2", "gateway-0"])
def test_killed_process_comes_back_and_is_said(cluster, name):
    pid = cluster.process(name)["pid"]
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: (p := cluster.process(name)) and p["pid"] not in (0, pid), f"{name} restarted")
    cluster.wait_ready()
    assert f"{name} (pid {pid}) died of signal 9" in cluster.events()
    assert cluster.process(name)["restarts"] == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_everything_cleanly(make_cluster, number):
    cluster = make_cluster()
    up = cluster.up_foreground()
    cluster.wait_ready()
    pids = cluster.pids()
    os.killpg(up.pid, number)  # as a terminal does with Ctrl-C
    assert up.wait(timeout=WAIT_S) == 0, cluster.output()
    assert not any(alive(pid) for pid in pids)
    assert "cluster has ended" in cluster.output()
    assert "killed" not in cluster.output() and "while ending" not in cluster.output()


def test_token_holds_what_was_asked(cluster):
    before = int(time.time())
    assert cluster.zonectl("token", "--player", str(2**63)).returncode == 2
    result = cluster.zonectl("token", "--player", "77", "--json")
    assert result.returncode == 0, result.stderr
    token = json.loads(result.stdout)
    assert token["player"] == "77" and token["gateway"] == "gateway-0"
    assert token["expire_s"] - token["create_s"] == 30
    assert before <= token["create_s"] <= time.time()
    assert token["addresses"] == (cluster.run_dir / "gateway-0.udp").read_text(encoding="ascii").split()
    raw = base64.b64decode(token["token"])
    assert len(raw) == 2048
    version, protocol, create_s, expire_s = struct.unpack_from("<13sQQQ", raw)
    assert version == b"NETCODE 1.02\0"
    assert protocol == 0x4D61726368000001
    assert (create_s, expire_s) == (token["create_s"], token["expire_s"])
    plain = cluster.zonectl("token", "--player", "77")
    assert len(base64.b64decode(plain.stdout)) == 2048
    assert plain.stdout.strip() != token["token"]


def test_token_of_an_unknown_gateway_is_refused(cluster):
    result = cluster.zonectl("token", "--player", "1", "--gateway", "gateway-9")
    assert result.returncode == 1
    assert "gateway-9" in result.stderr


@pytest.mark.parametrize("args", [
    [], ["dance"], ["token"], ["token", "--player", "x"], ["token", "--player", "0"], ["up", "--bots", "-1"],
    ["up", "--log-level", "loud"], ["status", "--nonsense"]])
def test_wrong_usage_is_told(args):
    need("zonectl")
    result = run(BIN_DIR / "zonectl", *args)
    assert result.returncode == 2
    assert result.stderr


@pytest.mark.parametrize("verb", ["up", "down", "status", "token"])
def test_help_of_each_verb_lists_exit_codes(verb):
    need("zonectl")
    result = run(BIN_DIR / "zonectl", verb, "--help")
    assert result.returncode == 0
    assert "--run-dir" in result.stdout and "Exit codes" in result.stdout


@pytest.mark.parametrize("change, words", [
    (("width_m: 512", 'width_m: "wide"'), ["zones[0].rect.width_m", "integer"]),
    (("  tick_hz: 60", "  tick_hertz: 60"), ["tick_hertz"]),
    (("rect: {x_m: 512, y_m: 0", "rect: {x_m: 400, y_m: 0"), ["zones[1].rect", "zone-0", "overlap"]),
    (("name: zone-1", "name: zone-0"), ["zone-0"]),
    (("  tick_hz: 60", "  tick_hz: 60000"), ["tick_hz", "120"]),
], ids=["type", "key", "overlap", "double", "range"])
def test_up_refuses_a_bad_configuration(make_cluster, tmp_path, change, words):
    cluster = make_cluster(config=edited(tmp_path, change))
    result = cluster.try_up()
    assert result.returncode == 1
    assert str(cluster.config) + ":" in result.stderr
    assert all(word in result.stderr for word in words), result.stderr
    assert not (cluster.run_dir / "connect.key").exists()


def test_up_without_the_configuration_says_so(make_cluster, tmp_path):
    result = make_cluster(config=tmp_path / "none.yaml").try_up()
    assert result.returncode == 1
    assert "none.yaml" in result.stderr


def test_up_with_a_udp_port_in_use_says_so(make_cluster, tmp_path):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        config = edited(tmp_path, ('listen: ["127.0.0.1:0", "[::1]:0"]', f'listen: ["127.0.0.1:{port}"]'))
        cluster = make_cluster(config=config)
        result = cluster.try_up()
    assert result.returncode == 1
    assert cluster.left_running() == []
    assert "gateway-0" in result.stderr and str(port) in result.stderr and "in use" in result.stderr.lower()


def test_up_with_an_http_port_in_use_says_so(make_cluster, tmp_path):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        config = edited(tmp_path, ("seed: 2", f'seed: 2\n    http: "127.0.0.1:{port}"'))
        result = make_cluster(config=config).try_up()
    assert result.returncode == 1
    assert "zone-1" in result.stderr and str(port) in result.stderr and "in use" in result.stderr.lower()


def test_up_with_a_key_that_others_may_read_says_so(make_cluster):
    cluster = make_cluster()
    cluster.run_dir.mkdir()
    key = cluster.run_dir / "connect.key"
    key.write_bytes(bytes(32))
    key.chmod(0o644)
    result = cluster.try_up()
    assert result.returncode == 1
    assert "connect.key" in result.stderr
