import { describe, expect, it } from 'vitest';

import { parseBead } from '../../shared/beads/rows/bead.ts';

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
  it('a valid row becomes a bead', () => {
    expect(parseBead(good)).toMatchObject({
      ok: true,
      bead: { id: 'code-a1', hasAcceptanceCriteria: false, ephemeral: false, template: true },
    });
  });

  it('a row that does not parse becomes a value that says what is wrong', () => {
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

  it('the job of a bead is the one in the claim marker, whatever the notes say', () => {
    const notes_since_claim = 'dispatched: job=other';
    const parsed = parseBead({ ...good, marker: 'dispatched:0198:3f2a', notes_since_claim });
    expect(parsed).toMatchObject({ bead: { job: { id: '3f2a', from: 'beadboard' } } });
  });

  it('the job of a bead is the one that BeadBoard named, whatever the agent noted', () => {
    expect(jobIn(claimed, 'dispatched: job=3f2a', 'claimed by agent 000000000000')).toEqual({
      id: '3f2a',
      from: 'beadboard',
    });
  });

  it('the job of a bead is the one that the agent noted, if that can be an id', () => {
    expect(jobIn(claimed, 'claimed by agent 0123456789ab')).toEqual({
      id: '0123456789ab',
      from: 'agent',
    });
    expect(jobIn(claimed, 'claimed by agent <job_id>')).toBeUndefined();
  });

  it('the job of a bead is named only by a whole line, and never by text that would be a path', () => {
    expect(jobIn(claimed, 'I read "dispatched: job=3f2a"')).toBeUndefined();
    expect(jobIn(claimed, 'dispatched: job=..')).toBeUndefined();
    expect(jobIn(claimed, 'dispatched: job=3f2a by an earlier claim; …')).toBeUndefined();
  });
});
