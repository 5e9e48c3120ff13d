import {
  ApiException,
  CoreV1Api,
  CustomObjectsApi,
  KubeConfig,
  setHeaderOptions,
} from '@kubernetes/client-node';
import * as z from 'zod';

import { errorMessage } from '../../shared/runtime/errors.ts';
import { parseJson } from '../../shared/runtime/json.ts';
import type { ClusterOptions } from './cluster-options.ts';
import { KINDS, type KindName, type Step, type Suspendable } from './suspension.ts';

/** The context that the client makes up for a localhost where nothing is configured. */
const FALLBACK = 'loaded-context';

/** Something that a person can fix; its message is all that is printed. */
export class ClusterError extends Error {}

const object = z.looseObject({
  metadata: z.looseObject({
    name: z.string(),
    resourceVersion: z.string().optional(),
    annotations: z.record(z.string(), z.string()).optional(),
  }),
  spec: z.record(z.string(), z.unknown()),
});

/** Another writer may be faster; this often in a row it is not by chance. */
const MAX_CONFLICTS = 5;

/** The Kubernetes API, as far as suspending needs it. */
export class Cluster {
  readonly namespace: string;
  readonly #objects: CustomObjectsApi;
  readonly #core: CoreV1Api;

  /** @throws {ClusterError} no usable kubeconfig. */
  constructor({ namespace, kubeconfig, context, cluster, as }: ClusterOptions) {
    const config = new KubeConfig();
    try {
      if (kubeconfig === undefined) config.loadFromDefault();
      else config.loadFromFile(kubeconfig);
      if (context !== undefined) config.setCurrentContext(context);
      const current = config.getContextObject(config.getCurrentContext());
      if (current === null) throw new Error(`it has no context ${config.getCurrentContext()}`);
      if (cluster !== undefined) {
        config.contexts = config.contexts.map((each) =>
          each.name === current.name ? { ...each, cluster } : each,
        );
      }
      if (config.getCurrentContext() === FALLBACK) {
        throw new Error('there is none, and this is no pod of a cluster');
      }
      if (as !== undefined) {
        config.users = config.users.map((user) => ({ ...user, impersonateUser: as }));
      }
      // An http server, such as `kubectl proxy`, has no certificate; the client wants to be told.
      config.clusters = config.clusters.map((each) =>
        each.server.startsWith('http:') ? { ...each, skipTLSVerify: true } : each,
      );
      this.namespace = namespace ?? current.namespace ?? 'default';
      this.#objects = config.makeApiClient(CustomObjectsApi);
      this.#core = config.makeApiClient(CoreV1Api);
    } catch (error) {
      throw new ClusterError(
        `cannot use the kubeconfig ${kubeconfig ?? '($KUBECONFIG or ~/.kube/config)'}: ${errorMessage(error)}`,
        { cause: error },
      );
    }
  }

  /** @returns `undefined` when there is none of that name. */
  async find(kind: KindName, name: string): Promise<Suspendable | undefined> {
    try {
      return object.parse(await this.#objects.getNamespacedCustomObject(this.#address(kind, name)));
    } catch (error) {
      if (error instanceof ApiException && error.code === 404) return undefined;
      throw this.#explain(error, `read ${kind} ${name}`);
    }
  }

  /**
   * Reads, decides and patches; again when somebody else was faster.
   * @returns what was done, or `undefined` when there is no such object.
   * @throws {ClusterError}
   */
  async change(
    kind: KindName,
    name: string,
    decide: (object: Suspendable) => Step,
  ): Promise<Step | undefined> {
    for (let tries = 1; ; tries += 1) {
      const found = await this.find(kind, name);
      if (found === undefined) return undefined;
      const step = decide(found);
      if (step.patch === undefined) return step;
      try {
        await this.#objects.patchNamespacedCustomObject(
          { ...this.#address(kind, name), body: step.patch },
          setHeaderOptions('Content-Type', 'application/merge-patch+json'),
        );
        return step;
      } catch (error) {
        const isConflict = error instanceof ApiException && error.code === 409;
        if (!isConflict || tries === MAX_CONFLICTS)
          throw this.#explain(error, `change ${kind} ${name}`);
      }
    }
  }

  /** @returns the data of a ConfigMap; empty when there is none. */
  async settings(name: string): Promise<Readonly<Record<string, string>>> {
    try {
      const { data } = await this.#core.readNamespacedConfigMap({
        name,
        namespace: this.namespace,
      });
      return data ?? {};
    } catch (error) {
      if (error instanceof ApiException && error.code === 404) return {};
      throw this.#explain(error, `read ConfigMap ${name}`);
    }
  }

  /** @returns the data of a Secret, as text; empty when there is none. */
  async secrets(name: string): Promise<Readonly<Record<string, string>>> {
    try {
      const { data = {} } = await this.#core.readNamespacedSecret({
        name,
        namespace: this.namespace,
      });
      return Object.fromEntries(
        Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]),
      );
    } catch (error) {
      if (error instanceof ApiException && error.code === 404) return {};
      throw this.#explain(error, `read Secret ${name}`);
    }
  }

  #address(kind: KindName, name: string) {
    const { group, plural } = KINDS[kind];
    return { group, version: 'v1', namespace: this.namespace, plural, name };
  }

  #explain(error: unknown, doing: string): ClusterError {
    const where = `in namespace ${this.namespace}`;
    if (error instanceof ApiException && error.code === 401) {
      const hint = 'the cluster does not accept these credentials (HTTP 401); log in again';
      return new ClusterError(`cannot ${doing} ${where}: ${hint}`, { cause: error });
    }
    const why =
      error instanceof ApiException
        ? `HTTP ${error.code} ${reasonIn(error.body)}`
        : errorMessage(error);
    return new ClusterError(`cannot ${doing} ${where}: ${why.trim()}`, { cause: error });
  }
}

const status = z.object({ message: z.string() });

/** The API server explains itself in a Status object, which may arrive as text. */
function reasonIn(body: unknown): string {
  const parsed = status.safeParse(typeof body === 'string' ? parseJson(body) : body);
  return parsed.success ? parsed.data.message : '';
}
