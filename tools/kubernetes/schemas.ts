import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { parseAllDocuments } from 'yaml';
import * as z from 'zod';

/**
 * Writes JSON Schemas for kubeconform, one file a kind, from Kubernetes' OpenAPI document and from
 * Knative's CustomResourceDefinitions. Fields that a type does not have are wrong.
 *
 * Usage: schemas.ts <target folder> <swagger.json> <folder with CRDs>...
 */

/** What of Kubernetes itself the manifests use: the name of its definition, and of its file. */
const NATIVE = {
  'io.k8s.api.apps.v1.Deployment': 'deployment-apps-v1',
  'io.k8s.api.core.v1.ConfigMap': 'configmap-v1',
  'io.k8s.api.core.v1.PersistentVolumeClaim': 'persistentvolumeclaim-v1',
  'io.k8s.api.core.v1.Service': 'service-v1',
  'io.k8s.api.core.v1.Secret': 'secret-v1',
  'io.k8s.api.core.v1.ServiceAccount': 'serviceaccount-v1',
  'io.k8s.api.networking.v1.NetworkPolicy': 'networkpolicy-networking-v1',
};

const crd = z.object({
  kind: z.literal('CustomResourceDefinition'),
  spec: z.object({
    group: z.string(),
    names: z.object({ kind: z.string() }),
    versions: z.array(
      z.object({
        name: z.string(),
        schema: z.object({ openAPIV3Schema: z.record(z.string(), z.unknown()) }),
      }),
    ),
  }),
});

const [target = '', swagger = '', ...folders] = process.argv.slice(2);
mkdirSync(target, { recursive: true });
const write = (name: string, schema: unknown) => {
  writeFileSync(join(target, `${name}.json`), JSON.stringify(schema));
};

const { definitions } = z
  .object({ definitions: z.record(z.string(), z.unknown()) })
  .parse(JSON.parse(readFileSync(swagger, 'utf8')));
const strictDefinitions = strict(definitions);
for (const [definition, name] of Object.entries(NATIVE)) {
  write(name, { $ref: `#/definitions/${definition}`, definitions: strictDefinitions });
}

for (const folder of folders) {
  for (const file of readdirSync(folder).filter((each) => each.endsWith('.yaml'))) {
    for (const document of parseAllDocuments(readFileSync(join(folder, file), 'utf8'), {
      merge: true,
    })) {
      const { success, data } = crd.safeParse(document.toJS());
      if (!success) continue;
      const { group, names, versions } = data.spec;
      for (const { name, schema } of versions) {
        const { properties, ...rest } = schema.openAPIV3Schema;
        const whole = {
          ...rest,
          properties: { apiVersion: {}, kind: {}, metadata: {}, ...Object(properties) },
        };
        write(`${names.kind.toLowerCase()}-${group.split('.')[0]}-${name}`, strict(whole));
      }
    }
  }
}

/** The same schema, where an object has no other fields than those that are named. */
function strict(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(strict);
  if (typeof schema !== 'object' || schema === null) return schema;
  const copy: Record<string, unknown> = Object.fromEntries(
    Object.entries(schema).map(([key, value]) => [key, strict(value)]),
  );
  if (copy['x-kubernetes-int-or-string'] === true || copy['format'] === 'int-or-string') {
    return { type: ['integer', 'string'] };
  }
  // Eventing's DeliverySpec (pkg/apis/duck/v1/delivery_types.go) has a field that its CRDs do not
  // list; they keep what they do not list.
  const { properties } = copy;
  if (typeof properties === 'object' && properties !== null && 'backoffDelay' in properties) {
    copy['properties'] = { ...properties, timeout: { type: 'string' } };
  }
  // Also where Knative keeps unknown fields (a Trigger's spec): they would do nothing.
  const isObject = typeof copy['properties'] === 'object' && !('additionalProperties' in copy);
  // A field may be called `properties`; a schema with properties says what type it is, or is a
  // CRD's.
  if (isObject && (copy['type'] === 'object' || 'spec' in Object(copy['properties']))) {
    copy['additionalProperties'] = false;
  }
  return copy;
}
