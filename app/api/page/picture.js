// The picture under a look, drawn by WebGL2 in the order of app/render/pipeline.py:
//
//     structure -> the 3D LUT of everything pointwise -> bloom -> sharpen -> blended over the photo by the strength

import { fineFormat, Pass, Target, texture } from "./gl.js";
import { Spatial } from "./spatial.js";

/** The parameters of adjust that a LUT cannot hold, and that are drawn here. */
export const SPATIAL = ["structure", "bloom", "sharpen"];

const LUT = `
uniform sampler3D lut;
uniform float points;
vec3 graded(vec3 rgb) {
  // The first and the last point of the table are the middles of its outermost texels.
  return points > 0.0 ? texture(lut, (rgb * (points - 1.0) + 0.5) / points).rgb : rgb;
}`;

const LOOK_UP = `${LUT}
uniform sampler2D picture;
void main() {
  vec4 before = texelFetch(picture, ivec2(gl_FragCoord.xy), 0);
  result = vec4(graded(before.rgb), before.a);
}`;

// The canvas counts its rows from below, pictures from above.
const SHOW = `${LUT}
uniform sampler2D photo;
uniform sampler2D picture;
uniform float strength;
void main() {
  ivec2 place = ivec2(gl_FragCoord.x, float(textureSize(photo, 0).y) - gl_FragCoord.y);
  vec4 before = texelFetch(photo, place, 0);
  result = vec4(mix(before.rgb, graded(texelFetch(picture, place, 0).rgb), strength), before.a);
}`;

export class Picture {
  #gl;
  #photo = null;
  #tables = new Map(); // textures by their points an axis
  #points = 0;
  #amounts = {};
  #strength = 100;
  #targets = [];
  #spatial = null;
  #lookUp;
  #show;

  /** Throws where the browser has no WebGL2. */
  constructor(canvas) {
    const gl = canvas.getContext("webgl2", { premultipliedAlpha: false, antialias: false, depth: false });
    if (!gl) throw new Error("WebGL2 is missing");
    this.#gl = gl;
    this.canvas = canvas;
    this.spatial = Spatial.offered(gl);
    this.#tables.set(0, texture(gl, gl.TEXTURE_3D)); // no table: the shaders must be given some texture
    gl.texStorage3D(gl.TEXTURE_3D, 1, gl.RGBA16F, 1, 1, 1);
    this.#lookUp = new Pass(gl, LOOK_UP);
    this.#show = new Pass(gl, SHOW);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
  }

  /** Show another photo: anything that WebGL takes for a picture, with `width` and `height` in pixels. */
  setPhoto(photo) {
    const gl = this.#gl;
    for (const target of this.#targets) target.delete();
    this.#spatial?.delete();
    if (this.#photo) gl.deleteTexture(this.#photo);
    const { width, height } = photo;
    Object.assign(this.canvas, { width, height });
    this.#photo = texture(gl, gl.TEXTURE_2D);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, gl.RGBA, gl.UNSIGNED_BYTE, photo);
    this.#targets = [0, 1].map(() => new Target(gl, width, height, gl.RGBA8));
    this.#spatial = this.spatial ? new Spatial(gl, width, height) : null;
  }

  /**
   * The pointwise part of the look: `points` an axis, and points³ colours as RGBA of float32, red changing fastest.
   * Null changes nothing.
   */
  setLut(lut) {
    const gl = this.#gl;
    this.#points = lut?.points ?? 0;
    if (!lut) return;
    const size = [lut.points, lut.points, lut.points];
    if (!this.#tables.has(lut.points)) {
      this.#tables.set(lut.points, texture(gl, gl.TEXTURE_3D));
      gl.texStorage3D(gl.TEXTURE_3D, 1, fineFormat(gl), ...size);
    }
    gl.bindTexture(gl.TEXTURE_3D, this.#tables.get(lut.points));
    gl.texSubImage3D(gl.TEXTURE_3D, 0, 0, 0, 0, ...size, gl.RGBA, gl.FLOAT, lut.colours);
  }

  /** The amounts of the spatial steps and the strength of the whole, all 0..100. */
  setAmounts(amounts, strength) {
    this.#amounts = amounts;
    this.#strength = strength;
  }

  draw() {
    if (!this.#photo || this.#gl.isContextLost()) return;
    const { structure, bloom, sharpen } = this.#spatial && this.#strength ? this.#amounts : {};
    let picture = this.#photo;
    // Two targets in turn: what is read is never what is drawn into.
    const step = (draw) => {
      const target = this.#targets.find(({ texture }) => texture !== picture);
      draw(target);
      picture = target.texture;
    };
    if (structure) step((target) => this.#spatial.structure(picture, structure, target));
    let lut = { lut: { cube: this.#tables.get(this.#points) }, points: this.#points };
    if (this.#points && (bloom || sharpen)) {
      step((target) => this.#lookUp.draw(target, { picture, ...lut }));
      lut = { ...lut, points: 0 };
    }
    if (bloom) step((target) => this.#spatial.bloom(picture, bloom, target));
    if (sharpen) step((target) => this.#spatial.sharpen(picture, sharpen, target));
    this.#show.draw(null, { photo: this.#photo, picture, strength: this.#strength / 100, ...lut });
  }

  /** What is shown, as RGBA bytes from the top left on. */
  pixels() {
    this.draw();
    const gl = this.#gl;
    const { width, height } = this.canvas;
    const flipped = new Uint8Array(4 * width * height);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, flipped);
    const rows = new Uint8ClampedArray(flipped.length);
    for (let row = 0, length = 4 * width; row < height; row++) {
      rows.set(flipped.subarray((height - 1 - row) * length, (height - row) * length), row * length);
    }
    return new ImageData(rows, width, height);
  }
}
