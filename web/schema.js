// What a JSON Schema says, as OpenAPI 3.1 uses it: the name of a type, its limits, a value it allows. Nothing here touches the page.

let doc = {};

/** The document that `$ref`s point into. */
export const setDocument = (document) => (doc = document);

export const deref = (it) => (it?.$ref ? it.$ref.slice(2).split('/').reduce((at, key) => at?.[key], doc) ?? {} : it ?? {});
export const isNull = (schema) => schema.type === 'null';
export const variants = (schema) => schema.oneOf ?? schema.anyOf;

/** A schema without its "or null", which is said beside the type. */
export function plain(schema) {
  const several = variants(schema);
  const some = several?.filter((one) => !isNull(one));
  if (some?.length === 1) return { ...some[0], description: schema.description ?? some[0].description };
  return schema;
}

export function typeName(schema) {
  if (schema.$ref) return schema.$ref.split('/').pop();
  if (schema.contentMediaType) return schema.contentMediaType; // Whatever type stands for its bytes.
  const nullable = [schema.type].flat().includes('null') || variants(schema)?.some(isNull);
  const or = nullable ? ' or null' : '';
  if (variants(schema)) return variants(schema).filter((one) => !isNull(one)).map(typeName).join(' or ') + or;
  if (schema.allOf) return schema.allOf.map(typeName).join(' and ');
  const type = [schema.type ?? (schema.properties ? 'object' : 'any')].flat().filter((one) => one !== 'null').join(' or ');
  if (type === 'array') return `list of ${typeName(schema.items ?? {})}${or}`;
  const format = schema.format && !/^(u?int\d*|double|float)$/.test(schema.format) ? ` (${schema.format})` : '';
  return type + format + or;
}

export function limits(schema) {
  const s = deref(plain(schema));
  const json = JSON.stringify;
  return [
    s.enum && `one of ${s.enum.map(json).join(', ')}`,
    s.minimum != null && s.minimum !== 0 && `from ${s.minimum}`, s.maximum != null && `to ${s.maximum}`,
    s.minLength && `at least ${s.minLength} characters`, s.maxLength && `at most ${s.maxLength} characters`,
    s.pattern && `matches ${s.pattern}`, s.default !== undefined && `default ${json(s.default)}`,
  ].filter(Boolean).join(', ');
}

/** A value the schema allows, for the curl line. */
export function sample(schema, depth = 0) {
  const s = deref(plain(schema ?? {}));
  const given = schema?.example ?? s.example ?? s.examples?.[0] ?? s.default ?? s.enum?.[0];
  if (given !== undefined) return given;
  const type = [s.type].flat().find((one) => one !== 'null');
  if (s.properties && depth < 4) {
    const keys = Object.keys(s.properties).filter((key) => !s.required || s.required.includes(key));
    return Object.fromEntries(keys.map((key) => [key, sample(s.properties[key], depth + 1)]));
  }
  if (s.allOf) return Object.assign({}, ...s.allOf.map((one) => sample(one, depth + 1)));
  if (variants(s)) return sample(variants(s).find((one) => !isNull(one)), depth + 1);
  if (type === 'array') return s.items ? [sample(s.items, depth + 1)] : [];
  return { boolean: true, integer: Math.max(1, s.minimum ?? 1), number: 1, string: 'text', object: {} }[type] ?? {};
}
