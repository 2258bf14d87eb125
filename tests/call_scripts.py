"""Calls in which much happens, by what happens in them: what the caller says and types, and what the model answers."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np

from serve_app.audio.framing import RATE
from serve_app.audio.pcm import Samples
from serve_app.conversation.agent import Agent, Hello, LanguagePreset, OnFailure, SoftTimeout
from serve_app.conversation.tools import ToolCall
from serve_app.errors import LanguageModelError
from tests.caller import speech
from tests.conversation import score
from tests.conversation.toolkit import TOOL_EVENTS, asks, client, equipped, system, webhook

LAST_QUESTION = "e depois?"
"""Typed at the end of each call: with it, the model is told all of it."""
LAST_ANSWER = "Mais nada."


class Round(msgspec.Struct, frozen=True):
    """What the model gives at once."""

    text: str = ""
    calls: tuple[ToolCall, ...] = ()


@dataclass
class Script:
    """A call. `speaks`: at which second the caller says what; `types`: and writes what; `client_s`: how
    long the client's tools take. `ends`: the agent ends it."""

    seconds: float
    agents: Mapping[str, Agent]
    answers: Mapping[str, Sequence[Round]]
    speaks: Sequence[tuple[float, Samples]] = ()
    types: Sequence[tuple[float, str]] = ()
    client_s: float | None = None
    ends: bool = False
    hears: str = "quero um café"
    model: Mapping[str, Any] = field(default_factory=dict)
    webhook_s: float = 0.5
    initiation: Mapping[str, Any] = field(default_factory=dict)
    asks_at_last: bool = True

    @property
    def typed(self) -> list[tuple[float, str]]:
        asks = self.asks_at_last and not self.ends
        last = [(self.seconds - 2.5, text_of_user(LAST_QUESTION))] if asks else []
        return [*self.types, *last]

    @property
    def sound(self) -> Samples:
        samples = np.zeros(round(self.seconds * RATE), np.int16)
        for at, said in self.speaks:
            start = round(at * RATE)
            samples[start : start + len(said)] = said
        return samples


def text_of_user(text: str) -> str:
    return json.dumps({"type": "user_message", "text": text})


def replaced(struct: Any, **fields: Any) -> Any:
    return msgspec.structs.replace(struct, **fields)


def replaced_config(described: Agent, **fields: Any) -> Agent:
    return replaced(described, conversation_config=replaced(described.conversation_config, **fields))


GREETING = "Bom dia."
ANSWER = "O bolo custa trinta reais. O menor custa vinte, e leva dois dias."
ASKS = ((2.0, text_of_user("quanto custa?")),)
COFFEE = "Pois não, sai já um café."
BAKERY = "Você é a padaria."
CLIENT = client("mostrar")
SHOWN = client("piscar", expects_response=False)
WEBHOOK = webhook("buscar")
SOFT = SoftTimeout(1.0, "Só um momento.")


def one(described: Agent) -> Mapping[str, Agent]:
    return {"default": described}


def bakery(*tools: Any, **rules: Any) -> Agent:
    return equipped(*tools, text=BAKERY, first_message=rules.pop("first_message", GREETING), **rules)


def asking(*rounds: Round, seconds: float = 14.0, tools: Sequence[Any] = (), **script: Any) -> Script:
    """One typed question, answered so."""
    agents = script.pop("agents", None) or one(bakery(*tools))
    return Script(seconds, agents, {"quanto custa?": rounds}, types=ASKS, **script)


def transferring(**how: Any) -> Mapping[str, Agent]:
    transfers = [{"agent_id": "cakes", "condition": "bolos", **how}]
    cakes = equipped(text="Você é a doceira.", first_message="Aqui é a doceira.")
    return {"default": bakery(system("transfer_to_agent", transfers=transfers)), "cakes": cakes}


