"""UltraVAD: has the turn ended? A language model that hears the caller and has read what was said before. For GPUs.

It is Whisper's encoder before a Llama of 8 billion parameters, asked how likely the end of the turn is as its next
token (https://huggingface.co/fixie-ai/ultraVAD). A GPU with 24 GB holds it. The environment says which:

    ULTRAVAD_MODEL     a folder that holds the model, or its name on the hub
    ULTRAVAD_REVISION  with a name: the commit, all 40 digits
    ULTRAVAD_DEVICE    as PyTorch names it; "cuda" by default

The model comes with Python code, and that code runs here. So it is never downloaded by the server, and never run unless
somebody has chosen it: by putting it into a folder, or by its commit, which unlike a branch or a tag stays what it was
when it was read. The language model's weights and Whisper's settings, which it names by repository, are data; they are
taken from Hugging Face's cache, or downloaded into it (16 GB) unless HF_HUB_OFFLINE forbids it.

Its code runs with transformers 4, which wants an older huggingface-hub than the recogniser's downloads do. So the
replicas that hold it get an environment of their own: Ray's runtime_env, with REQUIREMENTS for `pip`.
"""

import os
import re
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError
from numpy.typing import NDArray

from serve_app.audio.framing import RATE
from serve_app.audio.pcm import FULL_SCALE
from serve_app.errors import ConfigurationError, ProviderError
from serve_app.ports import Judgement, Message, Question

THRESHOLD = 0.1
"""The probability from which on the model's card takes a turn for ended."""
LEAD_IN = int(0.200 * RATE)
"""Samples before the onset that the model hears too: the detector may be late on a soft start."""
LAST_MESSAGES = 4
"""What is read of the dialogue: what the caller answers, and what that was about. All of it would cost time."""
LAST_CHARACTERS = 1000
"""What is read of each: its end is what is being answered."""

END_OF_TURN = "<|eot_id|>"
AUDIO = "<|audio|>"  # stands for the caller's audio in the chat
MARK = "<|"  # begins either; in a message it would be read as the chat's own: a second audio, another turn

COMMIT = re.compile(r"[0-9a-f]{40}")
FOREIGN_CODE = re.compile(r"[\w.-]+/[\w.-]+--\w+\.\w+")  # "owner/repository--module.Class" in a model's settings

REQUIREMENTS = ("torch", "transformers>=4.57,<5", "accelerate", "peft")


class UltraVad:
    """Judges pauses. Of overlaps it knows nothing: their `interruption` is 0."""

    def __init__(self, environment: Mapping[str, str] = os.environ, cache: Path | None = None) -> None:
        """Load the model, and judge a second of silence: the first judgement is a slow one.

        `cache`: Hugging Face's by default. Raises ConfigurationError, ProviderError.
        """
        self._folder = find_model(environment, cache)
        self._device = environment.get("ULTRAVAD_DEVICE") or "cuda"
        self._torch, transformers = _libraries()
        self._pipeline = _load(self._folder, self._device, self._torch, transformers)
        self._end_of_turn = _token(self._pipeline.tokenizer, END_OF_TURN)
        self.judge(Question(bytes(2 * RATE)))

    def describe(self) -> str:
        """What judges, for people."""
        return f"UltraVAD from {self._folder} on {self._device}"

    def judge(self, question: Question) -> Judgement:
        """As TurnJudge.judge; blocks. Raises ProviderError, for a window without audio or with half a sample too."""
        window = {"audio": _turn(question), "turns": chat(question.dialogue), "sampling_rate": RATE}
        try:
            probability = self._probability(window)
        except (RuntimeError, ValueError) as e:  # the GPU's memory is full, ...; the text may quote the dialogue
            raise ProviderError(f"UltraVAD could not judge ({type(e).__name__})") from e
        return Judgement(turn_end=score(probability), interruption=0.0)

    def _probability(self, window: dict[str, Any]) -> float:
        """Of the end of the turn as the token after the audio."""
        inputs = self._pipeline.preprocess(window).to(self._pipeline.device)
        last = inputs["audio_token_start_idx"].item() + inputs["audio_token_len"].item() - 1
        with self._torch.inference_mode():
            logits = self._pipeline.model(**inputs).logits[0, last]
        return float(logits.float().softmax(dim=-1)[self._end_of_turn])


def score(probability: float) -> float:
    """What 0.5 means to turn-taking is what THRESHOLD means to the model: its odds, over the odds of the threshold.

    That is Bayes' rule for another prior. It keeps 0, 1 and the order of any two.
    """
    odds = probability * (1 - THRESHOLD)
    return odds / (odds + (1 - probability) * THRESHOLD)


