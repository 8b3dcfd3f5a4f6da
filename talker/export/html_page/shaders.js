// How the head looks. Each material has a program of its own: software renderers run every branch of a shader.
// Light is linear throughout and turned into sRGB at the very end.

const VERTEX_SHADER = `#version 300 es
uniform mat4 projection;
uniform mat3 headInverse;   // Takes directions back to the unturned head.
in vec3 position;
in vec3 normal;
in vec3 rest;
in vec4 paintA;             // shade, lips, place along the brow, height above it
in vec4 paintB;             // detail, around, cover
out vec3 at, bent, restAt, inHead;
out vec4 paint;
out vec3 extra;
void main() {
  at = position;
  bent = normal;
  inHead = headInverse * normal;
  restAt = rest;
  paint = paintA;
  extra = paintB.xyz;
  gl_Position = projection * vec4(position, 1.0);
}`;

const COMMON = `#version 300 es
precision highp float;
uniform vec3 eye;           // The camera.
uniform mat3 lightTurn;     // The lights go half the way with the camera, so that no side of the face lies in the dark.
uniform sampler2D grain;    // 64 x 64 random values, repeated.
uniform float millimetre;   // Metres that one millimetre of an average head takes on this one.
uniform float mouthOpen;    // 0 shut .. 1 wide: how much light falls into the mouth.
uniform float lipsDepth;    // z of the lips at rest.
in vec3 at, bent, restAt, inHead;
in vec4 paint;
in vec3 extra;
out vec4 pixel;

const vec3 KEY = normalize(vec3(-0.55, 0.62, 0.78)), FILL = normalize(vec3(0.85, 0.12, 0.55));
const vec3 RIM_A = normalize(vec3(0.85, 0.45, -0.75)), RIM_B = normalize(vec3(-0.9, 0.25, -0.7));
const vec3 KEY_COLOUR = vec3(1.0, 0.93, 0.84) * 1.75, FILL_COLOUR = vec3(0.66, 0.8, 1.0) * 0.36;
const vec3 RIM_COLOUR = vec3(0.75, 0.87, 1.0) * 0.6;
const vec3 SKY = vec3(0.44, 0.5, 0.6) * 0.34, GROUND = vec3(0.36, 0.26, 0.21) * 0.30;

float noise(vec2 p) { return texture(grain, p / 64.0).r; }

// Light that wraps around the edge of shadow, more of it in red: what blood under the skin does.
vec3 wrapped(float cosine, vec3 softness) {
  return clamp((cosine + softness) / ((1.0 + softness) * (1.0 + softness)), 0.0, 1.0);
}

float gleam(vec3 n, vec3 light, vec3 view, float roughness, float reflectance) {
  vec3 h = normalize(light + view);
  float a2 = roughness * roughness * roughness * roughness, lh = max(dot(light, h), 0.1);
  float d = dot(n, h) * dot(n, h) * (a2 - 1.0) + 1.0, away = 1.0 - lh;
  float fresnel = reflectance + (1.0 - reflectance) * away * away * away * away * away;
  return fresnel * a2 / (d * d * lh * lh * (roughness * 4.0 + 2.0)) * max(dot(n, light), 0.0);
}

vec3 lit(vec3 albedo, vec3 n, vec3 view, vec3 softness, float shade, float roughness, float reflectance) {
  n = lightTurn * n;
  view = lightTurn * view;
  vec3 open = vec3(sqrt(shade), shade, shade);  // Creases stay warm.
  vec3 diffuse = (KEY_COLOUR * wrapped(dot(n, KEY), softness) + FILL_COLOUR * wrapped(dot(n, FILL), softness)) * mix(0.35, 1.0, shade)
    + RIM_COLOUR * (max(dot(n, RIM_A), 0.0) + max(dot(n, RIM_B), 0.0)) * shade * shade
    + mix(GROUND, SKY, n.y * 0.5 + 0.5) * open;
  float edge = 1.0 - max(dot(n, view), 0.0);
  edge *= edge;
  vec3 shine = KEY_COLOUR * gleam(n, KEY, view, roughness, reflectance) + FILL_COLOUR * gleam(n, FILL, view, roughness, reflectance)
    + RIM_COLOUR * edge * edge * 0.35 * (max(dot(n, RIM_A) + 0.3, 0.0) + max(dot(n, RIM_B) + 0.3, 0.0));
  return albedo * diffuse + shine * shade;
}

// How much light reaches into the mouth: less the farther behind the lips, less when they are nearly shut.
float mouthLight(float depth) {
  return mix(0.10, 0.9, mouthOpen) * exp(-max(depth - 3.0, 0.0) / mix(5.0, 14.0, mouthOpen)) + 0.015;
}

// The neck fades out towards its cut.
float coverage() { return smoothstep(0.05, 0.95, extra.z); }

void finish(vec3 light, float cover) {
  vec3 x = max(light * 0.72, 0.0);
  x = clamp(x * (2.2 * x + 0.06) / (x * (2.05 * x + 0.56) + 0.11), 0.0, 1.0);   // A film's shoulder and toe.
  pixel = vec4(mix(1.055 * pow(x, vec3(1.0 / 2.4)) - 0.055, 12.92 * x, lessThan(x, vec3(0.0031308))) * cover, cover);
}
`;

