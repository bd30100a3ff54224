"""The database servers that `zonectl up` runs for a cluster of its own, or is told of. persist is a fake here."""

import os
import signal
import stat

import pytest
from conftest import SHIPPED_CONFIG, alive, edited, fake_programs, run, wait_until

SERVERS = ("postgres", "redis")


@pytest.fixture
def lasting(fake_lasting_cluster):
    """A ready cluster with a mark in each database."""
    fake_lasting_cluster.up()
    fake_lasting_cluster.sql("create table mark (n int); insert into mark values (42)")
    fake_lasting_cluster.redis("SET", "mark", "42")
    return fake_lasting_cluster


def assert_marked(cluster):
    assert cluster.sql("select n from mark") == [["42"]]
    assert cluster.redis("GET", "mark") == "42"


def user_of(pid):
    """The user that a process runs as, and its effective capabilities."""
    lines = (line.split() for line in open(f"/proc/{pid}/status", encoding="ascii"))
    facts = {line[0]: line[1:] for line in lines}
    return int(facts["Uid:"][1]), int(facts["CapEff:"][0], 16)


def test_servers_come_up_private_and_without_power(lasting):
    status = {p["name"]: p for p in lasting.wait_ready()["processes"]}
    for name in SERVERS:
        assert status[name]["role"] == name and status[name]["ready"]
        if os.geteuid() == 0:
            user, capabilities = user_of(status[name]["pid"])
            assert user != 0 and capabilities == 0
        assert stat.S_IMODE((lasting.run_dir / name).stat().st_mode) == 0o700
        assert stat.S_IMODE((lasting.run_dir / f"persist-0.{name}").stat().st_mode) == 0o600
    assert lasting.sql("show listen_addresses") == [[""]]
    assert lasting.sql("show fsync") == [["on"]]
    assert lasting.redis("CONFIG", "GET", "port").split() == ["port", "0"]
    started = {name: p["started_ms"] for name, p in status.items()}
    assert max(started[name] for name in SERVERS) <= started["persist-0"] <= min(started["zone-0"], started["gateway-0"])


def test_each_shard_has_a_database(fake_lasting_cluster, tmp_path):
    fake_lasting_cluster.config = edited(tmp_path, ("  - name: persist-0\n", "  - name: persist-0\n  - name: persist-1\n"),
                                         source=SHIPPED_CONFIG)
    fake_lasting_cluster.up()
    assert [fake_lasting_cluster.sql("select current_database()", f"persist-{i}") for i in range(2)] == [[["march_0"]],
                                                                                                         [["march_1"]]]
    assert fake_lasting_cluster.uris("persist-1")[1].endswith("?db=1")


@pytest.mark.parametrize("name", SERVERS)
def test_killed_server_is_restarted_with_its_data(lasting, name):
    pid = lasting.process(name)["pid"]
    persist = lasting.process("persist-0")["pid"]
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: (p := lasting.process(name)) and p["ready"] and p["pid"] != pid, f"{name} restarted")
    assert_marked(lasting)
    assert lasting.process("persist-0")["pid"] == persist


