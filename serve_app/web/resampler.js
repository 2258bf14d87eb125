// Streaming, band-limited sample rate conversion, used by both worklets.

const ZERO_CROSSINGS = 24; // of the sinc, on each side: about 70 dB of rejection with the window below
const ROLL_OFF = 0.92; // of the lower Nyquist frequency: room for the filter to fall before it

/** A polyphase windowed-sinc filter for any pair of integer rates. Exact: the position is kept in integers. */
export class Resampler {
  constructor(from, to) {
    const divisor = greatestCommonDivisor(from, to);
    this.up = to / divisor;
    this.down = from / divisor;
    this.bank = filterBank(this.up, ROLL_OFF * Math.min(1, to / from));
    this.taps = this.bank[0].length;
    this.phase = 0;
    this.tail = new Float32Array(this.taps / 2); // the filter is centred: it starts half full of silence
  }

  /** Take samples at the first rate, give those that are ready at the second. The rest waits for the next call. */
  push(input) {
    const samples = new Float32Array(this.tail.length + input.length);
    samples.set(this.tail);
    samples.set(input, this.tail.length);

    const output = new Float32Array(Math.ceil((samples.length * this.up) / this.down) + 1);
    let count = 0;
    let index = 0;
    while (index + this.taps <= samples.length) {
      const filter = this.bank[this.phase];
      let sum = 0;
      for (let tap = 0; tap < this.taps; tap++) sum += filter[tap] * samples[index + tap];
      output[count++] = sum;
      this.phase += this.down;
      index += Math.floor(this.phase / this.up);
      this.phase %= this.up;
    }
    this.tail = samples.slice(index);
    return output.subarray(0, count);
  }
}

/** One filter per position an output sample can have between two input samples, each with unit gain at DC. */
function filterBank(phases, cutoff) {
  const half = Math.ceil(ZERO_CROSSINGS / cutoff);
  return Array.from({ length: phases }, (_, phase) => {
    const filter = Float32Array.from({ length: 2 * half }, (_, tap) => {
      const distance = tap - half + 1 - phase / phases;
      return sinc(cutoff * distance) * blackman(distance / half);
    });
    const gain = filter.reduce((sum, weight) => sum + weight, 0);
    return filter.map((weight) => weight / gain);
  });
}

function sinc(x) {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

/** The Blackman window over -1..1, zero outside. */
function blackman(x) {
  return Math.abs(x) >= 1 ? 0 : 0.42 + 0.5 * Math.cos(Math.PI * x) + 0.08 * Math.cos(2 * Math.PI * x);
}

function greatestCommonDivisor(a, b) {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
