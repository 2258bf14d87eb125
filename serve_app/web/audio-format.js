// The protocol's audio formats, pcm_N (s16le) and ulaw_8000, to and from samples in -1..1, in base64 as they travel.

/** "pcm_16000" -> { rate, encode, decode }. Throws RangeError on a format the protocol does not have. */
export function audioFormat(name) {
  const [, codec, rate] = /^(pcm|ulaw)_(\d+)$/.exec(name) ?? [];
  if (!codec || (codec === "ulaw" && rate !== "8000")) throw new RangeError(name);
  return codec === "pcm"
    ? { rate: Number(rate), encode: (samples) => toBase64(toPcm(samples)), decode: (text) => fromPcm(fromBase64(text)) }
    : { rate: 8000, encode: (samples) => toBase64(toUlaw(samples)), decode: (text) => fromUlaw(fromBase64(text)) };
}

function toInt16(sample) {
  return Math.round(Math.max(-1, Math.min(1, sample)) * 32767);
}

function toPcm(samples) {
  const view = new DataView(new ArrayBuffer(samples.length * 2));
  samples.forEach((sample, i) => view.setInt16(2 * i, toInt16(sample), true));
  return new Uint8Array(view.buffer);
}

function fromPcm(bytes) {
  const view = new DataView(bytes.buffer);
  return Float32Array.from({ length: bytes.length >> 1 }, (_, i) => view.getInt16(2 * i, true) / 32768);
}

// ITU-T G.711 mu-law: sign, 3 bits of segment, 4 bits of step, all inverted on the wire.
const BIAS = 132;
const CLIP = 32635;

function toUlaw(samples) {
  return Uint8Array.from(samples, (sample) => {
    const value = toInt16(sample);
    const magnitude = Math.min(Math.abs(value), CLIP) + BIAS;
    const segment = 24 - Math.clz32(magnitude); // the highest bit set, counted from bit 7
    const step = (magnitude >> (segment + 3)) & 0x0f;
    return ~((value < 0 ? 0x80 : 0) | (segment << 4) | step) & 0xff;
  });
}

function fromUlaw(bytes) {
  return Float32Array.from(bytes, (byte) => {
    const code = ~byte & 0xff;
    const magnitude = ((((code & 0x0f) << 3) + BIAS) << ((code >> 4) & 7)) - BIAS;
    return (code & 0x80 ? -magnitude : magnitude) / 32768;
  });
}

function toBase64(bytes) {
  return btoa(String.fromCharCode(...bytes)); // 250 ms is at most 24000 bytes: under the limit of arguments
}

function fromBase64(text) {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}
