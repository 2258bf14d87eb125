"""What batches do for LocalWhisper: 16 utterances that come at once, recognised 1, 2, 4, 8 and 16 at a time.

    OMP_NUM_THREADS=1 python -m benchmarks.whisper_batches [--device cuda] [--models bundled tiny base small]

Each utterance has a length of its own, as callers' do. "total" is until the last of them is done; "p50" and "p95" are
an utterance's own wait, its batch and those before it; "gain" is the total of one by one over this one. In ms, of the
quickest of the rounds: on a shared machine the others measure the neighbours. OMP_NUM_THREADS as Ray sets it for the
replica. The models but the bundled one have the true shape and say as many words as people do, three a second: cost
does not depend on the weights, so no real ones are needed.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from deployments.whisper_engine import SAMPLE_RATE, Utterance, WhisperEngine
from deployments.whisper_weights import WhisperWeights, find_weights
from tests import scripted_whisper
from tests.espeak import render

CONCURRENT = 16
BATCH_SIZES = (1, 2, 4, 8, 16)
SHAPES = {"tiny": scripted_whisper.TINY, "base": scripted_whisper.BASE, "small": scripted_whisper.SMALL}
LENGTHS_S = {"2 s": (1.8, 2.2), "5-12 s": (5.0, 12.0)}
WORDS = (
    "zero",
    "um",
    "dois",
    "três",
    "quatro",
    "cinco",
    "seis",
    "sete",
    "oito",
    "nove",
    "dez",
    "onze",
    "doze",
    "vinte",
)
WORDS_PER_SECOND = 3
SPOKEN = ("quero pagar a minha conta", "onde está o meu pedido", "esqueci a minha senha", "quero cancelar a assinatura")


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure LocalWhisper's batches.")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--models", nargs="+", default=["bundled", "tiny"], choices=["bundled", *SHAPES])
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of the engine")
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    print(f"{'model':8} {'speech':8} {'batch':>5} {'total':>8} {'p50':>8} {'p95':>8} {'gain':>6}")
    for model in arguments.models:
        for name, (shortest, longest) in LENGTHS_S.items():
            utterances = speech(np.linspace(shortest, longest, CONCURRENT))
            with tempfile.TemporaryDirectory() as folder:
                weights = _weights(model, Path(folder), round((shortest + longest) / 2 * WORDS_PER_SECOND))
                engine = WhisperEngine(weights, device=arguments.device, cpu_threads=arguments.threads)
                compare(f"{model:8} {name:8}", engine, utterances, arguments.rounds)


def speech(lengths_s: Sequence[float]) -> list[Utterance]:
    """Sentences one after another, cut to these lengths and shuffled; Portuguese, said by nobody in particular."""
    said = np.concatenate([render(sentence, "pt") for sentence in SPOKEN * 3])
    cut = [Utterance(said[: round(length * SAMPLE_RATE)].tobytes(), "pt") for length in lengths_s]
    return [cut[place] for place in np.random.default_rng(1).permutation(len(cut))]


def compare(name: str, engine: WhisperEngine, utterances: Sequence[Utterance], rounds: int) -> None:
    """Print a line for each batch size. The sizes take turns, so that a noisy moment does not fall on one alone."""
    waits_ms(engine, utterances, CONCURRENT)  # the first run of all pays for memory
    turns = [{size: waits_ms(engine, utterances, size) for size in BATCH_SIZES} for _ in range(rounds)]
    best = {size: min((turn[size] for turn in turns), key=max) for size in BATCH_SIZES}
    for size, waits in best.items():
        total, (p50, p95) = max(waits), np.percentile(waits, (50, 95))
        print(f"{name} {size:5} {total:8.0f} {p50:8.0f} {p95:8.0f} {max(best[1]) / total:6.2f}", flush=True)


def waits_ms(engine: WhisperEngine, utterances: Sequence[Utterance], size: int) -> list[float]:
    """Each utterance's wait when all come now and are taken `size` at a time."""
    started, waits = time.perf_counter(), []
    for first in range(0, len(utterances), size):
        batch = utterances[first : first + size]
        engine.transcribe(batch)
        waits += [1000 * (time.perf_counter() - started)] * len(batch)
    return waits


def _weights(model: str, folder: Path, words: int) -> WhisperWeights:
    if model == "bundled":
        return find_weights(None)
    says = [WORDS[place % len(WORDS)] for place in range(words)]
    scripted_whisper.write(folder, says, SHAPES[model])
    return WhisperWeights(folder, bundled=False, sentence="")


if __name__ == "__main__":
    main()
