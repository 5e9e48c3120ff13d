import { describe, expect, it } from 'vitest';
import * as z from 'zod';

import { EVENT_NAMES, typeOf } from '../shared/audit/event-types.ts';
import { readSettings } from '../shared/settings.ts';
import { OVERLAY_TICKS } from '../tools/idle-cost.ts';
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

  it('has the fields that Kubernetes and Knative know, and no others', () => {
    expect(problemsIn(yaml)).toEqual([]);
  });

  it('refers to nothing that is not there', () => {
    for (const { kind, name } of objects.flatMap(({ spec }) => referencesIn(spec))) {
      expect(find(objects, kind, name), `${kind} ${name}`).toBeDefined();
    }
  });

  it('locks every container down, and gives no pod a token', () => {
    const pods = objects.filter(({ kind }) => ['Service', 'ContainerSource'].includes(kind));
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
    for (const { metadata } of objects.filter(({ kind }) => kind === 'Service')) {
      expect(metadata.labels).toMatchObject({
        'networking.knative.dev/visibility': 'cluster-local',
      });
    }
  });

  it('loses no event: every Trigger has a dead letter sink, and both functions a sink', () => {
    const triggers = objects.filter(({ kind }) => kind === 'Trigger');
    expect(triggers.length).toBeGreaterThanOrEqual(2);
    for (const { spec, metadata } of triggers) {
      expect(spec, metadata.name).toMatchObject({
        delivery: { deadLetterSink: { ref: { name: 'beads-dead-letters' } } },
      });
    }
    for (const name of ['beads-dispatch', 'beads-reap']) {
      expect(find(objects, 'SinkBinding', name)['spec']).toMatchObject({
        subject: { name },
        sink: { ref: { kind: 'Broker', name: 'beads' } },
      });
      expect(find(objects, 'NetworkPolicy', name)).toBeDefined();
    }
  });

  it('lists every event type, so that kn eventtype list shows them', () => {
    const listed = objects
      .filter(({ kind }) => kind === 'EventType')
      .map(({ metadata }) => metadata.name);
    expect(listed.toSorted()).toEqual(EVENT_NAMES.map(typeOf).toSorted());
  });

  it('sets every setting that has a default to it', () => {
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

  it('tick as their name says', () => {
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

  it('warm: a pod outlives the time to its next tick', () => {
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

  it('paused: keeps the schedule, whichever it was, where kn beads resume looks for it', async () => {
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

  it('kafka: has a Kafka broker', () => {
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
  ])('with a wrong field fail: %s as %s', (right, wrong) => {
    const yaml = buildOverlay('plain');
    expect(yaml).toContain(right);
    expect(problemsIn(yaml.replaceAll(right, wrong))).not.toEqual([]);
  });
});
