"""One answer, from the first token to the last sample heard."""

from serve_app.audio.pcm import AudioFormat
from serve_app.conversation.phrasing import Clause, Phrasing
from serve_app.conversation.playback import Playback, SpeechChunk
from serve_app.conversation.turn_metrics import TurnMetrics

CLAUSES_AHEAD = 2
"""The clause that plays and the one after it: more would be synthesised in vain at every interruption."""


class Reply:
    """`id` names it in every report about it: what comes late for an answer that is gone has nowhere to go."""

    def __init__(self, reply_id: int, language: str, audio_format: AudioFormat, metrics: TurnMetrics) -> None:
        self.id = reply_id
        self.language = language
        self.metrics = metrics
        self.playback = Playback(audio_format)
        self.taken = False  # the turn is decided: it may be heard
        self.complete = False  # all its text is known
        self.response_id: int | None = None  # of its agent_response, once sent
        self._phrasing = Phrasing()
        self._waiting: list[Clause] = []
        self._speaking: list[Clause] = []  # asked of the voice, in order

    @property
    def text(self) -> str:
        return self._phrasing.answer.strip()

    @property
    def wordless(self) -> bool:
        return self.complete and not self._waiting and not self._speaking

    def token(self, text: str, now: float) -> None:
        if self.metrics.first_token is None:
            self.metrics.first_token = now
        self._phrase(self._phrasing.feed(text if self._phrasing.answer else text.lstrip()), now)

    def end(self, now: float) -> None:
        """The model has said all."""
        self.complete = True
        self.metrics.answer_complete = now
        self._phrase(self._phrasing.finish(), now)
        self._close_if_asked()

    def _phrase(self, clauses: list[Clause], now: float) -> None:
        if clauses and self.metrics.first_clause is None:
            self.metrics.first_clause = now
        self._waiting += clauses

    def next_clauses(self, now: float) -> list[tuple[int, Clause]]:
        """Clauses to ask of the voice now, each with its number; it then follows in the playback."""
        asked = []
        while self._waiting and self.playback.unfinished < CLAUSES_AHEAD:
            clause = self._waiting.pop(0)
            self.playback.expect(clause)
            asked.append((len(self._speaking), clause))
            self._speaking.append(clause)
        if asked and self.metrics.voice_asked is None:
            self.metrics.voice_asked = now
        self._close_if_asked()
        return asked

    def spoken(self, number: int, chunk: SpeechChunk, now: float) -> None:
        if self.metrics.first_speech is None:
            self.metrics.first_speech = now
        self.playback.add(self._speaking[number], chunk)

    def clause_whole(self, number: int) -> None:
        self.playback.whole(self._speaking[number])

    def heard(self, now: float) -> str:
        """What the caller has heard: a prefix of the text, in whole words."""
        answer, end = self._phrasing.answer, self.playback.heard(now)
        while 0 < end < len(answer) and not answer[end].isspace():
            end -= 1
        return answer[:end].rstrip()

    def _close_if_asked(self) -> None:
        if self.complete and not self._waiting:
            self.playback.close()
