// As much of Shopify's pages as the blocks of docs/shopify.md use: what they render, and what they ask for.
// Arguments: the module of a block, the values of the global `shopify`, and the answers to what is asked.
import {pathToFileURL} from 'node:url';

const [, , block, values, answers] = process.argv;
const asked = [];
const given = JSON.parse(answers);
globalThis.document = {body: {}};
globalThis.setTimeout = (work) => queueMicrotask(work);
globalThis.shopify = {...JSON.parse(values), sessionToken: {get: async () => 'token'}};
globalThis.fetch = async (address, options) => {
  asked.push([address, options.headers.Authorization]);
  const answer = given[Math.min(asked.length, given.length) - 1];
  if (answer === null) throw new TypeError('Failed to fetch');
  return {ok: answer.status === 200, json: async () => answer.body};
};
await (await import(pathToFileURL(block))).default();
console.log(JSON.stringify({rendered: globalThis.document.body.tree ?? null, asked}));
process.exit();
