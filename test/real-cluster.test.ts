import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';

import { CustomObjectsApi, KubeConfig } from '@kubernetes/client-node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as z from 'zod';

/**
 * The plugins on a real Knative Eventing: where KUBECONFIG names a cluster, in its context's
 * namespace.
 */
const kubeconfig = process.env['KUBECONFIG'] ?? '';
if (kubeconfig === '') {
  console.log('real cluster: skipped, KUBECONFIG names none with Knative Eventing');
}
const PLUGINS = join(import.meta.dirname, '../dist/plugins');
const pingSource = z.object({ spec: z.looseObject({ schedule: z.string() }) });

describe.skipIf(kubeconfig === '')('on a real cluster', () => {
  const name = `suspend-test-${randomBytes(4).toString('hex')}`;
  let api: CustomObjectsApi;
  let address: { group: string; version: string; namespace: string; plural: string };
  beforeEach(async () => {
    const config = new KubeConfig();
    config.loadFromDefault();
    api = config.makeApiClient(CustomObjectsApi);
    const { namespace = 'default' } = config.getContextObject(config.getCurrentContext()) ?? {};
    address = { group: 'sources.knative.dev', version: 'v1', namespace, plural: 'pingsources' };
    await api.createNamespacedCustomObject({
      ...address,
      body: {
        apiVersion: 'sources.knative.dev/v1',
        kind: 'PingSource',
        metadata: { name },
        spec: { schedule: '*/2 * * * *', sink: { uri: 'http://localhost' } },
      },
    });
  });
  afterEach(async () => {
    await api.deleteNamespacedCustomObject({ ...address, name });
  });

  const schedule = async () =>
    pingSource.parse(await api.getNamespacedCustomObject({ ...address, name })).spec.schedule;
  const plugin = (verb: string) =>
    execFileSync(join(PLUGINS, `kn-source-ping-${verb}`), [name]).toString();

  it('a PingSource is suspended and resumed, and the webhook accepts both', async () => {
    expect(plugin('suspend')).toContain('suspended; its schedule */2 * * * * is kept');
    expect(await schedule()).toBe('0 0 31 2 *');
    expect(plugin('resume')).toContain('resumed; its schedule */2 * * * * is back');
    expect(await schedule()).toBe('*/2 * * * *');
  });
});
