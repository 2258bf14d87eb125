"""Which server a client tries when its line is lost, when, and what for: to go on, or to begin anew. Time is passed in.

The server that had the conversation comes first: what it lost may be one process. Then those elsewhere are asked to go
on with it, which they can if they share its store. A conversation that nobody gives back is begun anew.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

from serve_app.client.line import NO_CLOSE_FRAME, Address, LineLost

COME_BACK = frozenset({1001, NO_CLOSE_FRAME, 1011, 1012, 1013})
"""Close codes after which the conversation may go on elsewhere. All others but UNKNOWN_HERE are a last word of the
server that has the conversation; of another one they are that server's own refusal."""
TAKEN_OVER = 4001
"""By another connection of the client's: a last word, whoever says it."""
UNKNOWN_HERE = 4004
"""The server has no record of the conversation: where its store is another one, or has lost it."""
OPENS_WITHIN_S = 10.0
GOES_ON_WITHIN_S = 2.0
"""And so much more with each attempt at a server, up to OPENS_WITHIN_S, or until it is another one's turn. A replica
that has frozen takes calls and never answers, and the next attempt may reach another; but a slow line must get through
in the end."""
SHORTEST_WAIT_S = 0.05
FIRST_WAIT_S = 0.1
LONGEST_WAIT_S = 5.0
LEAVES_HOME_S = (1.0, 2.0)
"""From when on servers elsewhere are asked: another replica of the same one is back sooner. All callers of a region
that is gone come in this time: at once would be too much for their next one."""
BEGINS_ANEW_S = (8.0, 10.0)
"""From when on. A server whose ingress has died is back after 6 s (docs/operations.md), with the conversation."""
GIVES_UP_AFTER_S = 60.0
"""No longer does a server keep a conversation that nobody is in."""
STEADY_S = 2.0
"""A line that has held for so long was a good one: the next loss is not the same trouble."""

Jitter: TypeAlias = Callable[[float, float], float]


class Attempt(NamedTuple):
    """At `address`, `wait_s` from now, within `within_s`. `number`: since the last good line, from 1. `anew`: to begin
    another conversation there."""

    address: Address
    number: int
    wait_s: float
    within_s: float
    anew: bool


class WayBack:
    """Among `addresses`, to the conversation that was begun at `home`. Of many clients that have lost the same server,
    `jitter` lets each come at a moment of its own. Call `lost`, then `next` until an attempt has succeeded."""

    def __init__(self, addresses: Sequence[Address], home: Address, jitter: Jitter) -> None:
        self._addresses = addresses
        self._home = self._tried = home
        self._jitter = jitter
        self._number = 0
        self._tries: Counter[Address] = Counter()
        self._unknown: set[Address] = set()  # who does not know the conversation
        self._refused: dict[Address, LineLost] = {}  # who will not have it, in which words
        self._due: dict[Address, float] = {}

    def lost(self, now: float, line_since: float) -> None:
        """The line of the conversation, which had been there since."""
        if not self._due or now - line_since >= STEADY_S:
            self._number, self._lost_at = 0, now
            self._tries.clear()
            self._refused.clear()
            self._anew_from = now + self._jitter(*BEGINS_ANEW_S)
        self._tried = self._home
        self._due = dict.fromkeys(self._addresses, now + self._jitter(*LEAVES_HOME_S))
        self._due.update(dict.fromkeys(self._refused, math.inf))

    @property
    def is_home(self) -> bool:
        """Whether who was tried last, or whose line was lost, is who has the conversation."""
        return self._tried == self._home

    def refused(self, word: LineLost) -> None:
        """By who was tried last, elsewhere: their agents, keys or formats are others. They are not asked again
        while the trouble lasts."""
        self._refused[self._tried] = word

    @property
    def refusal(self) -> LineLost | None:
        """The first, while this trouble lasts."""
        return next(iter(self._refused.values()), None)

    def unknown(self, now: float) -> None:
        """Who was tried last does not know the conversation. If that is who had it, nobody does."""
        self._unknown.add(self._tried)
        if self.is_home:
            self._anew_from = now

    def next(self, now: float) -> Attempt | None:
        """After what was tried last. None: by then there would be nothing left to go on with."""
        self._due[self._tried] = self._due_again(now)
        address = min(self._addresses, key=self._due.__getitem__)
        at = max(now, self._due[address])
        if at > self._lost_at + GIVES_UP_AFTER_S:
            return None
        self._tried = address
        self._number += 1
        self._tries[address] += 1
        anew = at >= self._anew_from and (address != self._home or address in self._unknown)
        return Attempt(address, self._number, at - now, self._within(address, at), anew)

    def arrived(self, *, anew: bool) -> None:
        """Where was tried last the conversation is from now on."""
        self._home = self._tried
        if anew:
            self._unknown.clear()

    def _due_again(self, now: float) -> float:
        if self._tried in self._refused:
            return math.inf
        due = now + self._wait(self._tries[self._tried])
        return max(due, self._anew_from) if self._tried in self._unknown else due

    def _within(self, address: Address, at: float) -> float:
        others = min((due for other, due in self._due.items() if other != address), default=math.inf)
        until_others = max(GOES_ON_WITHIN_S, others - at)
        return min(GOES_ON_WITHIN_S * self._tries[address], until_others, OPENS_WITHIN_S)

    def _wait(self, tries: int) -> float:
        return self._jitter(SHORTEST_WAIT_S, min(FIRST_WAIT_S * 2 ** min(tries, 10), LONGEST_WAIT_S))
