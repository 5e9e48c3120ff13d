import { describe, expect, it } from 'vitest';

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

describe('notes', () => {
  it('a note is one line of at most 500 characters without control characters', () => {
    expect(oneLine(' a\r\n\tb\u0000\u001b[31mc\u2028d ')).toBe('a b [31mc d');
    expect(oneLine('é'.repeat(600))).toHaveLength(500);
    expect(Array.from(oneLine('😀'.repeat(600)))).toHaveLength(500);
    expect(failedNote('{"error":"x"}', 400)).toBe('dispatch failed HTTP 400: {"error":"x"}');
    expect(failedNote('connect ECONNREFUSED', undefined)).toBe(
      'dispatch failed: connect ECONNREFUSED',
    );
  });

  it('notes have the wording that people search for', () => {
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

  it('a note starts an empty field, and starts a new line in a filled one', () => {
    expect(appendix(true, 'b')).toBe('b');
    expect(appendix(false, 'b')).toBe('\nb');
  });
});
