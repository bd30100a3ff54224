"""The swarm against a real cluster."""

import json
import os
import signal
import subprocess
import time

import pytest
from conftest import edited, need, wait_until


@pytest.fixture(autouse=True)
def swarm_is_built():
    need("swarm")


def test_swarm_connects_all_and_reports(cluster):
    result = cluster.swarm("--clients", "50", "--duration", "5", "--json")
    assert result.returncode == 0, result.stdout + result.stderr + cluster.logs()
    report = json.loads(result.stdout)
    assert report["clients"] == report["connected"] == 50
    assert report["disconnected"] == 0 and report["errors"] == 0
    assert report["snapshot_hz"]["p50"] > 15
    assert 0 < report["connect_ms"]["p50"] <= report["connect_ms"]["p99"]
    assert 0 < report["rtt_ms"]["p50"] <= report["rtt_ms"]["p99"] <= report["rtt_ms"]["max"]
    assert report["bytes_down_per_s"] > 0 and report["bytes_up_per_s"] > 0
    assert report["entities_seen"]["p50"] >= 1
    wait_until(lambda: cluster.status()["players"] == 0, "every client said goodbye")


@pytest.mark.parametrize("behaviour", ["crowd", "fight"])
def test_swarm_behaves(cluster, behaviour):
    result = cluster.swarm("--clients", "20", "--duration", "2", "--behaviour", behaviour)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "20 connected" in result.stdout


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


def test_bots_come_back_after_a_dead_gateway(make_cluster, impatient):
    cluster = make_cluster(config=impatient).up("--bots", "10")
    wait_until(lambda: cluster.status()["players"] == 10, "all play")
    os.kill(cluster.process("gateway-0")["pid"], signal.SIGKILL)
    wait_until(lambda: (p := cluster.process("gateway-0"))["restarts"] == 1 and p.get("sessions") == 10, "all play again", 60)


def test_swarm_without_a_cluster_says_so(make_cluster):
    result = make_cluster().swarm("--clients", "1")
    assert result.returncode == 3
    assert "no cluster runs there" in result.stderr


@pytest.mark.parametrize("args", [["--clients", "0"], ["--rate", "1000"], ["--behaviour", "dance"], ["--duration", "-1"]])
def test_swarm_wrong_usage_is_told(make_cluster, args):
    result = make_cluster().swarm(*args)
    assert result.returncode == 2
    assert args[0] in result.stderr
