"""What client and record are told of an answer's text: as it is written, when it is whole, when it was cut off."""

from collections.abc import Sequence

from serve_app.conversation.outgoing import Outgoing
from serve_app.conversation.parts import Parts
from serve_app.conversation.reply import Reply
from serve_app.conversation.server_messages import (
    AgentChatResponsePart,
    AgentReasoningResponsePart,
    AgentResponse,
    AgentResponseComplete,
    AgentResponseCorrection,
    AgentResponseMetadata,
)
from serve_app.conversation.turn_metrics import wire


class Section:
    """What is said in one go, between two uses of tools: characters [start, end) of the answer. The client gets an
    `agent_response` for each. `end` None: more of it may come. Made with an end, it has been announced elsewhere."""

    def __init__(self, start: int, end: int | None, response_id: int) -> None:
        self.start = start
        self.end = end
        self.response_id = response_id
        self.announced = end is not None


class Writing:
    """Of one reply, from when it is taken. `told`: sections that the client has got already, from elsewhere."""

    def __init__(self, reply: Reply, out: Outgoing, told: Sequence[Section] = ()) -> None:
        self._reply = reply
        self._out = out
        self._sections = list(told)
        self._chat: Parts | None = None  # of the section that is being written
        self._thoughts: Parts | None = None

    def advance(self) -> None:
        """More may have been written."""
        reply, out = self._reply, self._out
        if reply.reasoning:
            self._thoughts = self._thoughts or Parts(AgentReasoningResponsePart, out, out.new_id())
            self._thoughts.advance(reply.reasoning)
        start = self._sections[-1].end if self._sections else 0
        if start is not None and reply.answer[start:].strip():
            section = Section(start, None, out.new_id())
            self._sections.append(section)
            self._chat = Parts(AgentChatResponsePart, out, section.response_id)
        if self._chat:
            self._chat.advance(self._text(self._sections[-1]))

    def close(self) -> None:
        """What is there is all of this section."""
        self.advance()
        if self._thoughts:
            self._thoughts.stop()
            self._thoughts, self._reply.reasoning = None, ""
        if self._chat:
            self._chat.stop()
            self._chat = None
            self._sections[-1].end = len(self._reply.answer)

    def stop(self) -> None:
        """It will not be said: what was begun to be written ends."""
        for parts in (self._thoughts, self._chat):
            if parts:
                parts.stop()

    def announce(self, now: float, *, until: float = float("inf")) -> None:
        """Sections that are whole, each once: those that begin at `until` in the text, or before."""
        for section in self._sections:
            if section.end is not None and section.start <= until and not section.announced:
                self._announce(section, now)

    def correct(self, heard: str, now: float) -> None:
        """The answer was cut off: all that was written is announced, then what was not heard of it is taken back."""
        self.close()
        self.announce(now)
        for section in self._sections:
            said, caught = self._text(section), heard[section.start : section.end].strip()
            if caught != said:
                self._out.send(AgentResponseCorrection(said, caught, section.response_id))
                self._out.log("correction", event_id=section.response_id, original=said, corrected=caught)

    def complete(self) -> None:
        """Nothing more of it will be said or heard."""
        for section in self._sections:
            if section.announced:
                self._out.send(AgentResponseComplete(section.response_id))

    def _text(self, section: Section) -> str:
        return self._reply.answer[section.start : section.end].strip()

    def _announce(self, section: Section, now: float) -> None:
        """The latencies are those of the first section that answers: it is what the caller has waited for."""
        section.announced = True
        answers = (other for other in self._sections if other.end not in self._reply.fillings)
        first = section is next(answers, None)
        latencies = self._reply.metrics.agent_turn() if first else {}
        text = self._text(section)
        self._out.send(AgentResponse(text, section.response_id))
        if first:
            metrics = {"conversation_turn_metrics": wire(latencies)}
            self._out.send(AgentResponseMetadata(metrics, section.response_id))
        self._out.log(
            "agent_turn",
            text=text,
            event_id=section.response_id,
            turn=self._reply.id,
            start=section.start,
            end=section.end,
            time_in_call_secs=self._out.time_in_call(now),
            metrics=latencies,
        )
