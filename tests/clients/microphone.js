// A microphone in a quiet room into which the test speaks when it wants to, in place of the browser's.

const RATE = 16000; // of what is said
const ROOM_NOISE = 0.00025; // RMS: about -72 dB of full scale

let context, room;

export function replaceMicrophone() {
  context = new AudioContext();
  room = context.createMediaStreamDestination();
  const noise = Float32Array.from({ length: 2 * RATE }, () => (2 * Math.random() - 1) * Math.sqrt(3) * ROOM_NOISE);
  source(noise, { loop: true });
  // Clients open a stream and stop it again before the one they use.
  navigator.mediaDevices.getUserMedia = async () => room.stream.clone();
}

/** Speak 16 kHz samples, 16 bits each, in base64; resolves when the last has been spoken. */
export function say(base64) {
  const speech = Float32Array.from(new Int16Array(Uint8Array.fromBase64(base64).buffer), (sample) => sample / 32768);
  return new Promise((resolve) => source(speech, { onended: () => resolve() }));
}

function source(samples, options) {
  const buffer = context.createBuffer(1, samples.length, RATE);
  buffer.copyToChannel(samples, 0);
  const node = Object.assign(context.createBufferSource(), { buffer, ...options });
  node.connect(room);
  node.start();
}
