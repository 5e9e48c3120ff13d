import { describe, expect, it } from 'vitest';

import { migrationLock } from '../../shared/beads/schema/migrations.ts';

describe('the lock that bd holds while it migrates', () => {
  it('the migration lock has the name that bd gives it, hashed when it is too long', () => {
    expect(migrationLock('code')).toBe('bd_schema_init:code');
    expect(migrationLock('beads_'.repeat(10))).toBe('bd_schema_init:d7807282135de275');
  });
});
