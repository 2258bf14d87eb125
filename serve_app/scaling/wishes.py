"""What a region wants running besides what its load needs: in the Gateway's `user_config`, so taken up live.

Each gateway tells it to the autoscaling policy with its load, as numbers: arguments of the policy itself would be a
change of code for Serve, which restarts replicas.
"""

from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Meta, Struct

from serve_app.scaling.schedule import Floors, Hours, highest

LEAD, SPARE = "lead_s", "spare_places"
FLOOR = "floor_"
"""Before the name of a deployment: the least replicas that it should have."""
STANDBY: Floors = {"LocalWhisper": 1}
"""While nobody else hears, whatever is configured: for a while after it has fallen asleep no request wakes it."""


class Wishes(Struct, frozen=True, forbid_unknown_fields=True):
    """`lead_s`: from the wish for one more gateway until it takes calls; so far ahead arrivals are reckoned with.
    `spare_places`: for conversations, kept free in all gateways together however few callers come. `timezone`: of the
    `schedule`, an IANA name. `while_stt_fails`: the floors while any gateway leaves the speech-to-text provider alone,
    or has none and somebody calls; STANDBY at least.
    """

    lead_s: Annotated[float, Meta(ge=0, le=3600)] = 20.0
    spare_places: Annotated[int, Meta(ge=0, le=100_000)] = 8
    timezone: str = "UTC"
    schedule: tuple[Hours, ...] = ()
    while_stt_fails: Floors = {}

    def __post_init__(self) -> None:
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as e:  # the last two: a path, a folder
            raise ValueError(f"there is no timezone {self.timezone!r}: name one like America/Sao_Paulo") from e

    def reported(self, now: float, *, stt_fails: bool) -> dict[str, float]:
        """For `record_autoscaling_stats`. `now`: seconds since the epoch."""
        local = datetime.fromtimestamp(now, ZoneInfo(self.timezone))
        floors = [hours.replicas for hours in self.schedule if hours.hold(local)]
        if stt_fails:
            floors += [STANDBY, self.while_stt_fails]
        least = {f"{FLOOR}{name}": float(replicas) for name, replicas in highest(floors).items()}
        return {LEAD: self.lead_s, SPARE: float(self.spare_places), **least}


def is_wish(name: str) -> bool:
    """Of a reported number: else it is a load."""
    return name in (LEAD, SPARE) or name.startswith(FLOOR)
