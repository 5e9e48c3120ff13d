import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import specs from '@asyncapi/specs';
import { Ajv } from 'ajv';
import formats from 'ajv-formats';
import { CloudEvent } from 'cloudevents';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';

import { EVENT_DATA, EVENT_NAMES, typeOf } from '../../shared/events/event-types.ts';
import { problemsOf } from '../world/event-schema.ts';

const ROOT = join(import.meta.dirname, '../..');
const read = (file: string) => readFileSync(join(ROOT, 'docs/events', file), 'utf8');
const example = (name: (typeof EVENT_NAMES)[number]) =>
  new CloudEvent<unknown>(JSON.parse(read(`${typeOf(name)}.example.json`)));

describe('the events', () => {
  it.each(EVENT_NAMES)('the example of %s is a CloudEvent that its schema allows', (name) => {
    const event = example(name);
    expect(event.validate()).toBe(true);
    expect(problemsOf(event)).toEqual([]);
    // A version once published is not taken back: the example was committed with it.
    expect(EVENT_DATA[name].strict().safeParse(event.data).error).toBeUndefined();
  });

  it('an event that violates its schema is detected', () => {
    const good = example('dispatch.failed.v1');
    const wrong: Record<string, object> = {
      'a value that is not in the list': { reason: 'because' },
      'a time that is none': { nextAttemptAt: 'soon' },
      'a field that nobody announced': { description: 'secret' },
      'a bead with more than its id, title and priority': {
        bead: { id: 'a', title: 'b', priority: 1, description: 'secret' },
      },
    };
    for (const [name, fields] of Object.entries(wrong)) {
      const data = { ...Object(good.data), ...fields };
      expect(problemsOf(good.cloneWith({ data })), name).not.toEqual([]);
    }
  });

  it('a valid AsyncAPI 3 document describes all events', () => {
    const document: unknown = parse(read('asyncapi.yaml'));
    const ajv = new Ajv({ strict: false, allErrors: true, meta: false, validateSchema: false });
    formats.default(ajv);
    const schema: object = specs.schemas['3.0.0'];
    const validate = ajv.compile(schema);
    validate(document);
    expect(validate.errors ?? []).toEqual([]);
    expect(document).toMatchObject({
      components: { messages: Object.fromEntries(EVENT_NAMES.map((name) => [name, {}])) },
    });
  });
});
