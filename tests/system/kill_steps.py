"""What kills.py goes through: each step of each kind of process, and a schedule of kills and stops at them that a seed draws."""

import dataclasses
import random

STOP_S = (0.1, 3.0)  # silence_ms lies between: a short one is waited for, a long one is a death


@dataclasses.dataclass(frozen=True)
class Step:
    """A step of a kind of process, and what makes it come by."""
    kind: str
    name: str
    cause: str

    def __str__(self):
        return f"{self.name} ({self.cause})"


def steps_of(kind, **names):
    """Steps by what makes them come by: steps_of("source", walk="offered accepted")."""
    return [Step(kind, name if "." in name else f"{kind}.{name}", cause) for cause, list_ in names.items()
            for name in list_.split()]


# walk: bots cross borders; drain: a zone is drained; undrain: and told to stay; death: a zone is killed; leave: a gateway is
# drained; refusal: the target of a player under way is killed; orphan: the gateways of one are; strand: they are, and then a zone
# with their players is drained; rebirth: the matchmaker is killed; match: bots queue, go into an instance, fight and come home;
# amnesia: they do, and the matchmaker dies as well; move: the zone that runs their instances is drained.
STEPS = [
    *steps_of("source", walk="offered accepted frozen sent done forgotten creature_left creature_done",
              drain="zone.directory frozen sent done", refusal="restored", orphan="asked answered",
              strand="given given_answered", match="offered accepted frozen sent done forgotten",
              move="zone.directory frozen done"),
    *steps_of("target", walk="reserved activate activated sent creature_taken", drain="zone.directory reserved activate sent",
              orphan="asked", strand="given", match="reserved activate activated sent", move="zone.directory zone.instance_begun activate"),
    *steps_of("zone", match="instance_begun travelled instance_over went_home"),
    *steps_of("gateway", walk="reroute rerouted activate_sent activated done forgotten", drain="directory rerouted",
              leave="drain_begun drain_told claimed attached", death="attach_sent attached", refusal="restored"),
    *steps_of("matchmaker", drain="drain version told settled", undrain="undrain",
              death="dead fence_asked fenced taken version told admitted", rebirth="begun",
              match="ticket_kept match_made match_kept instance_ordered instance_running travel_told instance_over result_settling"
              " match_settled instance_closed",
              move="drain told instance_ordered settled"),
    *steps_of("persist", walk="reported", leave="claim_asked claim_written",
              death="fence_asked fence_written fence_answered load_asked load_answered lease_written",
              match="documents_written granted settled", amnesia="documents_written granted settled", move="documents_written"),
]
UNPLANNED = {"gateway.waits"}  # where source and target die at once, which is not brought about here
KINDS = list(dict.fromkeys(step.kind for step in STEPS))


@dataclasses.dataclass
class Trial:
    """One kill or stop, and what came of it."""
    step: Step = None  # none: nothing is hit
    for_s: float = 0.0  # 0: it is killed
    victim: str = ""
    seconds: float = 0.0
    silence_ms: float = 0.0  # the longest that a client waited for a snapshot
    interruptions: int = 0  # of more than 100 ms
    crossings: int = 0
    dropped: int = 0  # clients of a killed gateway
    harmed: int = 0  # clients that were dropped and should not have been
    lost: int = 0
    doubled: int = 0
    finding: str = ""

    def __str__(self):
        return f"{self.step.kind:10} {self.step}: " + (f"stop for {self.for_s:.1f} s" if self.for_s else "kill")


def schedule(seed, kills, stops, steps=tuple(STEPS)):
    """So many kills and stops of each kind at least, and one at each step, in an order that a seed draws."""
    draw = random.Random(seed)
    trials = []
    for kind in KINDS:
        its = [step for step in steps if step.kind == kind]
        draw.shuffle(its)
        for count, is_stop in ((kills, False), (stops, True)):
            for i in range(max(count, len(its)) if its and count else 0):
                trials.append(Trial(its[i % len(its)], draw.uniform(*STOP_S) if is_stop else 0.0))
    draw.shuffle(trials)
    return trials


def has_steps(bin_dir):
    """Whether the programs of a folder stop at steps."""
    return all(name in (bin_dir / program).read_bytes()
               for program, name in (("zone", b"source.frozen"), ("gateway", b"gateway.rerouted")))
