"""A voice file as Piper has them, small: the true inputs and output, and a tone for every phoneme."""

import json
import math
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

RATE = 22_050
SAMPLES_PER_PHONEME = 1024
PHONEMES = "_^$ !',-.:;?abcdefghijklmnopqrstuvwxyzæçðøŋœɐɑɔəɚɛɜɡɣɪɲɹɾʁʃʊʌʎʒʔˈˌːθᵻ\u0303"


def write_tiny_piper(folder: Path, speakers: int = 1) -> Path:
    """The path of the .onnx file; its .onnx.json is beside it. Speaker 1 is an octave above speaker 0."""
    path = folder / "pt_BR-tiny.onnx"
    onnx.save(_model(speakers), path)
    config = {
        "audio": {"sample_rate": RATE},
        "espeak": {"voice": "pt-br"},
        "inference": {"noise_scale": 0.667, "length_scale": 1.0, "noise_w": 0.8},
        "num_symbols": len(PHONEMES),
        "num_speakers": speakers,
        "speaker_id_map": {"low": 0, "high": 1} if speakers > 1 else {},
        "phoneme_id_map": {phoneme: [number] for number, phoneme in enumerate(PHONEMES)},
    }
    Path(f"{path}.json").write_text(json.dumps(config), encoding="utf-8")
    return path


def _model(speakers: int) -> onnx.ModelProto:
    """input [1, N] -> output [1, 1, 1, N * SAMPLES_PER_PHONEME * scales[1]]."""
    constants = {
        "which": np.int64(1),
        "samples": np.float32(SAMPLES_PER_PHONEME),
        "one": np.array([1], np.int64),
        "column": np.array([-1, 1], np.int64),
        "line": np.array([1, 1, 1, -1], np.int64),
        "spread": np.float32(10 * 2 * math.pi / RATE),
        "lowest": np.float32(200 * 2 * math.pi / RATE),
        "time": np.int64(3),
        "volume": np.float32(0.3),
    }
    nodes = [
        helper.make_node("Gather", ["scales", "which"], ["length"]),
        helper.make_node("Mul", ["length", "samples"], ["long"]),
        helper.make_node("Cast", ["long"], ["count"], to=TensorProto.INT64),
        helper.make_node("Reshape", ["count", "one"], ["width"]),
        helper.make_node("Concat", ["one", "width"], ["shape"], axis=0),
        helper.make_node("Cast", ["input"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["numbers", "spread"], ["above"]),
        helper.make_node("Add", ["above", "lowest"], ["plain"]),
        *_octave(speakers),
        helper.make_node("Reshape", ["steps", "column"], ["each"]),
        helper.make_node("Expand", ["each", "shape"], ["held"]),
        helper.make_node("Reshape", ["held", "line"], ["flat"]),
        helper.make_node("CumSum", ["flat", "time"], ["phase"]),
        helper.make_node("Sin", ["phase"], ["wave"]),
        helper.make_node("Mul", ["wave", "volume"], ["output"]),
    ]
    inputs = [
        helper.make_tensor_value_info("input", TensorProto.INT64, [1, "phonemes"]),
        helper.make_tensor_value_info("input_lengths", TensorProto.INT64, [1]),
        helper.make_tensor_value_info("scales", TensorProto.FLOAT, [3]),
    ]
    if speakers > 1:
        inputs.append(helper.make_tensor_value_info("sid", TensorProto.INT64, [1]))
    output = helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 1, 1, "time"])
    initializers = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "tones", inputs, [output], initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)


def _octave(speakers: int) -> list[onnx.NodeProto]:
    if speakers == 1:
        return [helper.make_node("Identity", ["plain"], ["steps"])]
    return [
        helper.make_node("Cast", ["sid"], ["speaker"], to=TensorProto.FLOAT),
        helper.make_node("Exp", ["speaker"], ["octaves"]),
        helper.make_node("Mul", ["plain", "octaves"], ["steps"]),
    ]
