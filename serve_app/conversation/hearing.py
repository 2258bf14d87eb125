"""What was made of the caller's words in the turn under way, and how sure of them one can be."""

from serve_app.conversation.decisions import Words
from serve_app.conversation.dialogue import Transcript
from serve_app.conversation.hypotheses import Hypotheses
from serve_app.conversation.notes import UNCLEAR_NOTE, WAY_OUT_NOTE
from serve_app.conversation.outgoing import Outgoing
from serve_app.conversation.server_messages import TentativeUserTranscript
from serve_app.conversation.stock_phrases import is_imagined
from serve_app.errors import HelloError

_NOTES = (UNCLEAR_NOTE, UNCLEAR_NOTE, WAY_OUT_NOTE)
"""On words in a row that were hard to make out. Nobody is asked to repeat themselves a third time; from the fourth on
what was heard has to do."""


class Hearing:
    """Turn by turn. `transcript` is the newest, None before the first of a turn; `fault` is why there is none."""

    def __init__(self, out: Outgoing) -> None:
        self.transcript: Transcript | None = None
        self.fault: HelloError | None = None
        self.early = False  # the last recognition was asked for in case the turn was over
        self.last_note = ""  # on the words of the turn before
        self._out = out
        self._unclear = 0  # turns in a row whose words were hard to make out
        self._asked = False  # for a recognition whose outcome is not used yet
        self._hypotheses = Hypotheses()
        self._shown = ""

    def asked(self, *, early: bool) -> None:
        """For a recognition. `early`: the turn may go on."""
        self._asked, self.early, self.fault = True, early, None

    def recognised(self, transcript: Transcript, speech_s: float) -> Words:
        """Whether there are words in it. `speech_s`: how much speech the voice detector heard."""
        for fallback in transcript.fallbacks:
            self._out.log_fallback(fallback)
        self.transcript = transcript
        if not transcript.text or is_imagined(transcript.text, speech_s):
            return Words.NONE
        return Words.SPEECH

    def overheard(self, text: str) -> None:
        """What the caller has said so far, while they speak on."""
        if text:
            self.show(self._hypotheses.add(text))

    def show(self, text: str) -> None:
        """Words that may still change."""
        if text != self._shown:
            self._out.send_with_id(lambda i: TentativeUserTranscript(text, i))
        self._shown = text

    def note(self, transcript: Transcript, threshold: float) -> str:
        """What the language model should know of these words; empty: that they are clear, or have to do."""
        unclear = transcript.confidence < threshold and self._unclear < len(_NOTES)
        return _NOTES[self._unclear] if unclear else ""

    def went_on(self) -> None:
        """The caller did: what was recognised is not all."""
        if self._asked:
            self._out.log("discarded", stage="stt", requests=1, tokens=0, characters=0)
        self._asked = False

    def taken(self, transcript: Transcript, threshold: float) -> None:
        """The turn is over, and these are its words."""
        self.last_note = self.note(transcript, threshold)
        self._unclear = self._unclear + 1 if transcript.confidence < threshold else 0
        self.over()

    def over(self) -> None:
        """The turn is, with words or without."""
        self.transcript, self.fault, self._asked = None, None, False
        self._hypotheses, self._shown = Hypotheses(), ""