const SKIN_SHADER = `
void main() {
  vec3 n = normalize(bent), view = normalize(eye - at), p = restAt / millimetre;
  vec2 flat_ = p.xy + p.z * vec2(0.63, 0.41);
  float mottled = noise(flat_ * 0.16) - 0.5, pores = noise(flat_ * 1.7) - 0.5;
  vec3 albedo = vec3(0.55, 0.325, 0.238) * (1.0 + 0.10 * mottled + 0.05 * pores);
  albedo = mix(albedo, vec3(0.56, 0.235, 0.18), 0.5 * extra.x);

  float inside = (paint.y * 255.0 - 128.0) / 8.0 + 0.5 * mottled;             // Millimetres inside the lips' outline.
  float lips = smoothstep(-0.9, 1.1, inside);
  albedo = mix(albedo, vec3(0.43, 0.135, 0.125), 0.78 * lips);
  float hidden = smoothstep(0.35, 0.9, extra.y);
  albedo = mix(albedo, vec3(0.20, 0.035, 0.035), hidden);                       // The inside of the mouth.
  float shade = paint.x * mix(1.0, 0.3 + 0.7 * mouthOpen, hidden);
  float reached = mix(1.0, mouthLight((lipsDepth - restAt.z) / millimetre), hidden);

  float along = (paint.z * 255.0 - 64.0) / 128.0, above = (paint.w * 255.0 - 128.0) / 8.0;
  float reach = mix(3.4, 1.3, smoothstep(0.15, 1.0, along)) * smoothstep(-0.06, 0.10, along) * (1.0 - smoothstep(0.86, 1.06, along));
  float strand = noise(vec2(along * 74.0 - above * 1.5, above * 0.35)), tuft = noise(vec2(along * 15.0 + 9.0, above * 0.8));
  float brow = 1.0 - smoothstep(reach * 0.45, reach * 1.15 + 0.35, abs(above) + 1.1 * (strand - 0.5) + 0.5 * (tuft - 0.5));
  brow *= smoothstep(0.0, 0.5, reach);
  albedo = mix(albedo, vec3(0.045, 0.027, 0.018), brow * (0.70 + 0.28 * strand));

  n = normalize(n + 0.05 * (1.0 - brow) * vec3(pores, -pores, mottled * 0.5));
  vec3 softness = mix(vec3(0.30, 0.19, 0.16), vec3(0.3, 0.12, 0.1), lips);
  float roughness = mix(mix(0.52, 0.36, lips), 0.7, brow);
  finish(lit(albedo, n, view, softness, shade, roughness, mix(0.028, 0.04, lips)) * reached, coverage());
}`;

