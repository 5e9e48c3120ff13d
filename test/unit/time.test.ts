import { describe, expect, it } from 'vitest';

import { fromSqlTime, toIsoSeconds, toSqlTime } from '../../shared/beads/sql/time.ts';

describe('times', () => {
  it('times are read and written as UTC, rounded down', () => {
    expect(fromSqlTime('2026-11-21 10:00:00.999999')?.toISOString()).toBe(
      '2026-11-21T10:00:00.999Z',
    );
    expect(fromSqlTime('0000-00-00 00:00:00')).toBeUndefined();
    expect(fromSqlTime('yesterday')).toBeUndefined();
    expect(toSqlTime(new Date('2026-11-21T10:00:00.999Z'))).toBe('2026-11-21 10:00:00');
    expect(toIsoSeconds(new Date('2026-11-21T10:00:00.999Z'))).toBe('2026-11-21T10:00:00Z');
  });
});