TRANSFER = Round("", (asks("transfer_to_agent", "t1", agent_number=0),))
SCRIPTS: dict[str, Script] = {
    "a spoken turn": Script(
        12.0,
        one(bakery(first_message="")),
        {"quero um café": [Round(COFFEE)]},
        speaks=[(1.0, speech())],
    ),
    "an answer": asking(Round(ANSWER)),
    "a tool of the client's": asking(
        Round("Vou mostrar. Veja aqui. Este é um bolo.", (asks("mostrar", "a"),)),
        Round("Pronto, custa trinta."),
        tools=[CLIENT],
        client_s=0.8,
    ),
    "a silent tool": asking(
        Round("Veja.", (asks("piscar", "a"),)), Round("Custa trinta."), tools=[SHOWN], client_s=0.8
    ),
    "rounds of webhooks": asking(
        Round("", (asks("buscar", "a"), asks("buscar", "b"))),
        Round("Mais um pouco.", (asks("buscar", "c"),)),
        Round("", (asks("buscar", "d"),)),
        Round("Custa trinta."),
        tools=[WEBHOOK],
        seconds=16.0,
    ),
    "a tool that is late": asking(
        Round("", (asks("buscar", "a"),)), Round("Custa trinta."), tools=[WEBHOOK], webhook_s=3.0
    ),
    "a tool that does not exist": asking(Round("Vejamos.", (asks("voar", "a"),)), Round("Não sei.")),
    "the end of the call": asking(
        Round("Obrigado, até logo.", (asks("end_call", "a"),)), tools=[system("end_call")], ends=True
    ),
    "the end of the call without a word": asking(
        Round("", (asks("end_call", "a", message="Até logo, obrigado."),)), tools=[system("end_call")], ends=True
    ),
    "a transfer": asking(TRANSFER, Round("Custa quarenta."), agents=transferring()),
    "a transfer with a message": asking(
        Round("Certo.", TRANSFER.calls),
        Round("Custa quarenta."),
        agents=transferring(transfer_message="Vou passar para a doceira."),
    ),
    "a transfer with a greeting": asking(
        TRANSFER, Round("Nunca."), agents=transferring(enable_transferred_agent_first_message=True)
    ),
    "a change of language": asking(
        Round("", (asks("language_detection", "a", language="en"),)),
        Round("It costs thirty."),
        agents=one(
            replaced_config(
                bakery(system("language_detection")),
                language_presets={"en": LanguagePreset({"agent": {"prompt": {"prompt": "You are the bakery."}}})},
            )
        ),
    ),
    "a slow model": asking(
        Round("Custa trinta."),
        agents=one(bakery(turn=replaced(score.WAITS, soft_timeout_config=SOFT))),
        model={"delay_before_s": 2.0},
    ),
    "a model that fails": asking(Round("Custa,"), model={"fault": LanguageModelError("no")}, asks_at_last=False),
    "a failure that ends the call": asking(
        Round("Custa,"),
        agents=one(bakery(hello=Hello(on_failure=OnFailure("end", "Ligue mais tarde.")))),
        model={"fault": LanguageModelError("no")},
        ends=True,
    ),
    "a failure that transfers": asking(
        Round("Custa,"),
        agents={
            "default": bakery(hello=Hello(on_failure=OnFailure("transfer", "Vou transferir.", "cakes"))),
            "cakes": equipped(text="Você é a doceira.", first_message="Aqui é a doceira."),
        },
        model={"fault": LanguageModelError("no")},
        asks_at_last=False,
    ),
    "a skipped turn": asking(Round("", (asks("skip_turn", "a"),)), tools=[system("skip_turn")]),
    "in writing": asking(
        Round("Vou ver.", (asks("buscar", "a"),)),
        Round("Custa trinta."),
        agents=one(bakery(WEBHOOK, text_only=True, events=(*TOOL_EVENTS, "agent_chat_response_part"))),
        seconds=8.0,
    ),
    "the end of its time": Script(
        16.0,
        one(bakery(first_message=f"{GREETING} {ANSWER}", max_duration_seconds=2)),
        {},
        asks_at_last=False,
        ends=True,
    ),
    "what is known besides": Script(
        8.0,
        one(bakery()),
        {"quanto custa?": [Round("Custa trinta.")]},
        types=[
            (1.0, '{"type":"contextual_update","text":"é sábado"}'),
            (1.5, '{"type":"contextual_update","text":"chove","context_id":"tempo"}'),
            (2.0, text_of_user("quanto custa?")),
            (2.2, '{"type":"feedback","event_id":1,"score":"like"}'),
            (3.5, '{"type":"contextual_update","text":"faz sol","context_id":"tempo"}'),
        ],
    ),
    "interrupted by voice": Script(
        16.0,
        one(bakery()),
        {"quanto custa?": [Round(ANSWER)], "quero um café": [Round(COFFEE)]},
        types=ASKS,
        speaks=[(3.5, speech())],
    ),
    "interrupted in writing": Script(
        14.0,
        one(bakery()),
        {"quanto custa?": [Round(ANSWER)], "quero um café": [Round(COFFEE)]},
        types=[*ASKS, (3.5, text_of_user("quero um café"))],
    ),
    "a murmur over it": Script(
        14.0,
        one(bakery()),
        {"quanto custa?": [Round(ANSWER)]},
        types=ASKS,
        speaks=[(3.5, speech()[: RATE // 2])],
        hears="uhum",
    ),
}
