import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

import { parseAllDocuments } from 'yaml';
import { z } from 'zod';

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
