// Every sample that a client plays, without a change to the client: its gain node, which has the last word on the
// level, gets a second listener at the moment when the client connects it to its level meter.

const recorder = `
  registerProcessor("recorder", class extends AudioWorkletProcessor {
    process([[samples = new Float32Array(128)]]) {
      this.port.postMessage({ frame: currentFrame, samples: samples.slice() });
      return true;
    }
  });
`;

const STARTING = 0.5; // seconds

let played = null; // { context, first, next, blocks }: the samples of `blocks`, frames `first` to `next` of `context`

const connect = AudioNode.prototype.connect;
AudioNode.prototype.connect = function (target, ...rest) {
  if (this instanceof GainNode && target instanceof AnalyserNode) record(this);
  return connect.call(this, target, ...rest);
};

// A client loads its own worklet after this one is asked for, and worklets load in turn: nothing is missed.
async function record(gain) {
  const { context } = gain;
  await context.audioWorklet.addModule(URL.createObjectURL(new Blob([recorder], { type: "text/javascript" })));
  const node = new AudioWorkletNode(context, "recorder", { numberOfOutputs: 0 });
  played = { context, first: null, next: null, blocks: [] };
  node.port.onmessage = ({ data }) => keep(data);
  connect.call(gain, node);
}

// At first Chromium renders a block or so and then none for some 40 ms: silence. Later nothing may be missing.
function keep({ frame, samples }) {
  played.first ??= frame;
  played.next ??= frame;
  if (frame !== played.next) {
    if (frame - played.first > STARTING * played.context.sampleRate) throw new Error("part of the recording is missing");
    played.blocks.push(new Float32Array(frame - played.next));
  }
  played.blocks.push(samples);
  played.next = frame + samples.length;
}

/** Seconds on the clock of the recording: what is rendered next. */
export function audibleTime() {
  return played?.context.currentTime ?? 0;
}

/** The recording so far: float32 samples in base64, their rate, and when on audibleTime's clock they begin. */
export async function heard() {
  const bytes = new Uint8Array(await new Blob(played.blocks).arrayBuffer());
  const rate = played.context.sampleRate;
  return { samples: bytes.toBase64(), rate, start: played.first / rate };
}
