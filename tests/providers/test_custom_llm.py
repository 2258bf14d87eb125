"""Which endpoint an agent's request goes to, and what it is sent there: a second server plays the agent's own."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager

import pytest

from serve_app.conversation.agent import BackupLlm, CustomLlm, Prompt
from serve_app.conversation.tools import Secret
from serve_app.errors import LanguageModelError
from serve_app.ports import Message, ModelRequest
from serve_app.providers.chat import ChatModel
from serve_app.providers.custom_llm import AgentModels
from serve_app.providers.offline_agent import OfflineAgent
from tests.fakes.groq_server import FakeGroq, Fault

SERVERS_KEY = "gsk_of_the_server"
ENVIRON = {"ACME_KEY": "sk_of_the_agent", "ACME_TENANT": "tenant 7", "EMPTY": "", "GROQ_API_KEY": SERVERS_KEY}
HELLO = (Message("user", "hello"),)
ALONE = BackupLlm("disabled")


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[FakeGroq, FakeGroq]]:
    with FakeGroq() as ours, FakeGroq() as theirs:
        yield ours, theirs


@pytest.fixture
def ours(servers: tuple[FakeGroq, FakeGroq]) -> FakeGroq:
    servers[0].reset()
    return servers[0]


@pytest.fixture
def theirs(servers: tuple[FakeGroq, FakeGroq]) -> FakeGroq:
    servers[1].reset()
    return servers[1]


@asynccontextmanager
async def agent_models(ours: FakeGroq) -> AsyncIterator[AgentModels]:
    models = AgentModels(
        ChatModel(ours.chat_url, SERVERS_KEY, "server-model", first_token_s=0.5),
        ENVIRON,
        backup=ChatModel(ours.chat_url, SERVERS_KEY, "small-model"),
    )
    try:
        yield models
    finally:
        await models.aclose()


async def say(models: AgentModels, asked: ModelRequest) -> str:
    return "".join([piece async for piece in models.reply(asked) if isinstance(piece, str)])


def ask(ours: FakeGroq, *asked: ModelRequest) -> list[str]:
    async def answers() -> list[str]:
        async with agent_models(ours) as models:
            return [await say(models, each) for each in asked]

    return asyncio.run(answers())


def own(theirs: FakeGroq, *, backup: BackupLlm = BackupLlm(), **fields: object) -> ModelRequest:  # noqa: B008 - frozen
    """A request of an agent whose model is there."""
    custom = CustomLlm(url=f"{theirs.url}/v1", **fields)  # type: ignore[arg-type]
    return ModelRequest(HELLO, "en", Prompt(llm="custom-llm", custom_llm=custom, backup_llm_config=backup))


def test_agents_without_one_share_the_servers_model(ours: FakeGroq, theirs: FakeGroq) -> None:
    assert ask(ours, ModelRequest(HELLO, "en")) == ["You said hello"]
    [received] = ours.received
    assert (received.model, received.authorization) == ("server-model", f"Bearer {SERVERS_KEY}")


def test_any_model_may_be_the_servers() -> None:
    async def answer() -> str:
        models = AgentModels(OfflineAgent(), {})
        text = await say(models, ModelRequest(HELLO, "en"))
        await models.aclose()
        return text

    assert asyncio.run(answer()) == "Hi!"


def test_an_agents_own_model_gets_its_key_and_headers(ours: FakeGroq, theirs: FakeGroq) -> None:
    headers = {"X-Tenant": Secret("ACME_TENANT"), "X-Channel": "voice"}
    asked = own(theirs, model_id="acme-1", api_key=Secret("ACME_KEY"), request_headers=headers)
    assert ask(ours, asked) == ["You said hello"]
    [received] = theirs.received
    assert (received.path, received.model) == ("/v1/chat/completions", "acme-1")
    assert received.authorization == "Bearer sk_of_the_agent"
    assert (received.headers["x-tenant"], received.headers["x-channel"]) == ("tenant 7", "voice")
    assert ours.received == []


def test_the_servers_keys_go_to_no_other_endpoint(
    ours: FakeGroq, theirs: FakeGroq, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GROQ_API_KEY", "OPENAI_API_KEY", "OPENAI_ADMIN_KEY"):
        monkeypatch.setenv(name, SERVERS_KEY)
    ask(ours, ModelRequest(HELLO, "en"), own(theirs))
    [received] = theirs.received
    assert received.authorization == "Bearer none"
    assert SERVERS_KEY not in f"{received.headers} {received.fields}"


@pytest.mark.parametrize("name", ["Authorization", "authorization"])
def test_a_header_of_the_agents_may_carry_the_key(ours: FakeGroq, theirs: FakeGroq, name: str) -> None:
    ask(ours, own(theirs, request_headers={name: Secret("ACME_KEY")}))
    assert theirs.received[0].authorization == "sk_of_the_agent"


@pytest.mark.parametrize(
    ("llm", "model_id", "model"),
    [("custom-llm", "acme-1", "acme-1"), ("", "acme-1", "acme-1"), ("acme-2", "acme-1", "acme-2"), ("", "", "")],
)
def test_the_model_is_the_endpoints_unless_the_agent_names_one(
    ours: FakeGroq, theirs: FakeGroq, llm: str, model_id: str, model: str
) -> None:
    custom = CustomLlm(url=f"{theirs.url}/v1", model_id=model_id)
    ask(ours, ModelRequest(HELLO, "en", Prompt(llm=llm, custom_llm=custom)))
    assert theirs.received[0].model == model


def with_extra_body(asked: ModelRequest) -> ModelRequest:
    extra = {"uuid": "u1", "messages": [], "model": "other", "stream": False}
    return ModelRequest(asked.messages, asked.language, asked.prompt, extra_body=extra)


def test_a_clients_extra_body_goes_to_the_agents_own_model_alone(ours: FakeGroq, theirs: FakeGroq) -> None:
    ask(ours, *map(with_extra_body, [own(theirs, model_id="acme-1"), ModelRequest(HELLO, "en")]))
    assert theirs.received[0].fields["elevenlabs_extra_body"]["uuid"] == "u1"
    assert "u1" not in str(ours.received[0].fields)


def test_a_clients_extra_body_overrides_nothing(ours: FakeGroq, theirs: FakeGroq) -> None:
    asked = own(theirs, model_id="acme-1")
    ask(ours, asked, with_extra_body(asked))
    plain, extended = (received.fields for received in theirs.received)
    assert {key: value for key, value in extended.items() if key != "elevenlabs_extra_body"} == plain


def test_agents_that_name_an_endpoint_alike_share_its_connections(ours: FakeGroq, theirs: FakeGroq) -> None:
    one = own(theirs, request_headers={"A": "1", "B": "2"})
    same = own(theirs, request_headers={"B": "2", "A": "1"})
    ask(ours, one, same, own(theirs, request_headers={"A": "1", "B": "3"}))
    first, second, other = (received.client_port for received in theirs.received)
    assert first == second != other
    assert theirs.received[2].headers["b"] == "3"


def test_calls_that_begin_at_once_share_one_client(ours: FakeGroq, theirs: FakeGroq) -> None:
    async def twice_at_once() -> None:
        async with agent_models(ours) as models:
            await asyncio.gather(*(say(models, own(theirs)) for _ in range(2)))
            await asyncio.gather(*(say(models, own(theirs)) for _ in range(2)))

    asyncio.run(twice_at_once())
    assert len({received.client_port for received in theirs.received}) == 2


@pytest.mark.parametrize(
    "fields",
    [
        {"api_key": Secret("EMPTY")},
        {"api_key": Secret("NOWHERE")},
        {"request_headers": {"X-Tenant": Secret("NOWHERE")}},
    ],
)
def test_a_missing_secret_is_an_error_that_names_it(
    ours: FakeGroq, theirs: FakeGroq, fields: dict[str, object]
) -> None:
    with pytest.raises(LanguageModelError, match=r"environment variable (EMPTY|NOWHERE) is not set"):
        ask(ours, own(theirs, **fields))
    assert theirs.received == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:x/v1", "http://[::1/v1", "http://127.0.0.1:1/v1", "http://?"])
def test_an_endpoint_that_is_not_there_is_an_error(ours: FakeGroq, url: str) -> None:
    with pytest.raises(LanguageModelError, match=r"custom_llm|check the base URL"):
        ask(ours, ModelRequest(HELLO, "en", Prompt(custom_llm=CustomLlm(url=url), backup_llm_config=ALONE)))


def test_an_error_of_a_model_without_a_name_still_says_whose_it_is(ours: FakeGroq, theirs: FakeGroq) -> None:
    theirs.fault = Fault.BAD_KEY
    with pytest.raises(LanguageModelError, match="the agent's model answered HTTP 401"):
        ask(ours, own(theirs, backup=ALONE))


def test_closing_the_iterator_hangs_up_at_once(ours: FakeGroq, theirs: FakeGroq) -> None:
    theirs.fault = Fault.STALL_MIDWAY

    async def hang_up_after_one_piece() -> bool:
        async with agent_models(ours) as models:
            async with aclosing(models.reply(own(theirs))) as pieces:
                await anext(pieces)
            return await asyncio.to_thread(theirs.disconnected.wait, 5)

    assert asyncio.run(hang_up_after_one_piece())


@pytest.mark.parametrize("asked", [own, lambda theirs: ModelRequest(HELLO, "en")], ids=["own", "server's"])
def test_nothing_is_left_open(ours: FakeGroq, theirs: FakeGroq, asked: Callable[[FakeGroq], ModelRequest]) -> None:
    async def ask_again_when_closed() -> None:
        async with agent_models(ours) as models:
            assert await say(models, asked(theirs)) == "You said hello"
        await say(models, asked(theirs))

    with pytest.raises(RuntimeError, match="closed"):
        asyncio.run(ask_again_when_closed())
