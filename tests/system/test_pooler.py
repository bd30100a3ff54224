"""A whole cluster whose database is behind PgBouncer in transaction mode, with fewer connections to the server than to persist."""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import pytest
from conftest import Bots, need, run, wait_until

PORT = 6432  # of the name of its socket
POOL = 3
BOUNCER = "/usr/sbin/pgbouncer"


@contextlib.contextmanager
def pooler(server):
    """The folder of the socket of a pooler before a cluster's PostgreSQL. Root runs it as the server's user, who gets the server's
    folder by a descriptor, as it can't walk to it."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="pooler", dir="/tmp"))
    user = "postgres" if os.geteuid() == 0 else None
    inherited = os.open(server.run_dir / "postgres", os.O_PATH | os.O_DIRECTORY)
    config = folder / "pooler.ini"
    config.write_text(f"[databases]\n* = host=/proc/self/fd/{inherited} user=march\n[pgbouncer]\nlisten_addr =\nlisten_port = {PORT}\n"
                      f"unix_socket_dir = {folder}\nauth_type = any\npool_mode = transaction\ndefault_pool_size = {POOL}\n",
                      encoding="ascii")
    for path in folder, config:
        if user:
            shutil.chown(path, user)
    process = subprocess.Popen([BOUNCER, "-q", config], user=user, pass_fds=[inherited], stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: run("pg_isready", "-h", folder, "-p", PORT).returncode == 0, "the pooler is there")
        yield folder
    finally:
        process.kill()
        process.wait()
        os.close(inherited)
        shutil.rmtree(folder)


def test_cluster_lives_behind_a_pooler(fake_lasting_cluster, make_lasting_cluster):
    need("swarm")
    if not os.path.exists(BOUNCER):
        pytest.skip("pgbouncer is not installed")
    server = fake_lasting_cluster.up()
    server.sql("create database pooled")
    with pooler(server) as folder:
        uri = f"postgresql:///pooled?host={folder}&port={PORT}&user=march"
        cluster = make_lasting_cluster("pooled")
        refused = cluster.try_up("--postgres", uri, "--redis", server.uris()[1])
        assert refused.returncode == 1 and "march_prepared=off" in refused.stderr
        cluster.up("--postgres", f"{uri}&march_prepared=off", "--redis", server.uris()[1])

        def value(name):
            return cluster.metrics("persist-0").get(f"march_persist_{name}", 0)

        with Bots(cluster, 20, "--behaviour", "live", "--pace", 200) as bots:
            wait_until(lambda: value("value_events_total") > 200 and value("motion_flushes_total") > 0, "much is done", 60)
            assert value('postgres_invalid_total{pool="primary"}') == value('postgres_invalid_total{pool="reads"}') == 0
            pid = cluster.process("persist-0")["pid"]
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: (p := cluster.process("persist-0")) and p["ready"] and p["pid"] != pid, "persist is back")
            wait_until(lambda: value("value_events_total") > 50, "it goes on", 60)
        assert bots.report["disconnected"] == 0
        assert int(server.sql("select count(*) from pg_stat_activity where datname = 'pooled'")[0][0]) <= POOL
        assert cluster.zonectl("audit", "world").returncode == 0
        assert cluster.down().returncode == 0
