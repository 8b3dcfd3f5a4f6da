// The one clock: the sound's own position while there is sound, the wall clock otherwise.

class Clock {
  #position = 0;  // Seconds, while paused.
  #anchor = null;  // Without sound: when (performance.now) playing began at #position.
  #heard = {time: -1, at: 0};  // The sound's position when it last changed, and when that was.

  constructor(duration, sound) {
    this.duration = duration;
    this.sound = sound;  // <audio> or null
    this.playing = false;
    this.loop = false;
    this.speed = 1;
    this.onchange = () => {};
    sound?.addEventListener('ended', () => this.playing && this.#reachEnd());
    sound?.addEventListener('pause', () => this.playing && !sound.ended && this.pause());  // By the system.
  }

  /** Seconds since the start of the take. */
  get time() {
    if (!this.playing) return this.#position;
    return Math.min(this.sound ? this.#soundTime() : this.#wallTime(), this.duration);
  }

  async play() {
    if (this.playing) return;
    if (this.#position >= this.duration - 1e-3) this.seek(0);
    this.#anchor = performance.now();
    this.playing = true;
    this.onchange();
    if (!this.sound) return;
    this.#heard = {time: -1, at: 0};
    this.sound.currentTime = this.#position;
    this.sound.playbackRate = this.speed;
    try {
      await this.sound.play();
    } catch (error) {
      if (error.name === 'AbortError') return;  // Paused again before it began.
      this.pause();
      throw error;
    }
  }

  pause() {
    if (!this.playing) return;
    this.#position = this.time;
    this.playing = false;
    this.sound?.pause();
    this.onchange();
  }

  seek(time) {
    this.#position = Math.min(Math.max(time, 0), this.duration);
    this.#anchor = performance.now();
    this.#heard = {time: -1, at: 0};
    if (this.sound) this.sound.currentTime = this.#position;
    this.onchange();
  }

  setSpeed(speed) {
    if (this.playing && !this.sound) this.seek(this.time);
    this.speed = speed;
    if (this.sound) this.sound.playbackRate = speed;
    this.onchange();
  }

  /** Go on by the wall clock: the sound turned out not to play. */
  dropSound() {
    this.#position = this.time;
    this.#anchor = performance.now();
    this.sound = null;
    this.onchange();
  }

  /** To be called once per picture: wraps around or stops at the end. */
  tick() {
    if (this.playing && !this.sound && this.#wallTime() >= this.duration) this.#reachEnd();
  }

  #wallTime() {
    return this.#position + (performance.now() - this.#anchor) / 1000 * this.speed;
  }

  /** Browsers move `currentTime` in steps of up to 40 ms; between two of them the wall clock goes on. */
  #soundTime() {
    const now = performance.now(), time = this.sound.currentTime;
    if (time !== this.#heard.time) this.#heard = {time, at: now};
    const waiting = this.sound.seeking || this.sound.readyState < 3;
    return waiting ? time : time + Math.min((now - this.#heard.at) / 1000, 0.05) * this.speed;
  }

  #reachEnd() {
    this.playing = false;
    this.#position = this.duration;
    if (this.loop) this.play();
    else { this.sound?.pause(); this.onchange(); }
  }
}
