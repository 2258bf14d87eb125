"""What Whisper writes when it hears next to nothing: endings of the videos that it learned from."""

from serve_app.conversation.speculation import same_words

TOO_SHORT_S = 0.200
"""No such phrase can be spoken in less."""

_PHRASES = (
    "Thank you.",
    "Thank you very much.",
    "Thanks for watching!",
    "Thank you for watching.",
    "Please subscribe.",
    "Bye.",
    "you",
    "Obrigado.",
    "Obrigada.",
    "Muito obrigado.",
    "Tchau.",
    "Tchau, tchau!",
    "E aí",
    "Legendas pela comunidade Amara.org",
    "Inscreva-se no canal.",
)


def is_imagined(text: str, speech_s: float) -> bool:
    """Whether so little speech was rather none: the voice detector heard less than the words would take."""
    return speech_s < TOO_SHORT_S and any(same_words(text, phrase) for phrase in _PHRASES)
