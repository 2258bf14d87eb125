"""What an agent must not read out: what it was told to be, and secrets.

Of the prompt the sentences that speak to the agent count ("You are...", "Nunca diga..."): what else stands there,
prices and opening hours, is for callers. So is what stands in quotation marks, and the first message.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from serve_app.conversation.guards.normalise import letters, words

RUN = 10
"""Words in a row: nobody repeats so many of a text by chance, and what is shorter gives little away."""
SHORTEST_SECRET = 6
"""Characters: what is shorter is said by chance."""
LONGEST_HELD = 160
"""Characters that are held back where there is no pause."""
MOST_PROMPTS = 1_000

_KEY = re.compile(
    r"\b(?:sk|gsk|xi|pk|rk)[-_][A-Za-z0-9_-]{16,}"  # OpenAI, Anthropic, Stripe; Groq; ElevenLabs
    r"|\bAKIA[0-9A-Z]{16}\b"  # AWS
    r"|\bAIza[0-9A-Za-z_-]{30,}"  # Google
    r"|\bgh[pousr]_[A-Za-z0-9]{30,}|\bxox[abprs]-[A-Za-z0-9-]{10,}"  # GitHub, Slack
    r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"  # JWT
    r"|\b[Bb]earer\s+[A-Za-z0-9._~+/-]{16,}"
    r"|-----BEGIN [A-Z ]{0,30}PRIVATE KEY"
)
_LONGEST_MARK = 60
"""Characters of a key before its nature shows."""
_PAUSE = re.compile(r"[.!?…,;:—–][\"'”’)\]]{0,3}\s|\n")
_SENTENCE = re.compile(r"(?<=[.!?:;])\s+|\n+")
_QUOTED = re.compile(r"\"[^\"]{1,2000}\"|“[^”]{1,2000}”|«[^»]{1,2000}»")
_ADDRESSES = frozenset(
    words("você vocês seu sua seus suas nunca sempre jamais deve you your yours you're never always must should")
)
"""Words of a sentence that speaks to the agent."""
_COMMANDS = frozenset(
    words(
        "responda diga fale pergunte use chame confirme peça seja mantenha ofereça transfira encerre explique verifique"
        " consulte atenda não finja aja cumprimente evite avoid answer respond reply say tell ask use call confirm be"
        " keep offer transfer end explain check speak act do don't greet"
    )
)
"""Or with which it begins."""


@lru_cache(MOST_PROMPTS)
def instructions(prompt: str, meant_for_callers: str = "") -> frozenset[str]:
    """Every run of RUN words of the prompt that is not for callers."""
    sentences = [words(sentence) for sentence in _SENTENCE.split(_QUOTED.sub("\n", prompt))]
    told = (word for sentence in sentences if _is_told(sentence) for word in sentence)
    return frozenset(_runs(told)) - frozenset(_runs(words(meant_for_callers)))


def _is_told(sentence: list[str]) -> bool:
    return not _ADDRESSES.isdisjoint(sentence) or not _COMMANDS.isdisjoint(sentence[:1])


def _runs(found: Iterable[str]) -> Iterator[str]:
    run: list[str] = []
    for word in found:
        run = [*run[-RUN + 1 :], word]
        if len(run) == RUN:
            yield " ".join(run)


class Sieve:
    """Text on its way out, held back up to the next pause. `leak` says what was found in it: "prompt" or "secret". From
    there on nothing gets through, but with `lets_through`.

    instructions: see above. secrets: texts that nobody must hear, however they are spelled out.
    """

    def __init__(self, instructions: frozenset[str], secrets: Iterable[str], *, lets_through: bool = False) -> None:
        self.leak: str | None = None
        self._instructions = instructions
        spelled = map(letters, secrets)
        self._secrets = [secret for secret in spelled if len(secret) >= SHORTEST_SECRET]
        self._longest = max(map(len, self._secrets), default=0)
        self._lets_through = lets_through
        self._held = ""
        self._seen = ""  # the end of what went out
        self._words: list[str] = []
        self._letters = ""

    @property
    def is_closed(self) -> bool:
        """Nothing gets through any more."""
        return self.leak is not None and not self._lets_through

    def feed(self, text: str) -> str:
        """What may go out now."""
        self._held += text
        end = max((pause.end() for pause in _PAUSE.finditer(self._held)), default=0)
        if len(self._held) - end > LONGEST_HELD:
            end = self._held.rfind(" ") + 1 or len(self._held)
        return self._let_out(end)

    def finish(self) -> str:
        """What is left."""
        return self._let_out(len(self._held))

    def _let_out(self, end: int) -> str:
        piece, self._held = self._held[:end], self._held[end:]
        self.leak = self.leak or (self._found(piece) if piece else None)
        return "" if self.is_closed else piece

    def _found(self, piece: str) -> str | None:
        said = words(piece)
        found, self._words = [*self._words, *said], [*self._words, *said][-RUN + 1 :]
        spelled = self._letters + letters(piece) if self._secrets else ""
        seen, self._letters = self._seen + piece, spelled[-self._longest :]
        self._seen = seen[-_LONGEST_MARK:]
        if _KEY.search(seen) or any(secret in spelled for secret in self._secrets):
            return "secret"
        return "prompt" if any(run in self._instructions for run in _runs(found)) else None
