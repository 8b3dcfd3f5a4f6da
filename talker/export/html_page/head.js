// The head: curves in, vertices and normals out, computed exactly as talker's HeadMesh.vertices does.

class Head {
  constructor(description, array) {
    Object.assign(this, description);
    const count = this.vertexCount, packed = array('neutral');
    this.neutral = new Float32Array(3 * count);
    for (let i = 0; i < 3 * count; i++) this.neutral[i] = this.origin[i % 3] + packed[i] * this.step;
    this.faces = undoDifferences(array('faces'));
    this.headWeight = Float32Array.from(array('headWeight'), weight => weight / 65535);
    this.part = array('part');
    this.paint = array('paint');
    this.#readDeltas(array);
    this.eyes = ['left_eye', 'right_eye'].map(name => {
      const label = this.parts.indexOf(name);
      return Uint32Array.from([...this.part.keys()].filter(vertex => this.part[vertex] === label));
    });
  }

  #readDeltas(array) {
    const values = array('deltaValues'), total = values.length / 3, counts = array('deltaCounts');
    this.deltaVertices = undoDifferences(array('deltaVertices'));
    this.deltas = new Float32Array(3 * total);
    this.deltaStarts = [0];
    for (let shape = 0, i = 0; shape < counts.length; shape++) {
      for (const end = i + counts[shape]; i < end; i++) {
        for (let axis = 0; axis < 3; axis++) {
          this.deltas[3 * i + axis] = values[axis * total + i] * this.deltaSteps[shape];
        }
      }
      this.deltaStarts.push(i);
    }
  }

  /** Vertices (3 V floats, metres) of one frame of channels. */
  pose(channels, out = new Float32Array(3 * this.vertexCount)) {
    out.set(this.neutral);
    for (let shape = 0; shape + 1 < this.deltaStarts.length; shape++) {
      const weight = channels[shape];
      if (weight === 0) continue;
      for (let i = this.deltaStarts[shape]; i < this.deltaStarts[shape + 1]; i++) {
        const to = 3 * this.deltaVertices[i], from = 3 * i;
        out[to] += weight * this.deltas[from];
        out[to + 1] += weight * this.deltas[from + 1];
        out[to + 2] += weight * this.deltas[from + 2];
      }
    }
    this.eyes.forEach((vertices, eye) => this.#turnEye(vertices, this.eyeCentres[eye], channels, 55 + 3 * eye, out));
    this.#turnHead(channels, out);
    return out;
  }

  #turnEye(vertices, [cx, cy, cz], channels, at, out) {
    const r = rotation(channels[at], channels[at + 1], channels[at + 2]);
    for (const vertex of vertices) {
      const i = 3 * vertex, x = out[i] - cx, y = out[i + 1] - cy, z = out[i + 2] - cz;
      out[i] = cx + r[0] * x + r[1] * y + r[2] * z;
      out[i + 1] = cy + r[3] * x + r[4] * y + r[5] * z;
      out[i + 2] = cz + r[6] * x + r[7] * y + r[8] * z;
    }
  }

  #turnHead(channels, out) {
    const r = rotation(channels[52], channels[53], channels[54]), [px, py, pz] = this.pivot;
    for (let vertex = 0, i = 0; vertex < this.vertexCount; vertex++, i += 3) {
      const w = this.headWeight[vertex];
      if (w === 0) continue;
      const x = out[i] - px, y = out[i + 1] - py, z = out[i + 2] - pz;
      out[i] += w * ((r[0] - 1) * x + r[1] * y + r[2] * z);
      out[i + 1] += w * (r[3] * x + (r[4] - 1) * y + r[5] * z);
      out[i + 2] += w * (r[6] * x + r[7] * y + (r[8] - 1) * z);
    }
  }
}

/** A finer surface through a head's vertices: each edge is split and its middle bulges as the normals say. */
class Surface {
  constructor(head) {
    this.head = head;
    const coarse = head.vertexCount, middles = new Map();
    const middle = (a, b) => {
      const edge = a < b ? a * coarse + b : b * coarse + a;
      if (!middles.has(edge)) middles.set(edge, coarse + middles.size);
      return middles.get(edge);
    };
    this.faces = new Uint32Array(4 * head.faces.length);
    for (let f = 0; f < head.faces.length; f += 3) {
      const [a, b, c] = head.faces.subarray(f, f + 3), ab = middle(a, b), bc = middle(b, c), ca = middle(c, a);
      this.faces.set([a, ab, ca, ab, b, bc, ca, bc, c, ab, bc, ca], 4 * f);
    }
    this.edges = Uint32Array.from([...middles.keys()].flatMap(edge => [Math.floor(edge / coarse), edge % coarse]));
    this.vertexCount = coarse + middles.size;
    this.positions = new Float32Array(3 * this.vertexCount);
    this.normals = new Float32Array(3 * this.vertexCount);
    this.rest = this.#spread(3, (vertex, axis) => head.neutral[3 * vertex + axis], Float32Array);
  }

