"""Agents that bring a language model of their own."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

import msgspec
from httpx2 import InvalidURL

from serve_app.conversation.agent import CustomLlm
from serve_app.conversation.tools import Secret
from serve_app.errors import LanguageModelError
from serve_app.ports import Fallback, LanguageModel, ModelRequest, Reasoning, ToolCall
from serve_app.providers.chat import ChatModel

NO_KEY = "none"
"""What endpoints without keys are sent: the SDK insists on one, and would take the server's from the environment."""


class AgentModels:
    """A LanguageModel that asks an agent's own endpoint where it has one, and `default` for all others.

    An endpoint is sent the agent's key and headers, their secrets read from `environ`, and the client's extra body;
    never a key of the server's. Its connections are kept for all the conversations of agents that name it alike.
    """

    def __init__(self, default: LanguageModel, environ: Mapping[str, str]) -> None:
        self._default = default
        self._environ = environ
        self._endpoints: dict[bytes, ChatModel] = {}
        self._opening = asyncio.Lock()

    async def reply(self, request: ModelRequest) -> AsyncGenerator[str | ToolCall | Reasoning | Fallback, None]:
        """Stream the answer. Raises LanguageModelError, also for a secret that is not in the environment."""
        custom = request.prompt.custom_llm
        model = await self._endpoint(custom) if custom else self._default
        async with aclosing(model.reply(request)) as pieces:
            async for piece in pieces:
                yield piece

    async def aclose(self) -> None:
        """Close the connections of all models. No reply may be asked for afterwards."""
        default = [self._default] if isinstance(self._default, ChatModel) else []
        for model in [*self._endpoints.values(), *default]:
            await model.aclose()

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
            return ChatModel(custom.url, api_key, custom.model_id, headers=headers, passes_extra_body=True)
        except InvalidURL as e:
            raise LanguageModelError("the url of the agent's custom_llm is none") from e

    def _value(self, value: str | Secret) -> str:
        if isinstance(value, str):
            return value
        if secret := self._environ.get(value.secret_id):
            return secret
        raise LanguageModelError(f"environment variable {value.secret_id} is not set: custom_llm needs it")
