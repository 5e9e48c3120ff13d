import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';

import { readSettings } from '../../shared/settings.ts';
import { variables } from '../../shared/variables.ts';

const FOLDER = join(import.meta.dirname, '../../knative');
const configMap = z.object({ data: z.record(z.string(), z.string()) });

const objects = readdirSync(FOLDER)
  .filter((file) => file.endsWith('.yaml'))
  .flatMap((file) => parseAllDocuments(readFileSync(join(FOLDER, file), 'utf8')))
  .map((document) => {
    if (document.errors[0] !== undefined) throw document.errors[0];
    return z
      .looseObject({ kind: z.string(), metadata: z.object({ name: z.string() }) })
      .parse(document.toJS());
  });

const find = (kind: string, name: string) =>
  objects.find((object) => object.kind === kind && object.metadata.name === name);

describe('the manifests', () => {
  it('tick every 2 and every 10 minutes', () => {
    const schedule = (name: string) => find('PingSource', name)?.['spec'];
    expect(schedule('beads-dispatch')).toMatchObject({ schedule: '*/2 * * * *' });
    expect(schedule('beads-reap')).toMatchObject({ schedule: '*/10 * * * *' });
  });

  it('set what exists, to its default', () => {
    const { data } = configMap.parse(find('ConfigMap', 'beads-settings'));
    const given = readSettings({
      ...data,
      BEADS_DIR: '',
      BEADS_DOLT_SERVER_HOST: 'h',
      BEADS_DOLT_SERVER_DATABASE: 'd',
      BEADBOARD_URL: '',
    });
    const defaults = readSettings({ BEADS_DOLT_SERVER_HOST: 'h', BEADS_DOLT_SERVER_DATABASE: 'd' });
    expect(given).toEqual(defaults);
    expect(Object.keys(variables.shape)).toEqual(expect.arrayContaining(Object.keys(data)));
  });
});
