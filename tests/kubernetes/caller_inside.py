"""Run inside of the image, outside of the pods: `caller_inside.py HEAD FIRST SECOND`, their addresses.

It deploys, calls, and stays on the line while the first gateway's pod goes. A line of JSON tells each thing it sees,
and what is to be done then. Nothing but what the image has is imported.
"""

import asyncio
import json
import subprocess
import sys
import time
import urllib.error
import urllib.request

from serve_app.client import Conversation, ConversationOver
from serve_app.conversation.server_messages import AgentResponse

PATIENCE_S = 180.0
GLANCE_S = 0.5
SENTENCES = 400


def main() -> None:
    head, first, second = sys.argv[1:]
    wait_for("the head's probe", f"http://{head}:52365/api/healthz")
    tell("a gateway pod is started", start=first)
    wait_for("its liveness probe", f"http://{first}:52365/api/healthz")
    subprocess.run(
        ["serve", "deploy", "--address", f"http://{head}:8265", "/tmp/serve.yaml"], check=True, stdout=sys.stderr
    )
    wait_for("its readiness probe", f"http://{first}:8000/-/healthz")
    wait_for("/readyz", f"http://{first}:8000/readyz")
    tell("a second gateway pod is started", start=second)
    wait_for("its liveness probe", f"http://{second}:52365/api/healthz")
    asyncio.run(on_the_line(first, second))


async def on_the_line(first: str, second: str) -> None:
    """A call to the first pod, which is stopped, and what becomes of the probes meanwhile."""
    answers = 0
    async with Conversation.connect(f"http://{first}:8000", agent_id="default", resume=False) as call:
        glances = asyncio.create_task(watch(first, second))
        speaking = asyncio.create_task(speak(call))
        began = time.monotonic()
        try:
            async for event in call:
                if isinstance(event, AgentResponse):
                    answers += 1
                    if answers == 2:
                        began = time.monotonic()
                        tell(f"the agent answers: {event.agent_response!r}. The first pod is told to stop", stop=first)
        except ConversationOver as e:
            tell(f"the call is over {time.monotonic() - began:.0f} s later, after {answers} answers: {e}")
        finally:
            speaking.cancel()
            glances.cancel()
    tell(f"a new call to the second pod: {await greeting(second)!r}")


async def speak(call: Conversation) -> None:
    for _ in range(SENTENCES):
        await call.send_text("Bom dia!")
        await asyncio.sleep(2)


async def greeting(address: str) -> str:
    async with Conversation.connect(f"http://{address}:8000", agent_id="default") as call:
        async for event in call:
            if isinstance(event, AgentResponse):
                return event.agent_response
    return ""


async def watch(*addresses: str) -> None:
    """Tells whenever a pod's readiness changes."""
    last: dict[str, int] = {}
    while True:
        for number, address in enumerate(addresses, start=1):
            code = await asyncio.to_thread(status, f"http://{address}:8000/-/healthz")
            if last.get(address) != code:
                tell(f"readiness of gateway pod {number}: {code or 'nobody listens'}")
            last[address] = code
        await asyncio.sleep(GLANCE_S)


def wait_for(what: str, url: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while status(url) != 200:
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        time.sleep(GLANCE_S)
    tell(f"{what}: 200")


def status(url: str) -> int:
    """0: no answer."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return int(response.status)
    except urllib.error.HTTPError as e:
        return e.code
    except OSError:
        return 0


def tell(what: str, **then: str) -> None:
    """`start` or `stop`: the address of a pod that is to be."""
    print(json.dumps({"what": what, **then}), flush=True)


if __name__ == "__main__":
    main()
