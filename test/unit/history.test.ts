import { describe, expect, it } from 'vitest';

import { countFailures, NO_FAILURES } from '../../shared/beads/rows/history.ts';

describe('failures', () => {
  const failed = (secondsAgo: number) => ({ beadId: 'a', kind: 'failed', secondsAgo }) as const;
  const reset = (secondsAgo: number) => ({ beadId: 'a', kind: 'reset', secondsAgo }) as const;

  it('failures are counted from the last reset on, in any order', () => {
    expect(countFailures([])).toEqual(NO_FAILURES);
    expect(countFailures([failed(50), failed(400)])).toEqual({
      count: 2,
      backOffCount: 2,
      lastSecondsAgo: 50,
      reopenedSecondsAgo: undefined,
    });
    expect(countFailures([failed(400), reset(300), failed(50), reset(500)])).toEqual({
      count: 1,
      backOffCount: 1,
      lastSecondsAgo: 50,
      reopenedSecondsAgo: undefined,
    });
  });

  it('failures are forgotten when a person acts in the same second', () => {
    expect(countFailures([failed(50), reset(50)])).toEqual(NO_FAILURES);
  });
});
