"""What was said, what was really heard, and what the language model is told."""

from collections.abc import Sequence

import msgspec

from serve_app.conversation.fallback import Fallback
from serve_app.conversation.notes import WITHHELD_NOTE
from serve_app.conversation.tools import ToolCall


class Message(msgspec.Struct, frozen=True):
    """One message to the language model; `role` is system, user, assistant or tool.

    An assistant's may ask for tools; each is followed by a tool's message with the result, under the call's id.
    """

    role: str
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""


class Transcript(msgspec.Struct, frozen=True):
    """What was heard. `text` is empty when nothing was said; `confidence` is 0..1; `language` is ISO 639-1.

    `fallbacks`: the recognisers that failed or were late before this one.
    """

    text: str
    language: str
    confidence: float
    fallbacks: tuple[Fallback, ...] = ()


LONGEST_TURN = 20_000
"""Characters of one turn: of what is joined, the newest."""
LONGEST_DIALOGUE = 400_000
"""Characters of all of it, about what the largest models take. What is older is forgotten."""
MOST_NOTES = 50
"""Contexts without an id add up: the oldest are the least worth telling."""


class Dialogue:
    """The history of one conversation. An answer that was cut off stands in it as far as it was heard, no further."""

    def __init__(self, prompt: str) -> None:
        self.prompt = prompt
        self._said: list[Message] = []
        self._notes: list[tuple[str | None, Message]] = []  # (context id, the message among what was said)

    @property
    def begun(self) -> bool:
        """Anything was said by anybody, and heard."""
        return any(message.role != "system" for message in self._said)

    @property
    def awaits_answer(self) -> bool:
        """The user spoke last, or a tool that was asked for them."""
        spoken = [message.role for message in self._said if message.role != "system"]
        return spoken[-1:] in (["user"], ["tool"])

    @property
    def asked(self) -> str:
        """What the agent said last, to which the user's next words answer."""
        return next((m.content for m in reversed(self._said) if m.role == "assistant" and m.content), "")

    @property
    def user_has_spoken(self) -> bool:
        return any(message.role == "user" for message in self._said)

    def user_said(self, text: str) -> None:
        """A caller who goes on before we have spoken is one turn: consecutive pieces are joined."""
        if self._said and self._said[-1].role == "user":
            text = f"{self._said.pop().content} {text}"
        self._said.append(Message("user", text[-LONGEST_TURN:]))
        self._forget()

    def withhold(self) -> None:
        """The user's last words are an attack: the model never reads them."""
        last = max((n for n, message in enumerate(self._said) if message.role == "user"), default=None)
        if last is not None:
            self._said[last] = Message("user", WITHHELD_NOTE)

    def agent_said(self, messages: Sequence[Message]) -> None:
        """An answer ended, or was cut off: what was heard of it, and the tools it used. Nothing: it was never given."""
        self._said += messages

    def note(self, text: str, context_id: str | None) -> None:
        """Something to know. The newest of a context id replaces the ones before."""
        note = Message("system", text)
        others = [n for n in self._notes if context_id is None or n[0] != context_id]
        self._notes = [*others[-MOST_NOTES + 1 :], (context_id, note)]
        known = {id(message) for _, message in self._notes}
        self._said = [m for m in self._said if m.role != "system" or id(m) in known]
        self._said.append(note)
        self._forget()

    def _forget(self) -> None:
        """Turn by turn from the oldest, so that no tool's result loses the call that it belongs to."""
        excess = sum(len(message.content) for message in self._said) - LONGEST_DIALOGUE
        while excess > 0 and (turn := self._first_turn()):
            excess -= sum(len(message.content) for message in self._said[:turn])
            del self._said[:turn]

    def _first_turn(self) -> int:
        """Messages before the second one of the user's; 0: there is none."""
        return next((n for n, message in enumerate(self._said) if n and message.role == "user"), 0)

    def messages(self, *, and_then: str = "") -> list[Message]:
        """The dialogue so far for the language model; `and_then` is what the user may just have said."""
        system = [Message("system", self.prompt)] if self.prompt else []
        if not and_then:
            return system + self._said
        branch = Dialogue(self.prompt)
        branch._said = list(self._said)
        branch.user_said(and_then)
        return branch.messages()
