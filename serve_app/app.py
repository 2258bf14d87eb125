"""The application graph, and the one place where parts are chosen."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import chain
from typing import Any, Literal, TypeAlias, cast

import httpx
from pydantic import BaseModel, ConfigDict
from ray.serve import Application, Deployment
from ray.serve.handle import DeploymentHandle
from starlette.middleware import Middleware

from deployments.remote import ask
from deployments.replicas import Replicas
from deployments.tts import RemoteSpeaker, TtsProxy
from deployments.turn_engines import choose_engine
from deployments.vad import RemoteJudge, Vad
from deployments.whisper import LocalWhisper, RemoteTranscriber
from serve_app.access import STORE_ANSWERS_WITHIN_S, Access
from serve_app.admission import Ceilings, Reception
from serve_app.agent_files import load_agents
from serve_app.api import agents as agents_api
from serve_app.api import conversations, recordings, signed_urls
from serve_app.api.cors import cors
from serve_app.api.request_rate import KeyRates, RequestRate
from serve_app.api_keys import ApiKeys
from serve_app.caretaker import Caretaker
from serve_app.conversation import guarding
from serve_app.conversation.agent import Agent
from serve_app.conversation.breaker import Breaker, State
from serve_app.conversation.known_clauses import known_clauses
from serve_app.errors import ProviderError, SpeechError, TranscriptionError, Unavailable
from serve_app.gateway import Composition, Gateway, Limits
from serve_app.hops import hops_of
from serve_app.observability import logs
from serve_app.observability.breaker_states import BreakerStates
from serve_app.observability.hop_times import HopTimes
from serve_app.observability.metered_log import MeteredLog
from serve_app.observability.redaction import Redactor
from serve_app.observability.refusals import Refusals
from serve_app.observability.tracing import tracer_of
from serve_app.observability.vitals import Vitals
from serve_app.observability.waits import AudioWaits, LoopLag
from serve_app.parts import Parts
from serve_app.places import Places
from serve_app.ports import Transcriber
from serve_app.providers.chat import ChatModel
from serve_app.providers.custom_llm import NO_KEY, AgentModels
from serve_app.providers.groq_stt import GroqTranscriber
from serve_app.providers.hedged_transcriber import HedgedTranscriber, Standby
from serve_app.providers.offline_agent import OfflineAgent
from serve_app.providers.prepared_speaker import PreparedSpeaker
from serve_app.providers.prompt_guard import PromptGuard
from serve_app.providers.webhook import HttpWebhooks
from serve_app.recordings.archive import Archive
from serve_app.recordings.library import Library
from serve_app.recordings.live import LiveFolder
from serve_app.recordings.recorder import DiskRecorder
from serve_app.regions import Regions
from serve_app.settings import LogSettings, ModelAddress, Settings
from serve_app.signatures import Signatures
from serve_app.store.database import Database
from serve_app.store.deletion import Deletion
from serve_app.store.listing import ConversationList
from serve_app.store.log import JournaledLog
from serve_app.store.opinions import Opinions
from serve_app.store.reader import ConversationReader
from serve_app.store.retention import Retention
from serve_app.strain import Strain

STANDBY_ANSWERS_WITHIN_S = 1.0

OnChange = Callable[[str, State], None]
"""Told of a breaker's every state, and whose it is."""


ComputeType: TypeAlias = Literal[
    "int8", "int8_float32", "int8_float16", "int8_bfloat16", "int16", "float16", "bfloat16", "float32"
]
"""CTranslate2's names; what a processor has of them is seen when the model is loaded."""


