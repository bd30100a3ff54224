"""The swarm against a real cluster."""

import json
import os
import signal
import subprocess
import time

import pytest
from conftest import Bots, edited, need, wait_until


@pytest.fixture(autouse=True)
def swarm_is_built():
    need("swarm")


def test_swarm_connects_all_and_reports(cluster):
    with Bots(cluster, 50) as bots:
        pass
    bots.assert_rate(0.7, "p50")
    result = cluster.swarm("--clients", "50", "--duration", "3", "--json")
    assert result.returncode == 0, result.stdout + result.stderr + cluster.logs()
    report = json.loads(result.stdout)
    assert report["clients"] == report["connected"] == 50
    assert report["disconnected"] == 0 and report["errors"] == 0
    assert report["snapshot_hz"]["p50"] > 0
    assert 0 < report["connect_ms"]["p50"] <= report["connect_ms"]["p99"]
    assert 0 < report["rtt_ms"]["p50"] <= report["rtt_ms"]["p99"] <= report["rtt_ms"]["max"]
    assert report["bytes_down_per_s"] > 0 and report["bytes_up_per_s"] > 0
    assert report["entities_seen"]["p50"] >= 1
    wait_until(lambda: cluster.status()["players"] == 0, "every client said goodbye")


@pytest.mark.parametrize("behaviour", ["crowd", "fight", "commute"])
def test_swarm_behaves(cluster, behaviour):
    result = cluster.swarm("--clients", "20", "--duration", "2", "--behaviour", behaviour)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "20 connected" in result.stdout


def test_swarm_writes_a_timeline(cluster, tmp_path):
    path = tmp_path / "timeline"
    result = cluster.swarm("--clients", "20", "--duration", "3", "--behaviour", "commute", "--borders", "x=256,y=256",
                           "--timeline", path, "--every", "100", "--json")
    assert result.returncode == 0, result.stdout + result.stderr
    lines = [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()]
    assert len(lines) >= 25
    times = [line["t_s"] for line in lines]
    assert times == sorted(times) and lines[-1]["wall_ms"] - lines[0]["wall_ms"] > 2000
    playing = [line for line in lines if line["playing"] == 20]
    assert len(playing) >= 20
    assert all(0 < line["gap_ms"]["p50"] <= line["gap_ms"]["p99"] <= line["gap_ms"]["max"] for line in playing[3:])
    told = json.loads(result.stdout)["continuity"]
    assert 45 < told["gap_ms"]["p50"] < 100 and told["blinks"] == 0  # 50 where the machine has the time
    assert told["reconnects"] == told["moves"] == told["moves_failed"] == 0


