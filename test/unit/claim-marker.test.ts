import { describe, expect, it } from 'vitest';

import { formatMarker, parseMarker } from '../../shared/beads/rows/claim-marker.ts';

describe('the claim marker', () => {
  it('a claim marker is read as it was written', () => {
    for (const marker of [
      { name: 'claimed', token: '0198' },
      { name: 'unconfirmed', token: '0198', about: '3f2a' },
    ] as const) {
      expect(parseMarker(formatMarker(marker))).toEqual(marker);
    }
  });

  it('a claim marker that somebody else wrote is ignored', () => {
    for (const cell of [null, '', 'claimed', 'claimed:', 'elsewhere:0198', '{}']) {
      expect(parseMarker(cell)).toBeUndefined();
    }
  });
});