class Arguments(BaseModel):
    """`args` of the application. Changing one restarts the replicas, so there are few."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    whisper_device: Literal["cpu", "cuda"] = "cpu"
    whisper_compute_type: ComputeType | None = None


def build(args: Arguments) -> Application:
    """The graph that Serve deploys. Secrets are no arguments: each replica reads its own environment."""
    whisper = _graph(LocalWhisper).bind(device=args.whisper_device, compute_type=args.whisper_compute_type)
    vad, tts = _graph(Vad).bind(choose_engine), _graph(TtsProxy).bind()
    return _graph(Gateway).bind(compose, whisper=whisper, vad=vad, tts=tts)


def _graph(deployment: type) -> Deployment:
    """`@serve.deployment` makes a Deployment of a class, but is typed as if it left the class alone."""
    return cast(Deployment, deployment)


def compose(
    caretaker: Caretaker, whisper: DeploymentHandle[Any], vad: DeploymentHandle[Any], tts: DeploymentHandle[Any]
) -> Composition:
    """The parts of one gateway replica, made inside it; `caretaker` is the replica's."""
    logs.in_replica(os.environ)
    settings = Settings.from_environment(os.environ)
    agents = load_agents(settings.agents_dir, os.environ)
    guarding.prepare(agents.values())
    database = Database(settings.database_url)
    redactor = Redactor.from_spec(LogSettings.from_environment(os.environ).redaction_hook)
    log = JournaledLog(database, settings.journal_dir, redactor)
    agent_names = {agent_id: agent.name for agent_id, agent in agents.items()}
    live = LiveFolder(settings.recordings_dir / "live")
    recorder, library = DiskRecorder(live), Library(live, Archive(settings.recordings_archive))
    listing = ConversationList(database, agent_names)
    reader, deletion = ConversationReader(database, agent_names, library.exists), Deletion(database, library.delete)
    tracer = tracer_of("Gateway")
    states, strain, places = BreakerStates(), Strain(), Places(settings.journal_dir / "places")
    reception, ceilings = Reception(places, strain), Ceilings()
    probing = httpx.AsyncClient()
    hop_times = HopTimes(list(hops_of(settings, probing, database)))
    ears = Replicas(whisper, needed=settings.groq_api_key is None)
    transcriber = choose_transcriber(settings, RemoteTranscriber(whisper, lambda: ears.running > 0), states)
    models, webhooks = choose_models(settings, os.environ, states), HttpWebhooks(os.environ)
    guard = choose_guard(settings, states)
    speaker = PreparedSpeaker(RemoteSpeaker(tts), chain.from_iterable(map(known_clauses, agents.values())))
    keys = ApiKeys(key.get_secret_value() for key in settings.api_keys)
    key_rates = KeyRates(keys)
    regions = Regions(settings.region, settings.regions)
    signatures = Signatures(settings.signing_secret.get_secret_value()) if settings.signing_secret else None

    @asynccontextmanager
    async def running(superseded: Callable[[str], None]) -> AsyncIterator[None]:
        async with AsyncExitStack() as closing:
            closing.callback(places.close)
            closing.push_async_callback(database.aclose)
            closing.push_async_callback(tracer.aclose)
            log.on_superseded = superseded
            log.start()
            closing.push_async_callback(log.aclose)
            closing.push_async_callback(models.aclose)
            if isinstance(transcriber, HedgedTranscriber):
                closing.push_async_callback(transcriber.aclose)
            if guard:
                closing.push_async_callback(guard.aclose)
            closing.push_async_callback(webhooks.aclose)
            closing.push_async_callback(recorder.aclose)
            closing.callback(asyncio.create_task(recorder.run()).cancel)
            closing.callback(asyncio.create_task(library.run()).cancel)
            closing.callback(asyncio.create_task(LoopLag(strain.observe).watch()).cancel)
            vitals = Vitals(lambda: reception.conversations, log)
            closing.callback(asyncio.create_task(vitals.watch()).cancel)
            closing.callback(asyncio.create_task(states.watch()).cancel)
            closing.push_async_callback(probing.aclose)
            closing.callback(asyncio.create_task(hop_times.watch()).cancel)
            closing.callback(asyncio.create_task(ears.watch()).cancel)
            closing.callback(asyncio.create_task(speaker.prepare()).cancel)
            closing.callback(asyncio.create_task(Retention(database, deletion, retention_days(agents)).run()).cancel)
            yield

    async def describe() -> dict[str, Any]:
        return {
            "stt": await described_hearing(settings, whisper, ears),
            "llm": ", then ".join(described_models(settings)) or "none: the offline agent answers",
            "voice": await ask(tts.describe, failure=SpeechError),
            "prepared": "{} of {} clauses".format(*speaker.ready),
            "judge": await ask(vad.describe, failure=ProviderError),
            "store": await log.describe(STORE_ANSWERS_WITHIN_S),
            "breakers": states.by_provider,
            "hops": hop_times.describe(),
        }

    def tune(limits: Limits) -> None:
        nonlocal ceilings
        ceilings = limits
        key_rates.limit(limits.requests_a_minute_per_key)
        if isinstance(transcriber, HedgedTranscriber):
            transcriber.percentile = limits.hedge_percentile

    def has_room_for(agent_id: str) -> bool:
        return has_room(caretaker, reception, ceilings, agent_id, agents[agent_id])

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
            AudioWaits().observe,
            recorder,
            tracer,
            guard,
        ),
        routes=[
            *agents_api.routes(agents, keys, signatures),
            *signed_urls.routes(agents, keys, signatures, settings.public_url, regions, has_room_for),
            *conversations.routes(reader, listing, deletion, Opinions(database, redactor), keys),
            *recordings.routes(library, keys),
        ],
        middleware=[cors(settings.cors_origins), Middleware(RequestRate, key_rates)],
        running=running,
        describe=describe,
        tune=tune,
        reception=reception,
        refused=Refusals(),
        stt_fails=lambda: stt_fails(transcriber, reception),
    )


