"""A language model behind any OpenAI-compatible chat endpoint: Groq, OpenAI, vLLM, llama.cpp, Ollama, ..."""

import asyncio
import re
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from typing import Any, cast
from uuid import uuid4

import msgspec
import openai
from httpx2 import Limits
from openai.types.chat import ChatCompletionChunk, ChatCompletionFunctionToolParam, ChatCompletionMessageParam
from openai.types.chat.chat_completion_chunk import (
    Choice,
    ChoiceDelta,
    ChoiceDeltaToolCall,
    ChoiceDeltaToolCallFunction,
)

from serve_app.conversation.tools import NAME, decoded
from serve_app.errors import LanguageModelError, ToolError
from serve_app.observability.correlation import note, trace_headers
from serve_app.ports import Message, ModelRequest, Reasoning, ToolCall, ToolSpec
from serve_app.providers.refusals import Hiccup, kind_of, refusal
from serve_app.providers.request_ids import request_id

# A bound on a model that runs away, minutes of speech long. Not tighter: the tokens of hidden reasoning count too.
MAX_TOKENS = 1024

# The SDK drops an idle connection after 5 s, which is one turn of the caller's: a new TLS handshake for every answer.
LIMITS = Limits(max_connections=1000, max_keepalive_connections=100, keepalive_expiry=120)

# These models reason before they answer, unseen and unheard: as little of it as they can, since a caller is waiting.
REASONING_MODEL = "gpt-oss"

# A caller waits for the first word, and hears a long gap: a model that is well answers in half a second, on Groq and on
# a GPU of one's own, and then writes faster than anybody speaks. Who asks a slower one sets cascade_timeout_seconds.
FIRST_TOKEN_S = 1.5
GAP_S = 1.5

# ElevenLabs' `llm` for "the model of custom_llm": not a model's name.
CUSTOM_LLM = "custom-llm"

# Where ElevenLabs puts a client's custom_llm_extra_body, and so where the endpoints made for it look.
EXTRA_BODY = "elevenlabs_extra_body"

# JSON can spell half a surrogate pair; UTF-8, and so the caller's socket and the log, can not.
_HALF_A_PAIR = re.compile("[\ud800-\udfff]")


class ChatModel:
    """Streams answers from `model` at `base_url` (up to and including its `/v1`), over connections kept warm.

    The first text or part of a tool call must come within `first_token_s` seconds, or the agent's own
    `cascade_timeout_seconds`, each further one within `gap_s`; thoughts are no sign of an answer and prolong neither.
    Nothing is retried: what to try next is not this client's decision (see `cascade`). No temperature is sent unless
    the agent sets one, since each model has its own default and some refuse any other. `headers` go with every
    request, and with `passes_extra_body` the client's own extra body too.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        model: str,
        *,
        headers: Mapping[str, str] | None = None,
        passes_extra_body: bool = False,
        first_token_s: float = FIRST_TOKEN_S,
        gap_s: float = GAP_S,
    ) -> None:
        self._model = model
        self._passes_extra_body = passes_extra_body
        self._first_token_s = first_token_s
        self._gap_s = gap_s
        self._client = openai.AsyncOpenAI(
            base_url=base_url,
            api_key=api_key,
            default_headers=headers,
            max_retries=0,
            timeout=None,  # the budgets above count what can be said or done, not bytes
            http_client=openai.DefaultAsyncHttpxClient(limits=LIMITS),
        )

    @property
    def base_url(self) -> str:
        return str(self._client.base_url)

    def model_for(self, llm: str) -> str:
        """The name that is sent when an agent's `llm` is this: the agent's choice, or else this client's."""
        return self._model if llm in ("", CUSTOM_LLM) else llm

    def title(self, llm: str) -> str:
        """The same for people: an agent's own endpoint may have no name for its model."""
        return self.model_for(llm) or "the agent's model"

    async def reply(self, request: ModelRequest) -> AsyncGenerator[str | ToolCall | Reasoning, None]:
        """Stream text and thoughts as they are generated, and when they have ended the tool calls: the parts of several
        may be mixed up to the end, and what cannot be taken back waits for a stream that ends well.

        Closing the iterator, or cancelling the task that waits for it, closes the HTTP stream at once.
        Raises LanguageModelError, also for an answer with neither text nor a call, and for a call without a name: a
        Hiccup or a RequestRefused where it is one.
        """
        calls, silent = ToolCallParts(), True
        async with aclosing(self._deltas_in_time(request)) as deltas:
            async for delta in deltas:
                if delta.reasoning:
                    yield Reasoning(delta.reasoning)
                if delta.text:
                    silent = silent and delta.text.isspace()
                    yield delta.text
                for part in delta.calls:
                    calls.add(part)
        whole = calls.whole()
        if silent and not whole:
            raise LanguageModelError(f"{self.title(request.prompt.llm)} answered with neither text nor a tool call")
        for call in whole:
            yield call

    async def aclose(self) -> None:
        """Close the connections. No reply may be asked for afterwards."""
        await self._client.close()

    async def _deltas_in_time(self, request: ModelRequest) -> AsyncGenerator["_Delta", None]:
        """A budget starts when a sign of life has been taken and more is asked for: a slow listener costs nothing."""
        now = asyncio.get_running_loop().time
        budget_s = request.prompt.cascade_timeout_seconds or self._first_token_s
        deadline = now() + budget_s
        async with aclosing(self._deltas(request)) as deltas:
            while True:
                with self._translated_errors(self.title(request.prompt.llm), budget_s):
                    async with asyncio.timeout_at(deadline):
                        delta = await anext(deltas, None)
                if delta is None:
                    break
                yield delta
                if delta.text or delta.calls:
                    budget_s = self._gap_s
                    deadline = now() + budget_s

    async def _deltas(self, request: ModelRequest) -> AsyncGenerator["_Delta", None]:
        prompt, model = request.prompt, self.model_for(request.prompt.llm)
        tools = [_tool(spec) for spec in request.tools]
        parallel = prompt.enable_parallel_tool_calls if tools else None
        stream = await self._client.chat.completions.create(
            model=model,
            messages=cast(list[ChatCompletionMessageParam], [_message(message) for message in request.messages]),
            tools=cast(list[ChatCompletionFunctionToolParam], tools) or openai.omit,
            parallel_tool_calls=openai.omit if parallel is None else parallel,
            temperature=openai.omit if prompt.temperature is None else prompt.temperature,
            max_completion_tokens=prompt.max_tokens if prompt.max_tokens > 0 else MAX_TOKENS,
            reasoning_effort=prompt.reasoning_effort or ("low" if REASONING_MODEL in model else openai.omit),
            extra_body={EXTRA_BODY: dict(request.extra_body)}
            if self._passes_extra_body and request.extra_body
            else None,
            extra_headers=trace_headers(),
            stream=True,
        )
        note(model=model, request_id=request_id(stream.response.headers))
        async with stream:
            async for chunk in stream:
                yield _delta(chunk)

    @contextmanager
    def _translated_errors(self, name: str, budget_s: float) -> Iterator[None]:
        try:
            yield
        except TimeoutError as e:
            raise LanguageModelError(f"{name} sent neither text nor a tool call within {budget_s:g} s") from e
        except openai.APIStatusError as e:
            kind = kind_of(e.status_code, e.response.headers.get("retry-after", ""))
            raise kind(f"{name} answered {refusal(e.status_code)}") from e
        except openai.APIConnectionError as e:
            raise Hiccup(f"{name}: no connection; check the base URL and the network") from e
        except (openai.OpenAIError, ValueError, RecursionError) as e:  # of an event that is no JSON; of a body too deep
            raise LanguageModelError(f"{name} sent an error, or something other than chat chunks") from e


