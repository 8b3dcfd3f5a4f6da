// Wires the page together: payload, clock, stage, timeline, panel, controls, keys.

const SPEEDS = [0.1, 0.25, 0.5, 1, 1.5, 2];
const TOGGLES = {mouth: 'Mouth', brows: 'Brows', eyes: 'Eyes', head: 'Head'};
const element = id => document.getElementById(id);

class App {
  constructor({manifest, array}) {
    this.takes = manifest.takes.map(take => new Take(take, array, manifest.quantisation));
    this.take = this.takes.at(-1);  // What the sound, the timeline and the curves belong to.
    this.channels = manifest.channels;
    this.still = new Set();  // Parts of the face that are switched off.
    this.values = new Float32Array(this.channels.length);
    this.head = new Head(manifest.head, array);
    this.clock = new Clock(this.take.duration, this.#makeSound());
    this.clock.onchange = () => this.#showState();
    this.timeline = new Timeline(element('timeline'), this.take, this.take.duration, time => this.clock.seek(time));
    this.panel = new CurvePanel(element('curves'), element('search'), this.channels, this.take, curves => this.timeline.show(curves));
    try {
      this.stage = new Stage(element('face'), this.head);
      new Orbit(this.stage);
    } catch (error) {
      this.say(error.message);
    }
    this.#describe();
    connectControls(this);
    this.#showState();
    this.draw();
    const next = now => { this.#tick(now); requestAnimationFrame(next); };
    requestAnimationFrame(next);
  }

  /** The channels of a take at a time, with the switched-off parts at rest. */
  channelsAt(time, take) {
    take.sample(time, this.values);
    this.channels.forEach(({toggle}, i) => { if (this.still.has(toggle)) this.values[i] = 0; });
    return this.values;
  }

  draw() {
    const time = this.clock.time;
    this.takes.forEach((take, place) => {
      this.channelsAt(time, take);
      this.stage?.pose(this.values);
      this.stage?.draw(place, this.takes.length);
    });
    this.timeline.draw(time, this.clock.playing);
    this.panel.setValues(this.values);
    this.#showTime(time);
  }

  step(frames) {
    this.clock.pause();
    this.clock.seek((this.take.frameAt(this.clock.time) + frames) / this.take.fps);
  }

  setView(name) {
    this.stage?.resetView();
    if (this.stage) this.stage.camera.yaw = VIEWS[name];
  }

  toggleStill(part) {
    this.still.has(part) ? this.still.delete(part) : this.still.add(part);
    this.#showState();
  }

  say(text) {
    element('message').textContent = text;
    element('message').hidden = false;
  }

  /** Draw only when something has changed: a paused page costs nothing. */
  #tick(now) {
    this.clock.tick();
    this.stage?.paceQuality(now - (this.ticked ?? now), this.clock.playing);
    this.ticked = now;
    const {clientWidth, clientHeight} = element('face'), line = element('timeline');
    const {start, end, shown} = this.timeline;
    const state = [this.clock.time, clientWidth, clientHeight, line.clientWidth, line.clientHeight, window.devicePixelRatio,
      ...Object.values(this.stage?.camera ?? {}), this.stage?.quality, ...this.still, start, end, ...shown.map(curve => curve.channel)].join();
    if (state === this.drawn) return;
    this.drawn = state;
    this.draw();
  }

  #makeSound() {
    if (!this.take.sound) return null;
    const sound = document.createElement('audio');
    sound.preload = 'auto';
    sound.src = URL.createObjectURL(new Blob([embeddedBytes(this.take.sound)], {type: 'audio/webm; codecs=opus'}));
    sound.addEventListener('error', () => {
      this.clock.dropSound();
      this.say('This browser cannot play the sound (Opus in WebM); the face moves without it.');
    });
    return sound;
  }

  #describe() {
    const {name, fps, frameCount, duration, sound, peaks, source} = this.take;
    element('name').textContent = name;
    element('name').title = source;
    const facts = [clockText(duration, 2), `${frameCount} frames`, `${+fps.toFixed(3)} fps`];
    element('facts').textContent = [...facts, sound ? 'sound' : 'no sound'].join(' · ');
    element('mute').hidden = !sound;
    element('captions').hidden = this.takes.length < 2;
    for (const {caption} of this.takes) {
      element('captions').append(Object.assign(document.createElement('span'), {textContent: caption}));
    }
  }

  #showState() {
    const {playing, loop, speed} = this.clock;
    element('play').classList.toggle('playing', playing);
    element('play').setAttribute('aria-label', playing ? 'Pause' : 'Play');
    element('loop').setAttribute('aria-pressed', String(loop));
    element('speed').value = String(speed);
    const sound = this.clock.sound;
    element('mute').setAttribute('aria-pressed', String(Boolean(sound?.muted)));
    for (const button of element('regions').children) {
      button.setAttribute('aria-pressed', String(!this.still.has(button.dataset.part)));
    }
  }

  #showTime(time) {
    const frame = this.take.frameAt(time);
    element('time').firstChild.textContent = clockText(time, 2);
    element('time').lastChild.textContent = `frame ${frame} of ${this.take.frameCount}`;
    const weights = this.take.emotionAt(time), leader = weights && strongestEmotion(weights);
    element('emotion').hidden = !leader;
    if (leader) {
      element('emotion').textContent = `${leader} ${Math.round(100 * weights[leader])} %`;
      element('emotion').style.setProperty('--own', emotionColour(leader));
    }
  }
}

async function start() {
  try {
    const app = new App(await readPayload());
    window.talker = {
      takes: app.takes,
      channels: app.channels.map(channel => channel.name),
      vertices: frame => app.head.pose(app.take.sample(frame / app.take.fps, new Float32Array(app.channels.length))),
      seek: time => { app.clock.seek(time); app.draw(); },
      play: () => app.clock.play(),
      pause: () => app.clock.pause(),
      setView: name => { app.setView(name); app.draw(); },
      get time() { return app.clock.time; },
      get playing() { return app.clock.playing; },
      app,
    };
  } catch (error) {
    element('message').textContent = `This page cannot be shown: ${error.message}`;
    element('message').hidden = false;
    throw error;
  }
}
window.talkerReady = start();
