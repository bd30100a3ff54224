"""A world with a map: each zone has the part that it needs, also when borders move; a file that is none is refused."""

import json
import urllib.request

import pytest
from conftest import BIN_DIR, CONFIG, edited, need, run, wait_until

CHUNK_M = 64
WORLD_M = 1024
VIEW_M = 40
ZONES = [f"zone-{i}" for i in range(6)]


def zonectl_map(*args):
    return run(BIN_DIR / "zonectl", "map", *args)


@pytest.fixture
def map_file(tmp_path):
    """A map with one box in each chunk of the shipped world."""
    need("zonectl")
    boxes = [{"x_m": [x + 10, x + 11], "y_m": [y + 10, y + 12.5], "z_m": [0, 3]}
             for x in range(0, WORLD_M, CHUNK_M) for y in range(0, WORLD_M, CHUNK_M)]
    source = tmp_path / "source.json"
    source.write_text(json.dumps({"boxes": boxes}), encoding="utf-8")
    result = zonectl_map("pack", source, tmp_path / "world.map")
    assert result.returncode == 0, result.stderr
    return tmp_path / "world.map"


def with_map(tmp_path, name="world.map"):
    """A configuration, beside the map, that names it."""
    return edited(tmp_path, ("  # map: ../maps/example.map ", f"  map: {name} #"), source=CONFIG)


def chunks_near(rects):
    """How many chunks of the world touch these rectangles, a view's radius further out."""
    def is_near(x, y, rect):
        return (x < rect["x_m"] + rect["width_m"] + VIEW_M and x + CHUNK_M > rect["x_m"] - VIEW_M
                and y < rect["y_m"] + rect["height_m"] + VIEW_M and y + CHUNK_M > rect["y_m"] - VIEW_M)
    steps = range(0, WORLD_M, CHUNK_M)
    return sum(any(is_near(x, y, rect) for rect in rects) for x in steps for y in steps)


def wait_for_parts(cluster):
    """Waits until each zone has what the matchmaker's partitions need, no more; returns how many chunks that is by zone."""
    def compare():
        result = cluster.zonectl("zones", "--json")
        partitions = json.loads(result.stdout)["partitions"] if result.returncode == 0 else []
        if not partitions or any(p["former"] for p in partitions):
            return None
        expected = {zone: chunks_near([p["rect"] for p in partitions if p["owner"] == zone]) for zone in ZONES}
        found = {zone: cluster.metrics(zone).get("march_zone_map_chunks") for zone in ZONES}
        boxes = {zone: cluster.metrics(zone).get("march_zone_map_boxes") for zone in ZONES}
        return expected if expected == found == boxes else None
    return wait_until(compare, f"zones have their parts of the map: {cluster.zonectl('zones').stdout}")


def test_zones_have_their_parts_of_the_map_when_borders_move(make_cluster, tmp_path, map_file):
    cluster = make_cluster(config=with_map(tmp_path)).up()
    shown = json.loads(zonectl_map("show", "--json", map_file).stdout)
    assert (shown["chunks"], shown["boxes"]) == (256, 256)
    before = wait_for_parts(cluster)
    assert before == {"zone-0": 81, "zone-1": 81, "zone-2": 81, "zone-3": 81, "zone-4": 0, "zone-5": 0}
    for zone in ZONES:
        address = (cluster.run_dir / f"{zone}.http").read_text(encoding="ascii").strip()
        with urllib.request.urlopen(f"http://{address}/status", timeout=10) as reply:
            assert json.load(reply)["map"] == {"hash": shown["hash"], "chunks": before[zone], "boxes": before[zone]}
        assert f'hash={shown["hash"]}' in (cluster.run_dir / f"log/{zone}.log").read_text(encoding="utf-8")

    map_file.unlink()  # what a moved border needs is in the file that is open
    split = cluster.zonectl("zone", "split", "zone-0", "--json")
    assert split.returncode == 0, split.stderr
    after = wait_for_parts(cluster)
    assert 0 < after["zone-0"] < 81 and 0 < after["zone-4"] + after["zone-5"] < 81
    assert cluster.zonectl("zone", "merge", "0", str(json.loads(split.stdout)["new"])).returncode == 0
    assert wait_for_parts(cluster) == before
    assert all(cluster.metrics(zone)["march_zone_map_chunks_failed_total"] == 0 for zone in ZONES)


@pytest.mark.parametrize("damage, words", [
    (lambda data: data[:-100], "offset 10204: expected size of the file 10304 (0x2840), found 10204"),
    (lambda data: data[:8] + b"\2" + data[9:], "offset 8: expected version of the map 1 (0x1), found 2"),
    (lambda data: data[:-1] + b"\7", "expected CRC of the chunk"),
    (lambda data: b"boxes: []\n" * 20, "offset 0: expected magic of the map"),
    (lambda data: None, "cannot open: No such file or directory"),
], ids=["torn", "version", "flipped", "source", "missing"])
def test_zone_refuses_a_file_that_is_no_whole_map(tmp_path, map_file, damage, words):
    need("zone")
    data = damage(map_file.read_bytes())
    map_file.unlink()
    if data is not None:
        map_file.write_bytes(data)
    for name in ("zone-0", "zone-4"):  # a spare as well, though it needs nothing yet
        result = run(BIN_DIR / "zone", "--config", with_map(tmp_path), "--name", name, "--run-dir", tmp_path)
        assert result.returncode == 1 and "Sanitizer" not in result.stderr
        assert len(result.stderr.splitlines()) == 1 and f"{map_file}: " in result.stderr and words in result.stderr
    result = zonectl_map("show", map_file)
    assert result.returncode == 1 and f"{map_file}: " in result.stderr and words in result.stderr


def test_cluster_with_a_torn_map_does_not_come_up(make_cluster, tmp_path, map_file):
    map_file.write_bytes(map_file.read_bytes()[:-1])
    cluster = make_cluster(config=with_map(tmp_path))
    result = cluster.try_up()
    assert result.returncode == 1
    assert "zone-" in result.stderr and f"{map_file}: offset 10303: expected size of the file 10304" in result.stderr
    assert cluster.left_running() == []


def test_map_pack_and_show_say_what_is_wrong(tmp_path):
    need("zonectl")
    source = tmp_path / "bad.yaml"
    source.write_text("boxes:\n  - {x_m: [1, 2], y_m: [3, 3], z_m: [0, 1]}\n", encoding="utf-8")
    result = zonectl_map("pack", source, tmp_path / "out.map")
    assert result.returncode == 1 and f"{source}:2: boxes[0].y_m: expected the second number to be greater" in result.stderr
    assert not (tmp_path / "out.map").exists()
    source.write_text("boxes: [{x_m: [1, 2], y_m: [3, 4], z_m: [0, 1]}]", encoding="utf-8")
    result = zonectl_map("pack", source, tmp_path / "none/out.map")
    assert result.returncode == 1 and "none/out.map" in result.stderr
    for args in ([], ["pack", source], ["show"], ["dance", source], ["show", source, source]):
        assert zonectl_map(*args).returncode == 2
    result = zonectl_map("--help")
    assert result.returncode == 0 and "Exit codes" in result.stdout
