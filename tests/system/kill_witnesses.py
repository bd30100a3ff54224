"""Players at the front door while kills.py goes on: what each was told there must be so afterwards, whoever died.

Waiters enter a queue in which there are never enough of them, and cancel. Duellists are matched, though they are not in the world, so
nobody comes to the match. Who got no answer, or one that nothing can be done now, doesn't know, looks again, and claims nothing until
then.
"""

import dataclasses
import http.client
import random
import threading

from conftest import wait_until
from front_door import Document, Door

WAITERS, DUELLISTS = 6, 4
PACE_S = 0.05  # between two requests
BUSY = (429, 503)
SIEGE = """
name: siege
instance: siege
teams: 2
team_size: 16
timeout_ms: 3600000
"""
SIEGE_TEMPLATE = """
name: siege
side_m: 24
capacity: 32
ends: [empty]
"""


@dataclasses.dataclass
class Witness:
    """One player, and what it knows."""
    name: str
    mode: str
    is_sure: bool = False
    ticket: str = None  # that it has; none: it has none
    cancelled: set = dataclasses.field(default_factory=set)
    matches: set = dataclasses.field(default_factory=set)  # it was told of


class Witnesses:
    """Them all, one request after the other, in a thread of their own until they are stopped."""

    def __init__(self, cluster, seed):
        self.door, self.draw = Door(cluster, Document()), random.Random(seed)
        self.all = ([Witness(f"waiter-{i}", "siege") for i in range(WAITERS)] +
                    [Witness(f"duellist-{i}", "brawl") for i in range(DUELLISTS)])
        self.findings, self.asked, self.acts, self.is_over = [], 0, 0, threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.is_over.wait(PACE_S):
            self.act(self.draw.choice(self.all))

    def stop(self):
        self.is_over.set()
        self.thread.join()

    def ask(self, method, path, witness, **body):
        """The answer; none where there is none, or where it says that nothing can be done now."""
        try:
            answer = self.door.act(method, path, name=witness.name, **body)
        except (OSError, http.client.HTTPException):
            return None
        except Exception as error:  # it is not as the document says
            self.findings.append(f"{method} {path} of {witness.name}: {error}")
            return None
        finally:
            self.asked += 1
        return None if answer.status in BUSY else answer

    def act(self, witness):
        """Looks, and then does something that changes what there is, from time to time."""
        if not self.look(witness) or self.is_over.is_set():
            return
        self.acts += 1
        if witness.ticket is None:
            self.enter(witness)
        elif witness.mode == "siege" and self.draw.random() < 0.5:
            self.cancel(witness)

    def look(self, witness):
        """Compares what is so with what it was told; whether it has got an answer."""
        answer = self.ask("GET", "/v1/tickets/current", witness)
        if answer is None:
            return False
        found = answer.json if answer.status == 200 and answer.json["state"] in ("waiting", "asked", "matched") else None
        if found and found.get("ticket") in witness.cancelled:
            self.findings.append(f"{witness.name} has cancelled ticket {found['ticket']}, which is {found['state']}")
        if witness.is_sure and witness.mode == "siege" and witness.ticket != (found and found.get("ticket")):
            self.findings.append(f"{witness.name} was told of ticket {witness.ticket}, and has {answer.body.decode()}")
        if found and found["state"] == "matched":
            witness.matches.add(found["match"])
        witness.ticket = found["ticket"] if found and found["state"] != "matched" else None
        witness.is_sure = True
        return True

    def enter(self, witness):
        witness.is_sure = False
        answer = self.ask("POST", "/v1/tickets", witness, mode=witness.mode)
        if answer is not None and answer.status == 201:
            witness.ticket, witness.is_sure = answer.json["ticket"], True

    def cancel(self, witness):
        witness.is_sure = False
        answer = self.ask("DELETE", f"/v1/tickets/{witness.ticket}", witness)
        if answer is not None and answer.status == 200:
            witness.cancelled.add(witness.ticket)
            witness.ticket, witness.is_sure = None, True

    # --- at the end

    def leave(self, witness):
        """Whether it has no ticket."""
        if witness.ticket is not None:
            self.cancel(witness)
        return self.look(witness) and witness.ticket is None

    def check(self):
        """What was not as they were told; they have no tickets then. To be called when they were stopped."""
        for witness in self.all:
            wait_until(lambda witness=witness: self.look(witness), f"{witness.name} is answered")
            wait_until(lambda witness=witness: self.leave(witness), f"{witness.name} leaves the queue")
            for match in witness.matches:
                answer = wait_until(lambda match=match, witness=witness: self.ask("GET", f"/v1/matches/{match}", witness),
                                    f"somebody knows of match {match}")
                if answer.status != 200:
                    self.findings.append(f"{witness.name} was told of match {match}: {answer.body.decode()}")
        if self.acts == 0:
            self.findings.append("nobody at the front door got anything done")
        return self.findings
