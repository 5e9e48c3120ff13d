import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import * as z from 'zod';

import { HttpStandIn, type Exchange, type Reply } from './http-stand-in.ts';

const stored = z.object({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.object({
    name: z.string(),
    resourceVersion: z.string(),
    annotations: z.record(z.string(), z.string()).optional(),
  }),
  spec: z.record(z.string(), z.unknown()).optional(),
  data: z.record(z.string(), z.string()).optional(),
});
type Stored = z.output<typeof stored>;

const PATHS: Record<string, string> = {
  PingSource: '/apis/sources.knative.dev/v1/namespaces/beads/pingsources/',
  Trigger: '/apis/eventing.knative.dev/v1/namespaces/beads/triggers/',
  ConfigMap: '/api/v1/namespaces/beads/configmaps/',
  Secret: '/api/v1/namespaces/beads/secrets/',
};

const patched = z.looseObject({
  metadata: z.object({ resourceVersion: z.string().optional() }).optional(),
});

/**
 * A stand-in for the Kubernetes API: it reads objects, takes merge patches (RFC 7396), counts
 * versions, answers 409 to a patch of an older one and 404 to what is not there, with a Status
 * each.
 */
export class KubernetesStandIn {
  readonly #http: HttpStandIn;
  readonly #folder: string;
  readonly #objects = new Map<string, Stored>();
  /** Every patch that was taken: the path and the body. */
  readonly patches: { path: string; body: unknown }[] = [];
  /** Called before a patch is looked at. */
  onPatch: (() => void) | undefined;
  /** What it answers to everything, when set. */
  reply: Reply | undefined;

  private constructor(http: HttpStandIn, folder: string) {
    this.#http = http;
    this.#folder = folder;
  }

  static async start(): Promise<KubernetesStandIn> {
    const http = await HttpStandIn.start((exchange) => api.#answer(exchange));
    const folder = await mkdtemp(join(tmpdir(), 'beads-kube-'));
    const api: KubernetesStandIn = new KubernetesStandIn(http, folder);
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'test',
      contexts: [{ name: 'test', context: { cluster: 'test', user: 'test', namespace: 'beads' } }],
      clusters: [{ name: 'test', cluster: { server: http.url } }],
      users: [{ name: 'test', user: { token: 'a token' } }],
    };
    await writeFile(api.kubeconfig, JSON.stringify(config));
    return api;
  }

  get kubeconfig(): string {
    return join(this.#folder, 'config');
  }

  /** As `kubectl apply` does for the fields that it is given. */
  apply(kind: string, name: string, fields: Pick<Stored, 'spec' | 'data'>): void {
    const path = `${PATHS[kind]}${name}`;
    const there = this.#objects.get(path);
    const metadata = { name, resourceVersion: '0', ...there?.metadata };
    this.#objects.set(path, next({ apiVersion: 'v1', kind, ...fields, metadata }));
  }

  get(kind: string, name: string): Stored {
    const found = this.#objects.get(`${PATHS[kind]}${name}`);
    if (found === undefined) throw new Error(`there is no ${kind} ${name}`);
    return found;
  }

  async stop(): Promise<void> {
    await this.#http.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }

  #answer({ method, path, headers, body }: Exchange): Reply {
    if (this.reply !== undefined) return this.reply;
    if (headers.authorization !== 'Bearer a token') return status(401, 'Unauthorized');
    if (method === 'PATCH') this.onPatch?.();
    const found = this.#objects.get(path);
    if (found === undefined) return status(404, `${path.split('/').at(-1)} not found`);
    if (method === 'GET') return { status: 200, json: found };
    if (method !== 'PATCH') return status(405, 'method not allowed');
    if (headers['content-type'] !== 'application/merge-patch+json')
      return status(415, 'media type');
    const patch: unknown = JSON.parse(body);
    const version = patched.parse(patch).metadata?.resourceVersion;
    if (version !== undefined && version !== found.metadata.resourceVersion) {
      return status(
        409,
        'the object has been modified; please apply your changes to the latest version',
      );
    }
    this.patches.push({ path, body: patch });
    this.#objects.set(path, next(stored.parse(merge(found, patch))));
    return { status: 200, json: this.#objects.get(path) };
  }
}

const next = (object: Stored): Stored => ({
  ...object,
  metadata: {
    ...object.metadata,
    resourceVersion: String(Number(object.metadata.resourceVersion) + 1),
  },
});

const status = (code: number, message: string): Reply => ({
  status: code,
  json: { kind: 'Status', apiVersion: 'v1', status: 'Failure', message, code },
});

/** RFC 7396. */
function merge(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const merged: Record<string, unknown> = isObject(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key];
    else merged[key] = merge(merged[key], value);
  }
  return merged;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
