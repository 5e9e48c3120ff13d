import { describe, expect, it } from 'vitest';

import { issueJson, updateJson } from '../../shared/beads/write/bd-json.ts';

describe("bd's JSON", () => {
  it('the JSON of bd is escaped as in Go, with the fields of an update sorted and empty fields left out', () => {
    expect(updateJson({ status: 'open', notes: '<a> & "b"\n\u2028' })).toBe(
      '{"notes":"\\u003ca\\u003e \\u0026 \\"b\\"\\n\\u2028","status":"open"}',
    );
    const row = { id: 'c', title: '', notes: '', priority: 0, pinned: 0, metadata: '{"a": "b c"}' };
    expect(issueJson(row, ['x'])).toBe(
      '{"id":"c","title":"","priority":0,"metadata":{"a":"b c"},"labels":["x"]}',
    );
  });
});
