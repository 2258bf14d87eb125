"""What the guards find in one conversation, and what follows: for the record, for the client, and for the caller.

How they find it is in `guards`. All of it is off unless the agent switches `prompt_injection` on.
"""

from collections.abc import Iterable
from typing import Literal

from serve_app.conversation.agent import Agent, OnGuardrail
from serve_app.conversation.guards.arguments import fault, texts
from serve_app.conversation.guards.injection import injection
from serve_app.conversation.guards.output import Sieve, instructions
from serve_app.conversation.identity import Identity
from serve_app.conversation.lines import line
from serve_app.conversation.outgoing import Outgoing
from serve_app.conversation.overrides import in_language
from serve_app.conversation.server_messages import GuardrailTriggered
from serve_app.conversation.tools import ToolCall, decoded
from serve_app.errors import Finished, HelloError, ToolError

CLASSIFIER = "classifier"
"""The rule of an attack that a model has told us of."""
SECRET = "secret__"  # noqa: S105 - a prefix
"""Of dynamic variables that nobody is to hear (ElevenLabs' naming)."""


class Guarding:
    def __init__(self, out: Outgoing, identity: Identity) -> None:
        self._out = out
        self._identity = identity
        self._looked_at: tuple[str, str | None] = ("", None)  # words, and what they were found to be

    @property
    def is_on(self) -> bool:
        return self._identity.agent.platform_settings.guardrails.prompt_injection.is_enabled

    @property
    def acts(self) -> bool:
        """What is found has consequences."""
        return self.is_on and self._wanted.action != "ignore"

    def attack(self, words: str) -> str | None:
        """The kind of attack that the caller's words are, if they are one."""
        if not self.is_on:
            return None
        if words != self._looked_at[0]:
            self._looked_at = words, injection(words)
        return self._looked_at[1]

    def refuses(self, words: str) -> bool:
        """The model is not to read the caller's words."""
        return self.acts and self.attack(words) is not None

    def sieve(self) -> Sieve | None:
        """For the words of the next answer."""
        if not self.is_on:
            return None
        told = _told(self._identity.template)
        secrets = [str(value) for name, value in self._identity.variables.items() if name.startswith(SECRET)]
        return Sieve(told, secrets, lets_through=not self.acts)

    def check(self, call: ToolCall, turn: int) -> None:
        """Raises ToolError, whose text is for the model, if the tool must not get these arguments."""
        if (sieve := self.sieve()) is None:
            return
        given = decoded(call.arguments)
        for text in texts(given):
            sieve.feed(f"{text}\n")
        if rule := fault(given) or sieve.leak:
            self.tell("arguments", rule, turn=turn, action="refuse" if self.acts else "ignore")
            if self.acts:
                raise ToolError(f"refused by a guardrail ({rule}): do not call the tool with these arguments again")

    def tell(
        self, stage: Literal["input", "arguments", "output"], rule: str, *, turn: int | None = None, action: str = ""
    ) -> None:
        """`stage`: where it was found; `turn`: in which answer. What was said is not told again."""
        self._out.send(GuardrailTriggered())
        self._out.log("guardrail", stage=stage, rule=rule, action=action or self._wanted.action, turn=turn)

    def instead(self, language: str) -> tuple[str, HelloError | None]:
        """What the agent says in place of an answer, and with what the call ends then."""
        ends = self._wanted.action == "end"
        text = self._wanted.message or line("refused" if ends else "deflected", language)
        return text, Finished("a guardrail ended the call") if ends else None

    @property
    def _wanted(self) -> OnGuardrail:
        return self._identity.agent.hello.on_guardrail


def prepare(agents: Iterable[Agent]) -> None:
    """Read their prompts before anybody calls: of a long one that takes longer than a caller's turn may."""
    for agent in agents:
        if agent.platform_settings.guardrails.prompt_injection.is_enabled:
            for language in agent.languages:
                _told(in_language(agent, language))


def _told(agent: Agent) -> frozenset[str]:
    persona = agent.conversation_config.agent
    return instructions(persona.prompt.prompt, persona.first_message)
