"""Plain requests to the fake Groq, for its own tests."""

import io
import wave

import httpx


def wav(pcm: bytes, rate: int = 16_000) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as w:
        w.setnchannels(1)
        w.setsampwidth(2)
        w.setframerate(rate)
        w.writeframes(pcm)
    return file.getvalue()


def transcribe(http: httpx.Client, audio: bytes, **fields: str) -> httpx.Response:
    form = {"model": "whisper-large-v3-turbo", "response_format": "verbose_json"} | fields
    return http.post("/openai/v1/audio/transcriptions", data=form, files={"file": ("a.wav", audio)})


def chat(http: httpx.Client, path: str = "/v1/chat/completions", model: str = "m") -> httpx.Response:
    return http.post(path, json={"model": model, "stream": True, "messages": [{"role": "user", "content": "hi"}]})
