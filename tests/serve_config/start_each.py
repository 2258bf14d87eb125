"""`make regions`: each region's config started on this machine, and called by the official Python client.

It prints a line for each, and ends with 1 if one did not answer. About 40 s a region.
"""

import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from elevenlabs.conversational_ai.conversation import ConversationInitiationData

from serve_app.serve_config import files
from tests.acceptance.caller import Caller
from tests.acceptance.server import running_server

TEXT = ConversationInitiationData(conversation_config_override={"conversation": {"text_only": True}})


def main() -> int:
    failed = 0
    for region in files.regions():
        try:
            said = started_and_called(region)
        except AssertionError as e:
            failed, said = 1, f"FAILED: {e}"
        print(f"{region:<12}{said}", flush=True)
    return failed


def started_and_called(region: str) -> str:
    with tempfile.TemporaryDirectory(prefix="hello-") as folder:
        begun = time.monotonic()
        with running_server(Path(folder), region=region, DASHBOARD="0") as server:
            ready_s = time.monotonic() - begun
            assert f"configs/{region}.yaml, on one machine" in server.log, server.log
            with urllib.request.urlopen(f"{server.url}/readyz", timeout=10) as response:
                assert response.status == 200
            return f"ready in {ready_s:.0f} s; {answer(server.ws_url)}"


def answer(ws_url: str) -> str:
    """To a typed message."""
    with Caller(ws_url, "default", {"audio_interface": None, "config": TEXT}) as caller:
        caller.until(lambda: bool(caller.answers))
        greeted = len(caller.answers)
        asked = time.monotonic()
        caller.conversation.send_user_message("bom dia")
        caller.until(lambda: len(caller.answers) > greeted)
        return f"answered in {(time.monotonic() - asked) * 1000:.0f} ms: {caller.answers[-1]!r}"


if __name__ == "__main__":
    sys.exit(main())
