import type { EventPayload } from '../shared/events/event-types.ts';

/** One typical event of each type, for the docs: what happened, and when it did. */

const bead = { id: 'code-a1', title: 'Draft the release notes', priority: 1 };

export const EXAMPLES: readonly (EventPayload & { at: string })[] = [
  {
    name: 'dispatch.claimed.v1',
    at: '2026-11-21T07:30:00.412Z',
    data: { bead, attempt: 1 },
  },
  {
    name: 'dispatch.dispatched.v1',
    at: '2026-11-21T07:30:00.861Z',
    data: { bead, attempt: 1, jobId: '3f2a9c0d1e4b' },
  },
  {
    name: 'dispatch.failed.v1',
    at: '2026-11-21T07:30:00.655Z',
    data: {
      bead,
      attempt: 2,
      reason: 'refused',
      httpStatus: 502,
      nextAttemptAt: '2026-11-21T07:34:12.655Z',
    },
  },
  {
    name: 'dispatch.unconfirmed.v1',
    at: '2026-11-21T07:30:30.518Z',
    data: { bead, attempt: 1, reason: 'no-answer' },
  },
  {
    name: 'dispatch.blocked.v1',
    at: '2026-11-21T09:12:00.733Z',
    data: { bead, attempts: 5 },
  },
  {
    name: 'dispatch.completed.v1',
    at: '2026-11-21T07:52:18.000Z',
    data: {
      bead,
      attempt: 1,
      jobId: '3f2a9c0d1e4b',
      dispatchId: '019aa53e-7c00-7000-8000-000000000002',
      outcome: 'closed',
      status: 'closed',
      by: 'agent',
      seconds: 1337,
    },
  },
  {
    name: 'breaker.opened.v1',
    at: '2026-11-21T09:20:00.204Z',
    data: {
      until: '2026-11-21T09:23:00.000Z',
      failures: 5,
      beads: ['code-a1', 'code-b2', 'code-c3'],
    },
  },
  {
    name: 'breaker.closed.v1',
    at: '2026-11-21T09:41:00.118Z',
    data: { seconds: 1260 },
  },
  {
    name: 'reap.blocked.v1',
    at: '2026-11-21T08:10:00.307Z',
    data: {
      bead,
      ageMinutes: 39,
      thresholdMinutes: 30,
      jobId: '3f2a9c0d1e4b',
      jobState: 'lost',
    },
  },
  {
    name: 'reap.released.v1',
    at: '2026-11-21T07:32:00.290Z',
    data: { bead, reason: 'dispatcher-died' },
  },
  {
    name: 'tick.failed.v1',
    at: '2026-11-21T07:32:10.026Z',
    data: {
      function: 'dispatch',
      code: 'DATABASE_UNREACHABLE',
      message:
        'database code on dolt.beads:3306 does not answer: connect ECONNREFUSED. Check that the Dolt server runs, that it can be reached from here, and BEADS_DOLT_SERVER_TLS.',
    },
  },
  {
    name: 'dispatch.due.v1',
    at: '2026-11-21T07:30:00.120Z',
    data: { reason: 'changed', beads: 1 },
  },
  {
    name: 'reap.due.v1',
    at: '2026-11-21T08:01:00.702Z',
    data: { reason: 'changed', beads: 1 },
  },
];
