import { describe, expect, it } from 'vitest';
import * as z from 'zod';

import { EVENT_NAMES, typeOf } from '../shared/events/event-types.ts';
import { readSettings } from '../shared/settings/settings.ts';
import { OVERLAY_TICKS } from '../tools/idle-cost.ts';
import { DELIVERY } from './world/broker.ts';
import {
  buildOverlay,
  buildOwnOverlay,
  objectsIn,
  OVERLAYS,
  problemsIn,
  type KubernetesObject,
} from './world/manifests.ts';

/** The manifests, as kustomize builds them, against the types of Kubernetes and Knative. */

const container = z.looseObject({ image: z.string(), args: z.array(z.string()) });
const podSpec = z.looseObject({
  serviceAccountName: z.string(),
  automountServiceAccountToken: z.literal(false),
  enableServiceLinks: z.literal(false),
  containers: z.array(container),
});
const withPods = z.object({ template: z.object({ spec: podSpec }) });
const LOCKED = {
  runAsNonRoot: true,
  readOnlyRootFilesystem: true,
  allowPrivilegeEscalation: false,
  capabilities: { drop: ['ALL'] },
  seccompProfile: { type: 'RuntimeDefault' },
};

const find = (objects: readonly KubernetesObject[], kind: string, name: string) => {
  const found = objects.find((each) => each.kind === kind && each.metadata.name === name);
  if (found === undefined) throw new Error(`there is no ${kind} ${name}`);
  return found;
};
const scheduleOf = (objects: readonly KubernetesObject[], name: string) =>
  z.object({ schedule: z.string() }).parse(find(objects, 'PingSource', name)['spec']).schedule;

/** Every `{ kind, name }` that refers to another object, wherever it stands. */
function referencesIn(value: unknown): { kind: string; name: string }[] {
  if (typeof value !== 'object' || value === null) return [];
  const reference = z
    .object({ apiVersion: z.string(), kind: z.string(), name: z.string() })
    .strict()
    .safeParse(value);
  return reference.success ? [reference.data] : Object.values(value).flatMap(referencesIn);
}

describe.each(OVERLAYS)('the overlay %s', (overlay) => {
  const yaml = buildOverlay(overlay);
  const objects = objectsIn(yaml);

  it('an overlay has only fields that Kubernetes and Knative know', () => {
    expect(problemsIn(yaml)).toEqual([]);
  });

  it('an overlay refers only to objects that it contains', () => {
    for (const { kind, name } of objects.flatMap(({ spec }) => referencesIn(spec))) {
      expect(find(objects, kind, name), `${kind} ${name}`).toBeDefined();
    }
  });

  it('an overlay locks down every container and gives no pod a service account token', () => {
    const pods = objects.filter(
      ({ kind, apiVersion }) => kind === 'ContainerSource' || apiVersion.startsWith('serving.'),
    );
    expect(pods.length).toBeGreaterThanOrEqual(5);
    for (const { metadata, spec } of pods) {
      const { containers, serviceAccountName } = withPods.parse(spec).template.spec;
      expect(find(objects, 'ServiceAccount', serviceAccountName)).toMatchObject({
        automountServiceAccountToken: false,
      });
      for (const each of containers) {
        expect(each['securityContext'], metadata.name).toEqual(LOCKED);
        expect(each['resources'], metadata.name).toMatchObject({
          requests: { cpu: expect.any(String), memory: expect.any(String) },
          limits: { memory: expect.any(String) },
        });
      }
    }
    for (const { metadata } of objects.filter(({ apiVersion }) =>
      apiVersion.startsWith('serving.'),
    )) {
      expect(metadata.labels).toMatchObject({
        'networking.knative.dev/visibility': 'cluster-local',
      });
    }
  });

  it('an event that a subscriber does not take is dead-lettered before the sender gives up', () => {
    const { delivery } = z
      .looseObject({
        delivery: z.looseObject({
          retry: z.number(),
          backoffPolicy: z.literal('exponential'),
          backoffDelay: z.string(),
          timeout: z.string(),
        }),
      })
      .parse(find(objects, 'Broker', 'beads')['spec']);
    expect(delivery).toMatchObject({ deadLetterSink: { ref: { name: 'beads-dead-letters' } } });
    const ms = (duration: string) => Number(/^PT([\d.]+)S$/.exec(duration)?.[1]) * 1000;
    const { retry, backoffDelay, timeout } = delivery;
    const found = { retry, backoffMs: ms(backoffDelay), timeoutMs: ms(timeout) };
    expect(found, 'the stand-in of the tests').toEqual(DELIVERY);
    const longestMs = (retry + 1) * found.timeoutMs + found.backoffMs * (2 ** retry - 1);
    expect(longestMs).toBeLessThan(10_000);
    // What has no delivery of its own takes over the broker's.
    for (const { spec, metadata } of objects.filter(({ kind }) => kind === 'Trigger')) {
      expect(spec, metadata.name).not.toHaveProperty('delivery');
    }
    for (const name of ['beads-dispatch', 'beads-reap']) {
      expect(find(objects, 'SinkBinding', name)['spec']).toMatchObject({
        subject: { name },
        sink: { ref: { kind: 'Broker', name: 'beads' } },
      });
    }
  });

  it('an overlay lets each pod connect only to named destinations', () => {
    const pods = objects.flatMap(({ kind, metadata }) =>
      ['Service', 'ContainerSource'].includes(kind) ? [metadata.name] : [],
    );
    expect(JSON.stringify(find(objects, 'NetworkPolicy', 'beads-default-deny')['spec'])).toContain(
      'beads-dispatch',
    );
    for (const name of pods) {
      expect(
        JSON.stringify(find(objects, 'NetworkPolicy', 'beads-default-deny')['spec']),
      ).toContain(`"${name}"`);
    }
    for (const { spec, metadata } of objects.filter(({ kind }) => kind === 'NetworkPolicy')) {
      const { egress = [] } = z
        .looseObject({
          egress: z.array(z.looseObject({ to: z.array(z.unknown()).min(1) })).optional(),
        })
        .parse(spec);
      expect(
        egress.every(({ to }) => to.length > 0),
        metadata.name,
      ).toBe(true);
    }
  });

  it('an overlay needs no Knative Serving feature that is off in a stock installation', () => {
    for (const { spec, metadata } of objects.filter(({ apiVersion }) =>
      apiVersion.startsWith('serving.'),
    )) {
      const text = JSON.stringify(spec);
      expect(text, metadata.name).not.toMatch(/persistentVolumeClaim|fsGroup|"initContainers"/);
    }
  });

  it('an overlay lists every event type, so that kn eventtype list shows them', () => {
    const listed = objects
      .filter(({ kind }) => kind === 'EventType')
      .map(({ metadata }) => metadata.name);
    const hasWatch = OVERLAY_TICKS[overlay]?.hasWatch === true;
    const there = EVENT_NAMES.filter((name) => hasWatch || !name.endsWith('.due.v1'));
    expect(listed.toSorted()).toEqual(there.map(typeOf).toSorted());
  });

  it('the ConfigMap sets each setting that has a default to that default', () => {
    const { data } = z
      .looseObject({ data: z.record(z.string(), z.string()) })
      .parse(find(objects, 'ConfigMap', 'beads-settings'));
    const where = { BEADS_DOLT_SERVER_HOST: 'h', BEADS_DOLT_SERVER_DATABASE: 'd' };
    const given = readSettings({ ...data, BEADS_DIR: '', BEADBOARD_URL: '', ...where });
    expect(given).toEqual(readSettings(where));
  });
});

