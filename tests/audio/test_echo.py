from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serve_app.audio.echo import LIKELY, REACH, WINDOW, Echo
from serve_app.audio.framing import RATE
from serve_app.audio.pcm import Samples, level_db
from tests.audio.human_speech import HUMAN_CLIPS, human_clip
from tests.audio.room import VOICE_DB, Room, Wave, as_samples, at_voice_level
from tests.espeak import render

MS = RATE // 1000
PIECE = 40 * MS
EVERY = 60 * MS

OURS = {
    "pt": "Bom dia, aqui é a clínica. Você gostaria de marcar uma consulta para amanhã de manhã?",
    "en": "Good morning, this is the clinic. Would you like to book an appointment for tomorrow morning?",
}
THEIRS = {
    "pt": "Espera, não é isso, eu queria falar de outra coisa, desculpa.",
    "en": "Wait, that is not it, sorry, I wanted to talk about something else.",
}
NEAR = Room(loss_db=12, delay_ms=180, reverberation_ms=200)
ROOMS = {
    "headset": Room(loss_db=30, delay_ms=20, noise_db=-75),
    "laptop": Room(loss_db=6, delay_ms=120, reverberation_ms=100, drive=4),
    "living room": Room(loss_db=14, delay_ms=240, reverberation_ms=400),
    "far loudspeaker": Room(loss_db=14, delay_ms=240, reverberation_ms=300, direct_db=-1),
    "Bluetooth in a noisy room": Room(loss_db=12, delay_ms=600, reverberation_ms=200, noise_db=-47),
    "telephone": Room(loss_db=15, delay_ms=350, reverberation_ms=100, telephone=True),
    "faint": Room(loss_db=40, delay_ms=90, reverberation_ms=100, noise_db=-80),
}
CLIPS = sorted(path.name for path in HUMAN_CLIPS.glob("??_*.wav"))


@cache
def spoken(text: str, language: str, variant: str = "", db: float = VOICE_DB) -> Wave:
    voice = {"pt": "pt-br", "en": "en-us"}[language] + variant
    return at_voice_level(render(text, language, voice=voice), db)


def our_voice(language: str, variant: str = "") -> Samples:
    """Preceded by a second of silence, as a call is."""
    return as_samples(np.concatenate([np.zeros(RATE), spoken(OURS[language], language, variant)]))


