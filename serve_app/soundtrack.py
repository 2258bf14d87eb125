"""Both sides of a call on the caller's time line: what they say, what we have said when, and the recording of it."""

from serve_app.audio.caller_audio import CallerAudio
from serve_app.audio.detector import Frame
from serve_app.audio.framing import RATE
from serve_app.audio.pcm import AudioFormat, Samples
from serve_app.conversation.server_messages import Audio, Interruption, ServerMessage
from serve_app.errors import InvalidMessage
from serve_app.ports import Take


class Soundtrack:
    """`caller` and `voice`: the formats of the two sides. `now`: on the conversation's clock. `heard_before_s`: of the
    caller's audio, on another replica: the recording goes on there. `take` None: there is no recording."""

    def __init__(
        self, caller: AudioFormat, voice: AudioFormat, now: float, *, heard_before_s: float = 0.0, take: Take | None
    ) -> None:
        self.received_s = heard_before_s
        """Of the caller's audio, from the first sample they ever sent."""
        self._format = caller
        self._voice_format = voice
        self._audio = CallerAudio(caller, voice)
        self._from = round(heard_before_s * RATE)
        self._heard_at = now  # when the caller's newest audio came
        self._plays_until = 0.0  # when what was sent will have been played
        self._take = take

    def seconds(self, data: bytes) -> float:
        """How long the caller's audio is."""
        return self._format.seconds(len(data))

    def arrive(self, data: bytes, now: float) -> list[Samples]:
        """The frames that this audio completes, to be judged in order. Raises InvalidMessage."""
        self._heard_at = now
        try:
            frames = self._audio.frames(data)
        except ValueError as e:
            raise InvalidMessage(f"audio of {len(data)} bytes is not whole samples") from e
        self.received_s += self.seconds(data)
        return frames

    def judge(self, frame: Samples) -> Frame:
        if self._take:
            self._take.caller(self._from + self._audio.recording.end, frame)
        return self._audio.judge(frame)

    def reconnected(self, now: float) -> None:
        """The caller's audio goes on."""
        self._heard_at = now

    def send(self, message: ServerMessage, now: float) -> None:
        """Our voice may come back through the caller's microphone: it sounds from a certain sample of theirs on."""
        if isinstance(message, Interruption):
            self._plays_until = now
            if self._take:
                self._take.cut(self._from + self._sample_at(now))
        elif isinstance(message, Audio):
            begins = max(now, self._plays_until)
            at = self._sample_at(begins)
            self._audio.played(message.audio_base_64, at)
            self._plays_until = begins + self._voice_format.seconds(len(message.audio_base_64))
            if self._take:
                self._take.agent(self._from + at, message.audio_base_64)

    def slice(self, start: int, end: int) -> bytes:
        """The caller's samples [start, end) at RATE, s16le, as far as they are held."""
        return self._audio.recording.slice(start, end)

    @property
    def held_from(self) -> int:
        """The oldest sample of the caller's that is held."""
        return self._audio.recording.start

    async def close(self) -> None:
        if self._take:
            await self._take.close()

    def _sample_at(self, moment: float) -> int:
        """Of the caller's, that they record then."""
        return self._audio.recording.end + round((moment - self._heard_at) * RATE)
