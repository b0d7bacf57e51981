import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { App as Messages, ConfigProvider } from "antd";
import { useEffect, useState } from "react";
import { RouterProvider, createBrowserRouter } from "react-router";
import { Problem } from "./api/client";
import { useSession } from "./api/session";
import { Loading } from "./components/bits";
import { Login } from "./components/login";
import { Crashed, NoPage, Shell } from "./components/shell";
import { stream } from "./live/store";
import { antdTheme, nonce, useTheme } from "./theme";

export function queries(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: 2_000,
        // What the caller did wrong stays wrong.
        retry: (failures, error) =>
          failures < 2 && !(error instanceof Problem && error.status >= 400 && error.status < 500),
        retryDelay: 1_000,
        refetchOnWindowFocus: true,
      },
    },
  });
}

/** Pages by path; each is fetched when it is first gone to. */
export const routes = [
  {
    element: <Shell />,
    errorElement: <Crashed />,
    HydrateFallback: Loading,
    children: [
      { path: "/", lazy: () => import("./pages/overview") },
      { path: "/alerts", lazy: () => import("./pages/alerts") },
      { path: "/incidents", lazy: () => import("./pages/incidents") },
      { path: "/incidents/:id", lazy: () => import("./pages/incident") },
      { path: "/containers", lazy: () => import("./pages/containers") },
      { path: "/containers/:id/:tab?", lazy: () => import("./pages/container") },
      { path: "/trees", lazy: () => import("./pages/trees") },
      { path: "/trees/:id", lazy: () => import("./pages/tree") },
      { path: "/dashboards", lazy: () => import("./pages/dashboards") },
      { path: "/report", lazy: () => import("./pages/report") },
      { path: "/system", lazy: () => import("./pages/system") },
      { path: "*", element: <NoPage /> },
    ],
  },
];

export function App() {
  const [client] = useState(queries);
  const [router] = useState(() => createBrowserRouter(routes));
  const theme = useTheme((state) => state.theme);
  const { out, entered } = useSession();
  useEffect(() => {
    if (out) stream.close();
  }, [out]);
  useEffect(() => {
    if (entered === 0) return;
    client.clear();
    stream.retry();
  }, [client, entered]);
  return (
    <ConfigProvider
      theme={antdTheme(theme)}
      csp={nonce ? { nonce } : undefined}
      button={{ autoInsertSpace: false }}
    >
      <Messages component={false}>
        <QueryClientProvider client={client}>
          {out ? <Login /> : <RouterProvider router={router} />}
        </QueryClientProvider>
      </Messages>
    </ConfigProvider>
  );
}
