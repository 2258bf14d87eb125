"""What is said to pass the time while an answer is late, and when: a caller must not wonder if anybody is there."""

from serve_app.conversation.agent import SoftTimeout
from serve_app.conversation.endpointing import SILENCE_S
from serve_app.conversation.lines import line
from serve_app.conversation.reply import Reply
from serve_app.conversation.turn_taking import HOLD_AFTER_S

TOOL_PATIENCE_S = 1.5
"""Silence while tools run, until the agent says that it is on it: callers ask "hello?" at about 2 s."""
STILL_BUSY_S = 8.0
"""And until it says so again."""

FLUSH_AFTER_S = 0.8
"""Words that are there but make no clause yet are spoken sooner: they still have to become sound."""
GRACE_S = 0.4
"""A model that was only just asked (again, after a tool) may be about to speak."""
MOST_FILLERS = 2
"""In a row while the model is silent: then it will not speak. (An agent's own soft timeouts have a number of theirs.)
"""

_NEVER = float("inf")


def filler_due(reply: Reply, soft: SoftTimeout, *, user_has_spoken: bool) -> float:
    """When to pass the time. `soft`: the agent's own wishes, if any."""
    if not reply.taken or reply.complete or not reply.idle:
        return _NEVER
    quiet_from = max(reply.filled_at, reply.playback.plays_until)
    waits_from = max(quiet_from, _waits_from(reply))
    if reply.pending:
        silent = any(use.tool and use.tool.pre_tool_speech == "off" for use in reply.pending)
        first = max(waits_from + TOOL_PATIENCE_S, reply.busy_since + GRACE_S)
        again = max(quiet_from, reply.busy_since) + STILL_BUSY_S
        told = reply.fillers and reply.filled_at >= reply.busy_since  # that the tools take long
        return _NEVER if silent else again if told else first
    if not reply.thinking:
        return _NEVER
    if soft.timeout_seconds <= 0:
        patience = FLUSH_AFTER_S if reply.unspoken else HOLD_AFTER_S
        return max(waits_from + patience, reply.asked_at + GRACE_S)
    enough = reply.soft_fillers >= soft.max_soft_timeouts_per_generation
    too_early = soft.disable_until_first_user_message and not user_has_spoken
    if enough or too_early or not reply.untouched:
        return _NEVER
    return max(quiet_from, reply.asked_at, reply.taken_at) + soft.timeout_seconds


def _waits_from(reply: Reply) -> float:
    """From when the turn could have been decided: whatever took longer, the words above all, is part of the wait."""
    stopped = reply.metrics.caller_stopped
    return reply.taken_at if stopped is None else min(reply.taken_at, stopped + SILENCE_S)


def enough_fillers(reply: Reply, soft: SoftTimeout) -> bool:
    """Whether it is time to give the model up, rather than to ask for patience once more."""
    return soft.timeout_seconds <= 0 and reply.soft_fillers >= MOST_FILLERS and not reply.pending


def filler(reply: Reply, soft: SoftTimeout) -> str:
    """What to say. Of the agent's own messages the next, the last one again and again."""
    own = [text for text in (soft.message, *soft.additional_soft_timeout_messages) if text]
    if own and soft.timeout_seconds > 0 and not reply.pending:
        return own[: reply.soft_fillers + 1][-1]
    return line("still_busy" if reply.fillers else "one_moment", reply.language)
