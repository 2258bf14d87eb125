"""A browser for each module of tests, with a caller at its microphone."""

import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.web.browser import chromium

MICROPHONE_RATE = 48000


@pytest.fixture(scope="module")
def devtools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("chromium")
    with chromium(write_microphone(folder / "microphone.wav"), folder / "profile") as address:
        yield address


def write_microphone(path: Path) -> Path:
    """A caller who says something at 0.8 s and again, over a long answer, at 2.2 s; then over and over."""
    pieces = [silence(0.8), voice(0.5), silence(0.9), voice(0.5), silence(2.0)]
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, MICROPHONE_RATE, 0, "NONE", ""))
        file.writeframes((32767 * np.concatenate(pieces)).astype("<i2").tobytes())
    return path


def silence(seconds: float) -> NDArray[np.float64]:
    return np.zeros(round(seconds * MICROPHONE_RATE))


def voice(seconds: float) -> NDArray[np.float64]:
    """Harmonics that swell four times a second, as syllables do: the browser's noise suppression lets them pass."""
    time = np.arange(round(seconds * MICROPHONE_RATE)) / MICROPHONE_RATE
    buzz = sum(np.sin(2 * np.pi * 130 * harmonic * time) / harmonic for harmonic in range(1, 20))
    return np.asarray(0.25 * buzz * (0.55 - 0.45 * np.cos(2 * np.pi * 4 * time)))
