// What every script of a flow finds. Runs once per attempt, before the first expression.
(function () {
  'use strict';
  const root = globalThis;
  const hidden = (name, value) =>
    Object.defineProperty(root, name, { value, writable: true, configurable: true, enumerable: false });

  const list = (items) => '(' + items.length + ')[' + items.map(inner).join(', ') + ']';
  const object = (value, depth) =>
    '{' + Object.keys(value).map((key) => key + ': ' + inner(value[key], depth + 1)).join(', ') + '}';
  function inner(value, depth) {
    return typeof value === 'string' ? JSON.stringify(value) : show(value, depth);
  }
  // Lists and objects look as in the upstream format: (2)[1, 2] and {a: 1}.
  function show(value, depth) {
    depth = depth || 0;
    if (value === null || typeof value !== 'object' || depth > 8) return String(value);
    if (Array.isArray(value)) return list(value);
    const plain = Object.getPrototypeOf(value);
    return plain === Object.prototype || plain === null ? object(value, depth) : String(value);
  }

  const api = root.__farmhand;
  delete root.__farmhand;
  hidden('__show', show);
  hidden('__fill', (value) => (value === undefined || value === null ? null : show(value)));
  // What JSON does not know is told as a text (1n) or as nothing (a list that holds itself).
  const known = (key, value) => (typeof value === 'bigint' ? String(value) : value);
  hidden('__json', (value) => {
    try {
      return JSON.stringify(value === undefined ? null : value, known);
    } catch {
      return 'null';
    }
  });
  hidden('output', {});
  hidden('maestro', { copiedText: '', platform: 'android' });
  // As upstream: http.post(url, { headers, body, multipartForm }) gives { ok, status, body, headers }.
  const request = (method) => (url, params) => {
    if (!api.http) {
      throw new Error('the policy does not allow `http`; if this flow needs it, put it under `farmhand.policy.allow`');
    }
    const { headers, body, multipartForm } = params || {};
    const text = body === undefined || body === null || typeof body === 'string' ? body : JSON.stringify(body);
    const wanted = { method: method || (params || {}).method || 'GET', url: String(url), headers: headers || {} };
    const answer = JSON.parse(api.http(JSON.stringify({ ...wanted, body: text, multipartForm })));
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer;
  };
  const verbs = { get: request('GET'), post: request('POST'), put: request('PUT'), delete: request('DELETE') };
  hidden('http', { ...verbs, request: request() });
  hidden('json', (text) => JSON.parse(text));
  // A text as a pattern that matches only itself: for names from outside in `text:` and `id:`.
  hidden('pattern', (text) => text === undefined ? undefined : String(text).replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  hidden('relativePoint', (x, y) => Math.ceil(x * 100) + '%,' + Math.ceil(y * 100) + '%');
  const log = (...values) => api.log(values.map((value) => show(value)).join(' '));
  hidden('console', { log, info: log, warn: log, error: log, debug: log });

  // A name that nobody declared is undefined, not an error: `${NAME || 'default'}` has to work.
  const base = Object.getPrototypeOf(root) || Object.prototype;
  Object.setPrototypeOf(
    root,
    new Proxy(base, {
      has: (target, key) => typeof key === 'string' || Reflect.has(target, key),
      get: (target, key) => Reflect.get(target, key),
    }),
  );
})();
