// The timeline: curves over the waveform, the emotion below, a playhead; drag to move in time, scroll to zoom.

const CURVE_COLOURS = ['#74b9ff', '#ffb570', '#8be28b', '#ff8f9f', '#c4a5ff', '#f7df72', '#6fe0e0', '#f59ce0'];
const EMOTION_COLOURS = {
  neutral: '#6d7787', calm: '#7fb0a6', happy: '#f2c14e', sad: '#5b8def', surprised: '#5fd3c4', fear: '#a77bdb',
  disgusted: '#8aa84f', angry: '#e4604e', contempt: '#c98a5c',
};
const RULER_STEPS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600];
const RULER_HEIGHT = 20, EMOTION_HEIGHT = 22, MARGIN = 14;

/** Colour of an emotion by name, one of its own for names not known here. */
function emotionColour(label) {
  if (EMOTION_COLOURS[label]) return EMOTION_COLOURS[label];
  let hue = 0;
  for (const letter of label) hue = (hue * 31 + letter.codePointAt(0)) % 360;
  return `hsl(${hue} 55% 62%)`;
}

class Timeline {
  #backdrop = document.createElement('canvas');  // All but the playhead, redrawn only when it changes.
  #stale = true;

  constructor(canvas, take, duration, seek) {
    Object.assign(this, {canvas, take, duration, seek});
    this.context = canvas.getContext('2d');
    this.shown = [];  // {channel, colour, scale} of each curve in the plot
    this.start = 0;
    this.end = duration;
    this.labels = [...new Set(take.emotion.flatMap(key => Object.keys(key.weights)))];
    this.#listen();
  }

  /** Plot these curves: [{channel, colour, signed}]. */
  show(curves) {
    this.shown = curves;
    this.refresh();
  }

  refresh() {
    this.#stale = true;
  }

