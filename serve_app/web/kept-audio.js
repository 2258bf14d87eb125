// The caller's last seconds, in case the line breaks while they are on their way.

const KEPT_SECONDS = 10;
const MESSAGE_SECONDS = 0.25; // the longest that a server expects

/** Positions are samples since the conversation began, as the server counts them. */
export class KeptAudio {
  constructor(rate) {
    this.rate = rate;
    this.chunks = [];
    this.length = 0; // samples in them
    this.start = 0; // position of the first
  }

  /** Of all that was said. */
  get seconds() {
    return (this.start + this.length) / this.rate;
  }

  push(samples) {
    this.chunks.push(samples);
    this.length += samples.length;
    while (this.length - this.chunks[0].length >= KEPT_SECONDS * this.rate) {
      const gone = this.chunks.shift().length;
      this.length -= gone;
      this.start += gone;
    }
  }

  /** In messages: what a server lacks that has the first `receivedMs`. To it, what is kept no longer was never said. */
  after(receivedMs) {
    const received = Math.min(Math.round((receivedMs / 1000) * this.rate), this.start + this.length);
    this.start = Math.min(this.start, received);
    const lacking = this.joined().subarray(received - this.start);
    const size = Math.round(MESSAGE_SECONDS * this.rate);
    const count = Math.ceil(lacking.length / size);
    return Array.from({ length: count }, (_, i) => lacking.subarray(i * size, (i + 1) * size));
  }

  joined() {
    const samples = new Float32Array(this.length);
    let filled = 0;
    for (const chunk of this.chunks) {
      samples.set(chunk, filled);
      filled += chunk.length;
    }
    return samples;
  }
}
