// The tools as GET /tools describes them, and grades: plain objects, by tool, with every parameter of every tool.

/**
 * The tools from their JSON Schemas: [{name, title, about, groups, parameters}]. `groups` are what a tool names apart,
 * such as colour ranges; `parameters` are all of its values, flat: {path, title, about, neutral} with `low` and `high`
 * of a number or the `options` of a name.
 */
export function readTools(schemas) {
  return Object.entries(schemas).map(([name, schema]) => {
    const properties = Object.entries(schema.properties);
    const groups = properties.filter(([, its]) => its.$ref).map(([key, its]) => ({ name: key, title: its.title }));
    const parameters = properties.flatMap(([key, property]) => {
      if (!property.$ref) return [parameter([key], property)];
      const inner = schema.$defs[property.$ref.split("/").at(-1)];
      return Object.entries(inner.properties).map(([part, its]) => parameter([key, part], its));
    });
    return { name, title: schema.title, about: schema.description, groups, parameters };
  });
}

function parameter(path, { title, description, default: neutral, minimum, maximum, enum: options }) {
  return { path, title, about: description, neutral, low: minimum, high: maximum, options };
}

/** The grade that changes nothing. */
export function neutralGrade(tools) {
  return fullGrade(tools, {});
}

/** A grade of every parameter, from an answer or a grade where null or nothing stands for neutral. */
export function fullGrade(tools, given) {
  const grade = {};
  for (const { name, parameters } of tools) {
    grade[name] = {};
    for (const { path, neutral } of parameters) put(grade[name], path, valueAt(given[name], path) ?? neutral);
  }
  return grade;
}

/** The grade as the service takes it: null for a tool that changes nothing. */
export function plainGrade(tools, grade) {
  return Object.fromEntries(tools.map((tool) => [tool.name, isUsed(tool, grade[tool.name]) ? grade[tool.name] : null]));
}

/** Whether a tool's settings change anything: some number is not zero, and every name means something. */
export function isUsed(tool, settings) {
  const values = tool.parameters.map((its) => [its, valueAt(settings, its.path)]);
  return values.some(([its, value]) => !its.options && value !== 0)
    && values.every(([its, value]) => !its.options || value !== its.neutral);
}

/** Whether two settings of a tool come to the same. */
export function sameSettings(tool, one, other) {
  if (!isUsed(tool, one) && !isUsed(tool, other)) return true;
  return tool.parameters.every(({ path }) => valueAt(one, path) === valueAt(other, path));
}

/** A copy of the grade with one value changed. */
export function withValue(grade, tool, path, value) {
  const copy = structuredClone(grade);
  put(copy[tool], path, value);
  return copy;
}

export function valueAt(settings, path) {
  return path.reduce((inner, part) => inner?.[part], settings);
}

function put(settings, path, value) {
  const inner = path.slice(0, -1).reduce((group, part) => (group[part] ??= {}), settings);
  inner[path.at(-1)] = value;
}
