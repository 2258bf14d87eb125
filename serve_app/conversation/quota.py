"""How much may come in a minute: of one conversation, or of all those of a tenant that this replica has."""

from typing import Annotated, Literal

import msgspec

from serve_app.conversation.allowance import Bucket, TooMuch
from serve_app.errors import Unavailable

TOO_OFTEN = "more conversations begin than you may begin in a minute: try again later"
MINUTE_S = 60.0
MOST_IDLE = 1000
"""Tenants whose quotas are kept without a look at who is still there."""

Rate = Annotated[int, msgspec.Meta(ge=1)]


class Rates(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What may come in any minute, all at once too; None: as much as comes. `turns`: spoken or typed. `messages` and
    `bytes`: from the client, audio among them (a second of 16 kHz in base64 is 43,000 bytes)."""

    turns: Rate | None = None
    messages: Rate | None = None
    bytes: Rate | None = None


class TenantRates(Rates, frozen=True, forbid_unknown_fields=True):
    """And how many may be begun."""

    conversations: Rate | None = None


class Quota:
    """`now` is any clock in seconds, the same for all who share it. `owner` is who has too much then."""

    def __init__(self, owner: Literal["conversation", "tenant"], rates: Rates, now: float) -> None:
        self._owner = owner
        self._rates = {what: rate for what, rate in msgspec.structs.asdict(rates).items() if rate}
        self._buckets = {what: Bucket(rate / MINUTE_S, rate, now) for what, rate in self._rates.items()}

    def begin(self, now: float) -> None:
        """A conversation. Raises Unavailable."""
        if not self._take("conversations", 1, now):
            raise Unavailable(TOO_OFTEN)

    def message(self, size: int, now: float) -> None:
        """One of so many bytes came. Raises TooMuch."""
        self._charge("messages", 1, now)
        self._charge("bytes", size, now)

    def turn(self, now: float) -> None:
        """The caller took one. Raises TooMuch."""
        self._charge("turns", 1, now)

    def is_untouched(self, now: float) -> bool:
        """A new one would be the same."""
        return all(bucket.holds(now, self._rates[what]) for what, bucket in self._buckets.items())

    def _charge(self, what: str, count: int, now: float) -> None:
        if not self._take(what, count, now):
            where = "" if self._owner == "conversation" else " in all your conversations"
            raise TooMuch(f"too many {what}: {self._rates[what]} a minute may come{where}", f"{self._owner}_{what}")

    def _take(self, what: str, count: int, now: float) -> bool:
        bucket = self._buckets.get(what)
        return bucket is None or bucket.take(now, count)


class Quotas:
    """Of all tenants, by their names."""

    def __init__(self, rates: TenantRates) -> None:
        self._rates = rates
        self._of: dict[str, Quota] = {}

    def of(self, tenant: str, now: float) -> Quota:
        if len(self._of) > MOST_IDLE:
            self._of = {name: quota for name, quota in self._of.items() if not quota.is_untouched(now)}
        if tenant not in self._of:
            self._of[tenant] = Quota("tenant", self._rates, now)
        return self._of[tenant]
