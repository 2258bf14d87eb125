"""Runs the tools that the model asks for: the client's, webhooks, and our own."""

from collections.abc import Mapping, Sequence, Set
from typing import Any

from serve_app.conversation.actions import CallWebhook
from serve_app.conversation.client_messages import ClientToolResult
from serve_app.conversation.dynamic_variables import Variables
from serve_app.conversation.guarding import Guarding
from serve_app.conversation.identity import Identity
from serve_app.conversation.lines import line
from serve_app.conversation.outgoing import Outgoing
from serve_app.conversation.reply import Reply
from serve_app.conversation.server_messages import (
    AgentToolRequest,
    AgentToolResponse,
    AgentToolResponseFullPayload,
    ClientToolCall,
)
from serve_app.conversation.tool_use import Outcome, ToolUse
from serve_app.conversation.tools import (
    SKIP_TURN,
    AgentTransfer,
    ClientTool,
    EndCall,
    LanguageDetection,
    SkipTurn,
    SystemTool,
    ToolCall,
    TransferToAgent,
    WebhookTool,
    arguments,
    decoded,
    text_of,
)
from serve_app.errors import Finished, ToolError

SLACK_S = 1.0
"""A webhook keeps its own time: ours is for one that does not."""
END_CALL = "end_call"
SENT = "Sent to the client. This tool gives no answer."
LOST = "The connection was lost before there was a result."


