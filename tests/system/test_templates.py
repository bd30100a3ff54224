"""What designers write: zonectl template check and zonectl mode check, which need no cluster."""

import json

import pytest
from conftest import BIN_DIR, ROOT, need, run

INSTANCES = ROOT / "deploy/config/instances"
MODES = ROOT / "deploy/config/modes"


def zonectl(*args):
    need("zonectl")
    return run(BIN_DIR / "zonectl", *args)


@pytest.mark.parametrize("verb, folder", [("template", INSTANCES), ("mode", MODES)])
def test_what_ships_is_good(verb, folder):
    result = zonectl(verb, "check", folder)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    lines = result.stdout.splitlines()
    assert lines == [f"{path}: good: {verb} {path.stem}" for path in sorted(folder.glob("*.yaml"))]


def bad_template(tmp_path):
    path = tmp_path / "crypt.yaml"
    text = (INSTANCES / "crypt.yaml").read_text(encoding="utf-8")
    assert "lives: 3" in text
    path.write_text(text.replace("lives: 3", "lives: many"), encoding="utf-8")
    line = 1 + [line.startswith("lives:") for line in text.splitlines()].index(True)
    return path, f"{path}:{line}: lives: expected an integer from 0 to 1000, found \"many\"", line


def test_bad_file_is_told_by_line_and_key(tmp_path):
    path, error, _ = bad_template(tmp_path)
    result = zonectl("template", "check", path, INSTANCES / "duel.yaml")
    assert result.returncode == 1
    assert result.stderr == error + "\n"
    assert result.stdout == f"{INSTANCES}/duel.yaml: good: template duel\n"


def test_each_bad_file_of_a_folder_is_told(tmp_path):
    path, error, line = bad_template(tmp_path)
    (tmp_path / "a.yaml").write_text("{name: a, side_m: 16, capacity: 1, ends: [empty]}", encoding="utf-8")
    (tmp_path / "z.yaml").write_text("nothing", encoding="utf-8")
    result = zonectl("template", "check", "--json", tmp_path)
    assert result.returncode == 1
    answer = json.loads(result.stdout)
    assert not answer["good"]
    assert answer["files"] == [
        {"file": f"{tmp_path}/a.yaml", "good": True, "name": "a", "side_m": 16, "capacity": 1, "waves": 0, "time_limit_s": 0},
        {"file": str(path), "good": False, "line": line, "error": error},
        {"file": f"{tmp_path}/z.yaml", "good": False, "line": 1,
         "error": f"{tmp_path}/z.yaml:1: expected a mapping, found \"nothing\""}]


def test_names_are_used_once_in_a_folder(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text("{name: same, teams: 1, team_size: 1}", encoding="utf-8")
    result = zonectl("mode", "check", tmp_path)
    assert result.returncode == 1
    assert f"{tmp_path}/b.yaml: name: expected a name used once, found \"same\" again" in result.stderr


def test_modes_are_checked_against_templates(tmp_path):
    result = zonectl("mode", "check", MODES, "--templates", INSTANCES)
    assert result.returncode == 0, result.stderr
    (tmp_path / "a.yaml").write_text("{name: raid, teams: 1, team_size: 6, instance: cript}", encoding="utf-8")
    assert zonectl("mode", "check", tmp_path).returncode == 0
    result = zonectl("mode", "check", tmp_path, "--templates", INSTANCES)
    assert result.returncode == 1
    assert result.stderr == 'mode raid: instance: expected a template, found no "cript"\n'
    (tmp_path / "a.yaml").write_text("{name: raid, teams: 1, team_size: 6, instance: crypt}", encoding="utf-8")
    result = zonectl("mode", "check", tmp_path, "--templates", INSTANCES)
    assert result.returncode == 1
    assert result.stderr == "mode raid: instance: expected room for 6 players, template crypt has it for 5\n"


def test_folder_without_files_is_bad(tmp_path):
    result = zonectl("mode", "check", tmp_path)
    assert result.returncode == 1
    assert f"{tmp_path}: expected at least one file *.yaml, found none" in result.stderr


@pytest.mark.parametrize("args", [["template"], ["mode"], ["template", "check"], ["mode", "list", "x"]])
def test_wrong_usage_is_told(args):
    assert zonectl(*args).returncode == 2


@pytest.mark.parametrize("verb", ["template", "mode"])
def test_list_without_a_cluster_says_so(verb, tmp_path):
    result = zonectl(verb, "list", "--run-dir", tmp_path)
    assert result.returncode == 3
    assert f"no cluster runs in {tmp_path}" in result.stderr


@pytest.mark.parametrize("verb", ["template", "mode"])
def test_help_tells_where_the_keys_are(verb):
    result = zonectl(verb, "--help")
    assert result.returncode == 0
    assert "deploy/config/" in result.stdout and "Exit codes" in result.stdout
