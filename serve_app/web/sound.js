// Microphone in, loudspeaker out: one AudioContext at the device's own rate, one worklet for each direction.

/** Why sound could not be had; `word` names the sentence that tells the user what to do. */
export class SoundError extends Error {
  constructor(word) {
    super(word);
    this.word = word;
  }
}

const MICROPHONE_WORDS = {
  NotAllowedError: "microphone_refused",
  SecurityError: "microphone_refused",
  NotFoundError: "microphone_missing",
  OverconstrainedError: "microphone_missing",
};

export class Sound {
  /** Ask for the microphone and start the audio thread. To be called from a click. Throws SoundError. */
  static async open() {
    if (!window.isSecureContext) throw new SoundError("insecure");
    if (!window.AudioWorkletNode || !navigator.mediaDevices) throw new SoundError("unsupported");
    const context = new AudioContext({ latencyHint: "interactive" });
    try {
      const running = context.resume(); // asked for within the click: phones refuse it later
      await loadWorklets(context);
      await running;
      return new Sound(context, await openMicrophone());
    } catch (error) {
      await context.close();
      throw error;
    }
  }

  constructor(context, stream) {
    this.context = context;
    this.stream = stream;
    this.heard = { played: 0, queued: 0, level: 0 }; // the speaker's last report
  }

  /** Call `onSamples` with every 20 ms of the microphone, at `rate`. */
  listen(rate, onSamples) {
    const microphone = new AudioWorkletNode(this.context, "microphone", {
      numberOfOutputs: 0,
      channelCount: 1,
      channelCountMode: "explicit",
      processorOptions: { rate },
    });
    microphone.port.onmessage = ({ data }) => onSamples(data);
    this.context.createMediaStreamSource(this.stream).connect(microphone);
  }

  /** Get ready to play samples of `rate`; `onReport` gets the speaker's reports. */
  speak(rate, onReport) {
    this.speaker = new AudioWorkletNode(this.context, "speaker", {
      numberOfInputs: 0,
      outputChannelCount: [1],
      processorOptions: { rate },
    });
    this.speaker.port.onmessage = ({ data }) => onReport((this.heard = data));
    this.speaker.connect(this.context.destination);
  }

  play(samples) {
    this.speaker.port.postMessage({ samples }, [samples.buffer]);
  }

  interrupt() {
    this.speaker.port.postMessage({ interrupt: true });
  }

  async close() {
    for (const track of this.stream.getTracks()) track.stop();
    await this.context.close();
  }
}

async function loadWorklets(context) {
  try {
    await context.audioWorklet.addModule("/web/microphone-worklet.js");
    await context.audioWorklet.addModule("/web/speaker-worklet.js");
  } catch {
    throw new SoundError("away"); // the files come from the server, and the page that came from it was fine
  }
}

async function openMicrophone() {
  try {
    return await navigator.mediaDevices.getUserMedia({
      audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 },
    });
  } catch (error) {
    throw new SoundError(MICROPHONE_WORDS[error.name] ?? "microphone_busy");
  }
}
