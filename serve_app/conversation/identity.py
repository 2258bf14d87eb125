"""Who answers: the agent as this caller gets it. A tool may change its language, or put another agent in its place."""

from collections.abc import Mapping

from serve_app.conversation import dynamic_variables, overrides
from serve_app.conversation.agent import Agent, Voice
from serve_app.conversation.dialogue import Message
from serve_app.conversation.model_request import ModelRequest
from serve_app.conversation.opening import Opening
from serve_app.conversation.tools import Tool, spec
from serve_app.errors import ClientError, ToolError


class Identity:
    """`agents`: all there are, for transfers."""

    def __init__(self, opening: Opening, agents: Mapping[str, Agent]) -> None:
        self._unfilled = opening.agent  # a value of the client's is no text of ours: nothing is filled in twice
        self.agent = dynamic_variables.filled(opening.agent, opening.variables)
        self.manners = self.agent.manners
        self.language = opening.agent.conversation_config.agent.language
        self.variables = opening.variables
        self._given = opening.given
        self._extra_body = opening.extra_body
        self._agents = agents

    @property
    def template(self) -> Agent:
        """As it was before anything of this caller's was filled in."""
        return self._unfilled

    @property
    def voice(self) -> Voice:
        return self.agent.conversation_config.tts

    @property
    def tools(self) -> dict[str, Tool]:
        return self.agent.tools

    @property
    def prompt(self) -> str:
        return self.agent.conversation_config.agent.prompt.prompt

    @property
    def first_message(self) -> str:
        return self.agent.conversation_config.agent.first_message

    def heard(self, language: str) -> None:
        """The caller speaks this language: it is answered in it."""
        self.language = language or self.language

    def change_language(self, language: str) -> None:
        """Raises ToolError for one that the agent does not have."""
        if language not in self.agent.languages:
            raise ToolError(f"language: one of {', '.join(self.agent.languages)}")
        self._take(overrides.in_language(self._unfilled, language))
        self.language = language

    def become(self, agent_id: str) -> None:
        """Raises ToolError if this caller lacks variables that the other agent needs."""
        agent = self._agents[agent_id]
        if self.language in agent.languages:
            agent = overrides.in_language(agent, self.language)
        self._take(agent)
        if not agent.platform_settings.overrides.custom_llm_extra_body:
            self._extra_body = {}
        self.language = agent.conversation_config.agent.language

    def _take(self, agent: Agent) -> None:
        try:
            variables = dynamic_variables.known(agent, self._given, {})
            filled = dynamic_variables.filled(agent, variables)
        except ClientError as e:
            raise ToolError(e.message) from e
        self._unfilled, self.agent, self.variables = agent, filled, variables
        self.manners = filled.manners

    def request(self, messages: list[Message], *, tools: bool, hurry: bool = False) -> ModelRequest:
        """What the model is asked, as this agent."""
        specs = [spec(tool, self.agent.languages) for tool in self.tools.values()] if tools else []
        prompt = self.agent.conversation_config.agent.prompt
        return ModelRequest(messages, self.language, prompt, specs, self._extra_body, hurry)
