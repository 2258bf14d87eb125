"""The application graph, and the one place where parts are chosen."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import chain
from typing import Any, cast

from pydantic import BaseModel, ConfigDict
from ray.serve import Application, Deployment
from ray.serve.handle import DeploymentHandle

from deployments.remote import ask
from deployments.tts import RemoteSpeaker, TtsProxy
from deployments.turn_engines import choose_engine
from deployments.vad import RemoteJudge, Vad
from deployments.whisper import LocalWhisper, RemoteTranscriber
from serve_app.access import STORE_ANSWERS_WITHIN_S, Access
from serve_app.admission import Reception
from serve_app.agent_files import load_agents
from serve_app.api import agents as agents_api
from serve_app.api import conversations, recordings, signed_urls
from serve_app.api.cors import cors
from serve_app.api_keys import ApiKeys
from serve_app.conversation.agent import Agent
from serve_app.conversation.breaker import Breaker, State
from serve_app.conversation.known_clauses import known_clauses
from serve_app.errors import ProviderError, SpeechError, TranscriptionError
from serve_app.gateway import Composition, Gateway, Limits
from serve_app.observability.metrics import BreakerStates, FrameWaits, LoopLag, MeteredLog, OpenTasks
from serve_app.parts import Parts
from serve_app.places import Places
from serve_app.ports import Transcriber
from serve_app.providers.chat import ChatModel
from serve_app.providers.custom_llm import NO_KEY, AgentModels
from serve_app.providers.groq_stt import GroqTranscriber
from serve_app.providers.hedged_transcriber import HedgedTranscriber
from serve_app.providers.offline_agent import OfflineAgent
from serve_app.providers.prepared_speaker import PreparedSpeaker
from serve_app.providers.webhook import HttpWebhooks
from serve_app.recordings.archive import Archive
from serve_app.recordings.library import Library
from serve_app.recordings.live import LiveFolder
from serve_app.recordings.recorder import DiskRecorder
from serve_app.settings import ModelAddress, Settings
from serve_app.signatures import Signatures
from serve_app.store.database import Database
from serve_app.store.deletion import Deletion
from serve_app.store.listing import ConversationList
from serve_app.store.log import JournaledLog
from serve_app.store.opinions import Opinions
from serve_app.store.reader import ConversationReader
from serve_app.store.retention import Retention
from serve_app.strain import Strain

OnChange = Callable[[str, State], None]
"""Told of a breaker's every state, and whose it is."""


