"""Speak WAV files to a server in real time, one turn each, and hear the answers.

    python -m serve_app.talk hello.wav [more.wav ...] [--url ws://127.0.0.1:8000] [--agent default] [--out answer.wav]

Prints both sides' transcript and each turn's latencies, and writes what was heard of the agent, pauses and all, as
WAV. Exit code 1: the call failed, or a turn was not answered.
"""

import argparse
import asyncio
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from serve_app.talk import TalkError
from serve_app.talk.call import Call, calling
from serve_app.talk.clip import Clip, read_clip

GREETING_TIMEOUT = 3.0  # an agent need not greet
ANSWER_TIMEOUT = 15.0

METRICS = {
    "convai_turn_silence_before_initiation": "turn decided",
    "convai_asr_trailing_service_latency": "transcription",
    "convai_llm_service_ttfb": "first word",
    "convai_llm_service_ttf_sentence": "first sentence",
    "convai_tts_service_ttfb": "first sound",
    "convai_ttf_audio_since_silence": "total",
}


def main() -> int:
    options = parse_arguments()
    errors: Sequence[BaseException] = ()
    try:
        clips = [read_clip(path) for path in options.wav]
        answered = asyncio.run(talk(options.url, options.agent, clips, options.out))
        print(f"        the agent's audio is in {options.out}")
        return 0 if answered else 1
    except* TalkError as group:
        errors = group.exceptions
    for error in errors:
        print(error, file=sys.stderr)
    return 1


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="talk", description="Speak WAV files to a server, one turn each.")
    parser.add_argument("wav", nargs="+", type=Path, help="16-bit WAV of any rate")
    parser.add_argument("--url", default="ws://127.0.0.1:8000", help="the server (%(default)s)")
    parser.add_argument("--agent", default="default", metavar="ID", help="agent to talk to (%(default)s)")
    parser.add_argument("--out", default=Path("answer.wav"), type=Path, help="where the answer goes (%(default)s)")
    return parser.parse_args()


async def talk(url: str, agent_id: str, clips: Sequence[Clip], out: Path) -> bool:
    """Make the call and write the recording to `out`; False when a turn was not answered.

    Raises TalkError, alone or in a group.
    """
    async with calling(url, agent_id) as call:
        try:
            async with asyncio.TaskGroup() as tasks:
                streams = [tasks.create_task(call.stream_microphone()), tasks.create_task(call.listen())]
                answered = await take_turns(call, clips)
                for stream in streams:
                    stream.cancel()
        finally:
            call.loudspeaker.save(out)
    return answered


async def take_turns(call: Call, clips: Sequence[Clip]) -> bool:
    """Let the agent greet, then say each clip and hear its answer out. False as soon as one is not answered."""
    if await call.first_sound(0.0, GREETING_TIMEOUT) is not None:
        await call.agent_finished()
    for clip in clips:
        call.metrics = {}
        said = await call.say(clip)
        heard = await call.first_sound(said, ANSWER_TIMEOUT)
        if heard is None:
            print(f"        no answer within {ANSWER_TIMEOUT:.0f} s")
            return False
        await call.agent_finished()
        print(f"        answer heard {1000 * (heard - said):.0f} ms after the end of speech")
        if call.metrics:
            print(f"        the server's figures: {in_words(call.metrics)}")
    return True


def in_words(metrics: Mapping[str, Mapping[str, float]]) -> str:
    known = {label: metrics[name]["elapsed_time"] for name, label in METRICS.items() if name in metrics}
    return ", ".join(f"{label} {1000 * seconds:.0f} ms" for label, seconds in known.items())


if __name__ == "__main__":
    sys.exit(main())
