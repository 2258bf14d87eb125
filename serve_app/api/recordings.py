"""What a call sounded like, over REST, as ElevenLabs serves it."""

import asyncio
import logging

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from serve_app.api.answers import error, for_key_holders
from serve_app.api_keys import ApiKeys
from serve_app.errors import StoreError
from serve_app.recordings.codecs import mp3, wav
from serve_app.recordings.library import Library
from serve_app.recordings.mixing import Mix

logger = logging.getLogger(__name__)


def routes(recordings: Library, keys: ApiKeys) -> list[Route]:
    """GET /v1/convai/conversations/{conversation_id}/audio: 200, 401, 404 if it was not recorded, 422, 503 while the
    recordings are out of reach. Both sides mixed, as MP3; as WAV with `?format=wav`, or for who accepts audio/wav."""

    async def get_audio(request: Request) -> Response:
        conversation_id = request.path_params["conversation_id"]
        wanted = request.query_params.get("format") or _accepted(request)
        if wanted not in ("mp3", "wav"):
            return error(422, "unknown_format", "There are `?format=mp3` and `?format=wav`.")
        try:
            mix = await recordings.open(conversation_id)
            if mix is None:
                message = f"Conversation with id {conversation_id} has no audio: it was not recorded, or not spoken."
                return error(404, "audio_not_found", message)
            return await _wav(mix) if wanted == "wav" else _mp3(mix)
        except StoreError as e:
            logger.warning("a recording could not be read: %s", e.message)
            return error(503, "store_unavailable", "Recordings cannot be read at the moment. Try again later.")

    path = "/v1/convai/conversations/{conversation_id}/audio"
    return [Route(path, for_key_holders(keys, get_audio), methods=["GET"])]


def _accepted(request: Request) -> str:
    return "wav" if request.headers.get("accept", "").startswith("audio/wav") else "mp3"


def _mp3(mix: Mix) -> Response:
    """Encoded piece by piece while it is sent; Starlette asks for each in a thread."""
    return StreamingResponse(mp3(mix.pieces()), media_type="audio/mpeg")


async def _wav(mix: Mix) -> Response:
    """A WAV tells its length first."""
    length = await asyncio.to_thread(mix.length)
    return StreamingResponse(wav(mix.pieces(), length), media_type="audio/wav")