def test_server_that_hangs_is_not_ready(lasting):
    pid = lasting.process("postgres")["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_until(lambda: not lasting.process("postgres")["ready"], "it is noticed")
    finally:
        os.kill(pid, signal.SIGCONT)
    lasting.wait_ready()


def test_killed_cluster_comes_up_again_with_its_data(lasting):
    for name in SERVERS:  # what was killed while it worked must not be in the way
        os.kill(lasting.process(name)["pid"], signal.SIGSTOP)
    pids = lasting.pids()
    os.kill(lasting.status()["supervisor_pid"], signal.SIGKILL)
    wait_until(lambda: not any(alive(pid) for pid in pids), "no process left")
    lasting.up()
    assert_marked(lasting)


def test_old_pid_file_of_a_living_stranger_is_not_in_the_way(lasting):
    os.kill(lasting.status()["supervisor_pid"], signal.SIGKILL)
    wait_until(lambda: lasting.left_running() == [], "no process left")
    pid_file = lasting.run_dir / "postgres/data/postmaster.pid"
    lines = pid_file.read_text(encoding="ascii").splitlines()
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n", encoding="ascii")
    lasting.up()
    assert_marked(lasting)


def test_down_leaves_nothing_running_and_shuts_down_cleanly(lasting):
    assert lasting.down().returncode == 0
    assert lasting.left_running() == []
    assert "database system is shut down" in (lasting.run_dir / "log/postgres.log").read_text(encoding="utf-8")
    assert "killed" not in lasting.events()
    inode = (lasting.run_dir / "postgres/data/PG_VERSION").stat().st_ino
    lasting.up()
    assert (lasting.run_dir / "postgres/data/PG_VERSION").stat().st_ino == inode
    assert "setting up PostgreSQL" not in lasting.events()
    assert_marked(lasting)


def test_first_start_sets_up_once_and_a_half_made_folder_is_made_anew(tmp_path):
    cluster = fake_programs(tmp_path, config=SHIPPED_CONFIG)
    half = cluster.run_dir / "postgres/data.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("15\n", encoding="ascii")
    if os.geteuid() == 0:
        run("chown", "-R", "postgres", half.parent)
    cluster.run_dir.chmod(0o700)
    try:
        cluster.up()
        assert cluster.events().count("setting up PostgreSQL") == 1
        assert cluster.sql("select 1") == [["1"]]
        assert not half.exists()
    finally:
        cluster.tear_down()


def test_run_directory_below_a_closed_folder(tmp_path, postgres_template):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    cluster = fake_programs(closed, config=SHIPPED_CONFIG).use_template()
    try:
        cluster.up()
        assert cluster.sql("select 1") == [["1"]]
        assert cluster.redis("PING") == "PONG"
    finally:
        cluster.tear_down()


def test_run_directory_of_too_long_a_path_is_refused(tmp_path):
    cluster = fake_programs(tmp_path, config=SHIPPED_CONFIG)
    cluster.run_dir = tmp_path / ("x" * 100) / "run"
    cluster.run_dir.parent.mkdir()
    result = cluster.try_up()
    assert result.returncode == 1
    assert "too long for a socket" in result.stderr and "at most 107" in result.stderr
    assert cluster.left_running() == []


def test_own_servers_are_used_and_none_is_started(lasting, tmp_path):
    postgres, redis = lasting.uris()
    (tmp_path / "second").mkdir()
    other = fake_programs(tmp_path / "second", config=SHIPPED_CONFIG)
    secret = tmp_path / "postgres.uri"
    own = f"{postgres}&password=hunter2&march_prepared=off"  # as for a pooler
    secret.write_text(f"{own}\n", encoding="utf-8")
    try:
        result = other.zonectl("up", "--detach", "--config", other.config, "--postgres", f"@{secret}",
                               env=os.environ | {"MARCH_REDIS": redis})
        assert result.returncode == 0, result.stderr
        assert other.uris() == [own, redis]
        assert other.process("postgres") is None and other.process("redis") is None
        for pid in other.pids():
            for file in ("cmdline", "environ"):
                text = open(f"/proc/{pid}/{file}", "rb").read()
                assert b"hunter2" not in text
                assert file == "cmdline" or pid == other.status()["supervisor_pid"] or b"MARCH_REDIS" not in text
        assert other.down().returncode == 0
        assert all(b"hunter2" not in path.read_bytes() for path in other.run_dir.glob("log/*"))
    finally:
        other.tear_down()
    assert_marked(lasting)


@pytest.mark.parametrize("option, uri, words", [
    ("--postgres", "hunter2", "--postgres: entry 1: expected at most 16 entries like scheme://host/database"),
    ("--postgres", "postgresql://u:hunter2@h:port/d", "--postgres: entry 1: expected a URI like postgresql://"),
    ("--postgres", "redis://hunter2@h/d", "--postgres: entry 1: expected a URI like postgresql://"),
    ("--postgres", "postgresql://u:hunter2@127.0.0.1:1/d", "--postgres: entry 1: connection to server at"),
    ("--postgres", "postgresql:///a,postgresql://:hunter2@b/c", "--postgres: expected 1 entries"),
    ("--postgres", "@/no/such/file", "--postgres: /no/such/file: cannot open"),
    ("--redis", "@/no/such/file", "--redis: /no/such/file: cannot open"),
    ("--redis", "http://hunter2@h/", "--redis: entry 1: expected a URI like redis://"),
    ("--redis", "redis://:hunter2@127.0.0.1:1/0", "--redis: entry 1: Connection refused"),
    ("--postgres-replica", "postgresql://u:hunter2@127.0.0.1:1/d", "--postgres-replica: entry 1: connection to server"),
])
def test_bad_uri_is_told_without_its_secret(tmp_path, option, uri, words):
    cluster = fake_programs(tmp_path, config=SHIPPED_CONFIG)
    result = cluster.try_up(option, uri)
    assert result.returncode == 1
    assert words in result.stderr
    assert "hunter2" not in result.stderr
    assert cluster.left_running() == []
