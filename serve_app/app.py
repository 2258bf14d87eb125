"""The application graph, and the one place where parts are chosen."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, cast

from pydantic import BaseModel, ConfigDict
from ray.serve import Application, Deployment
from ray.serve.handle import DeploymentHandle

from deployments.remote import ask
from deployments.tts import RemoteSpeaker, TtsProxy
from deployments.turn_rules import TurnRules
from deployments.vad import RemoteJudge, Vad
from deployments.whisper import LocalWhisper, RemoteTranscriber
from serve_app.access import STORE_ANSWERS_WITHIN_S, Access
from serve_app.agent_files import load_agents
from serve_app.api import agents as agents_api
from serve_app.api import conversations, signed_urls
from serve_app.api.cors import cors
from serve_app.api_keys import ApiKeys
from serve_app.errors import ProviderError, SpeechError, StoreError, TranscriptionError
from serve_app.gateway import Composition, Gateway
from serve_app.observability.metrics import FrameWaits, LoopLag
from serve_app.ports import LanguageModel, Transcriber
from serve_app.providers.chat import ChatModel
from serve_app.providers.custom_llm import NO_KEY, AgentModels
from serve_app.providers.groq_stt import GroqTranscriber
from serve_app.providers.offline_agent import OfflineAgent
from serve_app.providers.webhook import HttpWebhooks
from serve_app.session import Parts
from serve_app.settings import Settings
from serve_app.signatures import Signatures
from serve_app.store.database import Database
from serve_app.store.log import PostgresLog
from serve_app.store.reader import ConversationReader


class Arguments(BaseModel):
    """`args` of the application. Changing one restarts the replicas, so there are few."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    whisper_device: str = "cpu"
    whisper_compute_type: str | None = None


def build(args: Arguments) -> Application:
    """The graph that Serve deploys. Secrets are no arguments: each replica reads its own environment."""
    whisper = _graph(LocalWhisper).bind(device=args.whisper_device, compute_type=args.whisper_compute_type)
    vad, tts = _graph(Vad).bind(TurnRules), _graph(TtsProxy).bind()
    return _graph(Gateway).bind(compose, whisper=whisper, vad=vad, tts=tts)


def _graph(deployment: type) -> Deployment:
    """`@serve.deployment` makes a Deployment of a class, but is typed as if it left the class alone."""
    return cast(Deployment, deployment)


def compose(whisper: DeploymentHandle[Any], vad: DeploymentHandle[Any], tts: DeploymentHandle[Any]) -> Composition:
    """The parts of one gateway replica, made inside it."""
    settings = Settings.from_environment(os.environ)
    agents = load_agents(settings.agents_dir, os.environ)
    database = Database(settings.database_url)
    log, reader = PostgresLog(database), ConversationReader(database)
    transcriber, model, webhooks = (
        choose_transcriber(settings, whisper),
        choose_model(settings),
        HttpWebhooks(os.environ),
    )
    models = AgentModels(model, os.environ)
    keys = ApiKeys(key.get_secret_value() for key in settings.api_keys)
    signatures = Signatures(settings.signing_secret.get_secret_value()) if settings.signing_secret else None

    @asynccontextmanager
    async def running() -> AsyncIterator[None]:
        async with AsyncExitStack() as closing:
            closing.push_async_callback(database.aclose)
            log.start()
            closing.push_async_callback(log.aclose)
            closing.push_async_callback(models.aclose)
            closing.push_async_callback(webhooks.aclose)
            closing.callback(asyncio.create_task(LoopLag().watch()).cancel)
            yield

    async def describe() -> dict[str, str]:
        return {
            "stt": "Groq Whisper" if settings.groq_api_key else await ask(whisper.describe, failure=TranscriptionError),
            "llm": settings.llm_model if isinstance(model, ChatModel) else "none: the offline agent answers",
            "voice": await ask(tts.describe, failure=SpeechError),
            "judge": await ask(vad.describe, failure=ProviderError),
            "store": await describe_store(database),
        }

    return Composition(
        agents=agents,
        access=Access(agents, keys, signatures, reader.read),
        parts=Parts(transcriber, RemoteSpeaker(tts), models, webhooks, RemoteJudge(vad), log, FrameWaits().observe),
        routes=[
            *agents_api.routes(agents, keys, signatures),
            *signed_urls.routes(agents, keys, signatures, settings.public_url),
            *conversations.routes(reader, keys),
        ],
        middleware=[cors(settings.cors_origins)],
        running=running,
        describe=describe,
    )


async def describe_store(database: Database) -> str:
    """Calls go on without it, so a database that is away is told, and is no reason not to be ready."""
    try:
        async with asyncio.timeout(STORE_ANSWERS_WITHIN_S), database.connection() as connection:
            return f"PostgreSQL {await connection.fetchval('SHOW server_version')}"
    except (StoreError, TimeoutError):
        return "PostgreSQL, which does not answer: what happens is kept in memory for now"


def choose_transcriber(settings: Settings, whisper: DeploymentHandle[Any]) -> Transcriber:
    if settings.groq_api_key:
        return GroqTranscriber(settings.groq_api_key.get_secret_value(), settings.groq_base_url)
    return RemoteTranscriber(whisper)


def choose_model(settings: Settings) -> LanguageModel:
    """Groq's key goes to Groq alone: another LLM_BASE_URL gets LLM_API_KEY or none."""
    if settings.llm_base_url:
        key = settings.llm_api_key.get_secret_value() if settings.llm_api_key else NO_KEY
        return ChatModel(settings.llm_base_url, key, settings.llm_model)
    if secret := settings.llm_api_key or settings.groq_api_key:
        groq = f"{settings.groq_base_url.rstrip('/')}/openai/v1"
        return ChatModel(groq, secret.get_secret_value(), settings.llm_model)
    return OfflineAgent()
