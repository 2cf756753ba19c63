// Key pairs of the actors: RSA for HTTP signatures, Ed25519 for object integrity proofs.

import { generateCryptoKeyPair } from "@fedify/fedify";

export const ACTORS = ["carol", "dave"];

export async function makeKeys() {
  const pairs = await Promise.all(
    ACTORS.map(() => Promise.all([generateCryptoKeyPair("RSASSA-PKCS1-v1_5"), generateCryptoKeyPair("Ed25519")])),
  );
  return new Map(ACTORS.map((name, i) => [name, pairs[i]]));
}
