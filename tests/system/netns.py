"""Hosts on one machine: network namespaces, each joined to each by a link of its own, which can be cut and healed.

A host has one address, whatever links lead to it, and nothing else: no traffic leaves these namespaces. Needs root.
"""

import contextlib
import ctypes
import itertools
import os
import pathlib
import shutil

from conftest import run

CLONE_NEWNET = 0x40000000
PREFIX = "10.77.0."
libc = ctypes.CDLL(None, use_errno=True)


def ip(*args):
    """Runs ip(8); a RuntimeError where it refuses."""
    result = run("ip", *args)
    if result.returncode != 0:
        raise RuntimeError(f"ip {' '.join(map(str, args))}: {result.stderr.strip()}")
    return result.stdout


@contextlib.contextmanager
def within(namespace):
    """This thread is in a namespace while the block runs: sockets that it opens are there."""
    with open("/proc/thread-self/ns/net", "rb") as home, open(f"/run/netns/{namespace}", "rb") as there:
        if libc.setns(there.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"setns to {namespace}")
        try:
            yield
        finally:
            if libc.setns(home.fileno(), CLONE_NEWNET) != 0:
                os._exit(70)  # in another network than the rest of the tests


class Hosts:
    """A full mesh of hosts, by name; as a context manager: they are gone after the block."""

    def __init__(self, *names):
        self.names = list(names)

    def namespace(self, name):
        return f"march-{os.getpid()}-{name}"

    def address(self, name):
        return PREFIX + str(1 + self.names.index(name))

    def device(self, name, other):
        """The end on `name` of the link to `other`."""
        return f"to-{other}"

    def __enter__(self):
        try:
            for name in self.names:
                ip("netns", "add", self.namespace(name))
                self.on(name, "link", "set", "lo", "up")
                self.on(name, "address", "add", f"{self.address(name)}/32", "dev", "lo")
            for name, other in itertools.combinations(self.names, 2):
                self.on(name, "link", "add", self.device(name, other), "type", "veth", "peer", self.device(other, name),
                        "netns", self.namespace(other))
                self.heal(name, other)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for name in self.names:
            run("ip", "netns", "delete", self.namespace(name))

    def on(self, name, *args):
        return ip("-n", self.namespace(name), *args)

    def cut(self, name, other):
        """Takes a link down at one end: there it is unreachable at once, at the other end whatever is sent is lost in silence."""
        self.on(name, "link", "set", self.device(name, other), "down")

    def heal(self, name, other):
        """Brings a link up. Its routes are those of an end that was down, too, so they are made again."""
        for end, far in ((name, other), (other, name)):
            self.on(end, "link", "set", self.device(end, far), "up")
            self.on(end, "route", "replace", self.address(far), "dev", self.device(end, far), "scope", "link",
                    "src", self.address(end))


def missing():
    """Why there can be no namespaces here; None where there can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if shutil.which("ip") is None:
        return "ip(8), of the package iproute2, is not installed"
    try:
        with Hosts("probe-a", "probe-b"):
            return None
    except (RuntimeError, OSError) as error:
        return f"no network namespaces here: {error}"


def wrap(bin_dir, programs, hosts, host_of):
    """Makes a folder of programs, each of which begins on its host: a function of the process's name, or of the program's where
    it has none."""
    bin_dir.mkdir()
    shutil.copy(programs / "zonectl", bin_dir / "zonectl-there")  # which starts the programs beside it
    for program in ("zonectl", "gateway", "zone", "matchmaker", "persist", "swarm"):
        real = bin_dir / "zonectl-there" if program == "zonectl" else pathlib.Path(programs) / program
        cases = "".join(f'*" --name {name} "*) host={hosts.namespace(host)};;\n' for name, host in host_of.items())
        (bin_dir / program).write_text(
            f'#!/bin/sh\ncase " $* " in\n{cases}*) host={hosts.namespace(host_of[program])};;\nesac\n'
            f'exec ip netns exec "$host" {real} "$@"\n', encoding="ascii")
        (bin_dir / program).chmod(0o755)
    return bin_dir
