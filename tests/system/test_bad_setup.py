"""What is wrong with a configuration or a key is told with file, line and key, by every program; and nothing is left running.

More of `zonectl up` is in test_zonectl.py: ports in use, rectangles that overlap, keys that others may read.
"""

import contextlib
import random
import socket

import pytest
from conftest import BIN_DIR, CONFIG, edited, need, run

PORTS_EACH = 20
PROGRAMS = {"gateway": "gateway-0", "zone": "zone-0"}


@pytest.fixture(autouse=True)
def programs_are_built():
    need("zonectl", *PROGRAMS)


def start(program, config, run_dir):
    """Runs a server that is to refuse; its last line of log."""
    result = run(BIN_DIR / program, "--config", config, "--name", PROGRAMS[program], "--run-dir", run_dir)
    assert result.returncode not in (0, -6, -11), result.stderr
    assert "Sanitizer" not in result.stderr
    return result.stderr


def over_tcp(ports):
    """Changes that have the zones and the matchmaker listen on these ports."""
    *zones, matchmaker = ports
    return [("  transport: ipc", "  transport: tcp"),
            ("  name: matchmaker-0\n", f"  name: matchmaker-0\n  bus_port: {matchmaker}\n"),
            *((f"seed: {i}\n", f"seed: {i}\n    bus_port: {port}\n") for i, port in enumerate(zones, 1))]


def free_ports(count):
    """Ports that nobody had a moment ago, each with as many free ones behind it as a zone listens on. They are not of those that
    the kernel gives away by itself, as it does to other tests."""
    ports = []
    while len(ports) < count:
        first = random.randrange(10000, 32000, PORTS_EACH)
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            for port in range(first, first + PORTS_EACH):
                stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
            ports += [first] if first not in ports else []
    return ports


def number_of(text, piece):
    """The line that a piece of a text is in."""
    return text[:text.index(piece)].count("\n") + 1


MISTAKES = {
    "type": ("  tick_hz: 60", '  tick_hz: "x"', "world.tick_hz"),
    "list": ('    listen: ["127.0.0.1:0", "[::1]:0"]', "    listen: {}", "gateways[0].listen"),
    "key": ("  snapshot_hz: 20", "  snapshot_hertz: 20", "snapshot_hertz"),
    "range": ("  view_radius_m: 40", "  view_radius_m: 4000", "world.view_radius_m"),
    "relation": ("  snapshot_hz: 20", "  snapshot_hz: 61", "world.snapshot_hz"),
    "address": ('["127.0.0.1:0", "[::1]:0"]', '["127.0.0.1"]', "gateways[0].listen[0]"),
    "twice": ("  snapshot_hz: 20", "  snapshot_hz: 20\n  tick_hz: 60", "tick_hz"),
    "overlap": ("rect: {x_m: 512, y_m: 0", "rect: {x_m: 511, y_m: 0", "overlap"),
    "syntax": ("  tick_hz: 60", "  tick_hz: [60", ""),
}


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("mistake", MISTAKES)
def test_program_tells_where_a_mistake_is(tmp_path, program, mistake):
    old, new, key = MISTAKES[mistake]
    config = edited(tmp_path, (old, new))
    error = start(program, config, tmp_path)
    assert f"{config}:" in error and key in error, error
    if mistake in ("type", "list", "key", "range", "address"):
        assert f"{config}:{number_of(config.read_text(encoding='utf-8'), new)}: " in error


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("content", [b"", b"\0\xff" * 100, b"[" * 5000, b"a: &a [b]\nc: [*a, *a]\n"],
                         ids=["empty", "binary", "deep", "alias"])
def test_program_refuses_what_is_no_configuration(tmp_path, program, content):
    config = tmp_path / "it.yaml"
    config.write_bytes(content)
    assert str(config) in start(program, config, tmp_path)


@pytest.mark.parametrize("content", [b"", bytes(31), bytes(33), None], ids=["empty", "short", "long", "folder"])
def test_bad_key_is_told_and_nothing_runs(make_cluster, content):
    cluster = make_cluster()
    cluster.run_dir.mkdir(mode=0o700)
    key = cluster.run_dir / "connect.key"
    if content is None:
        key.mkdir()
    else:
        key.write_bytes(content)
        key.chmod(0o600)
    result = cluster.try_up()
    assert result.returncode == 1
    words = "expected a regular file" if content is None else f"expected a key of 32 bytes, found {len(content)}"
    assert f"{key}: {words}" in result.stderr
    assert f"{key}: {words}" in start("gateway", CONFIG, cluster.run_dir)
    assert cluster.left_running() == []


def test_bad_cluster_key_stops_zone_and_gateway(make_cluster, tmp_path):
    cluster = make_cluster(config=edited(tmp_path, *over_tcp(free_ports(7))))
    cluster.run_dir.mkdir(mode=0o700)
    for name, size in (("connect.key", 32), ("cluster.key", 16)):
        (cluster.run_dir / name).write_bytes(bytes(size))
        (cluster.run_dir / name).chmod(0o600)
    for program in PROGRAMS:
        assert "cluster.key: expected a key of 32 bytes, found 16" in start(program, cluster.config, cluster.run_dir)


def test_bus_port_in_use_is_told_and_nothing_runs(make_cluster, tmp_path):
    port, *others = free_ports(7)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        cluster = make_cluster(config=edited(tmp_path, *over_tcp([port, *others])))
        result = cluster.try_up()
    assert result.returncode == 1
    assert "zone-0" in result.stderr and str(port) in result.stderr and "in use" in result.stderr.lower()
    assert cluster.left_running() == []


def test_shard_that_is_none_is_a_usage_error():
    need("persist")
    for shard in ("x", "1", "2/2", "0/1x"):
        result = run(BIN_DIR / "persist", "--config", CONFIG, "--name", "persist-0", "--shard", shard)
        assert result.returncode == 64 and "expected I/N" in result.stderr, shard
