// Pointer, buttons and keys.

/** Drag turns, scroll and pinch zoom, right or two-finger drag moves, double-click resets. */
class Orbit {
  #pointers = new Map();

  constructor(stage) {
    this.stage = stage;
    const {canvas} = stage;
    canvas.addEventListener('pointerdown', event => {
      canvas.setPointerCapture(event.pointerId);
      this.#pointers.set(event.pointerId, [event.clientX, event.clientY]);
    });
    canvas.addEventListener('pointermove', event => this.#move(event));
    for (const name of ['pointerup', 'pointercancel']) {
      canvas.addEventListener(name, event => this.#pointers.delete(event.pointerId));
    }
    canvas.addEventListener('contextmenu', event => event.preventDefault());
    canvas.addEventListener('dblclick', () => stage.resetView());
    canvas.addEventListener('wheel', event => {
      event.preventDefault();
      this.#zoom(Math.exp(-event.deltaY * 0.0012));
    }, {passive: false});
  }

  #move(event) {
    const before = this.#pointers.get(event.pointerId);
    if (!before) return;
    const [dx, dy] = [event.clientX - before[0], event.clientY - before[1]];
    const two = this.#pointers.size === 2, apart = two ? this.#distance() : 0;
    this.#pointers.set(event.pointerId, [event.clientX, event.clientY]);
    if (two) {
      this.#zoom(this.#distance() / Math.max(apart, 1));
      this.#pan(dx / 2, dy / 2);
    } else if (event.buttons & 2 || event.shiftKey) {
      this.#pan(dx, dy);
    } else {
      const {camera} = this.stage;
      camera.yaw -= dx * 0.008;
      camera.pitch = Math.min(Math.max(camera.pitch + dy * 0.006, -1.3), 1.3);
    }
  }

  #distance() {
    const [[ax, ay], [bx, by]] = [...this.#pointers.values()];
    return Math.hypot(ax - bx, ay - by);
  }

  #zoom(factor) {
    const {camera} = this.stage;
    camera.zoom = Math.min(Math.max(camera.zoom * factor, 0.4), 8);
  }

  #pan(dx, dy) {
    const {camera, canvas, head} = this.stage, metres = 1.4 * head.frame.height / canvas.clientHeight / camera.zoom;
    camera.panX += dx * metres;
    camera.panY -= dy * metres;
  }
}

/** Give every button and key its meaning. */
function connectControls(app) {
  const {clock} = app, on = (id, action) => element(id).addEventListener('click', action);
  const toggleLoop = () => { clock.loop = !clock.loop; clock.onchange(); };
  const toggleMute = () => { if (clock.sound) { clock.sound.muted = !clock.sound.muted; clock.onchange(); } };
  const togglePlay = () => clock.playing ? clock.pause() : clock.play();
  const changeSpeed = by => clock.setSpeed(SPEEDS[Math.min(Math.max(SPEEDS.indexOf(clock.speed) + by, 0), SPEEDS.length - 1)]);
  const showPanel = () => {
    const open = element('panel').classList.toggle('open');
    element('show-panel').setAttribute('aria-expanded', String(open));
  };
  for (const [part, label] of Object.entries(TOGGLES)) {
    const button = document.createElement('button');
    Object.assign(button, {textContent: label, title: `${label} on or off`});
    button.dataset.part = part;
    button.addEventListener('click', () => app.toggleStill(part));
    element('regions').append(button);
  }
  for (const speed of SPEEDS) element('speed').append(new Option(`${speed}×`, speed));
  for (const button of element('views').querySelectorAll('[data-view]')) {
    button.addEventListener('click', () => app.setView(button.dataset.view));
  }
  on('play', togglePlay);
  on('to-start', () => clock.seek(0));
  on('step-back', () => app.step(-1));
  on('step-on', () => app.step(1));
  on('loop', toggleLoop);
  on('mute', toggleMute);
  on('reset', () => app.setView('front'));
  on('strongest', () => app.panel.showStrongest());
  on('show-panel', showPanel);
  element('speed').addEventListener('change', event => clock.setSpeed(Number(event.target.value)));
  connectKeys({
    ' ': togglePlay,
    ArrowLeft: event => event.shiftKey ? clock.seek(clock.time - 1) : app.step(-1),
    ArrowRight: event => event.shiftKey ? clock.seek(clock.time + 1) : app.step(1),
    ArrowUp: () => changeSpeed(1),
    ArrowDown: () => changeSpeed(-1),
    Home: () => clock.seek(0),
    End: () => clock.seek(clock.duration),
    l: toggleLoop,
    m: toggleMute,
    r: () => app.setView('front'),
    1: () => app.setView('front'),
    2: () => app.setView('quarter'),
    3: () => app.setView('side'),
    '/': () => element('search').focus(),
  });
}

function connectKeys(actions) {
  document.addEventListener('keydown', event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.matches('input')) {
      if (event.key === 'Escape') event.target.blur();
      return;
    }
    const action = actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!action) return;
    event.preventDefault();
    action(event);
  });
}
