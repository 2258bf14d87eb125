"""Findings as the measured part of a page that says more."""

import re
from collections.abc import Iterable, Sequence

from tests.regions.findings import Bar, Finding

HEADING = "## Measured"
INTRODUCTION = f"""\
{HEADING}

`make scaling` makes this part: the real server with one region's config, on one machine of two cores. The cluster is \
Ray's own, a head and four nodes that are only processes; GPUs are numbers, and labels are all that a region is. \
Groq is a fake that hears at once; LocalWhisper's recogniser is the small bundled one, on the processor. Numbers \
differ from the region's so that everything is over in minutes: `tests/regions/cluster.yaml` has them.
"""


def section(findings: Sequence[Finding], others_busy: float) -> str:
    """`others_busy`: the share of the processors that others had before it began."""
    parts = [f"### {each.title}\n\n{each.told}\n\n{bars(each.bars)}\n" for each in findings]
    noise = f"Before it began, other programs kept {others_busy:.0%} of the machine's processors busy.\n"
    return "\n".join([INTRODUCTION, *parts, noise])


def with_section(page: str, section: str) -> str:
    """The page with `section` in the place of its own measured one, or at its end."""
    found = re.search(rf"^{HEADING}\n.*?(?=^## |\Z)", page, re.DOTALL | re.MULTILINE)
    if not found:
        return f"{page.rstrip()}\n\n{section}"
    rest = page[found.end() :]
    return page[: found.start()] + section + ("\n" + rest if rest else "")


def terminal(finding: Finding) -> str:
    return f"\n{finding.title}\n\n{finding.told}\n\n{bars(finding.bars)}"


def unmet(findings: Sequence[Finding]) -> list[str]:
    return [f"{each.title}: {bar.name}" for each in findings for bar in each.bars if not bar.met]


def bars(of: Iterable[Bar]) -> str:
    return "\n".join(f"- {bar.name}: {'met' if bar.met else '**not met**'}" for bar in of)