describe('the overlays', () => {
  const built = (overlay: string) => objectsIn(buildOverlay(overlay));

  it('each overlay has its documented schedules for dispatch and reap', () => {
    const schedules = Object.fromEntries(
      OVERLAYS.map((overlay) => {
        const objects = built(overlay);
        return [
          overlay,
          [scheduleOf(objects, 'beads-dispatch'), scheduleOf(objects, 'beads-reap')],
        ];
      }),
    );
    expect(schedules).toEqual({
      plain: ['*/2 * * * *', '*/10 * * * *'],
      warm: ['*/2 * * * *', '*/10 * * * *'],
      'event-driven': ['0 * * * *', '30 * * * *'],
      kafka: ['0 * * * *', '30 * * * *'],
      paused: ['0 0 31 2 *', '30 * * * *'],
    });
    // What docs/idle-cost.md reckons with.
    expect(schedules).toEqual(
      Object.fromEntries(
        Object.entries(OVERLAY_TICKS).map(([name, { dispatch, reap }]) => [name, [dispatch, reap]]),
      ),
    );
  });

  it('the overlay warm keeps a pod alive until its next tick', () => {
    const retention = (name: string) =>
      z
        .object({
          template: z.object({
            metadata: z.object({ annotations: z.record(z.string(), z.string()) }),
          }),
        })
        .parse(find(built('warm'), 'Service', name)['spec']).template.metadata.annotations[
        'autoscaling.knative.dev/scale-to-zero-pod-retention-period'
      ];
    expect(retention('beads-dispatch')).toBe('3m');
    expect(retention('beads-reap')).toBe('12m');
  });

  it('the overlay paused keeps any schedule where kn beads resume looks for it', async () => {
    const kept = (objects: readonly KubernetesObject[]) =>
      find(objects, 'PingSource', 'beads-dispatch').metadata.annotations;
    expect(kept(built('paused'))).toEqual({ 'kn-source-ping-suspend/schedule': '0 * * * *' });
    expect(find(built('paused'), 'Trigger', 'beads-wake-dispatch')).toMatchObject({
      metadata: { annotations: { 'kn-beads-pause/filters': expect.stringContaining('due.v1') } },
      spec: { filters: [{ exact: { type: 'io.beads.paused' } }] },
    });
    const plain = await buildOwnOverlay({ resources: ['base'], components: ['paused'] });
    expect(kept(objectsIn(plain))).toEqual({ 'kn-source-ping-suspend/schedule': '*/2 * * * *' });
  });

  it('the component audit-log-file is a Deployment that never runs two pods', async () => {
    const yaml = await buildOwnOverlay({ resources: ['base'], components: ['audit-log-file'] });
    expect(problemsIn(yaml)).toEqual([]);
    expect(find(objectsIn(yaml), 'Deployment', 'beads-audit-log')['spec']).toMatchObject({
      replicas: 1,
      strategy: { type: 'Recreate' },
    });
  });

  it('the overlay kafka has a Kafka broker', () => {
    expect(find(built('kafka'), 'Broker', 'beads').metadata.annotations).toEqual({
      'eventing.knative.dev/broker.class': 'Kafka',
    });
  });

  it.each([
    ['schedule: ', 'shedule: '],
    ['containerConcurrency: ', 'concurrency: '],
    ['deadLetterSink:', 'deadletterSink:'],
    ['runAsNonRoot: true', 'runAsNonRoot: "yes"'],
    ['policyTypes:', 'policyType:'],
    ['  filters:', '  filter: {}\n  filtres:'],
  ])('a manifest with a wrong field fails validation: %s as %s', (right, wrong) => {
    const yaml = buildOverlay('plain');
    expect(yaml).toContain(right);
    expect(problemsIn(yaml.replaceAll(right, wrong))).not.toEqual([]);
  });
});
