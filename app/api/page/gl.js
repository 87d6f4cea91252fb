// WebGL2, as little of it as the picture needs: programs that draw one rectangle, textures, and what is drawn into.

const VERTICES = `#version 300 es
out vec2 uv;
void main() {
  // One triangle that covers the whole target.
  vec2 corner = vec2((gl_VertexID << 1) & 2, gl_VertexID & 2);
  uv = corner;
  gl_Position = vec4(2.0 * corner - 1.0, 0.0, 1.0);
}`;

const HEAD = `#version 300 es
precision highp float;
precision highp sampler3D;
in vec2 uv;
out vec4 result;
`;

/** A texture that can be drawn into, of a size in pixels. */
export class Target {
  constructor(gl, width, height, format = gl.RGBA8) {
    Object.assign(this, { gl, width, height });
    this.texture = texture(gl, gl.TEXTURE_2D);
    gl.texStorage2D(gl.TEXTURE_2D, 1, format, width, height);
    this.frame = gl.createFramebuffer();
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.frame);
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, this.texture, 0);
  }

  delete() {
    this.gl.deleteFramebuffer(this.frame);
    this.gl.deleteTexture(this.texture);
  }
}

/** An empty texture, bound: filtered, and beyond its border as at its border. */
export function texture(gl, kind) {
  const made = gl.createTexture();
  gl.bindTexture(kind, made);
  gl.texParameteri(kind, gl.TEXTURE_MIN_FILTER, gl.LINEAR);
  gl.texParameteri(kind, gl.TEXTURE_MAG_FILTER, gl.LINEAR);
  for (const axis of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T, gl.TEXTURE_WRAP_R]) {
    gl.texParameteri(kind, axis, gl.CLAMP_TO_EDGE);
  }
  return made;
}

/** The format for numbers between 0 and 1 that 8 bits are too coarse for: with 32 bits, if they can be filtered. */
export function fineFormat(gl) {
  return gl.getExtension("OES_texture_float_linear") ? gl.RGBA32F : gl.RGBA16F;
}

/** A fragment shader that is drawn over the whole of a target. */
export class Pass {
  constructor(gl, fragments) {
    this.gl = gl;
    this.program = gl.createProgram();
    for (const [kind, source] of [[gl.VERTEX_SHADER, VERTICES], [gl.FRAGMENT_SHADER, HEAD + fragments]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(this.program, shader);
    }
    gl.linkProgram(this.program);
    if (!gl.getProgramParameter(this.program, gl.LINK_STATUS) && !gl.isContextLost()) {
      const [, shader] = gl.getAttachedShaders(this.program);
      throw new Error(`A shader was refused: ${gl.getShaderInfoLog(shader) || gl.getProgramInfoLog(this.program)}`);
    }
    this.places = new Map();
  }

  /**
   * Draw. `inputs` are the shader's uniforms by name: a texture (or {cube: texture} for a 3D one), a number, an array
   * of two to four numbers, a Float32Array for an array of numbers. A target of null is the canvas.
   */
  draw(target, inputs) {
    const { gl } = this;
    gl.useProgram(this.program);
    let unit = 0;
    for (const [name, value] of Object.entries(inputs)) {
      const place = this.place(name);
      if (value instanceof WebGLTexture || value?.cube) {
        gl.activeTexture(gl.TEXTURE0 + unit);
        gl.bindTexture(value.cube ? gl.TEXTURE_3D : gl.TEXTURE_2D, value.cube ?? value);
        gl.uniform1i(place, unit++);
      } else if (value instanceof Float32Array) {
        gl.uniform1fv(place, value);
      } else if (Array.isArray(value)) {
        gl[`uniform${value.length}f`](place, ...value);
      } else {
        gl.uniform1f(place, value);
      }
    }
    gl.bindFramebuffer(gl.FRAMEBUFFER, target?.frame ?? null);
    gl.viewport(0, 0, target?.width ?? gl.drawingBufferWidth, target?.height ?? gl.drawingBufferHeight);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }

  place(name) {
    if (!this.places.has(name)) this.places.set(name, this.gl.getUniformLocation(this.program, name));
    return this.places.get(name);
  }
}