def has_room(caretaker: Caretaker, reception: Reception, ceilings: Ceilings, agent_id: str, agent: Agent) -> bool:
    """For a conversation by signed URL, which is on the agent's account."""
    try:
        reception.admit(ceilings, f"agent:{agent_id}", agent_id, agent).close()
    except Unavailable:
        return False
    return caretaker.takes_calls


def stt_fails(transcriber: Transcriber, reception: Reception) -> bool:
    """Whether LocalWhisper alone hears, and somebody calls. See `Composition`."""
    if isinstance(transcriber, HedgedTranscriber):
        return transcriber.fails
    return reception.conversations > 0


def retention_days(agents: Mapping[str, Agent]) -> dict[str, int]:
    """Of the agents whose conversations are not kept for ever."""
    days = {agent_id: agent.platform_settings.privacy.retention_days for agent_id, agent in agents.items()}
    return {agent_id: kept for agent_id, kept in days.items() if kept >= 0}


def choose_transcriber(settings: Settings, local: Standby, on_change: OnChange) -> Transcriber:
    if settings.groq_api_key:
        groq = GroqTranscriber(settings.groq_api_key.get_secret_value(), settings.groq_base_url)
        return HedgedTranscriber(groq, local, Breaker("Groq Whisper", on_change))
    return local


def choose_models(settings: Settings, environ: Mapping[str, str], on_change: OnChange) -> AgentModels:
    first, backup = (model and chat_model(model) for model in (settings.language_model, settings.backup_model))
    return AgentModels(first or OfflineAgent(), environ, backup=backup, on_change=on_change)


def choose_guard(settings: Settings, on_change: OnChange) -> PromptGuard | None:
    if (address := settings.guard) is None:
        return None
    key = address.api_key.get_secret_value() if address.api_key else NO_KEY
    return PromptGuard(address.base_url, key, address.model, Breaker("prompt guard", on_change))


def chat_model(address: ModelAddress) -> ChatModel:
    key = address.api_key.get_secret_value() if address.api_key else NO_KEY
    return ChatModel(address.base_url, key, address.model)


async def described_hearing(settings: Settings, whisper: DeploymentHandle[Any], ears: Replicas) -> str:
    """LocalWhisper is neither woken nor waited for, unless nobody else hears. Raises TranscriptionError."""
    if settings.groq_api_key is None:
        return str(await ask(whisper.describe, failure=TranscriptionError))
    return f"Groq Whisper, then: {await described_standby(whisper, ears)}"


async def described_standby(whisper: DeploymentHandle[Any], ears: Replicas) -> str:
    if not ears.running:
        return "local Whisper, which starts" if ears.starting else "local Whisper, asleep"
    try:
        async with asyncio.timeout(STANDBY_ANSWERS_WITHIN_S):
            return str(await ask(whisper.describe, failure=TranscriptionError))
    except (TranscriptionError, TimeoutError):
        return "local Whisper, which does not answer"


def described_models(settings: Settings) -> list[str]:
    return [address.model for address in (settings.language_model, settings.backup_model) if address]