def test_swarm_counts_views_that_change_and_interruptions(cluster):
    """A zone that is killed takes its players' views along; they have another one when it is back."""
    swarm = subprocess.Popen([cluster.bin_dir / "swarm", "--run-dir", cluster.run_dir, "--clients", "20", "--duration", "600",
                              "--behaviour", "stand", "--json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    in_zones = lambda: [cluster.metrics(f"zone-{i}").get("march_zone_players", 0) for i in range(5)]
    players = wait_until(lambda: sum(now := in_zones()) == 20 and now, "all play")[0]
    os.kill(cluster.process("zone-0")["pid"], signal.SIGKILL)
    wait_until(lambda: cluster.process("zone-0")["restarts"] == 1 and cluster.status()["players"] == 20, "all play again")
    time.sleep(1)
    swarm.send_signal(signal.SIGINT)
    told = json.loads(swarm.communicate(timeout=30)[0])["continuity"]
    assert players > 0 and told["crossings"] == players
    assert told["interruptions"] >= players and told["clients_interrupted"] >= players
    assert told["crossing_gap_ms"]["max"] > 100 and told["gap_ms"]["max"] >= told["crossing_gap_ms"]["max"]


def test_two_swarms_at_once_do_not_collide(cluster):
    args = [cluster.bin_dir / "swarm", "--run-dir", cluster.run_dir, "--clients", "30", "--duration", "3", "--json"]
    swarms = [subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) for _ in range(2)]
    reports = [json.loads(swarm.communicate(timeout=60)[0]) for swarm in swarms]
    assert [swarm.returncode for swarm in swarms] == [0, 0]
    assert [report["connected"] for report in reports] == [30, 30]


def test_swarm_over_ipv6(cluster):
    address = next(a for a in (cluster.run_dir / "gateway-0.udp").read_text(encoding="ascii").split() if a.startswith("["))
    result = cluster.swarm("--clients", "10", "--duration", "1", "--server", address)
    assert result.returncode == 0, result.stdout + result.stderr


def test_swarm_interrupted_reports_early(cluster):
    swarm = subprocess.Popen([cluster.bin_dir / "swarm", "--run-dir", cluster.run_dir, "--clients", "10", "--duration", "600",
                              "--json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    wait_until(lambda: cluster.status()["players"] == 10, "all play")
    time.sleep(0.5)
    swarm.send_signal(signal.SIGINT)
    report = json.loads(swarm.communicate(timeout=30)[0])
    assert swarm.returncode == 0
    assert report["connected"] == 10 and report["disconnected"] == 0
    assert report["played_s"] < 60


@pytest.fixture
def impatient(tmp_path):
    """A configuration whose clients notice soon that their gateway is gone."""
    return edited(tmp_path, ("client_timeout_s: 10", "client_timeout_s: 2"))


def test_swarm_dropped_by_a_dead_gateway_fails(make_cluster, impatient):
    cluster = make_cluster(config=impatient).up()
    swarm = subprocess.Popen([cluster.bin_dir / "swarm", "--run-dir", cluster.run_dir, "--clients", "10", "--duration", "600",
                              "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: cluster.status()["players"] == 10, "all play")
    os.kill(cluster.process("gateway-0")["pid"], signal.SIGKILL)
    out, err = swarm.communicate(timeout=60)
    assert swarm.returncode == 1
    assert json.loads(out)["disconnected"] == 10
    assert "was dropped" in err


def test_clients_of_a_dead_gateway_come_back_through_another(make_cluster, impatient):
    text = impatient.read_text(encoding="utf-8")
    second = "  - name: gateway-1\n    listen: [\"127.0.0.1:0\"]\n"
    assert "\n# Slots for" in text
    impatient.write_text(text.replace("\n# Slots for", f"{second}\n# Slots for", 1), encoding="utf-8")
    cluster = make_cluster(config=impatient).up()
    swarm = subprocess.Popen([cluster.bin_dir / "swarm", "--run-dir", cluster.run_dir, "--clients", "10", "--duration", "600",
                              "--reconnect", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: sum(cluster.process(name).get("sessions") or 0 for name in ("gateway-0", "gateway-1")) == 10, "all play")
    lost = cluster.process("gateway-0")["sessions"]
    os.kill(cluster.process("gateway-0")["pid"], signal.SIGKILL)
    wait_until(lambda: sum(cluster.process(name).get("sessions") or 0 for name in ("gateway-0", "gateway-1")) == 10
               and cluster.process("gateway-0")["restarts"] == 1, "all play again", 60)
    time.sleep(1)
    swarm.send_signal(signal.SIGINT)
    out, err = swarm.communicate(timeout=60)
    told = json.loads(out)["continuity"]
    assert lost > 0 and told["reconnects"] == lost, out + err
    assert told["clients_interrupted"] >= lost and told["gap_ms"]["max"] > 2000
    assert json.loads(out)["disconnected"] == 0


def test_bots_come_back_after_a_dead_gateway(make_cluster, impatient):
    cluster = make_cluster(config=impatient).up("--bots", "10")
    wait_until(lambda: cluster.status()["players"] == 10, "all play")
    os.kill(cluster.process("gateway-0")["pid"], signal.SIGKILL)
    wait_until(lambda: (p := cluster.process("gateway-0"))["restarts"] == 1 and p.get("sessions") == 10, "all play again", 60)


def test_swarm_without_a_cluster_says_so(make_cluster):
    result = make_cluster().swarm("--clients", "1")
    assert result.returncode == 3
    assert "no cluster runs there" in result.stderr


@pytest.mark.parametrize("args", [["--clients", "0"], ["--rate", "1000"], ["--behaviour", "dance"], ["--duration", "-1"],
                                  ["--borders", "512"], ["--every", "1"], ["--crossings", "0"]])
def test_swarm_wrong_usage_is_told(make_cluster, args):
    result = make_cluster().swarm(*args)
    assert result.returncode == 2
    assert args[0] in result.stderr
