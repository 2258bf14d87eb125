import shutil
from collections.abc import Sequence
from pathlib import Path

import ctranslate2
import numpy as np
import pytest
from faster_whisper.audio import decode_audio
from numpy.typing import NDArray

from deployments.whisper_engine import WINDOW_STEPS, Utterance, WhisperEngine
from deployments.whisper_weights import BUNDLED_FOLDER, REQUIRED_FILES, WhisperWeights, find_weights
from serve_app.audio.pcm import FULL_SCALE
from serve_app.errors import ConfigurationError, TranscriptionError
from serve_app.ports import Transcript
from tests import scripted_whisper
from tests.espeak import RATE, render

PHRASES = [
    ("en", "yes please"),
    ("en", "no thank you"),
    ("en", "good morning"),
    ("en", "how much does it cost"),
    ("en", "i forgot my password"),
    ("en", "i want to cancel my subscription"),
    ("en", "i want to pay my bill"),
    ("en", "i want to speak with a person"),
    ("en", "please speak slowly"),
    ("en", "seventeen"),
    ("pt", "sim"),
    ("pt", "bom dia"),
    ("pt", "não entendi"),
    ("pt", "esqueci a minha senha"),
    ("pt", "pode repetir por favor"),
    ("pt", "quero cancelar a assinatura"),
    ("pt", "quero falar com um atendente"),
    ("pt", "quero pagar a minha conta"),
    ("pt", "onde está o meu pedido"),
    ("pt", "dezesseis"),
]
KEYWORDS = ("Automagik", "Itaú")
RECORDINGS = Path(__file__).parents[3] / "shared" / "audio"
ASKS_AGAIN_BELOW = 0.6  # an agent's confidence_threshold, unless its file says another


@pytest.fixture(scope="module")
def engine() -> WhisperEngine:
    return WhisperEngine(find_weights(None))


@pytest.fixture(scope="module")
def padding_engine() -> WhisperEngine:
    """The bundled weights run the way of a real Whisper: windows of 12 s at least, and the stock decoder in doubt."""
    return WhisperEngine(WhisperWeights(BUNDLED_FOLDER, bundled=False, sentence=""))


def utterance(samples: NDArray[np.generic], language: str | None = None) -> Utterance:
    return Utterance(samples.astype("<i2").tobytes(), language)


def prompt(engine: WhisperEngine, keywords: tuple[str, ...]) -> list[int]:
    """What the decoder is given before it decodes a Portuguese utterance: tokens."""
    speech = engine._speech(Utterance(b"", "pt", keywords))
    return engine._prompt(engine._tokenizer("pt"), speech.hotwords)


def silence(seconds: float) -> NDArray[np.int16]:
    return np.zeros(round(seconds * RATE), np.int16)


def heard(engine: WhisperEngine, samples: NDArray[np.generic], language: str | None = None) -> Transcript:
    (outcome,) = engine.transcribe([utterance(samples, language)])
    assert isinstance(outcome, Transcript)
    return outcome


@pytest.mark.parametrize(("language", "phrase"), PHRASES)
def test_phrase_is_heard_exactly_in_the_language_it_was_said(engine: WhisperEngine, language: str, phrase: str) -> None:
    transcript = heard(engine, render(phrase, language))
    assert (transcript.text, transcript.language) == (phrase, language)
    assert 0.6 < transcript.confidence <= 1


@pytest.mark.parametrize("word", ["four", "eight", "three"])
def test_short_word_cut_off_at_its_end_is_heard_once(engine: WhisperEngine, word: str) -> None:
    samples = render(word, "en")
    end = np.flatnonzero(np.abs(samples) > 300)[-1]
    assert heard(engine, samples[:end]).text == word


