// The service's HTTP interface. Whatever goes wrong becomes a sentence that says what to do.

import { storedKey, askForKey } from "./key.js";

/** `kind` is the service's error code, or `offline`, `unreachable`, `slow`, `cancelled`, `unexpected`. */
export class ApiError extends Error {
  constructor(kind, sentence, seconds = 0) {
    super(sentence);
    this.kind = kind;
    this.seconds = seconds;
  }
}

const LONGEST_WAIT_SECONDS = 30;
/** A photo has the service's time to arrive (RECOLOR_UPLOAD_SECONDS) and to be rendered (RECOLOR_RENDER_SECONDS). */
const LONGEST_WAIT_FOR_PHOTO_SECONDS = 120;

/**
 * Ask the service and give its response. `body` is sent as JSON, unless it is a form. Throws ApiError. Where a key is
 * wanted the user is asked for it, unless `quietly`.
 */
export async function ask(path, { body, accept, signal, quietly = false } = {}) {
  for (;;) {
    const key = storedKey();
    const response = await send(path, { body, accept, signal, key });
    if (response.ok) return response;
    const error = await errorOf(response, path);
    if (error.kind !== "unauthorized" || quietly || !(await askForKey(Boolean(key)))) throw error;
  }
}

async function send(path, { body, accept, signal, key }) {
  const isForm = body instanceof FormData;
  const headers = new Headers();
  if (body && !isForm) headers.set("Content-Type", "application/json");
  if (accept) headers.set("Accept", accept);
  if (key) headers.set("Authorization", `Bearer ${key}`);
  const seconds = isForm ? LONGEST_WAIT_FOR_PHOTO_SECONDS : LONGEST_WAIT_SECONDS;
  const late = AbortSignal.timeout(1000 * seconds);
  try {
    return await fetch(path, {
      method: body ? "POST" : "GET",
      headers,
      body: isForm ? body : body && JSON.stringify(body),
      signal: signal ? AbortSignal.any([signal, late]) : late,
    });
  } catch {
    if (signal?.aborted) throw new ApiError("cancelled", "Cancelled.");
    if (late.aborted) throw new ApiError("slow", `The service has not answered within ${seconds} seconds. Try again.`);
    if (!navigator.onLine) {
      throw new ApiError("offline", "This device is offline. Connect it to the network, then try again.");
    }
    throw new ApiError("unreachable", "The service cannot be reached. Check that it is running, then try again.");
  }
}

/** The body of a response, which may be cut off on its way. `as` is `json`, `arrayBuffer`, `blob`. */
export async function read(response, as) {
  try {
    return await response[as]();
  } catch {
    throw new ApiError("unexpected", "The service's answer broke off. Try again.");
  }
}

async function errorOf(response, path) {
  const seconds = Number(response.headers.get("Retry-After")) || 0;
  const told = await response.json().then((body) => body.error, () => null);
  const wait = seconds ? `Try again in ${seconds} s.` : "Try again soon.";
  switch (response.status) {
    case 401:
      return new ApiError("unauthorized", "This service asks for a key, and was given none that it knows.");
    case 404:
    case 405:
      return new ApiError("not_found", `This service does not offer ${path.slice(1)}: it may be of another version.`);
    case 413:
      return new ApiError("too_large", `That is too large for this service. ${told?.message ?? ""}`);
    case 429:
      return new ApiError("too_many_requests", `The service has too much to do. ${wait}`, seconds || 1);
    case 503:
      return new ApiError("unavailable", `Nobody can answer now. ${told?.message ?? ""} ${wait}`, seconds || 1);
  }
  if (!told?.message) {
    return new ApiError("unexpected", `The service answered in an unexpected way (${response.status}). Try again.`);
  }
  const named = response.status >= 500 ? ` Its request_id is ${told.request_id}.` : "";
  return new ApiError(told.code, told.message + named);
}
