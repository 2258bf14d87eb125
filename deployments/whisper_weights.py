"""Which Whisper weights to use: the ones asked for if they are on this machine, else the small bundled model.

Nothing is ever downloaded here: a server that cannot reach a model hub starts as quickly as one that can.
"""

from pathlib import Path

import msgspec
from faster_whisper.utils import download_model
from huggingface_hub.errors import LocalEntryNotFoundError

BUNDLED_FOLDER = Path(__file__).parent / "models" / "small"

# Without tokenizer.json faster-whisper asks the hub for one, so a folder without it does not count as usable.
REQUIRED_FILES = ("model.bin", "config.json", "tokenizer.json")

BUNDLED_SENTENCE = (
    "Speech recognition: the small bundled model. It knows about 250 words of English and Portuguese "
    "and is not a general recogniser."
)
ADVICE = "Set WHISPER_MODEL to the folder of a CTranslate2 Whisper model, or to a name in the local Hugging Face cache."


class WhisperWeights(msgspec.Struct, frozen=True):
    """A folder with a CTranslate2 Whisper model, whether it is the bundled one, and a sentence for people about it."""

    folder: Path
    bundled: bool
    sentence: str


def find_weights(wanted: str | None) -> WhisperWeights:
    """Find `wanted`: a folder, a size ("small", "large-v3-turbo") or a hub name ("Systran/faster-whisper-small").

    None or "" asks for the bundled model. Whatever cannot be found becomes the bundled model too, and the sentence
    says what was looked for, why it will not do, and how to mend it.
    """
    if not wanted:
        return WhisperWeights(BUNDLED_FOLDER, bundled=True, sentence=f"{BUNDLED_SENTENCE} {ADVICE}")
    folder = Path(wanted).expanduser()
    if not folder.is_dir():
        cached = _cached_folder(wanted)
        if cached is None:
            return _bundled_instead(wanted, "is neither a folder nor a model in the local Hugging Face cache")
        folder = cached
    missing = [name for name in REQUIRED_FILES if not (folder / name).is_file()]
    if missing:
        return _bundled_instead(wanted, f"lacks {', '.join(missing)}")
    return WhisperWeights(folder, bundled=False, sentence=f"Speech recognition: Whisper from {folder}.")


def _cached_folder(name: str) -> Path | None:
    try:
        return Path(download_model(name, local_files_only=True))
    except (LocalEntryNotFoundError, ValueError):  # ValueError: no such size, or not a possible hub name
        return None


def _bundled_instead(wanted: str, why: str) -> WhisperWeights:
    sentence = f"WHISPER_MODEL={wanted!r} {why}. Used instead: {BUNDLED_SENTENCE} {ADVICE}"
    return WhisperWeights(BUNDLED_FOLDER, bundled=True, sentence=sentence)
