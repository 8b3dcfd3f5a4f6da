// The page's data: a JSON manifest, one compressed block of arrays, and the sounds. Packed by html_payload.py.

const ARRAY_TYPES = {uint8: Uint8Array, uint16: Uint16Array, uint32: Uint32Array, int16: Int16Array};

/** Bytes of the base64 text in the element `id`. */
function embeddedBytes(id) {
  const text = document.getElementById(id).textContent.trim();
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

/** The manifest, and a function that gives an array of the block by name. */
async function readPayload() {
  const manifest = JSON.parse(document.getElementById('manifest').textContent);
  const unpacked = new Response(embeddedBytes('block')).body.pipeThrough(new DecompressionStream('deflate'));
  const block = await new Response(unpacked).arrayBuffer();
  const array = name => {
    const {type, offset, length} = manifest.arrays[name];
    return new ARRAY_TYPES[type](block, offset, length);
  };
  return {manifest, array};
}

/** 0, 1, 2, 3 -> 0, -1, 1, -2: undoes the folding of signed numbers into small unsigned ones. */
function unfold(value) {
  return (value >>> 1) ^ -(value & 1);
}

/** Running sum of folded differences. */
function undoDifferences(folded) {
  const values = new Uint32Array(folded.length);
  let sum = 0;
  for (let i = 0; i < folded.length; i++) values[i] = sum += unfold(folded[i]);
  return values;
}

/** One take: its curves at any time, its sound's waveform, its emotion. */
class Take {
  constructor(description, array, quantisation) {
    Object.assign(this, description);  // name, source, fps, frameCount, duration, sound, emotion
    this.channelCount = quantisation.channelCount;
    this.peaks = description.peaks ? array(description.peaks) : null;
    this.peaksPerSecond = quantisation.peaksPerSecond;
    this.curves = this.#unpackCurves(array(description.curves), quantisation);
  }

  /** Curves as one Float32Array per channel. */
  #unpackCurves(bytes, {channelCount, shapeCount, shapeSteps, angleSteps}) {
    const count = this.frameCount, half = channelCount * count;
    return Array.from({length: channelCount}, (_, channel) => {
      const step = channel < shapeCount ? 1 / shapeSteps : Math.PI / angleSteps;
      const values = new Float32Array(count);
      let sum = 0;
      for (let i = 0, at = channel * count; i < count; i++, at++) {
        sum = ((sum + unfold(bytes[at] | bytes[half + at] << 8)) << 16) >> 16;  // As 16-bit numbers wrap around.
        values[i] = sum * step;
      }
      return values;
    });
  }

  /** All channels at a time in seconds into `out`: frames are mixed linearly, held at the ends. */
  sample(time, out) {
    const position = Math.min(Math.max(time * this.fps, 0), this.frameCount - 1);
    const first = Math.floor(position + 1e-6), second = Math.min(first + 1, this.frameCount - 1);
    const share = Math.max(position - first, 0);
    for (let c = 0; c < this.channelCount; c++) {
      const curve = this.curves[c];
      out[c] = curve[first] + share * (curve[second] - curve[first]);
    }
    return out;
  }

  /** The frame shown at a time. */
  frameAt(time) {
    return Math.min(Math.max(Math.round(time * this.fps), 0), this.frameCount - 1);
  }

  /** {label: weight} at a time, or null for a take without emotion. */
  emotionAt(time) {
    const keys = this.emotion;
    if (!keys.length) return null;
    let after = keys.findIndex(key => key.time > time);
    if (after === 0) return keys[0].weights;
    if (after < 0) return keys[keys.length - 1].weights;
    const a = keys[after - 1], b = keys[after], share = (time - a.time) / (b.time - a.time), mix = {};
    for (const label of new Set([...Object.keys(a.weights), ...Object.keys(b.weights)])) {
      mix[label] = (1 - share) * (a.weights[label] ?? 0) + share * (b.weights[label] ?? 0);
    }
    return mix;
  }
}
