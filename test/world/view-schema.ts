import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { Ajv } from 'ajv';
import addFormats from 'ajv-formats';

const FOLDER = join(import.meta.dirname, '../../docs/views');
const ajv = new Ajv({ allErrors: true, strict: false });
addFormats.default(ajv);

/** @returns what in a command's or the API's JSON is not as docs/views/<name>.schema.json says. */
export function problemsInView(name: string, printed: unknown): string[] {
  const path = join(FOLDER, `${name}.schema.json`);
  const id = `urn:beads-auto-dispatch:views/${name}.schema.json`;
  const validate = ajv.getSchema(id) ?? ajv.compile(JSON.parse(readFileSync(path, 'utf8')));
  if (validate(printed) === true) return [];
  return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
}
