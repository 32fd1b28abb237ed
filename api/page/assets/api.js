// The server's HTTP interface: the token, requests, and errors that say what to do.

const KEY = "tandem-token";

/** What the server refused, or that it could not be reached. */
export class ApiError extends Error {
  constructor({ code, message, fix = "" }, status = 0) {
    super(message);
    this.code = code;
    this.fix = fix;
    this.status = status;
  }
}

/** Take the token out of the address bar, where the link from the terminal has put it. */
export function adoptToken(hash = location.hash) {
  const found = /[#&]token=([^&\s]+)/.exec(hash);
  if (!found) return false;
  sessionStorage.setItem(KEY, decodeURIComponent(found[1]));
  history.replaceState(null, "", `${location.pathname}#/`);
  return true;
}

/** Is there a token to send? */
export const hasToken = () => sessionStorage.getItem(KEY) !== null;

/** A response whose status is good. Raises ApiError. */
export async function request(path, { method = "GET", body, headers = {}, signal } = {}) {
  const told = { Authorization: `Bearer ${sessionStorage.getItem(KEY) ?? ""}`, ...headers };
  if (body !== undefined) told["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(path, { method, headers: told, signal, body: body && JSON.stringify(body), cache: "no-store" });
  } catch (cause) {
    if (cause.name === "AbortError") throw cause;
    const fix = "look whether “tandem serve” still runs in its terminal; this page reconnects by itself";
    throw new ApiError({ code: "UNREACHABLE", message: "The server does not answer.", fix });
  }
  if (response.ok) return response;
  const error = await refusal(response);
  if (response.status === 401) document.dispatchEvent(new CustomEvent("tandem:token", { detail: error }));
  throw error;
}

async function refusal(response) {
  const told = await response.json().then((body) => body.error, () => null);
  const plain = { code: `HTTP_${response.status}`, message: `The server answered ${response.status}.` };
  return new ApiError(told?.code ? told : plain, response.status);
}

/** GET a JSON document. */
export const get = async (path, options) => (await request(path, options)).json();

/** POST a JSON document and read the answer. */
export const post = async (path, body = {}, options = {}) => (await request(path, { ...options, method: "POST", body })).json();

/** A picture of the server as a URL for <img>; revoke it when it is no longer shown. */
export async function picture(path, options) {
  const response = await request(path, options);
  if (response.status === 204) return null;
  return { url: URL.createObjectURL(await response.blob()), frame: response.headers.get("X-Frame") };
}
