import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';

import { parseAllDocuments, stringify } from 'yaml';
import * as z from 'zod';

/** What `kustomize build` makes of knative/, and what kubeconform says of it. */

const ROOT = join(import.meta.dirname, '../..');
const tool = (name: string) => join(ROOT, '.tools/bin', name);

const object = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({
    name: z.string(),
    annotations: z.record(z.string(), z.string()).optional(),
    labels: z.record(z.string(), z.string()).optional(),
  }),
});
export type KubernetesObject = z.output<typeof object>;

export const OVERLAYS = readdirSync(join(ROOT, 'knative/overlays'));

/** @returns the overlay as YAML, as `kubectl apply -k` would send it. */
export function buildOverlay(name: string): string {
  return execFileSync(tool('kustomize'), [
    'build',
    join(ROOT, 'knative/overlays', name),
  ]).toString();
}

/** @returns kubernetes/base as YAML. */
export function buildKubernetes(): string {
  return execFileSync(tool('kustomize'), ['build', join(ROOT, 'kubernetes/base')]).toString();
}

/** An overlay as a user writes one, of folders of knative/. */
export async function buildOwnOverlay(parts: {
  resources: readonly string[];
  components: readonly string[];
}): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'beads-overlay-'));
  try {
    const from = (path: string) => relative(folder, join(ROOT, 'knative', path));
    const kustomization = {
      resources: parts.resources.map(from),
      components: parts.components.map((name) => from(`components/${name}`)),
    };
    await writeFile(join(folder, 'kustomization.yaml'), stringify(kustomization));
    return execFileSync(tool('kustomize'), ['build', folder]).toString();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export function objectsIn(yaml: string): KubernetesObject[] {
  return parseAllDocuments(yaml).map((document) => {
    if (document.errors[0] !== undefined) throw document.errors[0];
    return object.parse(document.toJS());
  });
}

/** @returns what is wrong by the types of Kubernetes and Knative; unknown fields are wrong. */
export function problemsIn(yaml: string): string[] {
  const schemas = join(ROOT, '.tools/schemas/{{.ResourceKind}}{{.KindSuffix}}.json');
  try {
    execFileSync(tool('kubeconform'), ['-strict', '-schema-location', schemas], { input: yaml });
    return [];
  } catch (error) {
    if (error instanceof Error && 'stdout' in error) {
      return String(error.stdout).trim().split('\n');
    }
    throw error;
  }
}
