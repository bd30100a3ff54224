"""What brings a step of kills.py about: each cause returns the process that has stopped at the step."""

import signal

from conftest import wait_until
from kill_stage import GATEWAYS, MATCHMAKER, Stage

SKIP_MAX = 3  # of what comes by all the time
ASKED_MEANWHILE = 6  # of the witnesses' requests


class Causes(Stage):
    """A cluster in which every step can be brought about."""

    def walk(self, step):
        names = self.those_of(step.kind, *[self.zones_of("active")] * 2)
        self.arm(names, step.name, 0 if "creature" in step.name else self.draw.randint(0, SKIP_MAX))
        return self.await_stop(names, step)

    def drain(self, step):
        zone = self.fullest_zone()
        names = self.those_of(step.kind, [zone], self.zones_of("spare"))
        self.arm(names, step.name)
        self.drained.append(zone)
        self.zonectl("drain", zone)
        return self.await_stop(names, step)

    def undrain(self, step):
        zone = self.fullest_zone()
        self.drained.append(zone)
        assert self.zonectl("drain", zone).wait() == 0
        self.arm([MATCHMAKER], step.name)
        self.zonectl("undrain", zone)
        return self.await_stop([MATCHMAKER], step)

    def death(self, step):
        names = self.those_of(step.kind)
        zone = self.fullest_zone()
        self.arm(names, step.name)
        self.kill(zone)
        return self.await_stop(names, step)

    def leave(self, step):
        other, gateway = sorted(GATEWAYS, key=self.sessions)  # the emptier one has taken what was drained before
        names = self.those_of(step.kind)
        if step.kind == "gateway":
            names = [gateway if "drain" in step.name else other]
        self.arm(names, step.name)
        self.drained.append(gateway)
        self.zonectl("drain", gateway)
        return self.await_stop(names, step)

    def refusal(self, step):
        zones = self.zones_of("active")
        self.arm(zones, "target.activate")
        target = self.await_stop(zones, "target.activate")
        names = self.those_of(step.kind, [zone for zone in zones if zone != target])
        self.arm(names, step.name)
        self.kill(target)
        return self.await_stop(names, step)

    def orphan(self, step):
        """Which of the gateways has the player is not known, so both are killed."""
        zones = self.zones_of("active")
        self.arm(zones, "source.frozen")
        source = self.await_stop(zones, "source.frozen")
        names = self.those_of(step.kind, [source], [zone for zone in zones if zone != source])
        self.arm(names, step.name)
        for gateway in GATEWAYS:
            self.kill(gateway)
        self.signal(source, signal.SIGCONT)
        return self.await_stop(names, step)

    def strand(self, step):
        """Clients notice later that their gateways are gone, and come back."""
        zone = self.fullest_zone()
        for gateway in GATEWAYS:
            self.kill(gateway)
        wait_until(lambda: self.cluster.metrics(zone).get("march_zone_link_dead"), f"players are link-dead in {zone}")
        names = self.those_of(step.kind, [zone], self.zones_of("spare"))
        self.arm(names, step.name)
        self.drained.append(zone)
        self.zonectl("drain", zone)
        return self.await_stop(names, step)

    def rebirth(self, step):
        self.kill(MATCHMAKER)
        self.arm([MATCHMAKER], step.name)
        return self.await_stop([MATCHMAKER], step)

    def match(self, step):
        """Who has the block lets go of players that go home, and takes those that come."""
        block = self.owner_of_block()
        names = self.those_of(step.kind, [block], [block])
        self.arm(names, step.name, self.draw.randint(0, SKIP_MAX))
        return self.await_stop(names, step)

    def move(self, step):
        block = self.owner_of_block()
        wait_until(lambda: self.cluster.metrics(block).get("march_zone_instance_players"), f"{block} has players in matches")
        names = self.those_of(step.kind, [block], self.zones_of("spare"))
        self.arm(names, step.name)
        self.drained.append(block)
        self.zonectl("drain", block)
        return self.await_stop(names, step)

    def amnesia(self, step):
        """What players have been told is known to persist alone; and while it stands nobody may be told that something is kept."""
        persist = self.match(step)
        asked = self.witnesses.asked
        wait_until(lambda: self.witnesses.asked >= asked + ASKED_MEANWHILE, "players ask meanwhile")
        self.kill(MATCHMAKER)
        return persist
