from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from deployments.whisper_engine import Utterance, WhisperEngine
from deployments.whisper_weights import BUNDLED_FOLDER, WhisperWeights, find_weights
from serve_app.errors import ConfigurationError, TranscriptionError
from serve_app.ports import Transcript
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


def test_words_outside_the_vocabulary_come_with_little_confidence(engine: WhisperEngine) -> None:
    assert heard(engine, render("kitchen umbrella triangle", "en")).confidence < 0.6


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


def test_what_cannot_be_loaded_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="float7"):
        WhisperEngine(find_weights(None), compute_type="float7")
    (tmp_path / "model.bin").write_bytes(b"not a model")
    with pytest.raises(ConfigurationError, match=str(tmp_path)):
        WhisperEngine(WhisperWeights(tmp_path, bundled=False, sentence=""))