class Toolbox:
    def __init__(self, out: Outgoing, identity: Identity, guarding: Guarding) -> None:
        self._out = out
        self._identity = identity
        self._guarding = guarding
        self._sent: set[str] = set()  # ids of all client tool calls

    def use(self, reply: Reply, calls: Sequence[ToolCall], now: float) -> None:
        """Begin all of them."""
        tools, variables = self._identity.tools, self._identity.variables  # one of them may change who the agent is
        uses = [ToolUse(call, tools.get(call.name), now) for call in calls]
        reply.call_tools(uses, now)
        for use in uses:
            try:
                self._begin(reply, use, variables, now)
            except ToolError as e:
                self.settle(use, Outcome(e.message, is_error=True, is_called=False), now)

    def recalled(self, client_calls: Set[str]) -> None:
        """These were made elsewhere."""
        self._sent |= client_calls

    def go_on(self, reply: Reply, now: float) -> None:
        """With what was used elsewhere. What ended the call or the turn still does; other outcomes will not come."""
        for use in (use for each in reply.rounds for use in each.uses):
            tool = use.tool = self._identity.tools.get(use.call.name)
            reply.protected |= tool is not None and tool.interruption_mode == "disable_during_tool_and_turn"
            reply.silent = reply.silent or (use.call.name == SKIP_TURN and use.outcome is not None)
            if use.outcome is None and use.call.name == END_CALL and not reply.hanging_up:
                self._end_call(reply, use, decoded(use.call.arguments), now)
            elif use.outcome is None:
                self.settle(use, Outcome(LOST, is_error=True), now)

    def answered(self, reply: Reply | None, result: ClientToolResult, now: float) -> bool:
        """The client's answer to a call of this reply, or to one that nobody waits for any more. False: to none."""
        waiting = [use for use in (reply.pending if reply else []) if isinstance(use.tool, ClientTool)]
        for use in waiting:
            if use.call.id == result.tool_call_id:
                self.settle(use, Outcome.of(result.result, is_error=result.is_error), now)
                return True
        return result.tool_call_id in self._sent

    def expire(self, reply: Reply, now: float) -> None:
        """Calls that have taken too long."""
        for use in reply.pending:
            if use.due <= now:
                self.settle(use, Outcome(f"{use.call.name} did not answer in time", is_error=True), now)

    def settle(self, use: ToolUse, outcome: Outcome, now: float) -> None:
        """It is over. The client is told, but of end_call, on whose name clients hang up: see `hang_up`."""
        self._settle(use, outcome, now, tell=use.call.name != END_CALL)

    def hang_up(self, use: ToolUse, now: float) -> None:
        """The goodbye has been heard."""
        self._settle(use, Outcome("The call is over."), now, tell=True)

    def _settle(self, use: ToolUse, outcome: Outcome, now: float, *, tell: bool) -> None:
        use.outcome = outcome
        call = use.call
        flags = (outcome.is_error, outcome.is_called)
        self._out.log(
            "tool_result",
            tool_call_id=call.id,
            tool_name=call.name,
            result=outcome.told,
            is_error=outcome.is_error,
            is_called=outcome.is_called,
            latency_secs=round(now - use.started, 3),
        )
        if tell:
            told = (call.name, call.id, use.tool_type, self._out.new_id(), *flags)
            self._out.send(AgentToolResponse(*told))
            self._out.send(AgentToolResponseFullPayload(*told, outcome.told, outcome.truncated))

    def _begin(self, reply: Reply, use: ToolUse, variables: Variables, now: float) -> None:
        call, tool = use.call, use.tool
        event_id = self._out.send_with_id(lambda i: AgentToolRequest(call.name, call.id, use.tool_type, i))
        self._out.log(
            "tool_call",
            event_id=event_id,
            turn=reply.id,
            tool_call_id=call.id,
            tool_name=call.name,
            type=use.tool_type,
            round=len(reply.rounds),
            said=reply.last_use_at,
            params_as_json=call.arguments,
            time_in_call_secs=self._out.time_in_call(now),
        )
        self._guarding.check(call, reply.id)
        match tool:
            case None:
                raise ToolError(f"there is no tool {call.name!r}")
            case SystemTool():
                self._run(tool, reply, use, now)
            case ClientTool():
                self._call_client(tool, use, variables, now)
            case WebhookTool():
                given = arguments(tool, call.arguments, variables)
                use.due = now + tool.response_timeout_secs + SLACK_S
                self._out.do(CallWebhook(reply.id, call.id, tool, given, variables))

    def _call_client(self, tool: ClientTool, use: ToolUse, variables: Variables, now: float) -> None:
        given = arguments(tool, use.call.arguments, variables)
        self._sent.add(use.call.id)
        self._out.send_with_id(lambda i: ClientToolCall(tool.name, use.call.id, given, i, tool.expects_response))
        if tool.expects_response:
            use.due = now + tool.response_timeout_secs
        else:
            self.settle(use, Outcome(SENT, is_final=True), now)

    # ---- our own

    def _run(self, tool: SystemTool, reply: Reply, use: ToolUse, now: float) -> None:
        given = decoded(use.call.arguments)
        match tool.params:
            case EndCall():
                self._end_call(reply, use, given, now)
                return  # its outcome is told when the goodbye has been heard: clients hang up on it
            case SkipTurn():
                reply.silent = True
                told = "You wait for the caller."
            case LanguageDetection():
                self._identity.change_language(text_of(given, "language"))
                self._out.log("language", language=self._identity.language, turn=reply.id)
                told = f"The conversation is in {self._identity.language!r} now."
            case TransferToAgent(transfers):
                told = self._transfer(transfers, reply, given, now)
        reply.language, reply.voice = self._identity.language, self._identity.voice
        self.settle(use, Outcome(told), now)

    def _end_call(self, reply: Reply, use: ToolUse, given: Mapping[str, Any], now: float) -> None:
        if reply.hanging_up:
            raise ToolError("the call is ending already")
        reply.ends = Finished("the agent ended the call")
        reply.hanging_up = use
        if reply.mute:
            reply.utter(text_of(given, "message") or line("goodbye", reply.language), now)

    def _transfer(self, transfers: Sequence[AgentTransfer], reply: Reply, given: Mapping[str, Any], now: float) -> str:
        number = given.get("agent_number")
        if type(number) is not int or not 0 <= number < len(transfers):  # true is an int, too
            raise ToolError(f"agent_number: 0 to {len(transfers) - 1}")
        transfer = transfers[number]
        self._identity.become(transfer.agent_id)
        redact = self._identity.agent.redacts
        self._out.log("transfer", agent_id=transfer.agent_id, turn=reply.id, redact=redact)
        if transfer.transfer_message:
            reply.utter(transfer.transfer_message, now)
        reply.language, reply.voice = self._identity.language, self._identity.voice
        if transfer.enable_transferred_agent_first_message and self._identity.first_message:
            reply.utter(self._identity.first_message, now)
            reply.closing = True
        return "You are the agent that the call was transferred to. Go on from here."