def chat(dialogue: Sequence[Message]) -> list[dict[str, str]]:
    """The dialogue as the model reads it: its last messages, each by its end, then the caller's audio.

    The audio continues the caller's own last message, if that came last.
    """
    said = [message for message in dialogue if message.role in ("user", "assistant") and message.content]
    turns = [
        {"role": message.role, "content": message.content.replace(MARK, "< |")[-LAST_CHARACTERS:]}
        for message in said[-LAST_MESSAGES:]
    ]
    if turns and turns[-1]["role"] == "user":
        turns[-1]["content"] += f" {AUDIO}"
    else:
        turns.append({"role": "user", "content": AUDIO})
    return turns


def find_model(environment: Mapping[str, str], cache: Path | None = None) -> Path:
    """The folder of the model that the environment names. Raises ConfigurationError unless its code may be run."""
    wanted = environment.get("ULTRAVAD_MODEL")
    if not wanted:
        raise ConfigurationError("ULTRAVAD_MODEL is not set: it takes a folder with UltraVAD, or its name on the hub")
    folder = Path(wanted).expanduser()
    if not folder.is_dir():
        folder = _cached(wanted, environment.get("ULTRAVAD_REVISION") or "", cache)
    if any(_names_foreign_code(settings) for settings in folder.glob("*config.json")):
        raise ConfigurationError(f"{folder} would run code of another repository, whose commit nothing fixes")
    return folder


def _cached(repository: str, revision: str, cache: Path | None) -> Path:
    if not COMMIT.fullmatch(revision):
        raise ConfigurationError(
            f"ULTRAVAD_MODEL={repository!r} is no folder here. To run the code of a model on the hub, set "
            "ULTRAVAD_REVISION to the commit that you have read, all 40 digits: a branch or a tag may change"
        )
    try:
        return Path(snapshot_download(repository, revision=revision, cache_dir=cache, local_files_only=True))
    except HFValidationError as e:
        raise ConfigurationError(f"ULTRAVAD_MODEL={repository!r} is neither a folder nor a name on the hub") from e
    except LocalEntryNotFoundError as e:
        raise ConfigurationError(
            f"ULTRAVAD_MODEL={repository!r} is not on this machine: hf download {repository} --revision {revision}"
        ) from e


def _names_foreign_code(settings: Path) -> bool:
    try:
        return bool(FOREIGN_CODE.search(str(msgspec.json.decode(settings.read_bytes()))))
    except msgspec.DecodeError as e:
        raise ConfigurationError(f"{settings} is not JSON: fetch the model again") from e


def _libraries() -> tuple[Any, Any]:
    """PyTorch and transformers: imported when needed, and untyped, since they are no dependencies of the server."""
    try:
        torch, transformers = import_module("torch"), import_module("transformers")
    except ImportError as e:
        raise ConfigurationError(f"UltraVAD lacks {e.name}. Its replicas need {', '.join(REQUIREMENTS)}") from e
    if not transformers.__version__.startswith("4."):
        raise ConfigurationError(
            f"UltraVAD does not run with transformers {transformers.__version__}. "
            f"Its replicas need {', '.join(REQUIREMENTS)}"
        )
    return torch, transformers


def _load(folder: Path, device: str, torch: Any, transformers: Any) -> Any:
    """The model's own pipeline, which knows how to make inputs of audio and turns."""
    gpu = device.startswith("cuda")
    if gpu and not torch.cuda.is_available():
        raise ConfigurationError(
            "UltraVAD needs a GPU, and PyTorch finds none: unset ULTRAVAD_MODEL, or set ULTRAVAD_DEVICE=cpu, which "
            "takes 32 GB of memory and is far too slow for calls"
        )
    dtype = torch.bfloat16 if gpu else torch.float32
    try:
        return transformers.pipeline(model=str(folder), trust_remote_code=True, device=device, dtype=dtype)
    except (ImportError, OSError, ValueError, RuntimeError) as e:
        raise ConfigurationError(f"UltraVAD could not be loaded from {folder}: {e}") from e


def _token(tokenizer: Any, token: str) -> int:
    number = tokenizer.convert_tokens_to_ids(token)
    if number is None or number == tokenizer.unk_token_id:
        raise ConfigurationError(f"The model does not know {token}, so it is not UltraVAD")
    return int(number)


def _turn(question: Question) -> NDArray[np.float32]:
    """The caller's turn so far, full scale 1. What came before it is in the dialogue."""
    if len(question.pcm) % 2:
        raise ProviderError("the window is not s16le: it has an odd number of bytes")
    samples = np.frombuffer(question.pcm, "<i2")[max(0, question.onset - LEAD_IN) :]
    if not len(samples):
        raise ProviderError("the window holds nothing of the turn")
    return samples.astype(np.float32) / np.float32(FULL_SCALE)
