// Node's HTTP server and the web's Request and Response, brought together.

export async function listen(server) {
  await new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  return `http://127.0.0.1:${server.address().port}`;
}

export async function readBody(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}

export async function readJson(request) {
  const body = await readBody(request);
  return body.length ? JSON.parse(body) : {};
}

export function reply(response, status, value) {
  response.writeHead(status, { "Content-Type": "application/json" });
  response.end(value === undefined ? undefined : JSON.stringify(value));
}

export function replyError(response, error) {
  reply(response, 500, { error: `${error.name}: ${error.message}`, stack: error.stack });
}

export function toWebRequest(request, origin, body) {
  const headers = new Headers();
  for (let i = 0; i < request.rawHeaders.length; i += 2) {
    headers.append(request.rawHeaders[i], request.rawHeaders[i + 1]);
  }
  const hasBody = request.method !== "GET" && request.method !== "HEAD";
  return new Request(new URL(request.url, origin), { method: request.method, headers, body: hasBody ? body : null });
}

export async function sendWebResponse(answer, response) {
  response.writeHead(answer.status, Object.fromEntries(answer.headers));
  response.end(Buffer.from(await answer.arrayBuffer()));
}

/** The dialect in which the request with these Headers is signed. */
export function dialectOf(headers) {
  if (headers.has("signature-input")) return "rfc9421";
  return headers.has("signature") ? "draft-cavage-http-signatures-12" : null;
}
