"""Prometheus' own programs: installed, or where `make prometheus` puts them."""

import shutil
from pathlib import Path

UNPACKED = Path(__file__).parents[2] / ".venv" / "prometheus" / "usr" / "bin"
ABSENT = "there is none: make prometheus, or apt-get install prometheus"


def program(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path=str(UNPACKED))
