"""What was said, what was really heard, and what the language model is told."""

import msgspec


class Message(msgspec.Struct, frozen=True):
    """One message to the language model; `role` is system, user or assistant."""

    role: str
    content: str


class Transcript(msgspec.Struct, frozen=True):
    """What was heard. `text` is empty when nothing was said; `confidence` is 0..1; `language` is ISO 639-1."""

    text: str
    language: str
    confidence: float


class Dialogue:
    """The history of one conversation. An answer that was cut off stands in it as far as it was heard, no further."""

    def __init__(self, prompt: str) -> None:
        self._prompt = prompt
        self._said: list[Message] = []

    @property
    def begun(self) -> bool:
        """Anything was said by anybody, and heard."""
        return bool(self._said)

    def user_said(self, text: str) -> None:
        """A caller who goes on before we have spoken is one turn: consecutive pieces are joined."""
        if self._said and self._said[-1].role == "user":
            text = f"{self._said.pop().content} {text}"
        self._said.append(Message("user", text))

    def agent_said(self, heard: str) -> None:
        """An answer ended, or was cut off after `heard`. An answer of which nothing was heard was never given."""
        if heard.strip():
            self._said.append(Message("assistant", heard))

    def messages(self, *, and_then: str = "") -> list[Message]:
        """The dialogue so far for the language model; `and_then` is what the user may just have said."""
        system = [Message("system", self._prompt)] if self._prompt else []
        if not and_then:
            return system + self._said
        branch = Dialogue(self._prompt)
        branch._said = list(self._said)
        branch.user_said(and_then)
        return branch.messages()
