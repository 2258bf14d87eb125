"""What recordings are encoded in: FLAC to keep them, MP3 and WAV to hand them out. Mono, 16 kHz."""

import io
import struct
from collections.abc import Iterable, Iterator

import av
import numpy as np
from av.error import FFmpegError

from serve_app.audio.framing import RATE
from serve_app.audio.pcm import Samples
from serve_app.errors import StoreError

FLAC_BLOCK = 4608
"""Samples: the most that any decoder must take. FFmpeg's own choice, a quarter of it, takes twice the time."""
MP3_BITS_PER_SECOND = 64_000
MP3_QUALITY = 7
"""LAME's, of 0 to 9. Its default, 5, takes twice the time, and at this rate sounds the same."""


def flac(samples: Samples) -> bytes:
    """FLAC without its length in the header, as a stream has it. Raises ValueError on nothing."""
    if not len(samples):
        raise ValueError("FLAC of no samples")
    codec = _encoder("flac", "s16", frame_size=FLAC_BLOCK)
    body = b"".join(_encoded(codec, [samples], "s16"))
    assert codec.extradata is not None  # open since the first samples
    return b"fLaC" + struct.pack(">I", 0x80000000 | len(codec.extradata)) + codec.extradata + body


def flac_samples(data: bytes) -> Iterator[Samples]:
    """What `flac` encoded, in pieces of FLAC_BLOCK. Raises StoreError where it is damaged."""
    try:
        with av.open(io.BytesIO(data), "r", format="flac") as container:
            for frame in container.decode(audio=0):
                yield frame.to_ndarray()[0]
    except FFmpegError as e:
        raise StoreError("a recording is damaged") from e


def mp3(pieces: Iterable[Samples]) -> Iterator[bytes]:
    """MPEG-2 Layer III at MP3_BITS_PER_SECOND, as it comes; LAME holds back about 0.1 s."""
    return _encoded(
        _encoder("libmp3lame", "s16p", b=MP3_BITS_PER_SECOND, compression_level=MP3_QUALITY), pieces, "s16p"
    )


def wav(pieces: Iterable[Samples], length: int) -> Iterator[bytes]:
    """RIFF WAVE, s16le. `length`: in samples; what the pieces have beyond is left out. The format holds 37 hours."""
    size = 2 * length
    yield struct.pack(
        "<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + size, b"WAVE", b"fmt ", 16, 1, 1, RATE, 2 * RATE, 2, 16, b"data", size
    )
    for samples in pieces:
        yield samples[:length].astype("<i2", copy=False).tobytes()
        length -= min(length, len(samples))


def _encoder(name: str, sample_format: str, **options: int) -> av.AudioCodecContext:
    """`options`: FFmpeg's."""
    codec = av.CodecContext.create(name, "w")
    assert isinstance(codec, av.AudioCodecContext)
    codec.sample_rate, codec.layout, codec.format = RATE, "mono", sample_format
    codec.options = {option: str(value) for option, value in options.items()}
    return codec


def _encoded(codec: av.AudioCodecContext, pieces: Iterable[Samples], sample_format: str) -> Iterator[bytes]:
    end = 0
    for samples in pieces:
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples)[None], format=sample_format, layout="mono")
        frame.sample_rate, frame.pts = RATE, end
        end += len(samples)
        yield b"".join(map(bytes, codec.encode(frame)))
    yield b"".join(map(bytes, codec.encode(None)))
