"""Programs that a region on this machine takes, and Python's package indexes don't have: `make region-tools`."""

import os
import shutil
from collections.abc import Mapping

from tests.cluster.template import REPOSITORY

UNPACKED = REPOSITORY / ".venv" / "region-tools"
"""Debian's packages, unpacked and not installed."""
PROGRAMS = {"ip": "iproute2", "ss": "iproute2", "unshare": "util-linux", "nft": "nftables", "redis-server": "redis"}
"""And the packages they are in."""


def program(name: str) -> str:
    """Its path; empty when there is none."""
    for folder in ("usr/sbin", "usr/bin"):
        if (unpacked := UNPACKED / folder / name).exists():
            return str(unpacked)
    return shutil.which(name) or ""


def environment() -> Mapping[str, str]:
    """What the unpacked ones need to find the libraries that were unpacked with them."""
    return {"LD_LIBRARY_PATH": ":".join(map(str, (UNPACKED / "usr" / "lib").glob("*-linux-gnu")))}


def missing() -> str:
    """What there is not here that a region takes; empty when nothing is missing."""
    if os.geteuid() != 0:
        return "it takes root, for network namespaces"
    lacking = [f"{name} (Debian: apt-get install {package})" for name, package in PROGRAMS.items() if not program(name)]
    return f"no program {', '.join(lacking)}" if lacking else ""
