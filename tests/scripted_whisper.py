"""A Whisper model of any size that says what it was told to, whatever it hears: for its cost, and for its faults.

What a model costs depends on its shape and on how many tokens it says, not on its weights. These are all zero but for
a few, which let the position in the text choose the word. It never understands anything.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from ctranslate2.specs import WhisperSpec
from ctranslate2.specs.attention_spec import MultiHeadAttentionSpec
from ctranslate2.specs.common_spec import LayerNormSpec, LinearSpec
from ctranslate2.specs.transformer_spec import FeedForwardSpec
from numpy.typing import NDArray

from deployments.whisper_weights import BUNDLED_FOLDER

POSITIONS = 1_500  # of the encoder: 30 s
TEXT_POSITIONS = 448
SHORT_POSITIONS = 750  # 15 s, the half: over a full window the two sides cancel out
MELS = 80
PROMPT_TOKENS = 4  # start of transcript, language, task, no timestamps

LENGTH = 0  # the dimension that says whether the window is a short one; after it, one for each token of the text
LOUD = 30.0  # a logit that nothing else comes near


class Shape(NamedTuple):
    layers: int
    width: int
    heads: int
    vocabulary: int


SMALLEST = Shape(1, 64, 1, 0)  # 0: as many tokens as the bundled model
TINY = Shape(4, 384, 6, 51_865)  # Whisper tiny, base, small as published
BASE = Shape(6, 512, 8, 51_865)
SMALL = Shape(12, 768, 12, 51_865)


def write(folder: Path, says: Sequence[str], shape: Shape = SMALLEST, *, loops_when_short: bool = False) -> Path:
    """A CTranslate2 model that says these words of the bundled vocabulary, fewer than its width, then stops.

    `loops_when_short`: unless its window is longer than 15 s it says the first of them for ever, which is the fault
    that short windows are known for.
    """
    spec = WhisperSpec(shape.layers, shape.heads, shape.layers, shape.heads)
    tokens = json.loads((BUNDLED_FOLDER / "vocabulary.json").read_bytes())
    tokens += [f"<|unused{number}|>" for number in range(shape.vocabulary - len(tokens))]
    _fill_encoder(spec, shape.width)
    _fill_decoder(spec, shape.width, tokens, says, loops_when_short)
    spec.register_vocabulary(tokens)
    config = json.loads((BUNDLED_FOLDER / "config.json").read_bytes())
    spec.config.suppress_ids, spec.config.suppress_ids_begin = config["suppress_ids"], []
    spec.config.lang_ids, spec.config.alignment_heads = config["lang_ids"], [[0, 0]]
    spec.validate()
    spec.optimize(quantization="int8_float16")
    folder.mkdir(parents=True, exist_ok=True)
    spec.save(str(folder))
    for name in ("tokenizer.json", "preprocessor_config.json"):
        (folder / name).write_bytes((BUNDLED_FOLDER / name).read_bytes())
    return folder


def _fill_encoder(spec: WhisperSpec, width: int) -> None:
    """All it passes on is how long the window is: each position says on which side of 15 s it lies."""
    encoder = spec.encoder
    for convolution, channels in ((encoder.conv1, MELS), (encoder.conv2, width)):
        convolution.weight, convolution.bias = _zeros(width, channels, 3), _zeros(width)
    positions = _zeros(POSITIONS, width)
    positions[:SHORT_POSITIONS, LENGTH], positions[SHORT_POSITIONS:, LENGTH] = -1, 1
    encoder.position_encodings.encodings = positions
    _pass(encoder.layer_norm, width)
    for layer in encoder.layer:
        _silence_attention(layer.self_attention, width, inputs=(3, 1))
        _silence_feed_forward(layer.ffn, width)


def _fill_decoder(
    spec: WhisperSpec, width: int, tokens: list[str], says: Sequence[str], loops_when_short: bool
) -> None:
    decoder = spec.decoder
    text = [tokens.index(token) for token in (*(_token(word) for word in says), "<|endoftext|>")]
    positions, logits = _zeros(TEXT_POSITIONS, width), _zeros(len(tokens), width)
    for place, token in enumerate(text, start=1):
        positions[PROMPT_TOKENS - 2 + place, place] = 1  # the prompt's last token asks for the first of the text
        logits[token, place] = LOUD
    positions[PROMPT_TOKENS - 1 + len(text) :, len(text)] = 1
    if loops_when_short:
        logits[text[0], LENGTH] = -2 * LOUD
    decoder.position_encodings.encodings = positions
    decoder.embeddings.weight, decoder.projection.weight = _zeros(len(tokens), width), logits
    _pass(decoder.layer_norm, width)
    for number, layer in enumerate(decoder.layer):
        _silence_attention(layer.self_attention, width, inputs=(3, 1))
        _silence_attention(layer.attention, width, inputs=(1, 2, 1))
        if loops_when_short and number == 0:
            _listen_to_length(layer.attention, width)
        _silence_feed_forward(layer.ffn, width)


def _token(word: str) -> str:
    """As the byte-level vocabulary writes it: a space, and every byte of what is not ASCII, as a letter."""
    return "Ġ" + "".join(chr(byte) for byte in word.encode())


def _listen_to_length(attention: MultiHeadAttentionSpec, width: int) -> None:
    """With no query every position counts the same: what arrives is the mean over the window."""
    keys_and_values, output = attention.linear[1], attention.linear[2]
    keys_and_values.weight[width + LENGTH, LENGTH] = 1
    output.weight[LENGTH, LENGTH] = 1


def _silence_attention(attention: MultiHeadAttentionSpec, width: int, inputs: tuple[int, ...]) -> None:
    _pass(attention.layer_norm, width)
    for linear, multiple in zip(attention.linear, inputs, strict=True):
        _silence(linear, multiple * width, width)


def _silence_feed_forward(ffn: FeedForwardSpec, width: int) -> None:
    _pass(ffn.layer_norm, width)
    _silence(ffn.linear_0, 4 * width, width)
    _silence(ffn.linear_1, width, 4 * width)


def _silence(linear: LinearSpec, outputs: int, inputs: int) -> None:
    linear.weight, linear.bias = _zeros(outputs, inputs), _zeros(outputs)


def _pass(norm: LayerNormSpec, width: int) -> None:
    norm.gamma, norm.beta = np.ones(width, np.float32), _zeros(width)


def _zeros(*shape: int) -> NDArray[np.float32]:
    return np.zeros(shape, np.float32)
