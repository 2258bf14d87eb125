"""The official Python SDK, unmodified, through all else that it can do: tools, text, overrides, signed URLs, ends."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import numpy as np
import pytest
from elevenlabs import ElevenLabs
from elevenlabs.conversational_ai.conversation import (
    AsyncAudioInterface,
    AsyncConversation,
    ClientTools,
    ConversationInitiationData,
)

from tests.acceptance.caller import LUMP, RATE, Caller
from tests.acceptance.server import API_KEY, Server
from tests.acceptance.tap import Tap
from tests.espeak import render
from tests.fakes.groq_server import FakeGroq
from tests.fakes.webhook_server import FakeWebhook

TEXT = {"conversation_config_override": {"text_only": True}}  # where this SDK puts it


def in_text(**config: Any) -> dict[str, Any]:
    """Options of a conversation by text."""
    return {"audio_interface": None, "config": ConversationInitiationData(**{**TEXT, **config})}


def types(tap: Tap) -> list[str]:
    """Of the messages of the newest connection."""
    return [message.event["type"] for message in tap.connections[-1].server.messages]


def type_in(caller: Caller, text: str, *, answers: int = 1) -> None:
    """And wait for the answer."""
    before = len(caller.answers)
    caller.conversation.send_user_message(text)
    caller.until(lambda: len(caller.answers) >= before + answers)


# ---- text


def test_a_conversation_by_text_never_sounds(tap: Tap, language_model: FakeGroq) -> None:
    with Caller(tap.url, "tools", in_text()) as caller:
        caller.until(lambda: caller.answers == ["Olá, cliente!"])
        type_in(caller, "bom dia")
        assert caller.answers[-1] == "Você disse bom dia."
        [start, *deltas, stop] = caller.parts[-(len(caller.parts) - 3) :]
        assert (start[0], stop[0]) == ("start", "stop")
        assert "".join(text for _, text in deltas) == caller.answers[-1]
        assert len(deltas) > 1, "as it is written"
        caller.conversation.send_contextual_update("The user opened the prices.")
        caller.conversation.register_user_activity()
        type_in(caller, "boa noite")
        told = language_model.received[-1].fields["messages"]
        assert {"role": "system", "content": "The user opened the prices."} in told
    assert not {"audio", "vad_score", "interruption"} & set(types(tap))


def test_files_are_answered_with_an_error_and_the_text_is_taken(tap: Tap) -> None:
    with Caller(tap.url, "tools", in_text()) as caller:
        caller.until(lambda: bool(caller.answers))
        caller.conversation.send_multimodal_message(text="veja isto", file_id="file_1")
        caller.until(lambda: caller.answers[-1] == "Você disse veja isto.")
    [error] = [m.event["error_event"] for m in tap.connections[-1].server.messages if m.event["type"] == "error"]
    assert (error["code"], error["error_type"]) == (1008, "value_error")
    assert "files" in error["message"]


# ---- tools


def test_client_tools_run_at_the_client_at_once_if_the_model_asks_so(tap: Tap) -> None:
    pages: list[str] = []
    tools = ClientTools()
    tools.register("get_time", lambda parameters: f"12:00 {parameters['zone']}")
    tools.register("show_page", lambda parameters: pages.append(parameters["page"]))
    with Caller(tap.url, "tools", {**in_text(), "client_tools": tools}) as caller:
        caller.until(lambda: bool(caller.answers))
        type_in(caller, "que horas são")
        assert caller.answers[-1] == "Resultado: 12:00 UTC."
        type_in(caller, "mostre tudo")
        assert pages == ["home"]
        assert "12:00 UTC" in caller.answers[-1]
    assert types(tap).count("client_tool_call") == 3


def test_a_tool_that_the_client_does_not_have_is_an_error_for_the_model(tap: Tap) -> None:
    with Caller(tap.url, "tools", in_text()) as caller:
        caller.until(lambda: bool(caller.answers))
        type_in(caller, "que horas são")
        assert "not registered" in caller.answers[-1]


def test_a_webhook_gets_its_secret_and_a_quoted_path(tap: Tap, webhook: FakeWebhook) -> None:
    with Caller(tap.url, "tools", in_text()) as caller:
        caller.until(lambda: bool(caller.answers))
        type_in(caller, "meu pedido", answers=2)
        assert caller.answers[-2:] == ["Vou verificar.", 'Resultado: {"ok":true}.']
    asked = webhook.received[-1]
    assert asked.target == "/orders/42%2F7"
    assert asked.headers["authorization"] == "Bearer orders"


def test_a_tool_is_used_in_a_spoken_turn(tap: Tap) -> None:
    tools = ClientTools()
    tools.register("get_time", lambda parameters: "meio dia")
    with Caller(tap.url, "tools", {"client_tools": tools}) as caller:
        caller.until_answered()
        for question, answer in (("que horas são", "Resultado: meio dia."), ("bom dia", "Você disse bom dia.")):
            caller.microphone.say(render(question, "pt"))
            caller.until(lambda question=question: caller.said[-1:] == [question])  # type: ignore[misc]
            asked = caller.microphone.spoke_until
            caller.until(lambda answer=answer: caller.answers[-1] == answer)  # type: ignore[misc]
            caller.until_answered(asked)
            assert caller.microphone.voiced_since(asked)


def test_a_call_is_handed_to_another_agent(tap: Tap) -> None:
    with Caller(tap.url, "tools", in_text()) as caller:
        caller.until(lambda: bool(caller.answers))
        type_in(caller, "quero a recepção", answers=1)
        assert caller.answers[1].startswith("Vou transferir você.")
        type_in(caller, "quem é você")
        assert "agente offline" in caller.answers[-1], "the default agent has no model of its own"


# ---- overrides and variables


def test_overrides_that_the_agent_permits_are_honoured(tap: Tap, language_model: FakeGroq) -> None:
    override = {
        "text_only": True,
        "agent": {"first_message": "Oi, {{customer}}!", "prompt": {"prompt": "Be brief with {{customer}}."}},
    }
    config = ConversationInitiationData(
        conversation_config_override=override,
        dynamic_variables={"customer": "Ana"},
        extra_body={"seed": 7},
    )
    with Caller(tap.url, "tools", {"audio_interface": None, "config": config, "user_id": "u1"}) as caller:
        caller.until(lambda: caller.answers == ["Oi, Ana!"])
        type_in(caller, "bom dia")
        asked = language_model.received[-1].fields
        assert asked["messages"][0] == {"role": "system", "content": "Be brief with Ana."}
        assert asked["elevenlabs_extra_body"] == {"seed": 7}
        assert "Find an order of Ana." in str(asked["tools"])


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"conversation_config_override": {"agent": {"first_message": "Oi"}}}, "agent.first_message"),
        ({"dynamic_variables": {"other": 1}}, "customer"),
        ({"dynamic_variables": {"customer": "Ana"}, "extra_body": {"seed": 7}}, "custom_llm_extra_body"),
    ],
    ids=["override", "missing variable", "extra body"],
)
def test_what_the_agent_does_not_permit_ends_the_call_before_it_begins(
    tap: Tap, config: dict[str, Any], reason: str
) -> None:
    with Caller(tap.url, "bare", {"config": ConversationInitiationData(**config)}) as caller:
        caller.until(lambda: bool(caller.disconnected))
        [details] = caller.disconnected
        assert (details.reason, details.close_code) == ("error", 1008)
        assert reason in details.close_reason
    assert types(tap) == []


# ---- who may call


def test_a_private_agent_opens_with_a_signed_url(tap: Tap) -> None:
    with Caller(tap.url, "private", {"requires_auth": True}) as caller:
        caller.until(lambda: bool(caller.answers))
    assert "conversation_signature=" in tap.connections[-1].path


def test_a_private_agent_does_not_open_without(tap: Tap) -> None:
    with Caller(tap.url, "private") as caller:
        caller.until(lambda: bool(caller.disconnected))
        assert caller.disconnected[0].close_code == 1008
        assert "signed URL" in caller.disconnected[0].close_reason


# ---- the end


def test_the_agent_hangs_up_when_its_goodbye_has_been_heard(tap: Tap) -> None:
    with Caller(tap.url) as caller:
        caller.until_answered()
        caller.conversation.send_user_message("tchau")
        said = time.monotonic()
        caller.until(lambda: bool(caller.disconnected), 20)
        heard = len(caller.microphone.agent_samples(said)) / RATE
        ended = time.monotonic()
    [details] = caller.disconnected
    assert (details.reason, details.close_code) == ("agent", 1000)
    assert heard > 0.3, "the whole of it"
    assert ended - said > heard
    messages = types(tap)
    assert messages.index("agent_tool_response") > max(i for i, kind in enumerate(messages) if kind == "audio")


def test_time_is_up_with_a_word_of_goodbye(tap: Tap) -> None:
    override = {"conversation": {"max_duration_seconds": 3}, "text_only": False}
    with Caller(
        tap.url, "default", {"config": ConversationInitiationData(conversation_config_override=override)}
    ) as caller:
        caller.until(lambda: bool(caller.disconnected), 20)
        assert caller.disconnected[0].close_code == 1000
        assert "tempo" in caller.answers[-1]
    messages = types(tap)
    error = tap.connections[-1].server.messages[-1].event["error_event"]
    assert (error["code"], error["error_type"]) == (1000, "max_duration_exceeded")
    assert messages[-1] == "error"


def test_alignment_and_latency_reach_their_callbacks(server: Server, tap: Tap) -> None:
    """Both callbacks end the session on a null that is not expected."""
    with Caller(tap.url) as caller:
        caller.until_answered()
        text = "".join(char for alignment in caller.alignments for char in alignment.chars)
        assert "".join(text.split()) == "".join(caller.answers[0].split())
        caller.until(lambda: types(tap).count("ping") > 1, 20)
        assert not caller.disconnected


# ---- the other class


class AsyncMicrophone(AsyncAudioInterface):
    """Says one clip after `after` seconds of silence, in lumps of 250 ms."""

    def __init__(self, clip: Any) -> None:
        self.heard: list[bytes] = []
        self.interrupted = 0
        self._clip = clip
        self.speaks = asyncio.Event()

    async def start(self, input_callback: Callable[[bytes], Awaitable[None]]) -> None:
        self._task = asyncio.create_task(self._run(input_callback))

    async def stop(self) -> None:
        self._task.cancel()

    async def output(self, audio: bytes) -> None:
        self.heard.append(audio)

    async def interrupt(self) -> None:
        self.interrupted += 1

    async def _run(self, send: Callable[[bytes], Awaitable[None]]) -> None:
        loop = asyncio.get_running_loop()
        due, pending = loop.time(), np.empty(0, np.int16)
        while True:
            due += LUMP / RATE
            await asyncio.sleep(due - loop.time())
            if self.speaks.is_set():
                self.speaks.clear()
                pending = self._clip
            lump = np.zeros(LUMP, np.int16)
            lump[: len(pending[:LUMP])] = pending[:LUMP]
            pending = pending[LUMP:]
            await send(lump.tobytes())


def test_the_async_client_holds_a_conversation_and_interrupts(tap: Tap) -> None:
    async def scenario() -> None:
        said: list[str] = []
        answers: list[str] = []

        async def user(text: str) -> None:
            said.append(text)

        async def agent(text: str) -> None:
            answers.append(text)

        async def until(what: Callable[[], bool]) -> None:
            deadline = asyncio.get_running_loop().time() + 20
            while not what():
                assert asyncio.get_running_loop().time() < deadline
                await asyncio.sleep(0.02)

        microphone = AsyncMicrophone(await asyncio.to_thread(render, "ajuda", "pt"))
        with httpx.Client() as http:
            client = ElevenLabs(base_url=tap.url, api_key=API_KEY, httpx_client=http)
            conversation = AsyncConversation(
                client=client,
                agent_id="default",
                requires_auth=False,
                audio_interface=microphone,
                callback_user_transcript=user,
                callback_agent_response=agent,
            )
            await conversation.start_session()
            await until(lambda: bool(answers))
            await asyncio.sleep(3)  # the greeting is over
            microphone.speaks.set()
            await until(lambda: said == ["ajuda"] and len(answers) == 2)
            heard = len(microphone.heard)
            await until(lambda: len(microphone.heard) > heard + 25)
            microphone.speaks.set()
            await until(lambda: microphone.interrupted == 1)
            await until(lambda: said == ["ajuda", "ajuda"])
            await conversation.end_session()
            assert await conversation.wait_for_session_end()

    asyncio.run(scenario())
    closed = tap.connections[-1].client.close
    assert closed is not None
    assert (closed.code, closed.reason) == (1000, "")
