import { describe, expect, it } from 'vitest';

import { outcomeOf } from '../../shared/targets/beadboard/outcome.ts';

const error = (text: string) => JSON.stringify({ error: text });

describe("BeadBoard's answers", () => {
  it('a job id is an acceptance', () => {
    expect(outcomeOf({ status: 200, body: '{"job_id":"3f2a9c0d1e4b"}' })).toEqual({
      kind: 'accepted',
      jobId: '3f2a9c0d1e4b',
    });
  });

  it.each([
    [400, error('Bead code-a1 is missing acceptance criteria.')],
    [409, error('Agent is busy')],
    [500, error('Claude agent service is not configured')],
    [502, error('Queue full')],
    [502, error('Invalid token')],
    [502, error('Agent service returned HTTP 422.')],
    [502, '{"error":[{"msg":"field required"}]}'],
    [500, error('busy elsewhere')],
  ])('the answer %i %s certainly started no job and is quoted', (status, body) => {
    const outcome = outcomeOf({ status, body });
    expect(outcome).toMatchObject({
      kind: 'refused',
      reason: /Agent is busy|Queue full/.test(body) ? 'busy' : 'refused',
      httpStatus: status,
    });
    expect(outcome).toHaveProperty('words', expect.stringMatching(/^".+"$/));
  });

  it.each([
    [302, ''],
    [404, '<html>Agent is busy</html>'],
    [401, ''],
    [429, 'slow down'],
  ])('the answer %i %s of an intermediary started no job and is not quoted', (status, body) => {
    expect(outcomeOf({ status, body })).toEqual({
      kind: 'refused',
      reason: 'refused',
      words: 'the answer is not one of BeadBoard',
      httpStatus: status,
    });
  });

  it.each([
    [200, '{"job_id":""}'],
    [200, '{}'],
    [200, 'OK'],
    [200, ''],
    [204, ''],
    [502, error('Agent service response missing job_id.')],
    [502, error('fetch failed')],
    [502, error('terminated')],
    [502, error('This operation was aborted')],
    [502, error('Failed to reach claude-agent-service.')],
    [502, error('Agent service returned HTTP 500.')],
    [502, error('Agent service returned HTTP 504.')],
    [200, '{"job_id":".."}'],
    [200, '{"job_id":"a:b\\nreaper: no"}'],
    [502, '<html>Bad Gateway</html>'],
    [500, '<html>Internal Server Error</html>'],
    [500, 'Internal Server Error'],
    [503, error('upstream connect error')],
    [504, ''],
    [408, ''],
  ])('the answer %i %s leaves the outcome unknown', (status, body) => {
    expect(outcomeOf({ status, body }).kind).toBe('unknown');
  });
});