  /** Give the middles of the edges the mean of their ends: attributes of `size` numbers per vertex. */
  #spread(size, value, Type) {
    const out = new Type(size * this.vertexCount), coarse = this.head.vertexCount;
    for (let vertex = 0; vertex < this.vertexCount; vertex++) {
      const e = 2 * (vertex - coarse), a = e < 0 ? vertex : this.edges[e], b = e < 0 ? vertex : this.edges[e + 1];
      for (let k = 0; k < size; k++) out[size * vertex + k] = (value(a, k) + value(b, k)) / 2;
    }
    return out;
  }

  /** Four bytes per vertex: four layers of the paint. */
  paint(...layers) {
    const {paint, vertexCount} = this.head;
    return this.#spread(4, (vertex, k) => paint[layers[k] * vertexCount + vertex], Uint8Array);
  }

  /** The triangles of some parts, as {first, count} in `faces`: the head's faces lie part by part. */
  range(parts) {
    const {part, faces, parts: names} = this.head, labels = parts.map(name => names.indexOf(name));
    let first = 0, count = 0;
    for (let f = 0; f < faces.length; f += 3) {
      if (!labels.includes(part[faces[f]])) continue;
      if (!count) first = f;
      count += 3;
    }
    return {first: 4 * first, count: 4 * count};
  }

  /** Put the surface into the pose of one frame of channels. */
  pose(channels) {
    const {positions, normals, edges, head} = this;
    head.pose(channels, positions);
    addNormals(positions, head.faces, normals);
    for (let e = 0, m = 3 * head.vertexCount; e < edges.length; e += 2, m += 3) {
      const a = 3 * edges[e], b = 3 * edges[e + 1];
      const x = positions[b] - positions[a], y = positions[b + 1] - positions[a + 1], z = positions[b + 2] - positions[a + 2];
      const ha = (x * normals[a] + y * normals[a + 1] + z * normals[a + 2]) / 8;
      const hb = (x * normals[b] + y * normals[b + 1] + z * normals[b + 2]) / 8;
      for (let axis = 0; axis < 3; axis++) {
        positions[m + axis] = (positions[a + axis] + positions[b + axis]) / 2 - ha * normals[a + axis] + hb * normals[b + axis];
      }
    }
    addNormals(positions, this.faces, normals);
  }
}

/** Unit vertex normals into `out`, each face counting by its area. */
function addNormals(positions, faces, out) {
  out.fill(0);
  for (let f = 0; f < faces.length; f += 3) {
    const a = 3 * faces[f], b = 3 * faces[f + 1], c = 3 * faces[f + 2];
    const ux = positions[b] - positions[a], uy = positions[b + 1] - positions[a + 1];
    const uz = positions[b + 2] - positions[a + 2], vx = positions[c] - positions[a];
    const vy = positions[c + 1] - positions[a + 1], vz = positions[c + 2] - positions[a + 2];
    const nx = uy * vz - uz * vy, ny = uz * vx - ux * vz, nz = ux * vy - uy * vx;
    out[a] += nx; out[a + 1] += ny; out[a + 2] += nz;
    out[b] += nx; out[b + 1] += ny; out[b + 2] += nz;
    out[c] += nx; out[c + 1] += ny; out[c + 2] += nz;
  }
  for (let i = 0; i < out.length; i += 3) {
    const scale = 1 / Math.max(Math.sqrt(out[i] ** 2 + out[i + 1] ** 2 + out[i + 2] ** 2), 1e-20);
    out[i] *= scale; out[i + 1] *= scale; out[i + 2] *= scale;
  }
}

/** Row-major rotation matrix of yaw, pitch, roll in radians: roll first, then pitch, then yaw (talker's signs). */
function rotation(yaw, pitch, roll) {
  const cy = Math.cos(yaw), sy = Math.sin(yaw), cp = Math.cos(pitch), sp = Math.sin(pitch);
  const cr = Math.cos(roll), sr = Math.sin(roll);
  return [
    cy * cr - sy * sp * sr, -cy * sr - sy * sp * cr, -sy * cp,
    cp * sr, cp * cr, -sp,
    sy * cr + cy * sp * sr, -sy * sr + cy * sp * cr, cy * cp,
  ];
}
