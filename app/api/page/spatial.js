// Bloom, sharpen and structure, as app/render/spatial.py computes them: the formulas and their constants are explained
// there. Pictures are encoded sRGB and at most 1280 pixels long; wide blurs are computed on a copy of at most 512.

import { fineFormat, Pass, Target } from "./gl.js";

const SMALL = 512;
const BLOOM = 0.9;
const NARROW_GLOW = 0.008;
const WIDE_GLOW = 0.035;
const SHARPEN = 1.6;
const SHARPEN_SIGMA = 0.6;
const STRUCTURE = 1.5;
const STRUCTURE_RADIUS = 0.012;

const COLOUR = `
const vec3 LUMINANCE = vec3(0.2126, 0.7152, 0.0722);
float luma(vec3 rgb) { return dot(rgb, LUMINANCE); }
vec3 linear(vec3 c) { return mix(c / 12.92, pow((c + 0.055) / 1.055, vec3(2.4)), step(0.04045, c)); }
vec3 encode(vec3 c) { return mix(c * 12.92, 1.055 * pow(c, vec3(1.0 / 2.4)) - 0.055, step(0.0031308, c)); }
`;

// Each pixel of a smaller copy is the mean of those it stands for: at most four an axis, since no picture is shrunk to
// less than 0.4. Two at once come from a filtered look-up half-way between them.
const MEAN = `
uniform sampler2D picture;
uniform vec2 size;
vec3 mean() {
  vec2 big = vec2(textureSize(picture, 0));
  vec2 from = floor(floor(gl_FragCoord.xy) * big / size);
  vec2 all = ceil((floor(gl_FragCoord.xy) + 1.0) * big / size) - from;
  vec2 first = min(all, 2.0);
  vec2 rest = all - first;
  vec2 near = (from + 0.5 * first) / big;
  vec2 far = (from + first + 0.5 * rest) / big;
  vec3 sum = first.x * first.y * texture(picture, near).rgb + rest.x * rest.y * texture(picture, far).rgb
    + rest.x * first.y * texture(picture, vec2(far.x, near.y)).rgb
    + first.x * rest.y * texture(picture, vec2(near.x, far.y)).rgb;
  return sum / (all.x * all.y);
}`;

const SHRINK = `${MEAN}
void main() { result = vec4(mean(), 1.0); }`;

const LIGHTS = `${COLOUR}${MEAN}
void main() {
  vec3 rgb = mean();
  float share = clamp((luma(rgb) - 0.5) / 0.5, 0.0, 1.0);
  result = vec4(linear(rgb) * share * share * (3.0 - 2.0 * share), 1.0);
}`;

// A blur along one axis. Two neighbours are fetched at once, by a filtered look-up between them.
const BLUR = `
const int MOST = 32;
uniform sampler2D picture;
uniform vec2 along;
uniform float places[MOST];
uniform float weights[MOST];
uniform float count;
void main() {
  vec4 sum = weights[0] * texture(picture, uv);
  for (int i = 1; i < int(count); i++) {
    vec2 away = along * places[i];
    sum += weights[i] * (texture(picture, uv + away) + texture(picture, uv - away));
  }
  result = sum;
}`;

const BOTH = `
uniform sampler2D narrow;
uniform sampler2D wide;
void main() { result = 0.5 * texelFetch(narrow, ivec2(gl_FragCoord.xy), 0) + 0.5 * texture(wide, uv); }`;

const GLOW = `${COLOUR}
uniform sampler2D picture;
uniform sampler2D glow;
uniform float amount;
void main() {
  vec4 before = texelFetch(picture, ivec2(gl_FragCoord.xy), 0);
  vec3 kept = clamp(1.0 - amount * texture(glow, uv).rgb, 0.0, 1.0);
  result = vec4(encode(1.0 + (linear(before.rgb) - 1.0) * kept), before.a);
}`;