  draw(time, follow) {
    const {canvas, context} = this, ratio = Math.min(window.devicePixelRatio, 2);
    const width = Math.max(1, Math.round(canvas.clientWidth * ratio));
    const height = Math.max(1, Math.round(canvas.clientHeight * ratio));
    if (canvas.width !== width || canvas.height !== height) {
      Object.assign(canvas, {width, height});
      this.#stale = true;
    }
    if (follow && (time > this.end || time < this.start)) this.#window(time, time + this.end - this.start);
    if (this.#stale) this.#drawBackdrop(width, height, ratio);
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, width, height);
    context.drawImage(this.#backdrop, 0, 0);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.#drawPlayhead(time);
  }

  #drawBackdrop(width, height, ratio) {
    Object.assign(this.#backdrop, {width, height});
    const context = this.#backdrop.getContext('2d');
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.font = '11px system-ui, sans-serif';
    const bottom = height / ratio - (this.labels.length ? EMOTION_HEIGHT + 6 : 6);
    const area = {left: MARGIN, right: width / ratio - MARGIN, top: RULER_HEIGHT + 4, bottom};
    this.area = area;
    this.#drawRuler(context, area);
    if (this.take.peaks) this.#drawWaveform(context, area);
    for (const curve of this.shown) this.#drawCurve(context, area, curve);
    if (this.labels.length) this.#drawEmotion(context, area);
    this.#stale = false;
  }

  #drawRuler(context, area) {
    const wanted = (this.end - this.start) * 80 / (area.right - area.left);
    const step = RULER_STEPS.find(s => s >= wanted) ?? RULER_STEPS.at(-1);
    context.textBaseline = 'middle';
    context.textAlign = 'left';
    for (let i = Math.ceil(this.start / step); i * step <= this.end + 1e-9; i++) {
      const x = Math.round(this.#x(i * step)) + 0.5;
      context.fillStyle = '#ffffff0d';
      context.fillRect(x - 0.5, RULER_HEIGHT - 4, 1, area.bottom - RULER_HEIGHT + 4);
      context.fillStyle = '#77808f';
      const label = clockText(i * step, step < 1 ? (step < 0.1 ? 2 : 1) : 0);
      if (x + 4 + context.measureText(label).width < area.right + MARGIN) context.fillText(label, x + 4, RULER_HEIGHT / 2 + 2);
    }
  }

  #drawWaveform(context, area) {
    const {peaks, peaksPerSecond} = this.take, middle = (area.top + area.bottom) / 2, half = (area.bottom - area.top) / 2;
    context.fillStyle = '#3a4658';
    context.beginPath();
    for (let x = area.left; x < area.right; x++) {
      const first = Math.floor(this.#time(x) * peaksPerSecond);
      const last = Math.max(first + 1, Math.floor(this.#time(x + 1) * peaksPerSecond));
      let peak = 0;
      for (let i = Math.max(first, 0); i < last && i < peaks.length; i++) peak = Math.max(peak, peaks[i]);
      const reach = Math.max(0.5, peak / 255 * half);
      context.rect(x, middle - reach, 1, 2 * reach);
    }
    context.fill();
  }

  /** One curve; where many frames share a pixel, their whole range is drawn. */
  #drawCurve(context, area, {channel, colour, signed}) {
    const values = this.take.curves[channel], {fps} = this.take, height = area.bottom - area.top;
    const reach = signed ? Math.max(0.2, this.#reachOf(values)) : 1;
    const y = value => signed ? area.top + height / 2 - value / reach * height / 2 : area.bottom - 1 - value * (height - 3);
    const first = Math.max(0, Math.floor(this.start * fps) - 1), last = Math.min(values.length - 1, Math.ceil(this.end * fps) + 1);
    context.save();
    context.beginPath();
    context.rect(area.left, area.top - 2, area.right - area.left, height + 4);
    context.clip();
    context.beginPath();
    const perPixel = (this.end - this.start) * fps / (area.right - area.left);
    if (perPixel < 2) {
      for (let i = first; i <= last; i++) context.lineTo(this.#x(i / fps), y(values[i]));
    } else {
      for (let x = area.left; x < area.right; x++) {
        const from = Math.max(Math.floor(this.#time(x) * fps), 0), to = Math.min(Math.ceil(this.#time(x + 1) * fps), values.length - 1);
        let low = Infinity, high = -Infinity;
        for (let i = from; i <= to; i++) { low = Math.min(low, values[i]); high = Math.max(high, values[i]); }
        if (high >= low) { context.lineTo(x, y(low)); context.lineTo(x, y(high)); }
      }
    }
    context.strokeStyle = colour;
    context.lineWidth = 1.5;
    context.lineJoin = 'round';
    context.stroke();
    context.restore();
  }

  #reachOf(values) {
    let reach = 0;
    for (const value of values) reach = Math.max(reach, Math.abs(value));
    return reach;
  }

  /** The emotions as bands whose heights are their shares. */
  #drawEmotion(context, area) {
    const top = area.bottom + 4;
    for (let x = area.left; x < area.right; x++) {
      const weights = this.take.emotionAt(this.#time(x + 0.5));
      const sum = Math.max(1e-6, Object.values(weights).reduce((a, b) => a + b, 0));
      let y = top;
      for (const label of this.labels) {
        const share = (weights[label] ?? 0) / sum * EMOTION_HEIGHT * 0.86;
        context.fillStyle = emotionColour(label);
        context.fillRect(x, y, 1.05, share);
        y += share;
      }
    }
    this.#labelEmotions(context, area, top);
  }

  /** A name on every stretch in which one emotion leads and that has room for it. */
  #labelEmotions(context, area, top) {
    context.textBaseline = 'middle';
    let leader = null, from = area.left;
    const finish = x => {
      if (leader && x - from > context.measureText(leader).width + 12) {
        context.fillStyle = '#0b0d11';
        context.fillText(leader, from + 6, top + EMOTION_HEIGHT * 0.43 + 0.5);
      }
    };
    for (let x = area.left; x <= area.right; x++) {
      const strongest = strongestEmotion(this.take.emotionAt(this.#time(x)));
      if (strongest !== leader) { finish(x); leader = strongest; from = x; }
    }
    finish(area.right);
  }

  #drawPlayhead(time) {
    const {context, area} = this, x = this.#x(time);
    if (x < area.left - 1 || x > area.right + 1) return;
    context.fillStyle = '#ffffff';
    context.fillRect(x - 0.75, RULER_HEIGHT - 6, 1.5, area.bottom - RULER_HEIGHT + (this.labels.length ? EMOTION_HEIGHT + 8 : 6));
    context.beginPath();
    context.moveTo(x - 5, RULER_HEIGHT - 9);
    context.lineTo(x + 5, RULER_HEIGHT - 9);
    context.lineTo(x, RULER_HEIGHT - 2);
    context.fill();
    const share = i => this.take.curves[i][this.take.frameAt(time)];
    for (const {channel, colour, signed} of this.shown) {
      if (signed) continue;
      const y = area.bottom - 1 - share(channel) * (area.bottom - area.top - 3);
      context.beginPath();
      context.arc(x, y, 3, 0, 7);
      context.fillStyle = colour;
      context.fill();
    }
  }

  #x(time) {
    return this.area.left + (time - this.start) / (this.end - this.start) * (this.area.right - this.area.left);
  }

  #time(x) {
    return this.start + (x - this.area.left) / (this.area.right - this.area.left) * (this.end - this.start);
  }

  /** Show the stretch from `start` to `end`, moved so that it lies inside the take. */
  #window(start, end) {
    const length = Math.min(end - start, this.duration);
    this.start = Math.min(Math.max(start, 0), this.duration - length);
    this.end = this.start + length;
    this.refresh();
  }

  #listen() {
    const {canvas} = this;
    const scrub = event => {
      if (canvas.hasPointerCapture(event.pointerId)) this.seek(this.#time(event.offsetX));
    };
    canvas.addEventListener('pointerdown', event => { canvas.setPointerCapture(event.pointerId); scrub(event); });
    canvas.addEventListener('pointermove', scrub);
    canvas.addEventListener('dblclick', () => this.#window(0, this.duration));
    canvas.addEventListener('wheel', event => {
      event.preventDefault();
      const length = this.end - this.start, sideways = event.shiftKey ? event.deltaY : event.deltaX;
      if (Math.abs(sideways) > Math.abs(event.shiftKey ? 0 : event.deltaY)) {
        this.#window(this.start + sideways / 600 * length, this.end + sideways / 600 * length);
        return;
      }
      const at = this.#time(event.offsetX), shortest = Math.min(0.2, this.duration);
      const factor = Math.max(Math.exp(event.deltaY * 0.002), shortest / length);
      this.#window(at - (at - this.start) * factor, at + (this.end - at) * factor);
    }, {passive: false});
  }
}

/** 83.25 -> "1:23" or, with decimals, "1:23.25". */
function clockText(seconds, decimals) {
  const scale = 10 ** decimals, total = Math.round(seconds * scale), minutes = Math.floor(total / scale / 60);
  const rest = ((total - minutes * 60 * scale) / scale).toFixed(decimals).padStart(decimals ? 3 + decimals : 2, '0');
  const hours = Math.floor(minutes / 60);
  return hours ? `${hours}:${String(minutes % 60).padStart(2, '0')}:${rest}` : `${minutes}:${rest}`;
}

function strongestEmotion(weights) {
  return Object.keys(weights).reduce((best, label) => weights[label] > (weights[best] ?? 0) ? label : best, null);
}
