"""Agents for the routes' tests."""

import msgspec

from serve_app.conversation.agent import Agent

AGENTS = {
    "open": Agent("Ana"),
    "private": msgspec.convert({"name": "Rui", "platform_settings": {"auth": {"enable_auth": True}}}, Agent),
}