// At 1280 pixels the blur is so narrow that the next pixels hold all of it but half a percent. A filtered look-up at a
// share of the way to the next pixel has that share of it; four of them, one a diagonal, are the nine weights.
const SHARPER = `${COLOUR}
uniform sampler2D picture;
uniform float beside;
uniform float amount;
void main() {
  vec4 before = texelFetch(picture, ivec2(gl_FragCoord.xy), 0);
  vec2 away = 2.0 * beside / vec2(textureSize(picture, 0));
  vec3 blurred = 0.25 * (texture(picture, uv + away).rgb + texture(picture, uv - away).rgb
    + texture(picture, uv + vec2(away.x, -away.y)).rgb + texture(picture, uv + vec2(-away.x, away.y)).rgb);
  float detail = luma(before.rgb - blurred);
  detail /= 1.0 + abs(detail) / 0.12;
  result = vec4(clamp(before.rgb + amount * detail, 0.0, 1.0), before.a);
}`;

// Luma is counted from the middle: its square, and with it the variance, keeps more digits.
const MOMENTS = `${COLOUR}
uniform sampler2D picture;
void main() {
  float centred = luma(texelFetch(picture, ivec2(gl_FragCoord.xy), 0).rgb) - 0.5;
  result = vec4(centred, centred * centred, 0.0, 1.0);
}`;

const BOX = `
uniform sampler2D picture;
uniform vec2 along;
uniform float radius;
void main() {
  ivec2 last = textureSize(picture, 0) - 1;
  vec4 sum = vec4(0.0);
  for (int i = -int(radius); i <= int(radius); i++)
    sum += texelFetch(picture, clamp(ivec2(gl_FragCoord.xy) + i * ivec2(along), ivec2(0), last), 0);
  result = sum / (2.0 * radius + 1.0);
}`;

const COEFFICIENTS = `
uniform sampler2D moments;
void main() {
  vec2 moment = texelFetch(moments, ivec2(gl_FragCoord.xy), 0).rg;
  float variance = max(moment.g - moment.r * moment.r, 0.0);
  float slope = variance / (variance + 0.015);
  result = vec4(slope, moment.r - slope * moment.r, 0.0, 1.0);
}`;

const TEXTURE = `${COLOUR}
uniform sampler2D picture;
uniform sampler2D coefficients;
uniform float amount;
void main() {
  vec4 before = texelFetch(picture, ivec2(gl_FragCoord.xy), 0);
  float level = luma(before.rgb);
  vec2 line = texture(coefficients, uv).rg;
  float detail = level - 0.5 - (line.r * (level - 0.5) + line.g);
  float side = 2.0 * level - 1.0;
  result = vec4(clamp(before.rgb + amount * detail * (1.0 - side * side * side * side), 0.0, 1.0), before.a);
}`;

const SHADERS = { SHRINK, LIGHTS, BLUR, BOTH, GLOW, SHARPER, MOMENTS, BOX, COEFFICIENTS, TEXTURE };

/** The three steps on one photo. Each `…(texture, amount 1..100, target)` draws its result into the target. */
export class Spatial {
  /** Whether this browser's graphics can hold what lies between the steps. */
  static offered(gl) {
    return Boolean(gl.getExtension("EXT_color_buffer_float") ?? gl.getExtension("EXT_color_buffer_half_float"));
  }

  constructor(gl, width, height) {
    Object.assign(this, { gl, width, height });
    const shrink = Math.min(1, SMALL / Math.max(width, height));
    this.small = [width, height].map((side) => Math.max(1, roundHalfEven(side * shrink)));
    this.passes = {};
    this.targets = new Map();
    this.structured = null;
    this.format = gl.getExtension("EXT_color_buffer_float") ? fineFormat(gl) : gl.RGBA16F;
  }

  delete() {
    for (const target of this.targets.values()) target.delete();
  }

  bloom(picture, amount, target) {
    const lights = this.target("lights", this.small);
    this.pass("LIGHTS").draw(lights, { picture, size: this.small });
    const [narrow, wide] = [NARROW_GLOW, WIDE_GLOW].map((radius) => this.glow(lights, radius));
    const both = this.target("both", [narrow.width, narrow.height]);
    this.pass("BOTH").draw(both, { narrow: narrow.texture, wide: wide.texture });
    this.pass("GLOW").draw(target, { picture, glow: both.texture, amount: (BLOOM * amount) / 100 });
  }

