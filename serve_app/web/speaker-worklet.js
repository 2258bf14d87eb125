// The audio thread's half of playback: a small jitter buffer at the device's rate.
//
// Messages in:  { samples: Float32Array } at the agent's rate, or { interrupt: true }.
// Messages out: { played, queued } in seconds and { level } (RMS), about 25 times a second.

import { Resampler } from "./resampler.js";

const FIRST_WAIT_SECONDS = 0.04; // the server keeps a lead of about 60 ms, so this is usually met at once
const LONGEST_WAIT_SECONDS = 0.2;
const STARVED_SECONDS = 0.25; // sound this soon after running dry was late, not a new answer
const RAMP_SECONDS = 0.01; // short enough to be silence at once, long enough not to click
const REPORT_SECONDS = 0.04;
const CLICK_DECAY = 0.98; // per sample: a cut-off wave falls to nothing in a few milliseconds

class Speaker extends AudioWorkletProcessor {
  constructor({ processorOptions: { rate } }) {
    super();
    this.rate = rate;
    this.wait = FIRST_WAIT_SECONDS * sampleRate; // all times from here on in frames of the device
    this.played = 0;
    this.lastSample = 0;
    this.dryFor = Infinity;
    this.reported = { frames: 0, energy: 0 };
    this.empty();
    this.port.onmessage = ({ data }) => (data.interrupt ? this.interrupt() : this.enqueue(data.samples));
  }

  empty() {
    this.queue = [];
    this.queued = 0;
    this.offset = 0; // into the first chunk of the queue
    this.playing = false;
    this.waited = 0;
    this.resampler = new Resampler(this.rate, sampleRate);
  }

  enqueue(samples) {
    if (this.dryFor < STARVED_SECONDS * sampleRate) {
      this.wait = Math.min(this.wait * 1.5, LONGEST_WAIT_SECONDS * sampleRate);
    }
    this.dryFor = Infinity;
    const chunk = this.resampler.push(samples);
    if (chunk.length === 0) return;
    this.queue.push(chunk);
    this.queued += chunk.length;
  }

  /** Throw away what was not yet heard, but for a ramp down to silence. */
  interrupt() {
    const ramp = new Float32Array(this.playing ? Math.min(this.queued, Math.round(RAMP_SECONDS * sampleRate)) : 0);
    for (let i = 0; i < ramp.length; i++) ramp[i] = this.next() * (1 - (i + 1) / ramp.length);
    this.empty();
    this.dryFor = Infinity;
    if (ramp.length === 0) return;
    this.queue = [ramp];
    this.queued = ramp.length;
    this.playing = true;
  }

  process(_, [[output]]) {
    if (!this.playing) this.startWhenReady(output.length);
    for (let i = 0; i < output.length; i++) output[i] = this.playing ? this.play() : this.decay();
    this.report(output);
    return true;
  }

  /** Begin once enough is queued, or once a little has waited long enough: it may be all there is. */
  startWhenReady(frames) {
    if (this.queued === 0) return void (this.dryFor += frames);
    this.waited += frames;
    this.playing = this.queued >= this.wait || this.waited >= this.wait;
  }

  play() {
    this.lastSample = this.next();
    this.played++;
    if (this.queued === 0) {
      this.playing = false;
      this.waited = 0;
      this.dryFor = 0;
    }
    return this.lastSample;
  }

  next() {
    const sample = this.queue[0][this.offset++];
    this.queued--;
    if (this.offset === this.queue[0].length) {
      this.queue.shift();
      this.offset = 0;
    }
    return sample;
  }

  decay() {
    return (this.lastSample *= CLICK_DECAY);
  }

  report(output) {
    for (const sample of output) this.reported.energy += sample * sample;
    this.reported.frames += output.length;
    if (this.reported.frames < REPORT_SECONDS * sampleRate) return;
    this.port.postMessage({
      played: this.played / sampleRate,
      queued: this.queued / sampleRate,
      level: Math.sqrt(this.reported.energy / this.reported.frames),
    });
    this.reported = { frames: 0, energy: 0 };
  }
}

registerProcessor("speaker", Speaker);
