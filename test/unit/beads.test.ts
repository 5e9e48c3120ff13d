import { describe, expect, it } from 'vitest';

import { issueJson, updateJson } from '../../shared/beads/write/bd-json.ts';
import { parseBead } from '../../shared/beads/rows/bead.ts';
import { countFailures, NO_FAILURES } from '../../shared/beads/rows/history.ts';
import {
  appendix,
  claimedNote,
  dispatchedNote,
  failedNote,
  givenUpNote,
  reapedNote,
  releasedNote,
  unconfirmedNote,
} from '../../shared/beads/rows/notes.ts';
import { oneLine } from '../../shared/runtime/quote.ts';
import { migrationLock } from '../../shared/beads/schema/migrations.ts';
import { formatMarker, parseMarker } from '../../shared/beads/rows/claim-marker.ts';
import { fromSqlTime, toIsoSeconds, toSqlTime } from '../../shared/beads/sql/time.ts';

describe('times', () => {
  it('go in and out as UTC, rounded down', () => {
    expect(fromSqlTime('2026-11-21 10:00:00.999999')?.toISOString()).toBe(
      '2026-11-21T10:00:00.999Z',
    );
    expect(fromSqlTime('0000-00-00 00:00:00')).toBeUndefined();
    expect(fromSqlTime('yesterday')).toBeUndefined();
    expect(toSqlTime(new Date('2026-11-21T10:00:00.999Z'))).toBe('2026-11-21 10:00:00');
    expect(toIsoSeconds(new Date('2026-11-21T10:00:00.999Z'))).toBe('2026-11-21T10:00:00Z');
  });
});

describe('notes', () => {
  it('are one line without control characters, at most 500 characters', () => {
    expect(oneLine(' a\r\n\tb\u0000\u001b[31mc\u2028d ')).toBe('a b [31mc d');
    expect(oneLine('é'.repeat(600))).toHaveLength(500);
    expect(Array.from(oneLine('😀'.repeat(600)))).toHaveLength(500);
    expect(failedNote('{"error":"x"}', 400)).toBe('dispatch failed HTTP 400: {"error":"x"}');
    expect(failedNote('connect ECONNREFUSED', undefined)).toBe(
      'dispatch failed: connect ECONNREFUSED',
    );
  });

  it('are worded as people search for them', () => {
    const at = new Date('2026-11-21T10:00:00.999Z');
    expect(claimedNote(at)).toBe('auto-dispatcher claimed at 2026-11-21T10:00:00Z');
    expect(dispatchedNote('3f2a')).toBe('dispatched: job=3f2a');
    expect(unconfirmedNote('a\nb')).toBe('dispatch outcome unknown: a b');
    expect(givenUpNote(5)).toBe('dispatch given up after 5 attempts');
    expect(releasedNote()).toBe('reaper: claimed but never handed out — open again');
    expect(reapedNote(31, 30)).toBe('reaper: no progress for 31m (threshold 30m) — blocking');
    expect(reapedNote(31, 30, 'job x is lost')).toBe(
      'reaper: no progress for 31m (threshold 30m) — blocking: job x is lost',
    );
  });

  it('start an empty field, and a new line in a filled one', () => {
    expect(appendix(true, 'b')).toBe('b');
    expect(appendix(false, 'b')).toBe('\nb');
  });
});

describe('the claim marker', () => {
  it('is read as it was written', () => {
    for (const marker of [
      { name: 'claimed', token: '0198' },
      { name: 'unconfirmed', token: '0198', about: '3f2a' },
    ] as const) {
      expect(parseMarker(formatMarker(marker))).toEqual(marker);
    }
  });

  it('is nothing when somebody else wrote it', () => {
    for (const cell of [null, '', 'claimed', 'claimed:', 'elsewhere:0198', '{}']) {
      expect(parseMarker(cell)).toBeUndefined();
    }
  });
});

