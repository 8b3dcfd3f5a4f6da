// The picture: WebGL 2, a camera that orbits the face, one draw call for each material.

const VIEWS = {front: 0, quarter: 0.62, side: 1.45};  // Radians around the head.
const FIELD_OF_VIEW = 22 * Math.PI / 180;  // A portrait lens.
const MAX_PIXEL_RATIO = 2;
const ATTRIBUTES = ['position', 'normal', 'rest', 'paintA', 'paintB'];
const SLOW_PICTURE = 30, COARSEST = 0.5;  // Milliseconds; share of the full resolution.
const LIGHTS_FOLLOW = 0.5;  // Share of the camera's turn.

class Stage {
  constructor(canvas, head) {
    this.canvas = canvas;
    this.head = head;
    this.surface = new Surface(head);
    this.headInverse = new Float32Array(9);
    this.mouthOpen = 0;
    this.quality = 1;  // Share of the full resolution.
    this.pace = 16;  // Milliseconds between pictures, smoothed.
    this.resetView();
    this.gl = canvas.getContext('webgl2', {antialias: true, premultipliedAlpha: true, powerPreference: 'low-power'});
    if (!this.gl) throw new Error('This browser offers no WebGL 2, which the face needs.');
    canvas.addEventListener('webglcontextlost', event => event.preventDefault());
    canvas.addEventListener('webglcontextrestored', () => { this.#prepare(); this.draw(); });
    this.#prepare();
  }

  resetView() {
    this.camera = {yaw: 0, pitch: 0.02, zoom: 1, panX: 0, panY: 0};
  }

  /** Put the head into the pose of one frame of channels. */
  pose(channels) {
    this.surface.pose(channels);
    const r = rotation(channels[52], channels[53], channels[54]);
    this.headInverse.set(r);  // GL reads columns: a row-major matrix arrives transposed, which inverts a rotation.
    this.mouthOpen = this.#lipGap() / (0.012 * 1000 * this.head.millimetre);
    this.gl.bindBuffer(this.gl.ARRAY_BUFFER, this.buffers.position);
    this.gl.bufferSubData(this.gl.ARRAY_BUFFER, 0, this.surface.positions);
    this.gl.bindBuffer(this.gl.ARRAY_BUFFER, this.buffers.normal);
    this.gl.bufferSubData(this.gl.ARRAY_BUFFER, 0, this.surface.normals);
  }

  /** Told how long pictures take while they move: a slow machine gets coarser ones, and fine ones again at rest. */
  paceQuality(milliseconds, moving) {
    this.pace = 0.8 * this.pace + 0.2 * Math.min(milliseconds, 200);
    if (!moving) {
      this.quality = 1;
      this.pace = 16;
    } else if (this.pace > SLOW_PICTURE && this.quality > COARSEST) {
      this.quality = Math.max(0.8 * this.quality, COARSEST);
      this.pace = 16;
    }
  }

  /** Metres between the lips; a head whose lips are not known counts as open. */
  #lipGap() {
    const {positions} = this.surface, [upper, lower] = this.head.frame.innerLips;
    const d = [0, 1, 2].map(axis => positions[3 * upper + axis] - positions[3 * lower + axis]);
    return upper === lower ? 1 : Math.hypot(...d);
  }

  /** Draw the head into one of `places` columns, of which the first clears the picture. */
  draw(place = 0, places = 1) {
    const {gl, canvas} = this;
    const ratio = Math.min(window.devicePixelRatio, MAX_PIXEL_RATIO) * this.quality;
    const width = Math.max(1, Math.round(canvas.clientWidth * ratio));
    const height = Math.max(1, Math.round(canvas.clientHeight * ratio));
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, {width, height});
    const column = Math.max(1, Math.floor(width / places));
    gl.viewport(place * column, 0, column, height);
    gl.clearColor(0, 0, 0, 0);
    gl.depthMask(true);  // Or the depth would not be cleared.
    if (place === 0) gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    const {matrix, eye} = this.#view(column / height);
    gl.bindVertexArray(this.vertexArray);
    gl.enable(gl.DEPTH_TEST);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    for (const {program, uniforms, range, isTransparent} of this.materials) {
      gl.useProgram(program);
      gl.uniformMatrix4fv(uniforms.projection, false, matrix);
      gl.uniformMatrix3fv(uniforms.headInverse ?? null, false, this.headInverse);
      gl.uniformMatrix3fv(uniforms.lightTurn ?? null, true, rotation(LIGHTS_FOLLOW * this.camera.yaw, 0, 0));
      gl.uniform3fv(uniforms.eye ?? null, eye);
      gl.uniform1f(uniforms.mouthOpen ?? null, Math.min(this.mouthOpen, 1));
      (isTransparent ? gl.enable : gl.disable).call(gl, gl.BLEND);
      (isTransparent ? gl.disable : gl.enable).call(gl, gl.CULL_FACE);
      gl.depthMask(!isTransparent);
      gl.drawElements(gl.TRIANGLES, range.count, gl.UNSIGNED_INT, 4 * range.first);
    }
  }

