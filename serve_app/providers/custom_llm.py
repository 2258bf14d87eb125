"""Which models answer for an agent: the server's, or one that the agent brings, and those behind them."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec
from httpx2 import InvalidURL
from msgspec.structs import replace

from serve_app.conversation.agent import CustomLlm
from serve_app.conversation.breaker import Breaker, State
from serve_app.conversation.tools import Secret
from serve_app.errors import LanguageModelError
from serve_app.ports import Fallback, LanguageModel, ModelRequest, Reasoning, ToolCall
from serve_app.providers.cascade import Candidate, Cascade
from serve_app.providers.chat import CUSTOM_LLM, ChatModel

NO_KEY = "none"
"""What endpoints without keys are sent: the SDK insists on one, and would take the server's from the environment."""

FIRST_TOKEN_S = 3.0
"""Of an agent's own endpoint: twice what a bare model gets, since many ask others before they answer. ElevenLabs waits
for 8 s; an agent that wants this has cascade_timeout_seconds."""

LAST_TOKEN_S = 5.0
"""Of the last model that there is, to its first token: a slow answer is better than none, and the caller is asked for
patience meanwhile."""

MOST_BREAKERS = 100
"""A client may be permitted to name any model: those beyond are asked every time, and no metric names them."""


class _Choice(NamedTuple):
    """A client, and the name of the model to ask it for."""

    client: ChatModel
    llm: str


class AgentModels:
    """A LanguageModel that asks an agent's own endpoint where it has one, and `default` for all others; when that
    fails, those that the agent's backup_llm_config says: by default the server's, `default` and then `backup`.

    An endpoint is sent the agent's key and headers, their secrets read from `environ`, and the client's extra body;
    never a key of the server's. Its connections are kept for all the conversations of agents that name it alike.
    `on_change` is told of the breakers' states, one for each model.
    """

    def __init__(
        self,
        default: LanguageModel,
        environ: Mapping[str, str],
        *,
        backup: ChatModel | None = None,
        on_change: Callable[[str, State], None] = lambda name, state: None,
    ) -> None:
        self._default = default
        self._servers = [
            _Choice(model, model.model_for("")) for model in (default, backup) if isinstance(model, ChatModel)
        ]
        self._environ = environ
        self._on_change = on_change
        self._endpoints: dict[bytes, ChatModel] = {}
        self._opening = asyncio.Lock()
        self._breakers: dict[_Choice, Breaker] = {}
        for choice in self._servers:
            self._breaker(choice)

    async def reply(self, request: ModelRequest) -> AsyncGenerator[str | ToolCall | Reasoning | Fallback, None]:
        """Stream the answer. Raises LanguageModelError, also for a secret that is not in the environment."""
        choices = await self._choices(request)
        candidates = [self._candidate(choice, request, is_last=choice is choices[-1]) for choice in choices]
        answer = Cascade(candidates).reply() if candidates else self._default.reply(request)
        async with aclosing(answer) as pieces:
            async for piece in pieces:
                yield piece

    async def aclose(self) -> None:
        """Close the connections of all models. No reply may be asked for afterwards."""
        for model in [*self._endpoints.values(), *(choice.client for choice in self._servers)]:
            await model.aclose()

    async def _choices(self, request: ModelRequest) -> list[_Choice]:
        """Whom to ask, in order, no model twice. None: the server has no language model, nor has the agent."""
        prompt, config, servers = request.prompt, request.prompt.backup_llm_config, self._servers
        if request.hurry and config.preference == "default":
            servers = servers[::-1]  # the backup is the smaller model
        wanted = servers[:1]
        if prompt.custom_llm:
            endpoint = await self._endpoint(prompt.custom_llm)
            wanted = [_Choice(endpoint, endpoint.model_for(prompt.llm))]
        else:
            wanted = self._named([prompt.llm]) or wanted
        backups = {"default": servers, "disabled": [], "override": self._named(config.order)}
        return list(dict.fromkeys([*wanted, *backups[config.preference]]))

    def _named(self, names: Sequence[str]) -> list[_Choice]:
        """Models by their names: the server's own that are called so, and others at its first endpoint."""
        if not self._servers:
            return []
        first, own = self._servers[0].client, {choice.llm: choice for choice in reversed(self._servers)}
        return [own.get(llm, _Choice(first, llm)) for llm in names if llm not in ("", CUSTOM_LLM)]

    def _candidate(self, choice: _Choice, request: ModelRequest, *, is_last: bool) -> Candidate:
        patience_s = request.prompt.cascade_timeout_seconds or (LAST_TOKEN_S if is_last else None)
        prompt = replace(request.prompt, llm=choice.llm, cascade_timeout_seconds=patience_s)
        return Candidate(choice.client, replace(request, prompt=prompt), self._breaker(choice))

    def _breaker(self, choice: _Choice) -> Breaker:
        if known := self._breakers.get(choice):
            return known
        url, name = choice.client.base_url, choice.client.title(choice.llm)
        if not self._servers or url != self._servers[0].client.base_url:
            name = f"{name} at {urlsplit(url).hostname or url}"
        if len(self._breakers) >= MOST_BREAKERS:
            return Breaker(name)
        return self._breakers.setdefault(choice, Breaker(name, self._on_change))

    async def _endpoint(self, custom: CustomLlm) -> ChatModel:
        key = msgspec.json.encode(custom, order="deterministic")
        async with self._opening:
            if key not in self._endpoints:  # in a thread: a client takes 20 ms to make, most of it certificates
                self._endpoints[key] = await asyncio.to_thread(self._open, custom)
            return self._endpoints[key]

    def _open(self, custom: CustomLlm) -> ChatModel:
        headers = {name: self._value(value) for name, value in custom.request_headers.items()}
        api_key = self._value(custom.api_key) if custom.api_key else NO_KEY
        try:
            return ChatModel(
                custom.url,
                api_key,
                custom.model_id,
                headers=headers,
                passes_extra_body=True,
                first_token_s=FIRST_TOKEN_S,
            )
        except InvalidURL as e:
            raise LanguageModelError("the url of the agent's custom_llm is none") from e

    def _value(self, value: str | Secret) -> str:
        if isinstance(value, str):
            return value
        if secret := self._environ.get(value.secret_id):
            return secret
        raise LanguageModelError(f"environment variable {value.secret_id} is not set: custom_llm needs it")
