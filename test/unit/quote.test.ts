import { describe, expect, it } from 'vitest';

import { hideSecrets, oneLine } from '../../shared/runtime/quote.ts';

describe('a quotation', () => {
  it.each([
    'access_token=hunter22',
    '{"auth_token":"hunter22"}',
    'client_secret: hunter22',
    '{"apiToken": "hunter22 and more"}',
    'passwd=hunter22&x=1',
    String.raw`{"error":"{\"password\":\"hunter22\"}"}`,
    'Authorization: Basic aHVudGVyMjI6aHVudGVyMjI=hunter22',
    'Authorization: Bearer hunter22.hunter22',
    'cannot connect to postgres://me:hunter22@db:5432/x',
    'root:hunter22@db refused',
    'ghp_hunter22hunter22hunter22hunter22',
    'github_pat_hunter22hunter22',
    'sk-proj-hunter22hunter22hunter22',
    'xoxb-hunter22-hunter22',
    'npm_hunter22hunter22hunter22hunter22hunt',
    'eyJhbGciOihunter22.eyJzdWIiOihunter22.c2ln-hunter22',
    '-----BEGIN RSA PRIVATE KEY-----\nhunter22\n-----END RSA PRIVATE KEY-----',
  ])('a quotation hides the secret in %s', (text) => {
    expect(oneLine(`failed: ${text} (end)`)).not.toContain('hunter22');
    expect(oneLine(text)).toContain('[secret]');
  });

  it.each([
    'the token is missing',
    'no such secret: see the docs of author x',
    'HTTP 502: upstream',
    'mailto:person@example.org',
    'at 10:00:00 the agent was busy',
  ])('a quotation leaves %s as it is', (text) => {
    expect(oneLine(text)).toBe(text.replace('secret: see', 'secret: [secret]'));
  });

  it('a quotation hides a secret of our own everywhere', () => {
    hideSecrets(['aB3$x', 'abc']);
    expect(oneLine('it said aB3$x to abc')).toBe('it said [secret] to abc');
  });

  it('a text of 64 KB without a blank is quoted without delay', () => {
    expect(oneLine('x'.repeat(65_536))).toHaveLength(500);
    expect(oneLine(`ok ${'-token'.repeat(10_000)}`)).toBe('ok');
  });
});
