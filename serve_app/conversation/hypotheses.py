"""What a recogniser made of the caller's words while they were still being spoken.

A word is stable when two hypotheses in a row agree on it and on all words before it (LocalAgreement-2: Macháček, Dabre
and Bojar 2023, "Turning Whisper into Real-Time Transcription System"). It is not taken back.
"""

from itertools import takewhile

from serve_app.conversation.speculation import same_words


class Hypotheses:
    """Of one turn."""

    def __init__(self) -> None:
        self._stable: list[str] = []
        self._latest: list[str] = []

    @property
    def stable(self) -> str:
        return " ".join(self._stable)

    def add(self, text: str) -> str:
        """The next hypothesis, of all that was said so far; what to show: the stable words, and what may follow."""
        words = text.split()
        pairs = zip(self._latest, words, strict=False)
        agreed = len(list(takewhile(lambda pair: same_words(*pair), pairs)))
        self._stable += words[len(self._stable) : agreed]
        self._latest = words
        return " ".join([*self._stable, *words[len(self._stable) :]])
