"""The client library as it is installed: one header, both libraries, pkg-config; an outsider builds the example with them.
And the example in a live world."""

import os
import pathlib
import signal
import subprocess

import pytest

from conftest import WAIT_S, need, wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]


def run(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    path = tmp_path_factory.mktemp("prefix")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    run("make", "-j2", "MODE=dev", "install", f"PREFIX={path}", cwd=ROOT, env=environment)
    return path


def defined_symbols(*nm_arguments):
    lines = run("nm", "--defined-only", *map(str, nm_arguments)).splitlines()
    return {line.split()[2] for line in lines if len(line.split()) == 3}


def test_client_library_exports_march_only(prefix):
    shared = defined_symbols("-D", prefix / "lib/libmarchland-client.so")
    static = defined_symbols("-g", prefix / "lib/libmarchland-client.a")
    assert shared == static
    assert "march_client_create" in shared and "march_error_text" in shared
    assert all(name.startswith("march_") for name in shared)


@pytest.mark.parametrize("kind", ["shared", "static"])
def test_client_library_builds_and_runs_the_example(prefix, tmp_path, kind):
    environment = dict(os.environ, PKG_CONFIG_PATH=str(prefix / "lib/pkgconfig"), LD_LIBRARY_PATH=str(prefix / "lib"))
    if kind == "shared":
        flags = run("pkg-config", "--cflags", "--libs", "marchland-client", env=environment).split()
    else:
        flags = [f"-I{prefix}/include", str(prefix / "lib/libmarchland-client.a"), "-lsodium", "-lm"]
    program = tmp_path / "example"
    run("cc", "-Wall", "-Wextra", "-Werror", str(ROOT / "tools/client/example.c"), *flags, "-o", str(program), cwd=tmp_path)
    result = subprocess.run([program, "bm8gdG9rZW4="], env=environment, capture_output=True, text=True)
    assert result.returncode == 2
    assert "token" in result.stderr


def test_client_library_header_is_cxx(prefix, tmp_path):
    source = tmp_path / "it.cc"
    source.write_text("#include <marchland.h>\nint main() { return march_client_create(nullptr) != nullptr; }\n")
    run("g++", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", f"-I{prefix}/include", str(source))


def test_example_plays_and_leaves(cluster):
    need("example")
    token = cluster.zonectl("token", "--player", "7").stdout
    example = subprocess.Popen([cluster.bin_dir / "example"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    example.stdin.write(token)
    example.stdin.close()
    for line in example.stdout:  # it ends when the example does
        if line.strip().startswith("me "):
            break
    else:
        pytest.fail("never saw itself: " + example.stderr.read() + cluster.logs())
    assert cluster.status()["players"] == 1
    example.send_signal(signal.SIGINT)
    assert example.wait(timeout=WAIT_S) == 0
    wait_until(lambda: cluster.status()["players"] == 0, "it said goodbye")
