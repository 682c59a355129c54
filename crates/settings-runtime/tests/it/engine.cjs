// Runs scripts in fresh V8 contexts: reads a list of jobs as JSON, writes a list of answers as JSON.
//
// A job is { realm, sources }. Its sources run one after the other, as scripts of their own. `realm` says where: in a
// context that has nothing but the language ("context"), or in node's own realm, whose global object is a plain one and
// not node's stand-in for one ("plain"; one job per process, since it cannot be made afresh).
//
// The answer is that of the last source. Strings go back as UTF-16, in hexadecimal: whatever they are, they arrive.
'use strict';
const vm = require('node:vm');

const encode = (value) => {
  if (typeof value === 'string') return { string: Buffer.from(value, 'utf16le').toString('hex') };
  if (Array.isArray(value)) return { list: value.map(encode) };
  return { other: String(value) };
};

const run = ({ realm, sources }) => {
  const context = realm === 'plain' ? null : vm.createContext(Object.create(null));
  let last;
  for (const [i, source] of sources.entries()) {
    const options = { filename: `source-${i}.js` };
    try {
      last = context ? vm.runInContext(source, context, options) : vm.runInThisContext(source, options);
    } catch (error) {
      // What a host would log: node puts the line at fault into the stack.
      return { threw: `${error?.name}: ${error?.message}`, source: i, stack: String(error?.stack) };
    }
  }
  // Arrays of the context are not arrays of this realm, but Array.isArray knows them.
  return encode(last);
};

let input = '';
process.stdin.setEncoding('utf8');
process.stdin.on('data', (piece) => (input += piece));
process.stdin.on('end', () => process.stdout.write(JSON.stringify(JSON.parse(input).map(run))));