const EYE_SHADER = `
uniform vec3 eyeCentres[2];
uniform float irisRadius;
void main() {
  vec3 n = normalize(bent), view = normalize(eye - at);
  vec3 local = restAt - (restAt.x > 0.0 ? eyeCentres[0] : eyeCentres[1]);
  float ring = length(local.xy) / irisRadius, turn = atan(local.y, local.x) / 6.2832 * 64.0;
  float fibres = noise(vec2(turn, ring * 1.6)), fine = noise(vec2(turn * 3.0, ring * 2.5 + 30.0));
  vec3 iris = mix(vec3(0.035, 0.058, 0.070), vec3(0.14, 0.175, 0.17), 0.65 * fibres + 0.35 * fine);
  iris = mix(vec3(0.19, 0.125, 0.055), iris, smoothstep(0.42, 0.68, ring + 0.12 * (fibres - 0.5)));
  iris *= mix(1.0, 0.22, smoothstep(0.78, 1.0, ring));
  iris *= 1.0 + 0.7 * smoothstep(0.1, -0.8, local.y / irisRadius);                 // Light through the cornea.
  vec3 white = mix(vec3(0.62, 0.585, 0.56), vec3(0.52, 0.36, 0.33), smoothstep(1.25, 2.3, ring));
  float front = step(0.0, local.z);
  vec3 albedo = mix(white, iris, front * (1.0 - smoothstep(0.93, 1.06, ring)));
  albedo *= mix(1.0, smoothstep(0.31, 0.38, ring) * 0.97 + 0.03, front);
  // The lids and lashes shade the ball from above and at the corners; they do not turn with it.
  float lid = (1.0 - 0.72 * smoothstep(0.0, 0.5, inHead.y)) * (1.0 - 0.45 * smoothstep(0.5, 0.85, abs(inHead.x)))
    * (1.0 - 0.25 * smoothstep(0.1, 0.5, -inHead.y));
  vec3 light = lit(albedo, normalize(mix(n, vec3(0.0, 0.0, 1.0), 0.25)), view, vec3(0.35, 0.25, 0.22), lid, 0.5, 0.02);
  // A wet surface: one clear highlight from a window on the key light's side, one faint from the fill.
  vec3 mirrored = lightTurn * reflect(-view, n);
  float window = smoothstep(0.962, 0.975, dot(mirrored, normalize(vec3(-0.42, 0.5, 0.85))));
  float small = smoothstep(0.975, 0.99, dot(mirrored, normalize(vec3(0.5, -0.05, 0.85))));
  light += (vec3(1.0, 0.97, 0.93) * 0.85 * window + vec3(0.6, 0.7, 0.8) * 0.10 * small) * smoothstep(0.35, 0.8, lid);
  finish(light, coverage());
}`;

const TEETH_SHADER = `
void main() {
  float turn = atan(restAt.x, restAt.z - lipsDepth + 0.045 * millimetre * 1000.0);       // Along the arch of the teeth.
  float gap = abs(fract(turn * 5.4 + 0.5) - 0.5) * 2.0 * 8.0;
  vec3 albedo = mix(vec3(0.42, 0.13, 0.12), vec3(0.70, 0.64, 0.55), smoothstep(0.18, 0.36, extra.x));   // Gum, tooth.
  albedo *= mix(0.72, 1.0, smoothstep(0.0, 0.9, gap));
  vec3 light = lit(albedo, normalize(bent), normalize(eye - at), vec3(0.3), 0.9, 0.25, 0.04);
  finish(light * mouthLight((lipsDepth - restAt.z) / millimetre - 6.0), coverage());
}`;

const TONGUE_SHADER = `
void main() {
  float bumps = noise(restAt.xz / millimetre * 1.3) - 0.5;
  vec3 n = normalize(normalize(bent) + 0.12 * vec3(bumps, -bumps, 0.0));
  float depth = (lipsDepth - at.z) / millimetre;
  vec3 light = lit(vec3(0.50, 0.15, 0.14) * (1.0 + 0.12 * bumps), n, normalize(eye - at), vec3(0.35, 0.15, 0.1), 0.9, 0.4, 0.035);
  finish(light * max(mouthLight(depth - 3.0), smoothstep(4.0, -6.0, depth)), coverage());
}`;

// Lashes as strands that thin out towards their tips; fewer and shorter below the eye.
const LASH_SHADER = `
void main() {
  float root = extra.x, turn = extra.y * 255.0;
  float upper = smoothstep(-0.05, 0.05, sin((extra.y - 0.5) * 6.2832));
  float far = clamp(fwidth(turn * 3.1) * 0.5 - 0.25, 0.0, 1.0);                     // Strands finer than a pixel blur.
  float strand = mix(noise(vec2(turn * 3.1 + root * 3.0, root * 0.6)), 0.62, far), lengths = mix(noise(vec2(turn * 0.9, 40.0)), 0.35, far);
  float reach = mix(0.42, 0.88, upper) * (0.7 + 0.4 * lengths), out_ = clamp(root / reach, 0.0, 1.0);
  float gap = mix(-0.25, 0.66, sqrt(out_));
  float cover = smoothstep(gap, gap + 0.35 + 0.25 * far, strand) * (1.0 - smoothstep(0.6, 1.0, out_)) * mix(0.5, 0.92, upper);
  finish(vec3(0.012, 0.009, 0.008), cover * coverage());
}`;

/** In drawing order. The lashes come last: they let through what lies behind them. */
const MATERIALS = [
  {parts: ['skin'], shader: SKIN_SHADER},
  {parts: ['left_eye', 'right_eye'], shader: EYE_SHADER},
  {parts: ['teeth_upper', 'teeth_lower'], shader: TEETH_SHADER},
  {parts: ['tongue'], shader: TONGUE_SHADER},
  {parts: ['lashes'], shader: LASH_SHADER, isTransparent: true},
];
