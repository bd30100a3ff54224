"""Fixtures of the system tests: the programs, and clusters in temporary run directories that always come down.

MARCH_BIN_DIR names the folder of the programs (default: build/dev/bin). A test that needs a program which was not built is
skipped, and says so. MARCH_PATIENCE has everything be waited for so many times as long, where much else runs.

Most tests are of a world without persistence, which starts faster: their configuration is the shipped one without `persists`.
"""

import contextlib
import fcntl
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN_DIR = pathlib.Path(os.environ.get("MARCH_BIN_DIR", ROOT / "build/dev/bin"))
# Written below: the shipped one, with patience for sanitized programs on a busy machine, and with journals that are not written
# full of zeros by the hundred megabytes; and that one without persistence.
SHIPPED_CONFIG = BIN_DIR.parent / "tests/shipped.yaml"
CONFIG = BIN_DIR.parent / "tests/forgetful.yaml"
POSTGRES_TEMPLATE = ROOT / "build/tests/postgres"  # data folder of a PostgreSQL that was just made
SEGMENT_BYTES = 2 << 20  # of a journal
COMMAND_TIMEOUT_S = 120
PATIENCE = float(os.environ.get("MARCH_PATIENCE", "1"))
WAIT_S = 60  # for a condition; sanitized programs on a busy machine are slow, and only what fails waits so long
POLL_S = (0.02, 0.25)  # between two looks: more and more, as many are a program each

# Begun first, so that none of them is alone in the end; and fixtures that a module's tests share, which are to be one after the
# other in one place.
SLOW_MODULES = ["test_kills", "test_hosts", "test_ledger", "test_shards", "test_hostile", "test_journal_full", "test_players", "test_pooler", "test_lasting",
                "test_faults", "test_operations", "test_private_servers", "test_world"]
SHARED_FIXTURES = ["doors", "hostile", "prefix", "recorded", "shared_cluster", "two_shards"]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Orders the tests, and groups them for pytest-xdist."""
    def place(item):
        name = item.path.stem
        return SLOW_MODULES.index(name) if name in SLOW_MODULES else len(SLOW_MODULES)

    items.sort(key=place)
    for item in items:
        for fixture in SHARED_FIXTURES:
            if fixture in item.fixturenames:
                item.add_marker(pytest.mark.xdist_group(f"{item.path.stem}-{fixture}"))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    report = (yield).get_result()
    item.has_failed = getattr(item, "has_failed", False) or report.failed


@pytest.fixture
def tmp_path(tmp_path, request):
    """pytest's, but gone after a test that has passed: the folder may be in memory."""
    yield tmp_path
    if not request.node.has_failed:
        shutil.rmtree(tmp_path, ignore_errors=True)


def wait_until(condition, what, timeout_s=WAIT_S):
    """Polls until condition() is true; returns what it returned."""
    timeout_s *= PATIENCE
    deadline = time.monotonic() + timeout_s
    pause_s, longest_s = POLL_S
    while True:
        result = condition()
        if result:
            return result
        assert time.monotonic() < deadline, f"waited {timeout_s} s in vain: {what}"
        time.sleep(pause_s)
        pause_s = min(1.2 * pause_s, longest_s)


def exit_on_signals():
    """Has what would end the program at once end it by an exception, so that what it started is ended, too."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: sys.exit(128 + number))


def alive(pid):
    """Whether a process runs; a zombie that nobody has reaped does not."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def run(*args, **options):
    """Runs a program to its end and returns the completed process, output as text."""
    options.setdefault("timeout", COMMAND_TIMEOUT_S)
    return subprocess.run([str(a) for a in args], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                          **options)


def without_persists(text):
    """A configuration's text without its list of persists."""
    return re.sub(r"^persists:\n(?:  .*\n)+", "", text, flags=re.MULTILINE)


def write_configs():
    """Writes both, each in one step: other tests may be reading them."""
    text = (ROOT / "deploy/config/cluster.yaml").read_text(encoding="utf-8")
    for old, new in (("# silence_ms: 500", "silence_ms: 20000 #"),
                     ("journal_segment_bytes: 67108864", f"journal_segment_bytes: {SEGMENT_BYTES}"),
                     ("modes: modes ", f"modes: {ROOT}/deploy/config/modes "),
                     ("templates: instances ", f"templates: {ROOT}/deploy/config/instances ")):
        assert text.count(old) == 1
        text = text.replace(old, new)
    CONFIG.parent.mkdir(parents=True, exist_ok=True)
    for path, content in ((SHIPPED_CONFIG, text), (CONFIG, without_persists(text))):
        partial = path.with_suffix(f".{os.getpid()}")
        partial.write_text(content, encoding="utf-8")
        partial.replace(path)


