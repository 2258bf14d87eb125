"""ElevenLabs Agents wire messages <-> typed structs. Decoding is validation.

Unknown messages and unknown fields are ignored: newer clients must not break.
"""

from collections.abc import Iterator
from typing import Any, get_args

import msgspec
from msgspec import UNSET, UnsetType

from serve_app.conversation.client_messages import (
    CLIENT_MESSAGES,
    ClientMessage,
    ConfigOverride,
    ConversationInitiation,
    UserAudioChunk,
)
from serve_app.conversation.server_messages import ServerMessage
from serve_app.errors import InvalidMessage

LONGEST_MESSAGE = 1 << 20
"""Characters: more than any honest message has (a second of 48 kHz audio is 128,000 in base64)."""
LONGEST_EVENT = 250_000
"""Of any message but audio: what is read costs time, and the others wait for it."""

_DECODERS: dict[str, msgspec.json.Decoder[Any]] = {
    kind: msgspec.json.Decoder(message) for kind, message in CLIENT_MESSAGES.items()
}


class _Envelope(msgspec.Struct):
    type: str | None = None
    user_audio_chunk: bytes | UnsetType = UNSET


_ENVELOPE = msgspec.json.Decoder(_Envelope)


def decode(text: str) -> ClientMessage | None:
    """One text frame -> its message, or None for a kind we do not know.

    Raises InvalidMessage, whose text says what is wrong, for anything that is no message at all.
    """
    if len(text) > LONGEST_MESSAGE:
        raise InvalidMessage(f"message too large: {len(text)} characters, the limit is {LONGEST_MESSAGE}")
    try:
        envelope = _ENVELOPE.decode(text)
        if envelope.user_audio_chunk is not UNSET:
            return UserAudioChunk(envelope.user_audio_chunk)
        if envelope.type is None:
            raise InvalidMessage('message has neither "type" nor "user_audio_chunk"')
        if len(text) > LONGEST_EVENT:
            raise InvalidMessage(
                f"message too large: {len(text)} characters, the limit is {LONGEST_EVENT} but for audio"
            )
        decoder = _DECODERS.get(envelope.type)
        message: ClientMessage | None = decoder.decode(text) if decoder else None
        return _with_unknown_overrides(message, text) if isinstance(message, ConversationInitiation) else message
    except (msgspec.DecodeError, UnicodeError, RecursionError) as e:  # lone surrogates are not UTF-8; nested too deep
        raise InvalidMessage(f"invalid message: {e}") from e


class _Overrides(msgspec.Struct):
    conversation_config_override: dict[str, Any] | None = None


def _with_unknown_overrides(message: ConversationInitiation, text: str) -> ConversationInitiation:
    """A field that is not known is ignored, but who asked for an override must learn that it is not there."""
    sent = msgspec.json.decode(text, type=_Overrides).conversation_config_override or {}
    unknown = tuple(sorted(set(_unknown(sent, ConfigOverride, ""))))
    return msgspec.structs.replace(message, unknown_overrides=unknown)


def _unknown(section: dict[str, Any], known: type[msgspec.Struct], path: str) -> Iterator[str]:
    fields = {field.name: field.type for field in msgspec.structs.fields(known)}
    for name, value in section.items():
        if name not in fields:
            if value not in (None, {}, []):
                yield f"{path}{name}"[:100]
            continue
        inner = next((t for t in get_args(fields[name]) if isinstance(t, type) and issubclass(t, msgspec.Struct)), None)
        if inner and isinstance(value, dict):
            yield from _unknown(value, inner, f"{path}{name}.")


_encoder = msgspec.json.Encoder()


def encode(message: ServerMessage) -> str:
    """One message -> the text of its frame."""
    if message.ENVELOPE is None:
        return f'{{"type":"{message.TYPE}"}}'
    return f'{{"type":"{message.TYPE}","{message.ENVELOPE}":{_encoder.encode(message).decode()}}}'
