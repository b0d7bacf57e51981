import { create } from "zustand";
import type { Schema } from "./client";

type Me = Schema["Me"];

interface Session {
  /** Who asks; nobody before the service was asked, or where it wants to know and was not told. */
  me: Me | null;
  /** Whether somebody has to log in. */
  out: boolean;
  /** How often somebody has come in: what was shown before is another's. */
  entered: number;
}

export const useSession = create<Session>()(() => ({ me: null, out: false, entered: 0 }));

/**
 * Whether who asks may use a route, by its method and template (`GET /api/tokens`). Before it is
 * known who asks nothing is hidden: the service refuses what it has to.
 */
export function useMay(route: string): boolean {
  return useSession(({ me }) => me?.allowed.includes(route) ?? true);
}

/** The service wants to know who asks. */
export function askWho(): void {
  if (!useSession.getState().out) useSession.setState({ me: null, out: true });
}

/** Asks who one is; in a session that tells the word that changes need beside the cookie. */
export async function whoAmI(): Promise<boolean> {
  const got = await fetch("/api/me").catch(() => null);
  if (got?.status === 401) askWho();
  if (!got?.ok) return false;
  const me = (await got.json()) as Me;
  useSession.setState((was) => ({
    me,
    out: false,
    entered: was.out ? was.entered + 1 : was.entered,
  }));
  return true;
}

/** Trades a token for a session; the token is kept nowhere. */
export async function logIn(token: string): Promise<"in" | "refused" | "unreachable"> {
  const got = await fetch("/api/login", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ token }),
  }).catch(() => null);
  if (!got || got.status >= 500) return "unreachable";
  return got.ok && (await whoAmI()) ? "in" : "refused";
}

export async function logOut(): Promise<void> {
  const csrf = useSession.getState().me?.csrf;
  await fetch("/api/logout", {
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...(csrf ? { "x-csrf-token": csrf } : {}),
    },
    body: "{}",
  }).catch(() => null);
  await whoAmI();
}
