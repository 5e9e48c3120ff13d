import { parseAllDocuments } from 'yaml';
import * as z from 'zod';

import { PARTS, SECRETS, SETTINGS } from '../cluster/parts.ts';
import { BOARD_PORT, DATABASE, DOLT, LAB, type KubernetesObject } from './world-objects.ts';

/** An overlay as kustomize builds it, made to work in the lab's world. Pure. */

const named = z.looseObject({ kind: z.string(), metadata: z.looseObject({ name: z.string() }) });

/** The name that the manifests give the image. */
const IMAGE = 'beads-auto-dispatch';

export interface Overlay {
  objects: KubernetesObject[];
  isKnative: boolean;
}

/**
 * @param yaml what `kubectl kustomize` printed.
 * @param image in place of the one that the manifests name.
 * @param password of the SQL users.
 */
export function overlayIn(yaml: string, image: string, password: string): Overlay {
  const objects = parseAllDocuments(yaml).map((document) => named.parse(document.toJS()));
  const isKnative = objects.some(({ kind }) => kind === PARTS[0]?.kind);
  return {
    isKnative,
    objects: [...secretsOf(password), ...objects.map((each) => adapted(each, image, isKnative))],
  };
}

function adapted(
  object: z.output<typeof named>,
  image: string,
  isKnative: boolean,
): KubernetesObject {
  const { namespace: _, ...metadata } = object.metadata;
  const moved = { ...object, metadata };
  if (object.kind === 'ConfigMap' && metadata.name === SETTINGS) {
    const data = z.record(z.string(), z.string()).parse(object['data'] ?? {});
    const world = {
      BEADBOARD_URL: `http://${LAB}:${BOARD_PORT}`,
      BEADS_DOLT_SERVER_HOST: DOLT,
      BEADS_DOLT_SERVER_PORT: '3306',
      BEADS_DOLT_SERVER_DATABASE: DATABASE,
      // A broker's Trigger brings them on Knative.
      ...(isKnative ? {} : { K_SINK: `http://${LAB}/events` }),
    };
    return { ...moved, data: { ...data, ...world } };
  }
  return withImage(moved, image);
}

/** Replaces the image wherever a container names it. */
function withImage(object: KubernetesObject, image: string): KubernetesObject {
  const text = JSON.stringify(object, (key, value: unknown) =>
    key === 'image' && typeof value === 'string' && isOurs(value) ? image : value,
  );
  const copy: KubernetesObject = JSON.parse(text);
  return copy;
}

/** With whatever registry and tag an overlay has given it. */
const isOurs = (image: string) => new RegExp(`(^|/)${IMAGE}(:|@|$)`).test(image);

function secretsOf(password: string): KubernetesObject[] {
  const secret = (name: string, stringData: Record<string, string>) => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name },
    stringData,
  });
  return [
    secret(SECRETS, { BEADS_DOLT_PASSWORD: password }),
    secret('beads-watch-secrets', { BEADS_DOLT_PASSWORD: password }),
    secret('beads-notify', { NOTIFY_URL: `http://${LAB}/events` }),
  ];
}

/** A Trigger that brings every event to the lab, and one whose subscriber takes none. */
export function triggers(): KubernetesObject[] {
  const trigger = (name: string, uri: string) => ({
    apiVersion: 'eventing.knative.dev/v1',
    kind: 'Trigger',
    metadata: { name },
    spec: {
      broker: 'beads',
      subscriber: { ref: { apiVersion: 'v1', kind: 'Service', name: LAB }, uri },
    },
  });
  return [trigger('beads-verify', '/events'), trigger('beads-verify-down', '/refuse')];
}