  sharpen(picture, amount, target) {
    const beside = gaussian(SHARPEN_SIGMA).weights[1];
    this.pass("SHARPER").draw(target, { picture, beside, amount: (SHARPEN * amount) / 100 });
  }

  structure(picture, amount, target) {
    // It comes first, so what guides it is the photo and does not change.
    this.structured ??= this.guide(picture);
    const coefficients = this.structured.texture;
    this.pass("TEXTURE").draw(target, { picture, coefficients, amount: (STRUCTURE * amount) / 100 });
  }

  /** The guided filter's slope and offset at each place; they depend on the picture only. */
  guide(picture) {
    const radius = Math.max(1, roundHalfEven(STRUCTURE_RADIUS * Math.max(...this.small)));
    const moments = this.target("moments", this.small);
    const coefficients = this.target("coefficients", this.small);
    const small = this.target("small", this.small);
    this.pass("SHRINK").draw(small, { picture, size: this.small });
    this.pass("MOMENTS").draw(moments, { picture: small.texture });
    const { texture } = this.box(moments, radius, "mean moments");
    this.pass("COEFFICIENTS").draw(coefficients, { moments: texture });
    return this.box(coefficients, radius, "mean coefficients");
  }

  /** The lights blurred; a wide blur of a copy halved again, which holds all that is left of them. */
  glow(lights, radius) {
    const sigma = radius * Math.max(...this.small);
    const halvings = sigma > 12 ? 2 : sigma > 3 ? 1 : 0;
    let from = lights;
    for (let halving = 1; halving <= halvings; halving++) {
      const size = [from.width, from.height].map((side) => Math.ceil(side / 2));
      const halved = this.target(`halved ${halving}`, size);
      this.pass("SHRINK").draw(halved, { picture: from.texture, size });
      from = halved;
    }
    // Halving and enlarging blur by themselves: by a variance of (4^n - 1) / 12 and (4^n - 1) / 6 pixels.
    const left = sigma ** 2 - (4 ** halvings - 1) / 4;
    return this.blur(from, Math.sqrt(left) / 2 ** halvings, `glow ${radius}`);
  }

  blur(from, sigma, name) {
    const { width, height } = from;
    const across = this.target(`${name} across`, [width, height]);
    const down = this.target(name, [width, height]);
    const taps = gaussian(sigma);
    this.pass("BLUR").draw(across, { picture: from.texture, along: [1 / width, 0], ...taps });
    this.pass("BLUR").draw(down, { picture: across.texture, along: [0, 1 / height], ...taps });
    return down;
  }

  box(from, radius, name) {
    const across = this.target("box across", this.small);
    const down = this.target(name, this.small);
    this.pass("BOX").draw(across, { picture: from.texture, along: [1, 0], radius });
    this.pass("BOX").draw(down, { picture: across.texture, along: [0, 1], radius });
    return down;
  }

  pass(name) {
    return (this.passes[name] ??= new Pass(this.gl, SHADERS[name]));
  }

  target(name, [width, height]) {
    if (!this.targets.has(name)) this.targets.set(name, new Target(this.gl, width, height, this.format));
    return this.targets.get(name);
  }
}

/** The weights of a Gaussian that ends at three sigmas, two neighbours joined to one look-up between them. */
function gaussian(sigma) {
  const reach = Math.max(1, roundHalfEven(3 * sigma));
  const bell = Array.from({ length: reach + 2 }, (_, x) => (x > reach ? 0 : Math.exp((-x * x) / (2 * sigma * sigma))));
  const sum = bell.reduce((total, weight, x) => total + (x ? 2 : 1) * weight, 0);
  const places = [0];
  const weights = [bell[0] / sum];
  for (let x = 1; x <= reach; x += 2) {
    const both = bell[x] + bell[x + 1];
    places.push(x + bell[x + 1] / both);
    weights.push(both / sum);
  }
  return { places: new Float32Array(places), weights: new Float32Array(weights), count: places.length };
}

/** As Python rounds. */
function roundHalfEven(value) {
  const rounded = Math.round(value);
  return value % 1 === 0.5 && rounded % 2 ? rounded - 1 : rounded;
}
