import createClient from "openapi-fetch";
import { askWho, useSession } from "./session";
import type { components, paths } from "./schema";

export type Schema = components["schemas"];
export type Alert = Schema["AlertRow"];
export type Incident = Schema["IncidentRow"];
export type Container = Schema["ContainerRow"];
export type LogRow = Schema["LogRow"];
export type Priority = Schema["Priority"];
export type AlertState = Schema["AlertState"];
export type Triaged = Schema["Triaged"];
export type TreeNode = Schema["TreeNode"];

/** What the service says went wrong, or that it did not answer (status 0). */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    detail: string,
    /** Containers that an ambiguous name may have meant. */
    readonly candidates: { id: string; name: string; host: string }[] = [],
  ) {
    super(detail);
    this.name = "Problem";
  }
}

// `fetch` is looked up at each call, so that a test's replacement is seen.
const client = createClient<paths>({
  baseUrl: location.origin,
  fetch: (request) => globalThis.fetch(request),
});

client.use({
  onRequest({ request }) {
    const csrf = useSession.getState().me?.csrf;
    if (csrf && request.method !== "GET") request.headers.set("x-csrf-token", csrf);
    return request;
  },
  onResponse({ response }) {
    if (response.status === 401) askWho();
  },
});

interface Answered<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** The body of a good answer; anything else is thrown as a {@link Problem}. */
export async function answer<T>(asked: Promise<Answered<T>>): Promise<T> {
  let got: Answered<T>;
  try {
    got = await asked;
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Problem(0, "", error instanceof Error ? error.message : "");
  }
  if (got.response.ok && got.data !== undefined) return got.data;
  const said = (typeof got.error === "object" && got.error !== null ? got.error : {}) as Partial<
    Problem & { detail: string }
  >;
  throw new Problem(
    got.response.status,
    said.title ?? got.response.statusText,
    said.detail ?? "",
    said.candidates,
  );
}

export const api = client;
