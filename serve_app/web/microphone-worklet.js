// The audio thread's half of the microphone: device rate in, 20 ms messages at the conversation's rate out.

import { Resampler } from "./resampler.js";

const MESSAGE_SECONDS = 0.02;

class Microphone extends AudioWorkletProcessor {
  constructor({ processorOptions: { rate } }) {
    super();
    this.resampler = new Resampler(sampleRate, rate);
    this.message = new Float32Array(Math.round(rate * MESSAGE_SECONDS));
    this.filled = 0;
  }

  process([[channel]]) {
    if (channel) for (const sample of this.resampler.push(channel)) this.add(sample);
    return true;
  }

  add(sample) {
    this.message[this.filled++] = sample;
    if (this.filled < this.message.length) return;
    this.port.postMessage(this.message); // a structured clone: the buffer is ours to fill again
    this.filled = 0;
  }
}

registerProcessor("microphone", Microphone);
