"""The record of a conversation: facts, in order."""

from typing import Any

import msgspec


class LogEvent(msgspec.Struct, frozen=True):
    """One fact about a conversation, in order of `sequence` (0, 1, ... per conversation).

    epoch: how often the conversation has been taken over by another replica, 0 at first.
    kinds: started, user_turn, agent_turn, clause (text that the voice was asked for), answer (all of an answer's text
    is known), said (an answer is over: what the dialogue keeps of it), language (it has changed), correction,
    interruption, audio, tool_call, tool_result, transfer, feedback, context, backchannel, judgement, fallback (another
    provider took over), failure (none was left), none_response (a turn ended without a word), discarded (work begun
    for nothing), kept (work begun early, and used), line_quality, guardrail (something was found that must not be),
    rate_limited, resumed, taken_over (by another replica: the first event of its epoch), error, ended.
    """

    conversation_id: str
    sequence: int
    at_unix: float
    kind: str
    data: dict[str, Any]
    epoch: int = 0
