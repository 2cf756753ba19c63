// What Fedify takes for granted and Node 20 lacks. Imported before Fedify.
//
// Fedify asks for Node 22. The alternative, a Node of our own from npm's `node` package, means a download of some
// 60 MB by an install script, which many machines forbid; these two are all that is missing, are standardised, and do
// nothing where Node has them (21 and 22 brought them). So every Node from 20 on will do.

if (globalThis.navigator === undefined) {
  Object.defineProperty(globalThis, "navigator", {
    value: Object.freeze({ userAgent: `Node.js/${process.versions.node.split(".")[0]}` }),
    configurable: true,
  });
}

if (Promise.withResolvers === undefined) {
  Promise.withResolvers = function withResolvers() {
    const parts = {};
    parts.promise = new this((resolve, reject) => Object.assign(parts, { resolve, reject }));
    return parts;
  };
}