describe('failures', () => {
  const failed = (secondsAgo: number) => ({ beadId: 'a', kind: 'failed', secondsAgo }) as const;
  const reset = (secondsAgo: number) => ({ beadId: 'a', kind: 'reset', secondsAgo }) as const;

  it('count from the last reset on, in whatever order they come', () => {
    expect(countFailures([])).toEqual(NO_FAILURES);
    expect(countFailures([failed(50), failed(400)])).toEqual({
      count: 2,
      backOffCount: 2,
      lastSecondsAgo: 50,
      resetSecondsAgo: undefined,
    });
    expect(countFailures([failed(400), reset(300), failed(50), reset(500)])).toEqual({
      count: 1,
      backOffCount: 1,
      lastSecondsAgo: 50,
      resetSecondsAgo: 300,
    });
  });

  it('are forgotten when a person acts in the same second', () => {
    expect(countFailures([failed(50), reset(50)])).toEqual({ ...NO_FAILURES, resetSecondsAgo: 50 });
  });
});

describe("bd's JSON", () => {
  it('escapes as Go does, sorts the fields of an update, leaves empty ones out', () => {
    expect(updateJson({ status: 'open', notes: '<a> & "b"\n\u2028' })).toBe(
      '{"notes":"\\u003ca\\u003e \\u0026 \\"b\\"\\n\\u2028","status":"open"}',
    );
    const row = { id: 'c', title: '', notes: '', priority: 0, pinned: 0, metadata: '{"a": "b c"}' };
    expect(issueJson(row, ['x'])).toBe(
      '{"id":"c","title":"","priority":0,"metadata":{"a":"b c"},"labels":["x"]}',
    );
  });
});

const good = {
  id: 'code-a1',
  title: 'A bead',
  status: 'open',
  priority: 2,
  issue_type: 'task',
  assignee: 'agent',
  acceptance_start: '\u00a0\n',
  notes_since_claim: '',
  updated_at: '2026-11-21 10:00:00',
  defer_until: null,
  started_at: null,
  pinned: 0,
  ephemeral: null,
  is_template: 1,
  marker: null,
  notes_bytes: 0,
  row_bytes: '0',
  metadata_type: 'OBJECT',
  lease_expires_at: null,
  heartbeat_at: null,
};

describe('a row', () => {
  it('becomes a bead', () => {
    expect(parseBead(good)).toMatchObject({
      ok: true,
      bead: { id: 'code-a1', hasAcceptanceCriteria: false, ephemeral: false, template: true },
    });
  });

  it('that does not parse is a value that says what is wrong', () => {
    expect(parseBead({ ...good, priority: 99, updated_at: 'never' })).toMatchObject({
      ok: false,
      id: 'code-a1',
      problem: expect.stringMatching(/priority: .*; updated_at: "never" is not a time/),
    });
  });
});

describe('the job of a bead', () => {
  const jobIn = (...notes: string[]) => {
    const parsed = parseBead({ ...good, notes_since_claim: notes.join('\n') });
    return parsed.ok ? parsed.bead.job : parsed.problem;
  };
  const claimed = '2026-11-21T10:00:00Z';

  it('is what stands in the claim marker, whatever the notes say', () => {
    const notes_since_claim = 'dispatched: job=other';
    const parsed = parseBead({ ...good, marker: 'dispatched:0198:3f2a', notes_since_claim });
    expect(parsed).toMatchObject({ bead: { job: { id: '3f2a', from: 'beadboard' } } });
  });

  it('is what BeadBoard named, whatever the agent noted', () => {
    expect(jobIn(claimed, 'dispatched: job=3f2a', 'claimed by agent 000000000000')).toEqual({
      id: '3f2a',
      from: 'beadboard',
    });
  });

  it('is what the agent noted, if that can be an id', () => {
    expect(jobIn(claimed, 'claimed by agent 0123456789ab')).toEqual({
      id: '0123456789ab',
      from: 'agent',
    });
    expect(jobIn(claimed, 'claimed by agent <job_id>')).toBeUndefined();
  });

  it('is named by a whole line, and by nothing that would be a path', () => {
    expect(jobIn(claimed, 'I read "dispatched: job=3f2a"')).toBeUndefined();
    expect(jobIn(claimed, 'dispatched: job=..')).toBeUndefined();
    expect(jobIn(claimed, 'dispatched: job=3f2a by an earlier claim; …')).toBeUndefined();
  });
});

describe('the lock that bd holds while it migrates', () => {
  it('has the name that bd gives it, hashed where it is too long', () => {
    expect(migrationLock('code')).toBe('bd_schema_init:code');
    expect(migrationLock('beads_'.repeat(10))).toBe('bd_schema_init:d7807282135de275');
  });
});
