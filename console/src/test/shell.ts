import { http, HttpResponse } from "msw";

/** What the frame of every page asks for, where a test is about something else. */
export const SHELL = [
  http.get("*/api/dashboards", () => HttpResponse.json({ dashboards: [] })),
  http.get("*/api/overview", () => HttpResponse.json({}, { status: 503 })),
];
