"""How many replicas there should be at certain hours, whatever their load: pure, in the region's own time of day."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Literal, TypeAlias, get_args

from msgspec import Meta, Struct, field

DeploymentName: TypeAlias = Literal["Gateway", "Vad", "LocalWhisper", "TtsProxy"]
Floors: TypeAlias = Mapping[DeploymentName, Annotated[int, Meta(ge=0, le=1000)]]
"""At least so many replicas of a deployment; one that is not named may have as few as its autoscaling_config says."""
Day: TypeAlias = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
TimeOfDay: TypeAlias = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]

DEPLOYMENTS: tuple[DeploymentName, ...] = get_args(DeploymentName)
DAYS: tuple[Day, ...] = get_args(Day)
"""In the order of `datetime.weekday()`."""


class Hours(Struct, frozen=True, forbid_unknown_fields=True):
    """The floors on `days`, from a time of day up to another ("HH:MM"). An `until` that is not after `from` is on the
    next day: equal ones are a whole day. The clock on the wall counts, so an hour that is repeated in autumn is twice
    within, and one that spring leaves out never."""

    replicas: Floors
    days: Annotated[tuple[Day, ...], Meta(min_length=1)] = DAYS
    from_: TimeOfDay = field(name="from", default="00:00")
    until: TimeOfDay = "00:00"

    def hold(self, local: datetime) -> bool:
        """Whether it is such an hour. `local`: on the region's wall clock."""
        time = f"{local:%H:%M}"
        if self.from_ < self.until:
            return self._begin(local) and self.from_ <= time < self.until
        return (self._begin(local) and self.from_ <= time) or (
            self._begin(local - timedelta(days=1)) and time < self.until
        )

    def _begin(self, local: datetime) -> bool:
        return DAYS[local.weekday()] in self.days


def highest(floors: Iterable[Floors]) -> dict[DeploymentName, int]:
    """Of every deployment, 0 where nobody names it."""
    given = list(floors)
    return {name: max((each.get(name, 0) for each in given), default=0) for name in DEPLOYMENTS}