def test_every_length_is_heard(engine: WhisperEngine) -> None:
    samples = render("no thank you", "en")
    for milliseconds in range(1000, 1800, 20):
        padded = np.concatenate([samples, silence(1)])[: milliseconds * RATE // 1000]
        assert (milliseconds, heard(engine, padded).text) == (milliseconds, "no thank you")


def test_language_given_is_used_and_an_unknown_one_is_detected(engine: WhisperEngine) -> None:
    samples = render("quero pagar a minha conta", "pt")
    assert heard(engine, samples, "en").language == "en"
    for unknown in ("de", "xx", ""):
        assert heard(engine, samples, unknown).language == "pt"


@pytest.mark.parametrize("seconds", [0, 0.001, 0.5, 3])
def test_silence_and_noise_say_nothing(engine: WhisperEngine, seconds: float) -> None:
    generator = np.random.default_rng(7)
    for amplitude in (0, 30, 1000):
        transcript = heard(engine, generator.standard_normal(round(seconds * RATE)) * amplitude)
        assert (transcript.text, transcript.confidence) == ("", 0.0)


# Some begin as sentences that it knows, which it then finishes in its own way.
OUTSIDE = [
    ("en", "kitchen umbrella triangle"),
    ("en", "i want to cancel my hotel room"),
    ("en", "hello this is margaret from the insurance company"),
    ("en", "ask not what your country can do for you"),
    ("en", "my name is jonathan and i live in bristol"),
    ("en", "he was not an ill disposed young man"),
    ("pt", "quero cancelar a minha reserva"),
    ("pt", "quero falar com o meu médico"),
    ("pt", "você viu o jogo de futebol ontem"),
    ("pt", "bom dia eu queria uma informação"),
    ("pt", "um grupo de crianças está andando perto do rio"),
    ("pt", "qual é a capital da frança"),
]


@pytest.mark.parametrize(("language", "words"), OUTSIDE)
def test_words_outside_the_vocabulary_come_with_little_confidence(
    engine: WhisperEngine, language: str, words: str
) -> None:
    assert heard(engine, render(words, language)).confidence < ASKS_AGAIN_BELOW


def test_what_it_can_hear_it_is_sure_of(engine: WhisperEngine) -> None:
    phrases = [line.split("\t") for line in (BUNDLED_FOLDER.parent / "phrases.txt").read_text().splitlines()]
    renderings = [
        (phrase, heard(engine, render(phrase, language, rate, voice)))
        for language, phrase in phrases
        for rate, voice in ((150, None), (175, {"en": "en-us+f2", "pt": "pt-br+m3"}[language]))
    ]
    sure = sum(t.text == phrase and t.confidence >= ASKS_AGAIN_BELOW for phrase, t in renderings)
    assert len(renderings) >= 200
    assert sure >= 0.95 * len(renderings)


@pytest.mark.skipif(not RECORDINGS.exists(), reason="no recordings here")
@pytest.mark.parametrize("language", [None, "own"])
def test_people_who_say_what_it_does_not_know_are_asked_again(engine: WhisperEngine, language: str | None) -> None:
    recordings = [path for path in sorted(RECORDINGS.glob("*_*.wav")) if path.name[:2] in ("en", "pt")]
    assert len(recordings) >= 8
    for path in recordings:
        samples = decode_audio(str(path)) * FULL_SCALE
        confidence = heard(engine, samples, path.name[:2] if language else None).confidence
        assert (path.name, confidence < ASKS_AGAIN_BELOW) == (path.name, True)


def test_a_bad_utterance_fails_alone_and_order_is_kept(engine: WhisperEngine) -> None:
    good = [utterance(render(phrase, language)) for language, phrase in PHRASES[8:12]]
    outcomes = engine.transcribe([good[0], Utterance(b"\x00\x01\x02", None), *good[1:], Utterance(b"\x00", "pt")])
    assert isinstance(outcomes[1], TranscriptionError)
    assert isinstance(outcomes[5], TranscriptionError)
    assert [outcome.text for outcome in outcomes if isinstance(outcome, Transcript)] == [p for _, p in PHRASES[8:12]]


def test_no_utterances_no_outcomes(engine: WhisperEngine) -> None:
    assert engine.transcribe([]) == []


def test_longer_than_thirty_seconds_is_heard_to_its_end(engine: WhisperEngine) -> None:
    # The bundled model knows sentences, not half a minute of them: a sentence at either end is what it can do.
    samples = np.concatenate([render("bom dia", "pt"), silence(30), render("quero pagar a minha conta", "pt")])
    transcript = heard(engine, samples, "pt")
    assert transcript.text.startswith("bom dia")
    assert transcript.text.endswith("quero pagar a minha conta")


def test_real_whisper_hears_a_window_of_many_at_once(padding_engine: WhisperEngine) -> None:
    few = PHRASES[4:8] + PHRASES[14:18]
    outcomes = padding_engine.transcribe([utterance(render(phrase, language)) for language, phrase in few])
    assert [(o.language, o.text) for o in outcomes if isinstance(o, Transcript)] == few


def test_keywords_do_not_reach_the_bundled_model(engine: WhisperEngine) -> None:
    plain = [utterance(render(phrase, language)) for language, phrase in PHRASES]
    prompted = [Utterance(one.pcm, one.language, KEYWORDS) for one in plain]
    assert engine.transcribe(prompted) == engine.transcribe(plain)
    assert [outcome.text for outcome in engine.transcribe(prompted) if isinstance(outcome, Transcript)] == [
        phrase for _, phrase in PHRASES
    ]


def test_real_whisper_is_prompted_with_the_keywords(padding_engine: WhisperEngine) -> None:
    tokenizer = padding_engine._tokenizer("pt")
    start = [*tokenizer.sot_sequence, tokenizer.no_timestamps]
    previous, *words = prompt(padding_engine, KEYWORDS)
    assert previous == tokenizer.sot_prev
    assert words[-len(start) :] == start
    assert tokenizer.decode(words[: -len(start)]) == " Automagik, Itaú"
    assert prompt(padding_engine, ()) == start


def test_no_more_keywords_than_whisper_has_room_for(padding_engine: WhisperEngine) -> None:
    tokenizer = padding_engine._tokenizer("pt")
    many = prompt(padding_engine, KEYWORDS * 100)
    assert many.index(tokenizer.sot) == 224
    assert tokenizer.decode(many[1:224]).startswith(" Automagik, Itaú, Automagik")


def test_utterances_with_and_without_keywords_share_a_batch(padding_engine: WhisperEngine) -> None:
    """The bundled weights say nothing after a prompt; what is without one is heard all the same, in its place."""
    (_, few), (_, many) = PHRASES[5], PHRASES[17]
    plain = utterance(render(few, "en"), "en"), utterance(render(many, "pt"), "pt")
    prompted = [Utterance(one.pcm, one.language, KEYWORDS[:count]) for one in plain for count in (1, 2)]
    outcomes = padding_engine.transcribe([prompted[0], plain[0], *prompted[1:], plain[1]])
    assert all(isinstance(outcome, Transcript) for outcome in outcomes)
    assert [outcome.text for outcome in (outcomes[1], outcomes[5]) if isinstance(outcome, Transcript)] == [few, many]


@pytest.mark.parametrize(
    ("seconds", "bundled_window", "real_window"),
    [
        (1, 140, 1200),
        (1.2, 162, 1200),
        (2.005, 242, 1200),
        (11, 1140, 1300),
        (29, 2940, 3000),
        (30, 3000, 3000),
        (30.01, None, None),
    ],
)
def test_windows(
    engine: WhisperEngine,
    padding_engine: WhisperEngine,
    seconds: float,
    bundled_window: int | None,
    real_window: int | None,
) -> None:
    speech = engine._speech(utterance(silence(seconds)))
    assert engine._window(speech) == bundled_window
    assert padding_engine._window(speech) == real_window


def test_doubt_about_a_short_window_is_settled_by_the_stock_decoder(padding_engine: WhisperEngine) -> None:
    samples = render("kitchen umbrella triangle", "en")
    speech = padding_engine._speech(utterance(samples, "en"))
    assert heard(padding_engine, samples, "en") == padding_engine._transcribe_padded(speech)


def scripted_engine(folder: Path, says: Sequence[str], **faults: bool) -> WhisperEngine:
    scripted_whisper.write(folder, says, **faults)
    return WhisperEngine(WhisperWeights(folder, bundled=False, sentence=""))


@pytest.mark.parametrize("seconds", [0.5, 2, 9])
def test_a_decoder_that_loops_in_a_short_window_is_asked_again_in_a_long_one(tmp_path: Path, seconds: float) -> None:
    looping = scripted_engine(tmp_path, ["obrigado", "bom", "dia"], loops_when_short=True)
    samples = np.random.default_rng(7).standard_normal(round(seconds * RATE)) * 1000
    speech = looping._speech(utterance(samples, "pt"))
    [raw] = looping._generate(looping._encode(1200, [speech]), [looping._tokenizer("pt")], [speech])
    assert len(set(raw.sequences_ids[0])) == 1
    assert len(raw.sequences_ids[0]) == 16 + 10 * seconds  # stopped, and not only at its limit
    assert heard(looping, samples, "pt").text == "obrigado bom dia"


def test_the_fastest_speech_is_heard_to_its_end(tmp_path: Path) -> None:
    """Nine tokens a second: a limit meant for loops must not cut off what was said."""
    words = ["zero", "um", "dois", "cinco", "oito", "nove", "dez", "onze", "doze", "vinte", "sim", "claro", "tchau"] * 4
    engine = scripted_engine(tmp_path, words)
    [hypothesis] = engine._transcribe_short(1200, [engine._speech(utterance(silence(len(words) / 9), "pt"))])
    assert hypothesis.text == " ".join(words)


def test_what_loops_in_a_long_window_too_is_not_believed(tmp_path: Path) -> None:
    looping = scripted_engine(tmp_path, ["obrigado"] * 60)
    transcript = heard(looping, np.random.default_rng(7).standard_normal(8 * RATE) * 1000, "pt")
    assert "obrigado obrigado obrigado" in transcript.text
    assert transcript.confidence <= 0.2


def test_on_a_gpu_unlike_lengths_share_a_window(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU's step is taken on this CPU: what is shared does not depend on what runs it."""
    monkeypatch.setitem(WINDOW_STEPS, "cpu", WINDOW_STEPS["cuda"])
    engine = scripted_engine(tmp_path, ["sim", "claro"])
    windows = [engine._window(engine._speech(utterance(silence(seconds)))) for seconds in (2, 10, 11, 15.9, 17, 27)]
    assert windows == [1200, 1200, 1800, 1800, 2400, 3000]
    assert [t.text for t in engine.transcribe([utterance(silence(seconds), "pt") for seconds in (2, 13)])] == [
        "sim claro"
    ] * 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"compute_type": "float7"}, r"whisper_compute_type is 'float7': on this cpu it can be .*int8"),
        ({"device": "tpu"}, "whisper_device is 'tpu': it can be cpu or cuda"),
    ],
)
def test_what_cannot_run_is_a_configuration_error_that_says_what_to_set(options: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        WhisperEngine(find_weights(None), **options)


@pytest.mark.skipif(ctranslate2.get_cuda_device_count() > 0, reason="there is a GPU here")
def test_a_gpu_that_is_not_there_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match=r"CUDA finds no device: .*set whisper_device to cpu"):
        WhisperEngine(find_weights(None), device="cuda")


@pytest.mark.parametrize("broken", REQUIRED_FILES)
def test_what_is_no_model_is_a_configuration_error(tmp_path: Path, broken: str) -> None:
    shutil.copytree(BUNDLED_FOLDER, tmp_path, dirs_exist_ok=True)
    (tmp_path / broken).write_bytes(b"not a model")
    with pytest.raises(ConfigurationError, match=f"Whisper in {tmp_path} does not run as int8 on cpu: "):
        WhisperEngine(WhisperWeights(tmp_path, bundled=False, sentence=""))


def test_what_loads_and_does_not_run_is_a_configuration_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Libraries of a GPU, for one, are first looked for when a model first runs."""

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("Library libcublas.so.12 is not found or cannot be loaded")

    monkeypatch.setattr("ctranslate2.models.Whisper.encode", fail)
    with pytest.raises(ConfigurationError, match=r"does not run as int8 on cpu: Library libcublas\.so\.12"):
        WhisperEngine(find_weights(None))
