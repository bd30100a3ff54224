"""What `zonectl up` does with processes that misbehave; they are fakes, see fake_process.py."""

import os
import signal
import stat

from conftest import WAIT_S, alive, wait_until


def test_up_makes_a_private_run_directory_and_keys(fake_cluster):
    fake_cluster.up()
    assert stat.S_IMODE(fake_cluster.run_dir.stat().st_mode) == 0o700
    keys = [(fake_cluster.run_dir / name).read_bytes() for name in ("cluster.key", "connect.key")]
    assert [len(key) for key in keys] == [32, 32]
    assert keys[0] != keys[1]
    for name in ("cluster.key", "connect.key"):
        assert stat.S_IMODE((fake_cluster.run_dir / name).stat().st_mode) == 0o600
    fake_cluster.down()
    fake_cluster.up()
    assert (fake_cluster.run_dir / "connect.key").read_bytes() == keys[1]


def test_up_restarts_a_process_that_dies_and_says_so(fake_cluster):
    fake_cluster.up()
    pid = fake_cluster.process("zone-1")["pid"]
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: (p := fake_cluster.process("zone-1")) and p["ready"] and p["pid"] != pid, "zone-1 restarted")
    assert fake_cluster.process("zone-1")["restarts"] == 1
    assert f"zone-1 (pid {pid}) died of signal 9" in fake_cluster.events()
    assert fake_cluster.process("zone-0")["restarts"] == 0


def test_up_gives_up_a_process_that_keeps_dying_and_keeps_the_others(fake_cluster):
    fake_cluster.up()
    fake_cluster.tell("zone-2", "die")
    others = [p["pid"] for p in fake_cluster.status()["processes"] if p["name"] != "zone-2"]
    os.kill(fake_cluster.process("zone-2")["pid"], signal.SIGKILL)
    wait_until(lambda: fake_cluster.process("zone-2")["state"] == "failed", "zone-2 given up")
    assert "zone-2" in fake_cluster.events() and "10 quick deaths in a row: given up" in fake_cluster.events()
    assert all(alive(pid) for pid in others)
    result = fake_cluster.zonectl("status")
    assert result.returncode == 5
    assert "failed" in result.stdout


def test_up_detached_tells_why_it_did_not_come_up(fake_cluster):
    fake_cluster.tell("zone-3", "die")
    result = fake_cluster.try_up()
    assert result.returncode == 1
    assert "zone-3 exited with code 7" in result.stderr
    assert "level=error proc=zone-3 msg=no-luck" in result.stderr
    assert fake_cluster.status() is None


def test_up_without_a_program_says_which(fake_cluster):
    (fake_cluster.bin_dir / "gateway").unlink()
    result = fake_cluster.try_up()
    assert result.returncode == 1
    assert "gateway-0" in result.stderr and "No such file" in result.stderr


def test_up_is_ended_by_a_signal_while_it_waits(fake_cluster):
    fake_cluster.tell("gateway-0", "unready")
    up = fake_cluster.up_foreground()
    wait_until(lambda: (s := fake_cluster.status()) and sum(p["ready"] for p in s["processes"]) == 7, "all but one ready")
    pids = fake_cluster.pids()
    up.send_signal(signal.SIGINT)
    assert up.wait(timeout=WAIT_S) == 0
    assert not any(alive(pid) for pid in pids)


def test_down_kills_a_process_that_does_not_listen(fake_cluster):
    fake_cluster.tell("zone-0", "deaf")
    fake_cluster.up()
    pids = fake_cluster.pids()
    assert fake_cluster.down().returncode == 0
    assert not any(alive(pid) for pid in pids)
    assert "zone-0 did not end within 5 s and is killed" in fake_cluster.events()


def test_processes_die_with_a_killed_supervisor(fake_cluster):
    fake_cluster.up()
    pids = fake_cluster.pids()
    os.kill(fake_cluster.status()["supervisor_pid"], signal.SIGKILL)
    wait_until(lambda: not any(alive(pid) for pid in pids), "no process left")
    assert fake_cluster.zonectl("status").returncode == 3
    fake_cluster.up()  # what the dead one left is not in the way


def test_bots_start_after_the_servers_and_end_before_them(fake_cluster):
    fake_cluster.up("--bots", "5")
    status = fake_cluster.wait_ready()
    started = {p["name"]: p["started_ms"] for p in status["processes"]}
    assert started["bots"] > max(ms for name, ms in started.items() if name != "bots")
    assert fake_cluster.down().returncode == 0


def test_log_is_bounded(fake_cluster):
    fake_cluster.tell("zone-0", "chatty")
    fake_cluster.up()
    log_dir = fake_cluster.run_dir / "log"
    assert (log_dir / "zone-0.log").stat().st_size <= 10 << 20
    assert (log_dir / "zone-0.log.1").stat().st_size <= 10 << 20


def test_status_tells_figures(fake_cluster):
    fake_cluster.up()
    status = fake_cluster.wait_ready()
    assert status["cluster"] == "marchland"
    assert status["players"] == 24  # of six zones, the matchmaker and the gateway, which are all the same fake
    zone = fake_cluster.process("zone-0")
    assert zone["role"] == "zone" and zone["state"] == "ready" and zone["uptime_s"] > 0
    assert 0.0009 < zone["tick_p99_s"] <= 0.001
