// Key pairs of the actors: RSA for HTTP signatures, Ed25519 for object integrity proofs.

import { generateCryptoKeyPair } from "@fedify/fedify";

export const ACTORS = ["carol", "dave"];

// Fedify's own RSA keys have 4096 bits, most others' 2048: one actor of each kind.
const makeRsa = { carol: () => generateCryptoKeyPair("RSASSA-PKCS1-v1_5"), dave: makeShortRsa };

export async function makeKeys() {
  const makePairs = (name) => Promise.all([makeRsa[name](), generateCryptoKeyPair("Ed25519")]);
  return new Map(await Promise.all(ACTORS.map(async (name) => [name, await makePairs(name)])));
}

function makeShortRsa() {
  const publicExponent = new Uint8Array([1, 0, 1]);
  const algorithm = { name: "RSASSA-PKCS1-v1_5", modulusLength: 2048, publicExponent, hash: "SHA-256" };
  return crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
}
