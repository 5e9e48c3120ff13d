/**
 * What it means to suspend a PingSource or a Trigger, which Knative itself does not offer: it gets
 * a schedule that never comes, or a filter that nothing passes, and what it had is kept in an
 * annotation. Pure: objects in, patches out.
 */

/** 31 February: Knative accepts it, and nothing is ever scheduled. */
export const NEVER = '0 0 31 2 *';
/** An event type that nobody sends. */
const NOTHING = [{ exact: { type: 'io.beads.paused' } }];
/** What Knative makes of a schedule that is not there. */
const DEFAULT_SCHEDULE = '* * * * *';

export const SCHEDULE_KEPT = 'kn-source-ping-suspend/schedule';
export const FILTERS_KEPT = 'kn-beads-pause/filters';
/** Who paused, and why. */
export const PAUSED_BY = 'kn-beads-pause/by';

/** The part of a Kubernetes object that matters here. */
export interface Suspendable {
  metadata: {
    name: string;
    resourceVersion?: string | undefined;
    annotations?: Readonly<Record<string, string>> | undefined;
  };
  spec: Readonly<Record<string, unknown>>;
}

/** A merge patch, or why there is nothing to do, and words for the person who asked. */
export interface Step {
  patch: object | undefined;
  said: string;
  /** What was asked for cannot be done. */
  failed?: true;
}

/** Kinds of objects that can be suspended: where their setting is, and how to read and write it. */
export interface Kind {
  field: string;
  annotation: string;
  suspended: unknown;
  /** A setting as a person would write it. */
  show(setting: unknown): string;
  /** A setting as the annotation keeps it, and back. */
  keep(setting: unknown): string;
  restore(kept: string): unknown;
}

export const PING_SOURCE: Kind = {
  field: 'schedule',
  annotation: SCHEDULE_KEPT,
  suspended: NEVER,
  show: (setting) => `schedule ${String(setting)}`,
  keep: String,
  restore: (kept) => kept,
};

export const TRIGGER: Kind = {
  field: 'filters',
  annotation: FILTERS_KEPT,
  suspended: NOTHING,
  show: () => 'filter',
  keep: (setting) => JSON.stringify(setting ?? null),
  restore: (kept): unknown => JSON.parse(kept),
};

/** Where objects of each kind are, and how they are suspended. */
export const KINDS = {
  PingSource: { group: 'sources.knative.dev', plural: 'pingsources', suspension: PING_SOURCE },
  Trigger: { group: 'eventing.knative.dev', plural: 'triggers', suspension: TRIGGER },
} as const;
export type KindName = keyof typeof KINDS;
export const suspensionOf = (kind: KindName): Kind => KINDS[kind].suspension;

export type State =
  | { name: 'active'; setting: unknown }
  | { name: 'suspended'; kept: string; by: string | undefined }
  /** It never fires, but nothing says what it did before. */
  | { name: 'never' };

export function stateOf(kind: Kind, { metadata, spec }: Suspendable): State {
  const setting = spec[kind.field];
  if (JSON.stringify(setting) !== JSON.stringify(kind.suspended)) {
    const isSet = setting !== undefined && setting !== '';
    return { name: 'active', setting: isSet || kind !== PING_SOURCE ? setting : DEFAULT_SCHEDULE };
  }
  const kept = metadata.annotations?.[kind.annotation];
  const by = metadata.annotations?.[PAUSED_BY];
  return kept === undefined ? { name: 'never' } : { name: 'suspended', kept, by };
}

/** Idempotent. An object that was applied again since it was suspended is suspended again. */
export function suspend(kind: Kind, object: Suspendable, by?: string): Step {
  const state = stateOf(kind, object);
  switch (state.name) {
    case 'suspended':
      return {
        patch: undefined,
        said: `is suspended already; its ${kind.show(state.kept)} is kept`,
      };
    case 'never':
      return { patch: undefined, said: 'never fires anyway, and no earlier setting of it is kept' };
    case 'active':
      return {
        patch: patchOf(kind, object, kind.suspended, kind.keep(state.setting), by),
        said: `suspended; its ${kind.show(state.setting)} is kept`,
      };
  }
}

/** Idempotent. What was applied since it was suspended wins over what was kept. */
export function resume(kind: Kind, object: Suspendable): Step {
  const state = stateOf(kind, object);
  switch (state.name) {
    case 'suspended': {
      const setting = kind.restore(state.kept);
      return {
        patch: patchOf(kind, object, setting, null),
        said: `resumed; its ${kind.show(setting)} is back`,
      };
    }
    case 'never':
      return {
        patch: undefined,
        said: 'cannot be resumed: it never fires, and no earlier setting of it is kept. Apply its manifest',
        failed: true,
      };
    case 'active': {
      const isStale = object.metadata.annotations?.[kind.annotation] !== undefined;
      return {
        patch: isStale ? patchOf(kind, object, state.setting, null) : undefined,
        said: `is not suspended; its ${kind.show(state.setting)} stays`,
      };
    }
  }
}

/** With the version that was read, so that a change in between is not overwritten. */
function patchOf(
  kind: Kind,
  { metadata }: Suspendable,
  setting: unknown,
  kept: string | null,
  by?: string,
): object {
  return {
    metadata: {
      resourceVersion: metadata.resourceVersion,
      annotations: {
        [kind.annotation]: kept,
        ...(kept === null || by !== undefined ? { [PAUSED_BY]: by ?? null } : {}),
      },
    },
    spec: { [kind.field]: setting ?? null },
  };
}
