"""What the tests of webhook tools share."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from serve_app.conversation.dynamic_variables import Value
from serve_app.conversation.tools import WebhookTool
from serve_app.errors import ToolError
from serve_app.providers.webhook import HttpWebhooks

ENVIRON = {"SHOP_KEY": "Bearer s3cret-value", "ODD_KEY": 'Bearer tok/en"+é=\n', "SHORT_KEY": "Bearer v1 Bot"}
TEXT = {"type": "string", "description": "from the model"}


def tool(url: str, *, timeout: int = 5, **api: Any) -> WebhookTool:
    described = {
        "type": "webhook",
        "name": "shop",
        "description": "Asks the shop.",
        "response_timeout_secs": timeout,
        "api_schema": {"url": url, **api},
    }
    return msgspec.convert(described, WebhookTool)


def properties(*names: str) -> dict[str, Any]:
    return {"properties": dict.fromkeys(names, TEXT)}


@asynccontextmanager
async def webhooks() -> AsyncIterator[HttpWebhooks]:
    webhooks = HttpWebhooks(ENVIRON)
    try:
        yield webhooks
    finally:
        await webhooks.aclose()


def call(tool: WebhookTool, arguments: Mapping[str, Any] = {}, variables: Mapping[str, Value] = {}) -> str:
    async def result() -> str:
        async with webhooks() as caller:
            return await caller.call(tool, arguments, variables)

    return asyncio.run(result())


def refused(tool: WebhookTool, arguments: Mapping[str, Any] = {}, variables: Mapping[str, Value] = {}) -> str:
    with pytest.raises(ToolError) as error:
        call(tool, arguments, variables)
    return error.value.message
