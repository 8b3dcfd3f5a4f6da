// The list of curves: search, live values, and which of them the timeline plots.

const PLOTTED_AT_FIRST = 6;

class CurvePanel {
  constructor(list, search, channels, take, onchange) {
    Object.assign(this, {list, search, channels, take, onchange});
    this.colours = new Map();  // channel -> colour, in the order chosen
    this.rows = [];
    this.#build();
    search.addEventListener('input', () => this.#filter());
    this.showStrongest();
  }

  /** Plot the shapes that move most, one of each left-right pair; where the eyes look is left to the eye angles. */
  showStrongest() {
    const strength = this.take.curves.map(spread);
    const ranked = this.channels.map((channel, index) => ({...channel, index}))
      .filter(({name, index, isAngle}) => !isAngle && !name.startsWith('eyeLook') && strength[index] > 0.004)
      .sort((a, b) => strength[b.index] - strength[a.index]);
    const chosen = [], pairs = new Set();
    for (const {index, name} of ranked) {
      const pair = name.replace(/(Left|Right)$/, '');
      if (pairs.has(pair) || chosen.length >= PLOTTED_AT_FIRST) continue;
      pairs.add(pair);
      chosen.push(index);
    }
    this.colours = new Map(chosen.map((channel, i) => [channel, CURVE_COLOURS[i]]));
    this.#update();
  }

  /** Write the present values into the list. */
  setValues(values) {
    if (!this.list.offsetParent) return;
    for (const {channel, output, bar, isAngle} of this.rows) {
      const value = values[channel];
      const text = isAngle ? `${(value * 180 / Math.PI).toFixed(1)}°` : value.toFixed(2);
      if (output.textContent !== text) {
        output.textContent = text;
        bar.style.transform = `scaleX(${isAngle ? Math.max(-1, Math.min(1, value)) : value})`;
      }
    }
  }

  #build() {
    for (const [region, members] of channelsByRegion(this.channels)) {
      const title = document.createElement('li');
      title.className = 'group';
      title.textContent = region;
      this.list.append(title);
      for (const channel of members) this.list.append(this.#row(channel, title));
    }
    this.none = document.createElement('li');
    this.none.className = 'none';
    this.none.textContent = 'No curve has that name.';
    this.none.hidden = true;
    this.list.append(this.none);
  }

  #row(channel, title) {
    const {name, region, isAngle} = this.channels[channel];
    const item = document.createElement('li'), button = document.createElement('button');
    const [dot, label, output, bar] = ['i', 'span', 'output', 'u'].map(tag => document.createElement(tag));
    label.textContent = name;
    if (isAngle) bar.className = 'signed';
    button.append(dot, label, output, bar);
    button.addEventListener('click', () => this.#toggle(channel));
    item.append(button);
    this.rows.push({channel, item, button, output, bar, title, isAngle, words: `${name} ${region}`.toLowerCase()});
    return item;
  }

  #toggle(channel) {
    if (this.colours.has(channel)) {
      this.colours.delete(channel);
    } else {
      const taken = [...this.colours.values()];
      const count = colour => taken.filter(other => other === colour).length;
      const least = Math.min(...CURVE_COLOURS.map(count));
      this.colours.set(channel, CURVE_COLOURS.find(colour => count(colour) === least));
    }
    this.#update();
  }

  #update() {
    for (const {channel, button} of this.rows) {
      const colour = this.colours.get(channel);
      button.setAttribute('aria-pressed', String(Boolean(colour)));
      if (colour) button.style.setProperty('--own', colour);
      else button.style.removeProperty('--own');
    }
    this.onchange([...this.colours].map(([channel, colour]) => ({channel, colour, signed: this.channels[channel].isAngle})));
  }

  #filter() {
    const words = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of this.rows) row.item.hidden = !words.every(word => row.words.includes(word));
    for (const title of new Set(this.rows.map(row => row.title))) {
      title.hidden = this.rows.every(row => row.title !== title || row.item.hidden);
    }
    this.none.hidden = this.rows.some(row => !row.item.hidden);
  }
}

/** Standard deviation. */
function spread(values) {
  let sum = 0, squares = 0;
  for (const value of values) { sum += value; squares += value * value; }
  const mean = sum / values.length;
  return Math.sqrt(Math.max(squares / values.length - mean * mean, 0));
}

/** region -> channel numbers, in order of first appearance. */
function channelsByRegion(channels) {
  const groups = new Map();
  channels.forEach(({region}, i) => groups.set(region, [...(groups.get(region) ?? []), i]));
  return groups;
}
