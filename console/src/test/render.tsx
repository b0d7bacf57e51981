import { QueryClientProvider } from "@tanstack/react-query";
import { render } from "@testing-library/react";
import { App as Messages, ConfigProvider } from "antd";
import { RouterProvider, createMemoryRouter } from "react-router";
import { queries, routes } from "../app";
import { speak } from "../i18n";

/** The console at an address. */
export async function at(path: string) {
  await speak("en");
  const router = createMemoryRouter(routes, { initialEntries: [path] });
  render(
    <ConfigProvider>
      <Messages component={false}>
        <QueryClientProvider client={queries()}>
          <RouterProvider router={router} />
        </QueryClientProvider>
      </Messages>
    </ConfigProvider>,
  );
  return router;
}
