"""Which Whisper weights to use: a folder, a model in the local cache, or for now the small bundled one.

Nothing is downloaded here: a server that cannot reach a model hub starts as quickly as one that can.
"""

from pathlib import Path

import msgspec
from faster_whisper.utils import _MODELS as REPOSITORIES  # "small" -> "Systran/faster-whisper-small", ...
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

BUNDLED_FOLDER = Path(__file__).parent / "models" / "small"

# Without tokenizer.json faster-whisper asks the hub for one, so a folder without it does not count as usable.
REQUIRED_FILES = ("model.bin", "config.json", "tokenizer.json")

BUNDLED_SENTENCE = (
    "Speech recognition: the small bundled model. It knows about 250 words of English and Portuguese "
    "and is not a general recogniser."
)
ADVICE = (
    "WHISPER_MODEL=small downloads one, 486 MB once; large-v3-turbo is the best and takes 1.6 GB. "
    "The folder of a CTranslate2 Whisper model will do too."
)


class WhisperWeights(msgspec.Struct, frozen=True):
    """A folder with a CTranslate2 Whisper model, whether it is the bundled one, and a sentence for people about it.

    `repository`: where a hub may have what was asked for, while the bundled model stands in for it.
    """

    folder: Path
    bundled: bool
    sentence: str
    repository: str | None = None


def find_weights(wanted: str | None, cache: Path | None = None) -> WhisperWeights:
    """Find `wanted`: a folder, a size ("small", "large-v3-turbo") or a hub name ("Systran/faster-whisper-small").

    None or "" asks for the bundled model. Whatever is not on this machine becomes the bundled model too, and the
    sentence says what was looked for, why it will not do, and how to mend it. `cache`: Hugging Face's by default.
    """
    if not wanted:
        return WhisperWeights(BUNDLED_FOLDER, bundled=True, sentence=f"{BUNDLED_SENTENCE} {ADVICE}")
    folder = Path(wanted).expanduser()
    if folder.is_dir():
        if missing := _missing(folder):
            return bundled_instead(wanted, f"lacks {', '.join(missing)}")
        return found(folder)
    repository = REPOSITORIES.get(wanted, wanted)
    try:
        cached = _cached(repository, cache)
    except HFValidationError:
        return bundled_instead(wanted, "is neither a folder, nor a size of Whisper, nor the name of a model on a hub")
    if cached is None or _missing(cached):  # half of a model is there when its download was cut off
        sentence = f"WHISPER_MODEL={wanted!r} is not on this machine yet. Used for now: {BUNDLED_SENTENCE}"
        return WhisperWeights(BUNDLED_FOLDER, bundled=True, sentence=sentence, repository=repository)
    return found(cached)


def found(folder: Path) -> WhisperWeights:
    return WhisperWeights(folder, bundled=False, sentence=f"Speech recognition: Whisper from {folder}.")


def bundled_instead(wanted: str, why: str) -> WhisperWeights:
    sentence = f"WHISPER_MODEL={wanted!r} {why}. Used instead: {BUNDLED_SENTENCE} {ADVICE}"
    return WhisperWeights(BUNDLED_FOLDER, bundled=True, sentence=sentence)


def _cached(repository: str, cache: Path | None) -> Path | None:
    if "/" not in repository:
        raise HFValidationError(f"{repository} names no owner")
    try:
        return Path(snapshot_download(repository, cache_dir=cache, local_files_only=True))
    except LocalEntryNotFoundError:
        return None


def _missing(folder: Path) -> list[str]:
    return [name for name in REQUIRED_FILES if not (folder / name).is_file()]