class Arguments(BaseModel):
    """`args` of the application. Changing one restarts the replicas, so there are few."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    whisper_device: str = "cpu"
    whisper_compute_type: str | None = None


def build(args: Arguments) -> Application:
    """The graph that Serve deploys. Secrets are no arguments: each replica reads its own environment."""
    whisper = _graph(LocalWhisper).bind(device=args.whisper_device, compute_type=args.whisper_compute_type)
    vad, tts = _graph(Vad).bind(choose_engine), _graph(TtsProxy).bind()
    return _graph(Gateway).bind(compose, whisper=whisper, vad=vad, tts=tts)


def _graph(deployment: type) -> Deployment:
    """`@serve.deployment` makes a Deployment of a class, but is typed as if it left the class alone."""
    return cast(Deployment, deployment)


def compose(whisper: DeploymentHandle[Any], vad: DeploymentHandle[Any], tts: DeploymentHandle[Any]) -> Composition:
    """The parts of one gateway replica, made inside it."""
    settings = Settings.from_environment(os.environ)
    agents = load_agents(settings.agents_dir, os.environ)
    database = Database(settings.database_url)
    log = JournaledLog(database, settings.journal_dir)
    agent_names = {agent_id: agent.name for agent_id, agent in agents.items()}
    live = LiveFolder(settings.recordings_dir / "live")
    recorder, library = DiskRecorder(live), Library(live, Archive(settings.recordings_archive))
    listing = ConversationList(database, agent_names)
    reader, deletion = ConversationReader(database, agent_names, library.exists), Deletion(database, library.delete)
    states, strain, places = BreakerStates(), Strain(), Places(settings.journal_dir / "places")
    transcriber = choose_transcriber(settings, RemoteTranscriber(whisper), states)
    models, webhooks = choose_models(settings, os.environ, states), HttpWebhooks(os.environ)
    speaker = PreparedSpeaker(RemoteSpeaker(tts), chain.from_iterable(map(known_clauses, agents.values())))
    keys = ApiKeys(key.get_secret_value() for key in settings.api_keys)
    signatures = Signatures(settings.signing_secret.get_secret_value()) if settings.signing_secret else None

    @asynccontextmanager
    async def running(superseded: Callable[[str], None]) -> AsyncIterator[None]:
        async with AsyncExitStack() as closing:
            closing.callback(places.close)
            closing.push_async_callback(database.aclose)
            log.on_superseded = superseded
            log.start()
            closing.push_async_callback(log.aclose)
            closing.push_async_callback(models.aclose)
            if isinstance(transcriber, HedgedTranscriber):
                closing.push_async_callback(transcriber.aclose)
            closing.push_async_callback(webhooks.aclose)
            closing.push_async_callback(recorder.aclose)
            closing.callback(asyncio.create_task(recorder.run()).cancel)
            closing.callback(asyncio.create_task(library.run()).cancel)
            closing.callback(asyncio.create_task(LoopLag(strain.observe).watch()).cancel)
            closing.callback(asyncio.create_task(OpenTasks().watch()).cancel)
            closing.callback(asyncio.create_task(states.watch()).cancel)
            closing.callback(asyncio.create_task(speaker.prepare()).cancel)
            closing.callback(asyncio.create_task(Retention(database, deletion, retention_days(agents)).run()).cancel)
            yield

    async def describe() -> dict[str, Any]:
        local = await ask(whisper.describe, failure=TranscriptionError)
        return {
            "stt": f"Groq Whisper, then: {local}" if settings.groq_api_key else local,
            "llm": ", then ".join(described_models(settings)) or "none: the offline agent answers",
            "voice": await ask(tts.describe, failure=SpeechError),
            "prepared": "{} of {} clauses".format(*speaker.ready),
            "judge": await ask(vad.describe, failure=ProviderError),
            "store": await log.describe(STORE_ANSWERS_WITHIN_S),
            "breakers": states.by_provider,
        }

    def tune(limits: Limits) -> None:
        if isinstance(transcriber, HedgedTranscriber):
            transcriber.percentile = limits.hedge_percentile

    return Composition(
        agents=agents,
        access=Access(agents, keys, signatures, reader.read),
        parts=Parts(
            transcriber,
            speaker,
            models,
            webhooks,
            RemoteJudge(vad),
            MeteredLog(log),
            FrameWaits().observe,
            recorder,
        ),
        routes=[
            *agents_api.routes(agents, keys, signatures),
            *signed_urls.routes(agents, keys, signatures, settings.public_url),
            *conversations.routes(reader, listing, deletion, Opinions(database), keys),
            *recordings.routes(library, keys),
        ],
        middleware=[cors(settings.cors_origins)],
        running=running,
        describe=describe,
        tune=tune,
        reception=Reception(places, strain),
    )


def retention_days(agents: Mapping[str, Agent]) -> dict[str, int]:
    """Of the agents whose conversations are not kept for ever."""
    days = {agent_id: agent.platform_settings.privacy.retention_days for agent_id, agent in agents.items()}
    return {agent_id: kept for agent_id, kept in days.items() if kept >= 0}


def choose_transcriber(settings: Settings, local: Transcriber, on_change: OnChange) -> Transcriber:
    if settings.groq_api_key:
        groq = GroqTranscriber(settings.groq_api_key.get_secret_value(), settings.groq_base_url)
        return HedgedTranscriber(groq, local, Breaker("Groq Whisper", on_change))
    return local


def choose_models(settings: Settings, environ: Mapping[str, str], on_change: OnChange) -> AgentModels:
    first, backup = (model and chat_model(model) for model in (settings.language_model, settings.backup_model))
    return AgentModels(first or OfflineAgent(), environ, backup=backup, on_change=on_change)


def chat_model(address: ModelAddress) -> ChatModel:
    key = address.api_key.get_secret_value() if address.api_key else NO_KEY
    return ChatModel(address.base_url, key, address.model)


def described_models(settings: Settings) -> list[str]:
    return [address.model for address in (settings.language_model, settings.backup_model) if address]
