import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { readSettings } from '../../shared/settings/settings.ts';
import type { Cluster } from './cluster.ts';
import type { ClusterOptions } from './cluster-options.ts';
import { METADATA, SECRETS, SETTINGS } from './parts.ts';
import { PortForwards, type Address } from './port-forward.ts';

/** A person may have an account of their own in the database. */
const OWN = ['BEADS_DOLT_SERVER_USER', 'BEADS_DOLT_PASSWORD'] as const;
const DEFAULT_PORTS: Readonly<Record<string, number>> = { 'http:': 80, 'https:': 443 };

/**
 * Makes this process see what the functions see: the settings of the namespace in its environment,
 * bd's file in a folder of its own, and ways to what has no address here.
 * @returns ends the port-forwards and removes the folder.
 * @throws when the cluster cannot be read, or a port not be forwarded.
 */
export async function useCluster(
  cluster: Cluster,
  options: ClusterOptions,
): Promise<() => Promise<void>> {
  const settings = await cluster.settings(SETTINGS);
  const metadata = (await cluster.settings(METADATA))['metadata.json'];
  if (metadata === undefined && Object.keys(settings).length === 0) {
    throw new Error(
      `there is nothing of beads-auto-dispatch in namespace ${cluster.namespace}; name another with -n`,
    );
  }
  const own = Object.fromEntries(
    OWN.flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
  const folder = mkdtempSync(join(tmpdir(), 'kn-beads-'));
  const forwards = new PortForwards(cluster.namespace, options);
  const end = async () => {
    await forwards.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    if (metadata !== undefined) writeFileSync(join(folder, 'metadata.json'), metadata);
    Object.assign(process.env, settings, await cluster.secrets(SECRETS), own, {
      BEADS_DIR: metadata === undefined ? '' : folder,
    });
    await reachAll(forwards);
    return end;
  } catch (error) {
    await end();
    throw error;
  }
}

async function reachAll(forwards: PortForwards): Promise<void> {
  const { database, BEADBOARD_URL, AGENT_SERVICE_URL } = readSettings(process.env);
  const { host, port } = await forwards.reach(database);
  if (database.tls && host !== database.host) {
    throw new Error(
      `${database.host} takes TLS and is not known here; a forwarded port has another name than its certificate`,
    );
  }
  process.env['BEADS_DOLT_SERVER_HOST'] = host;
  process.env['BEADS_DOLT_SERVER_PORT'] = String(port);
  for (const [name, url] of Object.entries({ BEADBOARD_URL, AGENT_SERVICE_URL })) {
    if (url !== undefined) process.env[name] = await reachUrl(forwards, new URL(url));
  }
}

/** Where one of them cannot be reached, the command says later that it was not asked. */
async function reachUrl(forwards: PortForwards, url: URL): Promise<string> {
  const address: Address = {
    host: url.hostname,
    port: Number(url.port || DEFAULT_PORTS[url.protocol]),
  };
  try {
    const { host, port } = await forwards.reach(address);
    return `${url.protocol}//${host}:${port}${url.pathname}`;
  } catch {
    return url.href;
  }
}