def _message(message: Message) -> dict[str, Any]:
    wire: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        wire["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": _arguments(call)}}
            for call in message.tool_calls
        ]
    if message.tool_call_id:
        wire["tool_call_id"] = message.tool_call_id
    return wire


def _arguments(call: ToolCall) -> str:
    """Many servers parse them: one call whose arguments are no JSON object would have the whole dialogue refused, in
    each turn to come. Its result tells the model that they were not."""
    try:
        return msgspec.json.encode(decoded(call.arguments)).decode()
    except ToolError:
        return "{}"


def _tool(spec: ToolSpec) -> dict[str, Any]:
    return {"type": "function", "function": msgspec.structs.asdict(spec)}


class _Delta(msgspec.Struct, frozen=True):
    """What matters of a chunk: nothing of usage, roles, and what servers send beyond the standard."""

    text: str = ""
    reasoning: str = ""
    calls: Sequence[object] = ()


def _delta(chunk: ChatCompletionChunk) -> _Delta:
    """The SDK does not validate chunks, so only a full match may be trusted."""
    match chunk:
        case ChatCompletionChunk(choices=[Choice(delta=ChoiceDelta() as delta), *_]):
            thoughts = (getattr(delta, name, None) for name in ("reasoning", "reasoning_content"))  # vLLM sends both
            calls = delta.tool_calls if isinstance(delta.tool_calls, list) else ()
            return _Delta(_text(delta.content), next(filter(None, map(_text, thoughts)), ""), calls)
        case _:
            return _Delta()


def _text(value: object) -> str:
    return _HALF_A_PAIR.sub("\ufffd", value) if isinstance(value, str) else ""


class _Call(msgspec.Struct):
    """A tool call as far as it has come."""

    index: int | None = None
    id: str = ""
    name: str = ""
    arguments: str = ""


class ToolCallParts:
    """Puts the tool calls of one stream together.

    Parts of one call have one index; id and name come with the first of them or with each, whole. Servers that leave
    the index out, or send 0 for every call (Ollama), tell their calls apart by id; those with neither, by name.
    """

    def __init__(self) -> None:
        self._calls: list[_Call] = []

    def add(self, part: object) -> None:
        """Take one element of a chunk's `tool_calls`. What is none becomes a call without a name."""
        match part:
            case ChoiceDeltaToolCall(
                index=int() | None as index,
                id=str() | None as id,
                function=None | ChoiceDeltaToolCallFunction(name=str() | None, arguments=str() | None) as function,
            ):
                function = function or ChoiceDeltaToolCallFunction()
                call = self._begun(index, id or "", function.name or "") or self._begin(index)
                call.id = call.id or id or ""
                call.name = call.name or function.name or ""
                call.arguments += function.arguments or ""
            case _:
                self._begin(None)

    def whole(self) -> list[ToolCall]:
        """All calls, in the order they began in, when the stream has ended. Calls without an id get one.

        Raises LanguageModelError for a call without a name, or with one that no server would take back.
        """
        if not all(re.fullmatch(NAME, call.name) for call in self._calls):
            raise LanguageModelError("the model sent a tool call without a valid name")
        return [
            ToolCall(_text(call.id) or f"call_{uuid4().hex}", call.name, _text(call.arguments)) for call in self._calls
        ]

    def _begun(self, index: int | None, id: str, name: str) -> _Call | None:
        """The call that a part goes on with; None if it begins one."""
        calls = [call for call in reversed(self._calls) if index is None or call.index == index]
        if id:
            calls = [call for call in calls if call.id in ("", id)]
        elif index is None and name:
            calls = []
        return calls[0] if calls else None

    def _begin(self, index: int | None) -> _Call:
        self._calls.append(_Call(index))
        return self._calls[-1]
