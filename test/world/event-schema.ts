import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

import { Ajv, type ValidateFunction } from 'ajv';
import formats from 'ajv-formats';

import type { SunkEvent } from './sink.ts';

/** The JSON Schemas of docs/events, as a subscriber would use them. */

const FOLDER = join(import.meta.dirname, '../../docs/events');

const ajv = new Ajv({ allErrors: true });
formats.default(ajv);
const validators = new Map<string, ValidateFunction>();

/**
 * @returns what is wrong with an event: its data, by the schema that it names, and nothing beyond.
 */
export function problemsOf({ dataschema, type, data }: SunkEvent): string[] {
  const file = basename(String(dataschema)).replace(/^.*:/, '');
  if (file !== `${type}.schema.json`) return [`${type} names the schema ${file}`];
  const validate = validators.get(file) ?? compile(file);
  validators.set(file, validate);
  validate(data);
  return (validate.errors ?? []).map(
    ({ instancePath, message, params }) =>
      `${type}: data${instancePath} ${message} ${JSON.stringify(params)}`,
  );
}

/** Readers must ignore fields that they do not know, but what is sent has none. */
function compile(file: string): ValidateFunction {
  const schema: object = JSON.parse(
    readFileSync(join(FOLDER, file), 'utf8'),
    (_, value: unknown) =>
      isObjectSchema(value) ? { ...value, additionalProperties: false } : value,
  );
  return ajv.compile(schema);
}

function isObjectSchema(value: unknown): value is object {
  return typeof value === 'object' && value !== null && 'type' in value && value.type === 'object';
}
