"""What the language model is asked, and what it may answer with besides text."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from serve_app.conversation.agent import Prompt
from serve_app.conversation.dialogue import Message
from serve_app.conversation.tools import ToolSpec


class ModelRequest(msgspec.Struct, frozen=True):
    """`prompt` holds the agent's settings of the model (its text is the first message already); `extra_body` is the
    client's own `custom_llm_extra_body`, for an agent's custom model alone. `hurry`: the line is bad, and a quick model
    makes up for some of it."""

    messages: Sequence[Message]
    language: str
    prompt: Prompt = Prompt()
    tools: Sequence[ToolSpec] = ()
    extra_body: Mapping[str, Any] = {}
    hurry: bool = False


class Reasoning(msgspec.Struct, frozen=True):
    """A piece of what the model thinks to itself: never spoken."""

    text: str