def ducked(voice: Samples) -> Samples:
    gains = np.where(np.arange(len(voice)) // (400 * MS) % 2, 0.25, 1.0)
    return np.rint(voice * np.convolve(gains, np.full(PIECE, 1 / PIECE), "same")).astype(np.int16)


def judged(echo: Echo, heard: Samples, voice: Samples, first: int = RATE) -> list[tuple[int, float]]:
    """Play `voice` in pieces 60 ms ahead; judge what is heard from sample `first` on, wherever it is loud
    as the detector's gate wants it. What is heard begins with the line's noise."""
    verdicts, sent = [], 0
    loudest = max(level_db(heard[at : at + WINDOW]) for at in range(first, len(heard) - WINDOW, EVERY))
    loud = max(loudest - 20, level_db(heard[:WINDOW]) + 8)
    for end in range(first + WINDOW, len(heard), EVERY):
        while sent < min(end + 60 * MS, len(voice)):
            echo.played(voice[sent : sent + PIECE], sent)
            sent += PIECE
        if level_db(heard[end - WINDOW : end]) > loud:
            verdicts.append((end, echo.likeness(heard[end - WINDOW : end], end)))
    return verdicts


def share_likely(verdicts: list[tuple[int, float]]) -> float:
    assert len(verdicts) >= 5
    return float(np.mean([likeness >= LIKELY for _, likeness in verdicts]))


@pytest.mark.parametrize("language", OURS)
@pytest.mark.parametrize("room", ROOMS.values(), ids=ROOMS)
def test_our_voice_is_known_in_any_room(room: Room, language: str) -> None:
    voice = ducked(our_voice(language, "+f2"))
    verdicts = judged(Echo(), room.heard(room.returned(voice)), voice, RATE + room.delay_ms * MS)
    first = next(end for end, likeness in verdicts if likeness >= LIKELY)
    assert first <= RATE + room.delay_ms * MS + 400 * MS  # two windows must agree
    assert share_likely(verdicts[4:]) >= (0.7 if room.direct_db < 0 else 0.9)


@pytest.mark.parametrize(("ours", "theirs"), [("", ""), ("+f2", "+f2"), ("", "+m3"), ("+f2", "")])
@pytest.mark.parametrize("language", OURS)
def test_a_caller_is_no_echo(language: str, ours: str, theirs: str) -> None:
    """The same synthetic voice says one sound always the same way: it may be taken for us, but not for long."""
    caller = np.concatenate([np.zeros(RATE + 150 * MS), spoken(THEIRS[language], language, theirs)])
    verdicts = judged(Echo(), NEAR.heard(caller), our_voice(language, ours))
    assert share_likely(verdicts) <= (0.1 if ours == theirs else 0.05)


@cache
def human(clip: str) -> Samples:
    """Preceded by a second of silence; 4 s of it at most."""
    return as_samples(np.concatenate([np.zeros(RATE), at_voice_level(human_clip(clip))])[: 5 * RATE])


@pytest.mark.skipif(not CLIPS, reason="no human recordings here")
@pytest.mark.parametrize("clip", CLIPS or ["none"])
def test_a_human_voice_of_ours_is_known(clip: str) -> None:
    heard = NEAR.heard(NEAR.returned(human(clip)))
    assert share_likely(judged(Echo(), heard, human(clip), RATE + 180 * MS)[3:]) >= 0.85


@pytest.mark.skipif(not CLIPS, reason="no human recordings here")
@pytest.mark.parametrize("clip", CLIPS or ["none"])
def test_a_human_caller_is_no_echo(clip: str) -> None:
    heard = NEAR.heard(human(clip) / 32768)
    others = [human(other) for other in CLIPS if other != clip] + [our_voice("pt"), our_voice("en", "+f2")]
    verdicts = [verdict for voice in others for verdict in judged(Echo(), heard, voice)]
    assert share_likely(verdicts) <= 0.01


def power(wave: Wave, end: int) -> float:
    return float(np.mean(wave[end - WINDOW : end] ** 2))


@pytest.mark.parametrize("over_db", [0, 6])
@pytest.mark.parametrize("language", OURS)
def test_who_speaks_over_an_echo_as_loud_as_it_is_the_caller(language: str, over_db: int) -> None:
    voice = our_voice(language)
    echo = NEAR.returned(voice)
    begins = RATE + 1200 * MS
    caller = spoken(THEIRS[language], language, "+f2", VOICE_DB - NEAR.loss_db + over_db)[: len(voice) - begins]
    both = echo.copy()
    both[begins : begins + len(caller)] += caller
    verdicts = judged(Echo(), NEAR.heard(both), voice, RATE + NEAR.delay_ms * MS)
    assert share_likely([(end, likeness) for end, likeness in verdicts if end < begins][2:]) >= 0.9
    overheard = [
        likeness
        for end, likeness in verdicts
        if begins + WINDOW <= end <= begins + len(caller) and power(both - echo, end) >= power(echo, end)
    ]
    assert len(overheard) >= 5
    assert np.mean(np.array(overheard) >= LIKELY) <= 0.1


def test_it_is_silent_about_an_echo_until_two_windows_agree() -> None:
    voice = our_voice("pt")
    heard = NEAR.heard(NEAR.returned(voice))
    echo = Echo()
    echo.played(voice[: 2 * RATE], 0)
    first, second = RATE + 400 * MS, RATE + 500 * MS
    assert echo.likeness(heard[first - WINDOW : first], first) == 0
    assert echo.likeness(heard[second - WINDOW : second], second) >= LIKELY


def test_a_delay_that_changes_is_found_again() -> None:
    voice = our_voice("pt")
    late = NEAR._replace(delay_ms=420)
    half = len(voice) // 2
    heard = np.concatenate([NEAR.heard(NEAR.returned(voice))[:half], late.heard(late.returned(voice))[half:]])
    after = [likeness for end, likeness in judged(Echo(), heard, voice, RATE + 180 * MS) if end > half + 2 * WINDOW]
    assert np.mean(np.array(after) >= LIKELY) >= 0.9


def test_a_clock_that_jitters_does_not_tear_our_voice() -> None:
    voice = our_voice("pt")
    heard = NEAR.heard(NEAR.returned(voice))
    jitter = np.random.default_rng(3).integers(-40 * MS, 40 * MS, len(voice) // PIECE)
    steady, shaken = Echo(), Echo()
    for number, late in enumerate(jitter[: 2 * RATE // PIECE]):
        piece = voice[number * PIECE : (number + 1) * PIECE]
        steady.played(piece, number * PIECE)
        shaken.played(piece, number * PIECE + (late if number else 0))
    for end in (RATE + 500 * MS, RATE + 600 * MS, RATE + 700 * MS):
        window = heard[end - WINDOW : end]
        assert shaken.likeness(window, end) == steady.likeness(window, end)


def test_what_will_not_sound_is_forgotten() -> None:
    voice = our_voice("pt")
    planned, replaced = Echo(), Echo()
    for echo in (planned, replaced):
        echo.played(voice[: 2 * RATE], 0)
    replaced.played(np.zeros(PIECE, np.int16), RATE)
    heard = NEAR.heard(NEAR.returned(voice))
    ends = (RATE + 500 * MS, RATE + 600 * MS)
    assert planned.likeness(heard[ends[0] - WINDOW : ends[0]], ends[0]) == 0
    assert planned.likeness(heard[ends[1] - WINDOW : ends[1]], ends[1]) >= LIKELY
    assert [replaced.likeness(heard[end - WINDOW : end], end) for end in ends] == [0, 0]


def test_a_callers_clock_that_falls_behind_is_followed() -> None:
    """A muted microphone sends nothing: its clock stands still while we talk on."""
    voice = our_voice("pt")
    echo = Echo()
    echo.played(voice, 60 * RATE)
    assert share_likely(judged(echo, NEAR.heard(NEAR.returned(voice)), voice, RATE + 180 * MS)[4:]) >= 0.9


def test_our_voice_is_no_matter_once_its_echo_must_have_ended() -> None:
    voice = our_voice("pt")[RATE:]
    echo = Echo()
    echo.played(voice, 0)
    for late in (REACH + WINDOW, REACH + 10 * RATE):
        end = len(voice) + late
        assert [echo.likeness(voice[-WINDOW:], end) for _ in range(3)] == [0, 0, 0]


SOUNDS = {
    "silence": lambda size: np.zeros(size, np.int16),
    "offset": lambda size: np.full(size, 9000, np.int16),
    "clipped": lambda size: np.where(np.arange(size) // 37 % 2, 32767, -32768).astype(np.int16),
    "one click": lambda size: np.eye(1, size, size // 2, dtype=np.int16)[0] * np.int16(30000),
    "noise": lambda size: np.random.default_rng(size).integers(-32768, 32768, size).astype(np.int16),
}
SOUND = st.sampled_from(sorted(SOUNDS))
STEP = st.tuples(SOUND, st.integers(0, 3 * RATE), st.integers(-RATE, 5 * RATE), st.booleans())


@settings(max_examples=60, deadline=None)
@given(st.lists(STEP, max_size=8))
def test_whatever_it_hears_it_answers_within_bounds(steps: list[tuple[str, int, int, bool]]) -> None:
    echo = Echo()
    for sound, size, at, ours in steps:
        samples = SOUNDS[sound](size)
        if ours:
            echo.played(samples, at)
        else:
            assert 0 <= echo.likeness(samples[:WINDOW], at) <= 1