  /** Projection times view, column-major, and the camera's place. */
  #view(aspect) {
    const {yaw, pitch, zoom, panX, panY} = this.camera, {centre, height} = this.head.frame;
    const slope = Math.tan(FIELD_OF_VIEW / 2);
    const room = height * 1.5 * Math.max(1, 0.92 / aspect);  // What must fit vertically.
    const distance = room / 2 / slope / zoom;
    const sy = Math.sin(yaw), cy = Math.cos(yaw), sp = Math.sin(pitch), cp = Math.cos(pitch);
    const back = [sy * cp, sp, cy * cp], right = [cy, 0, -sy], up = [-sy * sp, cp, -cy * sp];
    const eye = [0, 1, 2].map(i => centre[i] + distance * back[i] - panX * right[i] - panY * up[i]);
    const near = distance * 0.05, far = distance + 20 * height;
    const raise = 0.05;  // Of half the height: the buttons below the face stay clear of it.
    const f = 1 / slope, a = f / aspect, c = (far + near) / (near - far), d = 2 * far * near / (near - far);
    const dot = v => v[0] * eye[0] + v[1] * eye[1] + v[2] * eye[2];
    const matrix = new Float32Array(16);
    for (let i = 0; i < 3; i++) {
      matrix.set([a * right[i], f * up[i] - raise * back[i], c * back[i], -back[i]], 4 * i);
    }
    matrix.set([-a * dot(right), -f * dot(up) + raise * dot(back), -c * dot(back) + d, dot(back)], 12);
    return {matrix, eye};
  }

  #prepare() {
    const {gl, surface} = this;
    this.materials = MATERIALS.map(({parts, shader, isTransparent}) => ({
      ...this.#link(VERTEX_SHADER, COMMON + shader), range: surface.range(parts), isTransparent}));
    this.vertexArray = gl.createVertexArray();
    gl.bindVertexArray(this.vertexArray);
    this.buffers = {
      position: this.#attribute('position', surface.positions, 3, gl.DYNAMIC_DRAW),
      normal: this.#attribute('normal', surface.normals, 3, gl.DYNAMIC_DRAW),
    };
    this.#attribute('rest', surface.rest, 3, gl.STATIC_DRAW);
    this.#attribute('paintA', surface.paint(0, 1, 2, 3), 4, gl.STATIC_DRAW, true);
    this.#attribute('paintB', surface.paint(4, 5, 6, 6), 4, gl.STATIC_DRAW, true);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, surface.faces, gl.STATIC_DRAW);
    this.#makeGrain();
    this.#setConstants();
  }

  #setConstants() {
    const {gl, head} = this;
    for (const {program, uniforms} of this.materials) {
      gl.useProgram(program);
      gl.uniform3fv(uniforms.eyeCentres ?? null, head.eyeCentres.flat());
      gl.uniform1f(uniforms.irisRadius ?? null, Math.max(head.irisRadius, 1e-6));
      gl.uniform1f(uniforms.millimetre ?? null, head.millimetre);
      gl.uniform1f(uniforms.lipsDepth ?? null, head.frame.lipsDepth);
    }
  }

  /** The random values of the shaders: always the same ones. */
  #makeGrain() {
    const {gl} = this, values = new Uint8Array(64 * 64);
    let state = 1;
    for (let i = 0; i < values.length; i++) values[i] = (state = Math.imul(state, 1664525) + 1013904223 >>> 0) >>> 24;
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.R8, 64, 64, 0, gl.RED, gl.UNSIGNED_BYTE, values);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR);
  }

  /** {program, uniforms: locations by name}; all programs share the attributes' places. */
  #link(...sources) {
    const {gl} = this, program = gl.createProgram(), uniforms = {};
    [gl.VERTEX_SHADER, gl.FRAGMENT_SHADER].forEach((type, i) => {
      const shader = gl.createShader(type);
      gl.shaderSource(shader, sources[i]);
      gl.compileShader(shader);
      if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(shader));
      gl.attachShader(program, shader);
    });
    ATTRIBUTES.forEach((name, place) => gl.bindAttribLocation(program, place, name));
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(program));
    for (let i = 0; i < gl.getProgramParameter(program, gl.ACTIVE_UNIFORMS); i++) {
      const name = gl.getActiveUniform(program, i).name.replace('[0]', '');
      uniforms[name] = gl.getUniformLocation(program, name);
    }
    return {program, uniforms};
  }

  /** Upload an attribute; paint is bytes that become 0..1. */
  #attribute(name, values, size, usage, isPaint = false) {
    const {gl} = this, buffer = gl.createBuffer(), place = ATTRIBUTES.indexOf(name);
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    gl.bufferData(gl.ARRAY_BUFFER, values, usage);
    gl.enableVertexAttribArray(place);
    gl.vertexAttribPointer(place, size, isPaint ? gl.UNSIGNED_BYTE : gl.FLOAT, isPaint, 0, 0);
    return buffer;
  }
}
