"""The agent's backchannels: "uhum" while the caller speaks. They are no turn: the floor stays the caller's."""

from itertools import count

from serve_app.audio.pcm import AudioFormat
from serve_app.conversation.actions import Murmur
from serve_app.conversation.identity import Identity
from serve_app.conversation.ignore_terms import TAKES
from serve_app.conversation.outgoing import Outgoing
from serve_app.conversation.phrasing import Clause
from serve_app.conversation.playback import Playback, SpeechChunk
from serve_app.conversation.server_messages import Audio

GAIN = 0.35
"""-9 dB: heard, and nothing to stop for."""


class Backchannels:
    """`speech`, in all of it, is the caller's present speech, by its onset; None: they do not have the floor."""

    def __init__(self, out: Outgoing, identity: Identity) -> None:
        self._out = out
        self._identity = identity
        self._count = count()
        self._text = ""
        self._speech: int | None = None  # in which it was wanted
        self._playback: Playback | None = None

    def want(self, speech: int | None) -> None:
        """Now would be the moment: the next of the language's murmurs, if it has any."""
        takes = TAKES.get(self._identity.language[:2], ())
        if takes:
            self._speech = speech
            self._text = takes[next(self._count) % len(takes)]
            self._out.do(Murmur(self._text, self._identity.language, self._identity.voice))

    def begin(self, audio: bytes, now: float, speech: int | None) -> None:
        """Its sound is there, all of it, in the voice's format."""
        if speech is None or speech != self._speech:
            return
        self._playback = Playback(AudioFormat.parse(self._identity.voice.agent_output_audio_format), GAIN)
        clause = Clause(0, len(self._text), self._text)
        self._playback.expect(clause)
        self._playback.add(clause, SpeechChunk(audio))
        self._playback.whole(clause)
        self._playback.close()
        self._playback.release()
        self._out.log("backchannel", role="agent", text=self._text, time_in_call_secs=self._out.time_in_call(now))
        self.tick(now, speech)

    def deadline(self) -> float:
        due = self._playback.deadline() if self._playback else None
        return float("inf") if due is None else due

    def tick(self, now: float, speech: int | None) -> None:
        """What is due leaves. Once the caller has ended, what is left of a murmur would hold the answer up."""
        if self._playback is None or speech != self._speech:
            self._playback = None
            return
        for piece in self._playback.take(now):
            self._out.send_with_id(lambda i, audio=piece.audio: Audio(audio, i))  # type: ignore[misc]
        if self._playback.drained:
            self._playback = None