write_configs()


def edited(tmp_path, *changes, source=CONFIG):
    """A copy of a configuration with pieces of text replaced: edited(tmp_path, ("old", "new"), ...)."""
    text = source.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    path = tmp_path / "edited.yaml"
    path.write_text(text, encoding="utf-8")
    return path


class Cluster:
    """A run directory and the programs to use it with."""

    def __init__(self, run_dir, config=CONFIG, bin_dir=BIN_DIR):
        self.run_dir = pathlib.Path(run_dir)
        self.config = pathlib.Path(config)
        self.bin_dir = pathlib.Path(bin_dir)
        self.foreground = None
        self.run_dir.parent.mkdir(parents=True, exist_ok=True)

    def zonectl(self, verb, *args, **options):
        return run(self.bin_dir / "zonectl", verb, "--run-dir", self.run_dir, *args, **options)

    def swarm(self, *args, **options):
        return run(self.bin_dir / "swarm", "--run-dir", self.run_dir, *args, **options)

    def up(self, *args):
        """Starts it as a daemon and fails the test when it does not come up."""
        result = self.try_up(*args)
        assert result.returncode == 0, result.stderr + self.logs()
        return self

    def try_up(self, *args):
        return self.zonectl("up", "--detach", "--config", self.config, *args)

    def up_foreground(self, *args):
        """Starts `zonectl up` as a child in a session of its own; returns the Popen. Its output goes to up.out."""
        with open(self.run_dir.parent / "up.out", "w", encoding="utf-8") as out:
            self.foreground = subprocess.Popen(
                [self.bin_dir / "zonectl", "up", "--config", self.config, "--run-dir", self.run_dir, *args],
                stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True)
        return self.foreground

    def output(self):
        """What the foreground `zonectl up` has printed."""
        return (self.run_dir.parent / "up.out").read_text(encoding="utf-8")

    def events(self):
        """What the supervisor has said so far."""
        path = self.run_dir / "log/zonectl.log"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def status(self):
        """The parsed status; None when no cluster runs."""
        result = self.zonectl("status", "--json")
        return None if result.returncode == 3 else json.loads(result.stdout)

    def process(self, name):
        """The status of one process; None when it is not known."""
        status = self.status()
        return next((p for p in status["processes"] if p["name"] == name), None) if status else None

    def pids(self):
        """Every process of the cluster that runs, the supervisor included."""
        status = self.status()
        return [p["pid"] for p in status["processes"] if p["pid"]] + [status["supervisor_pid"]] if status else []

    def left_running(self):
        """Command lines of all processes that were started with the run directory, or work in it."""
        lines = []
        for path in pathlib.Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError, PermissionError):
                line = (path / "cmdline").read_bytes().decode(errors="replace").split("\0")
                works_there = str((path / "cwd").readlink()).startswith(f"{self.run_dir}/")
                lines += [line] if works_there or str(self.run_dir) in line else []
        return lines

    def use_template(self):
        """Puts a PostgreSQL data folder in place where there is a template, so that the cluster need not make its own."""
        folder = self.run_dir / "postgres"
        if POSTGRES_TEMPLATE.exists() and not folder.exists():
            self.run_dir.mkdir(mode=0o700, exist_ok=True)
            subprocess.run(["cp", "-a", POSTGRES_TEMPLATE, folder], check=True)
        return self

    def keep_template(self):
        """Remembers the data folder of a cluster that has ended, for use_template."""
        if not POSTGRES_TEMPLATE.exists():
            POSTGRES_TEMPLATE.parent.mkdir(parents=True, exist_ok=True)
            new = POSTGRES_TEMPLATE.with_suffix(".new")
            shutil.rmtree(new, ignore_errors=True)
            subprocess.run(["cp", "-a", self.run_dir / "postgres", new], check=True)
            new.rename(POSTGRES_TEMPLATE)

    def uris(self, name="persist-0"):
        """Where a persist's databases are: [PostgreSQL, Redis]."""
        paths = [self.run_dir / f"{name}.{kind}" for kind in ("postgres", "redis")]
        return [path.read_text(encoding="utf-8").splitlines()[0] for path in paths]

    def sql(self, query, name="persist-0"):
        """The rows of a query in a persist's database, as lists of text."""
        result = run("psql", "-XAtq", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-c", query, self.uris(name)[0])
        assert result.returncode == 0, result.stderr
        return [line.split("\t") for line in result.stdout.splitlines()]

    def redis(self, *command, name="persist-0"):
        """What a persist's Redis says to a command."""
        path, _, database = self.uris(name)[1].removeprefix("unix://").partition("?db=")
        result = run("redis-cli", "-s", path, "-n", database or "0", *command)
        assert result.returncode == 0, result.stderr
        return result.stdout.strip()

    def wait_ready(self):
        return wait_until(lambda: (s := self.status()) and s["ready"] and s, f"{self.run_dir} ready: {self.events()}")

    def logs(self):
        """The last lines of every log, for messages of failed tests."""
        lines = []
        for path in sorted(self.run_dir.glob("log/*.log")):
            lines += [f"== {path.name}"] + path.read_text(encoding="utf-8", errors="replace").splitlines()[-10:]
        return "\n".join(lines)

    def metrics(self, name):
        """The metrics of a process by series, as {'march_gateway_sessions{state="playing"}': 3.0}; empty while it is away."""
        try:
            address = (self.run_dir / f"{name}.http").read_text(encoding="ascii").strip()
            with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as reply:
                lines = reply.read().decode().splitlines()
        except (FileNotFoundError, urllib.error.URLError, ConnectionError, TimeoutError):
            return {}
        return {series: float(value) for series, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}

    def addresses(self):
        """The gateway's UDP addresses as (host, port): IPv4, then IPv6."""
        lines = (self.run_dir / "gateway-0.udp").read_text(encoding="ascii").split()
        return [(host.strip("[]"), int(port)) for host, _, port in (line.rpartition(":") for line in lines)]

    def playing(self):
        """How many sessions a zone has taken."""
        return self.metrics("gateway-0").get('march_gateway_sessions{state="playing"}', 0)

    def down(self):
        return self.zonectl("down")

    def tear_down(self):
        """Ends it whatever state it is in; safe to call twice."""
        pids = []
        with contextlib.suppress(ValueError, subprocess.TimeoutExpired):
            pids = self.pids()
            self.down()
        if self.foreground is not None and self.foreground.poll() is None:
            self.foreground.kill()
            self.foreground.wait()
        for pid in pids:
            if alive(pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


class Bots:
    """A swarm that plays in the background; as a context manager: while the block runs. `report` is its report afterwards.

    For tests of what bots must not notice. A client that was dropped stays away, and counts.
    """

    SNAPSHOTS_MIN = 30  # a bot has had so many before the swarm is ended, so that rates mean something

    def __init__(self, cluster, clients=20, *args):
        self.cluster, self.clients, self.args = cluster, clients, args
        self.process = self.report = None

    def __enter__(self):
        self.before = self.cluster.playing()
        self.process = subprocess.Popen(
            [self.cluster.bin_dir / "swarm", "--run-dir", self.cluster.run_dir, "--clients", str(self.clients), "--duration",
             "3600", "--json", *map(str, self.args)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            wait_until(self.all_play, f"{self.clients} bots play")
        except BaseException:
            self.process.kill()
            self.process.communicate()
            raise
        self.snapshots = self.snapshots_sent()
        self.made = self.snapshots_made()
        return self

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                enough = self.snapshots + self.SNAPSHOTS_MIN * self.cluster.playing()
                wait_until(lambda: self.process.poll() is not None or self.snapshots_sent() >= enough, "enough was played")
                began_s, before, _ = self.made
                ended_s, made, players = self.snapshots_made()
                self.made_hz = (made - before) / players / (ended_s - began_s) if players else 0
        finally:
            self.process.send_signal(signal.SIGINT)
            try:
                self.report = json.loads(self.process.communicate(timeout=WAIT_S)[0])
                wait_until(lambda: self.cluster.playing() <= self.before, "the bots left")
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.communicate()
                raise

    def all_play(self):
        assert self.process.poll() is None, "the swarm ended early"
        return self.cluster.playing() == self.before + self.clients

    def snapshots_sent(self):
        return self.cluster.metrics("gateway-0").get("march_gateway_snapshots_total", 0)

    def snapshots_made(self):
        """(when, how many the zones have made, for how many players); of zones that are killed meanwhile it says nothing."""
        zones = [self.cluster.metrics(path.stem) for path in self.cluster.run_dir.glob("zone-*.http")]
        return (time.monotonic(), sum(zone.get("march_zone_snapshots_total", 0) for zone in zones),
                sum(zone.get("march_zone_players", 0) for zone in zones))

    def assert_rate(self, share=0.7, quantile="p1"):
        """Bots got most of the snapshots that the zones made for them. How many those are is the machine's affair."""
        assert self.report["snapshot_hz"][quantile] >= share * self.made_hz > 0, (self.made_hz, self.report)

    def assert_unharmed(self):
        """Nobody was dropped, nothing damaged came, and snapshots arrived."""
        assert self.process.returncode == 0, self.report
        assert self.report["errors"] == 0 and self.report["disconnected"] == 0, self.report
        self.assert_rate()


def need(*programs):
    """Skips the test when a program was not built."""
    for program in programs:
        if not (BIN_DIR / program).exists():
            pytest.skip(f"{BIN_DIR / program} was not built")


@pytest.fixture
def make_cluster(tmp_path):
    """A function that makes clusters, not started: make_cluster("a", config=...). They come down after the test."""
    need("zonectl", "gateway", "zone")
    clusters = []

    def make(name="cluster", **options):
        clusters.append(Cluster(tmp_path / name / "run", **options))
        return clusters[-1]

    yield make
    for cluster in clusters:
        cluster.tear_down()


@pytest.fixture(scope="session")
def postgres_template(tmp_path_factory):
    """See to it that there is a template of PostgreSQL's data folder, made by zonectl itself."""
    need("zonectl")
    POSTGRES_TEMPLATE.parent.mkdir(parents=True, exist_ok=True)
    with open(POSTGRES_TEMPLATE.with_suffix(".lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # other processes of pytest want it, too
        if POSTGRES_TEMPLATE.exists():
            return
        made = fake_programs(tmp_path_factory.mktemp("template"), config=SHIPPED_CONFIG)
        made.up()
        made.down()
        made.keep_template()


@pytest.fixture
def make_lasting_cluster(make_cluster, postgres_template):
    """Like make_cluster, of the shipped configuration, with persistence."""
    need("persist")

    def make(name="cluster", **options):
        return make_cluster(name, **{"config": SHIPPED_CONFIG} | options).use_template()

    return make


@pytest.fixture
def cluster(make_cluster):
    """A cluster of the default configuration, ready."""
    return make_cluster().up()


@pytest.fixture(scope="module")
def shared_cluster(tmp_path_factory):
    """A cluster of the default configuration for all tests of a module that leave it as it was."""
    need("zonectl", "gateway", "zone", "swarm")
    made = Cluster(tmp_path_factory.mktemp("shared") / "run").up()
    yield made
    made.tear_down()


def fake_programs(folder, **options):
    """A cluster of fakes in a folder; see fake_cluster."""
    bin_dir = folder / "bin"
    bin_dir.mkdir()
    shutil.copy(BIN_DIR / "zonectl", bin_dir)
    for name in ("gateway", "zone", "matchmaker", "persist", "swarm"):
        shutil.copy(pathlib.Path(__file__).with_name("fake_process.py"), bin_dir / name)
        (bin_dir / name).chmod(0o755)
    made = Cluster(folder / "fake/run", bin_dir=bin_dir, **options)
    made.tell = lambda name, text: (bin_dir / f"{name}.behaviour").write_text(text, encoding="ascii")
    made.answer = lambda name, answers: (bin_dir / f"{name}.answers").write_text(json.dumps(answers), encoding="ascii")
    return made


@pytest.fixture
def fake_cluster(tmp_path):
    """A cluster whose gateway and zones are fake_process.py, to see what the supervisor does with processes that misbehave.

    fake_cluster.tell("zone-0", "die") decides how that process behaves from its next start on.
    """
    need("zonectl")
    made = fake_programs(tmp_path)
    yield made
    made.tear_down()


@pytest.fixture
def fake_lasting_cluster(tmp_path, postgres_template):
    """The same with a persist, a fake too, and its database servers, which are real."""
    made = fake_programs(tmp_path, config=SHIPPED_CONFIG).use_template()
    yield made
    made.tear_down()
