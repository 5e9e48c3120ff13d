import * as z from 'zod';

import type { Bead, ParsedBead } from '../beads/rows/bead.ts';
import type { MarkerName } from '../beads/rows/claim-marker.ts';
import { transitionIn, type PastChange } from '../beads/rows/past-change.ts';
import type { Snapshot } from '../beads/snapshot.ts';
import { conditionsOf } from '../rules/eligibility.ts';
import { nextTick, type Surroundings } from '../rules/next-tick.ts';
import type { Policy } from '../rules/policy.ts';
import { reasonOf, SKIP_CODES, type Reason } from '../rules/reasons.ts';
import { utc } from './fields.ts';

/** Codes of beads that no rule of the dispatcher is asked about. */
const OTHER_CODES = [
  'unknown',
  'not-assigned',
  'in-progress',
  'closed',
  'not-open',
  'paused',
] as const;
const code = z.enum([...SKIP_CODES, ...OTHER_CODES]);

const whyReason = z.object({
  code,
  message: z.string(),
  until: utc.optional().describe('When it ends, where that is known.'),
});
export type WhyReason = z.output<typeof whyReason>;

/**
 * Why a bead is dispatched or not: the shape of `kn beads why -o json` and of `/api/v1/beads/{id}`.
 */
export const whyView = z.object({
  id: z.string(),
  title: z.string(),
  status: z.string(),
  assignee: z.string(),
  dispatchable: z
    .boolean()
    .describe('Whether the next tick dispatches it, as far as can be known from here.'),
  reasons: z.array(whyReason).describe('The deciding one first; empty when it is dispatchable.'),
  conditions: z
    .array(
      z.object({
        name: z.string(),
        met: z.boolean(),
        code: code.nullable(),
        message: z.string().nullable(),
      }),
    )
    .describe('As they are met or not; empty for a bead that is not open for the sentinel.'),
  earliest: utc
    .nullable()
    .describe('The earliest time at which it can go; null when none is known.'),
  lastFailure: z
    .string()
    .nullable()
    .describe(
      'The note of its last dispatch that failed; null when none has, or one went well since.',
    ),
  command: z.string().nullable().describe('A command that helps; null when there is none.'),
});
export type WhyView = z.output<typeof whyView>;

/** What is known of a bead beside the snapshot. */
export interface About {
  sentinel: string;
  paused: boolean;
  surroundings: Surroundings;
  /** Its history, the oldest first. */
  changes: readonly PastChange[];
}

/** @param found the bead as it is now, whoever it belongs to. */
export function whyOf(
  id: string,
  found: ParsedBead | undefined,
  snapshot: Snapshot,
  policy: Policy,
  { sentinel, paused, surroundings, changes }: About,
): WhyView {
  const bead = found?.ok === true ? found.bead : undefined;
  const about = {
    id,
    title: bead?.title ?? '',
    status: bead?.status ?? '',
    assignee: bead?.assignee ?? '',
    conditions: [],
    earliest: null,
    lastFailure: lastFailureIn(changes),
    command: null,
  };
  const other = otherReason(id, found, sentinel);
  if (other !== undefined) {
    return {
      ...about,
      dispatchable: false,
      reasons: [other],
      command: commandFor(id, other.code, bead, sentinel),
    };
  }
  const { skipped, waiting, waitsFor } = nextTick(snapshot, policy, surroundings);
  const isWaiting = waiting.some(({ bead: each }) => each.id === id);
  const deciding = isWaiting ? waitsFor : skipped.find((each) => each.id === id);
  const candidate = snapshot.open.find((each) => each.bead.id === id);
  const conditions = candidate === undefined ? [] : conditionsOf(candidate, snapshot.now, policy);
  const isOwn = conditions.some(({ reason }) => reason?.code === deciding?.code);
  const checks: { name: string; reason: WhyReason | undefined }[] = [
    ...conditions.map(({ name, reason }) => ({ name, reason: reason && viewOf(reason) })),
    { name: 'room', reason: deciding === undefined || isOwn ? undefined : viewOf(deciding) },
    { name: 'not paused', reason: paused ? PAUSED : undefined },
  ];
  const missed = checks.flatMap(({ reason }) => reason ?? []);
  const reasons = missed.toSorted((a, b) => Number(b === PAUSED) - Number(a === PAUSED));
  return {
    ...about,
    dispatchable: reasons.length === 0,
    reasons,
    conditions: checks.map(({ name, reason }) => ({
      name,
      met: reason === undefined,
      code: reason?.code ?? null,
      message: reason?.message ?? null,
    })),
    earliest: latestEnd(missed.filter((each) => each !== PAUSED)),
    command: reasons[0] === undefined ? null : commandFor(id, reasons[0].code, bead, sentinel),
  };
}

const OUTCOMES: ReadonlySet<string | undefined> = new Set<MarkerName>([
  'dispatched',
  'failed',
  'unconfirmed',
]);

function lastFailureIn(changes: readonly PastChange[]): string | null {
  const last = changes.findLast((change) => OUTCOMES.has(transitionIn(change)));
  return last === undefined || transitionIn(last) === 'dispatched' ? null : (last.note ?? null);
}

const PAUSED: WhyReason = { code: 'paused', message: 'dispatch is paused' };

/** @returns when all of them have ended; `null` when that is not known of each. */
function latestEnd(reasons: readonly WhyReason[]): string | null {
  const ends = reasons.map(({ until }) => until ?? '');
  return ends.includes('') ? null : (ends.toSorted().at(-1) ?? null);
}

function viewOf({ code, message, until }: Reason): WhyReason {
  return { code, message, ...(until === undefined ? {} : { until: until.toISOString() }) };
}

function otherReason(
  id: string,
  found: ParsedBead | undefined,
  sentinel: string,
): WhyReason | undefined {
  if (found === undefined) return { code: 'unknown', message: `there is no bead ${id}` };
  if (!found.ok) return viewOf(reasonOf('bad-row', { problem: found.problem }));
  const { status, assignee, job } = found.bead;
  if (status === 'closed') return { code: 'closed', message: 'it is closed' };
  if (status === 'in_progress') {
    const work = job === undefined ? '' : `, with job ${job.id}`;
    return { code: 'in-progress', message: `it is in progress for ${assignee || 'nobody'}${work}` };
  }
  if (assignee !== sentinel) {
    const owner = assignee === '' ? 'nobody' : `"${assignee}"`;
    return { code: 'not-assigned', message: `it belongs to ${owner} and not to "${sentinel}"` };
  }
  return status === 'open' ? undefined : { code: 'not-open', message: `its status is ${status}` };
}

function commandFor(
  id: string,
  code: WhyReason['code'],
  bead: Bead | undefined,
  sentinel: string,
): string | null {
  return COMMANDS[code]?.(id, sentinel, bead?.status) ?? null;
}

/** What helps, where a command does. */
const COMMANDS: Partial<
  Record<WhyReason['code'], (id: string, sentinel: string, status?: string) => string | null>
> = {
  'not-assigned': (id, sentinel, status) =>
    status === 'open' ? `bd assign ${id} ${sentinel}` : null,
  'no-acceptance-criteria': (id) => `bd update ${id} --acceptance "…"`,
  'not-open': (id) => `kn beads retry ${id}`,
  'back-off': (id) => `kn beads retry ${id}`,
  'breaker-open': (id) => `kn beads retry ${id} --now`,
  'breaker-half-open': (id) => `kn beads retry ${id} --now`,
  blocked: (id) => `bd dep tree ${id}`,
  paused: () => 'kn beads resume',
  'in-progress': (id) => `kn beads history ${id}`,
};
