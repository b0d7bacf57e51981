import {
  AlertOutlined,
  AreaChartOutlined,
  ApartmentOutlined,
  ContainerOutlined,
  DashboardOutlined,
  MoonOutlined,
  SettingOutlined,
  SunOutlined,
  TranslationOutlined,
  UnorderedListOutlined,
} from "@ant-design/icons";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Suspense, lazy, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, NavLink, Outlet, useLocation, useNavigate, useRouteError } from "react-router";
import { answer, api } from "../api/client";
import { logOut, useSession } from "../api/session";
import { speak } from "../i18n";
import { useDashboards } from "../lib/dashboards";
import { useKeys } from "../lib/keys";
import { heard, useTicking } from "../lib/now";
import { alerts, gaps, stream, useLive } from "../live/store";
import { useTheme } from "../theme";
import { Failed, Loading } from "./bits";
import { useNudged } from "../lib/nudge";

const Help = lazy(() => import("./help"));

/** In the list of pages only where there are dashboards: without them it only tells how to have some. */
const DASHBOARDS = {
  to: "/dashboards",
  key: "d",
  name: "nav.dashboards",
  icon: <AreaChartOutlined />,
} as const;
const PAGES = [
  { to: "/", key: "o", name: "nav.overview", icon: <DashboardOutlined /> },
  { to: "/alerts", key: "a", name: "nav.alerts", icon: <AlertOutlined /> },
  { to: "/incidents", key: "i", name: "nav.incidents", icon: <UnorderedListOutlined /> },
  { to: "/containers", key: "c", name: "nav.containers", icon: <ContainerOutlined /> },
  { to: "/trees", key: "t", name: "nav.trees", icon: <ApartmentOutlined /> },
  { to: "/system", key: "s", name: "nav.system", icon: <SettingOutlined /> },
] as const;

/** What the header and the overview both show; the shell keeps it fresh. */
export function useOverview(window = "15m") {
  const asked = useQuery({
    queryKey: ["overview", window],
    queryFn: ({ signal }) =>
      answer(
        api.GET("/api/overview", {
          params: { query: { window: window as "15m" } },
          signal,
        }),
      ),
    refetchInterval: 10_000,
  });
  const generated = asked.data?.generated;
  useEffect(() => heard(generated), [generated]);
  return asked;
}

/** Alerts change what the numbers say, and a gap changes anything. */
function useNudges() {
  const client = useQueryClient();
  useNudged(alerts.listen, "overview", 1000);
  useEffect(() => gaps.listen(() => void client.invalidateQueries()), [client]);
}

/** `g` and a letter go to a page. */
function usePageKeys(help: () => void) {
  const navigate = useNavigate();
  const going = useRef(0);
  const go = (to: string) => () => {
    if (Date.now() - going.current < 1500) void navigate(to);
    going.current = 0;
  };
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      // Before a page's own keys: after `g` a letter names a page.
      if (Date.now() - going.current >= 1500) return;
      const page = PAGES.find((one) => one.key === event.key);
      if (page) {
        event.preventDefault();
        event.stopImmediatePropagation();
        go(page.to)();
      }
    };
    window.addEventListener("keydown", pressed, true);
    return () => window.removeEventListener("keydown", pressed, true);
  });
  useKeys({
    g: () => {
      going.current = Date.now();
    },
    "?": help,
  });
}

export function Shell() {
  const { t } = useTranslation();
  const [help, setHelp] = useState(false);
  useTicking();
  useNudges();
  usePageKeys(() => setHelp(true));
  const overview = useOverview();
  const open = overview.data?.alerts.open ?? 0;
  const dashboards = useDashboards().data?.dashboards ?? [];
  const pages = dashboards.length > 0 ? [...PAGES, DASHBOARDS] : PAGES;
  const place = useLocation();
  const main = useRef<HTMLElement>(null);
  useEffect(() => {
    main.current?.scrollTo(0, 0);
  }, [place.pathname]);
  return (
    <div className="shell">
      <a className="skip" href="#main">
        {t("skip")}
      </a>
      <header className="top">
        <Link to="/" className="brand" aria-label="Hanabi">
          <img src="/icon.svg" alt="" width="22" height="22" />
          <span>Hanabi</span>
        </Link>
        <LiveState />
        <Switches />
      </header>
      <nav className="side" aria-label={t("nav.label")}>
        {pages.map((page) => (
          <NavLink key={page.to} to={page.to} end={page.to === "/"}>
            <span aria-hidden="true">{page.icon}</span>
            <span className="word">{t(page.name)}</span>
            {page.to === "/alerts" && open > 0 && (
              <span className="badge" title={t("nav.open", { n: open })}>
                {open > 999 ? "999+" : open}
              </span>
            )}
          </NavLink>
        ))}
      </nav>
      <main id="main" ref={main}>
        <Gap />
        <Suspense fallback={<Loading />}>
          <Outlet />
        </Suspense>
      </main>
      {help && (
        <Suspense>
          <Help close={() => setHelp(false)} />
        </Suspense>
      )}
    </div>
  );
}

function LiveState() {
  const { t } = useTranslation();
  const status = useLive((live) => live.status);
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (status.name !== "reconnecting") return;
    const timer = setInterval(() => setNow(Date.now()), 500);
    return () => clearInterval(timer);
  }, [status]);
  const seconds =
    status.name === "reconnecting" ? Math.max(0, Math.ceil((status.at - now) / 1000)) : 0;
  return (
    <span className={`live ${status.name}`} role="status">
      <i aria-hidden="true" />
      {t(`live.${status.name}`, { n: seconds })}
      {status.name === "reconnecting" && (
        <button type="button" className="button small" onClick={() => stream.retry()}>
          {t("live.retry")}
        </button>
      )}
    </span>
  );
}

function Switches() {
  const { t, i18n } = useTranslation();
  const { theme, turn } = useTheme();
  const me = useSession((session) => session.me);
  const other = i18n.language === "zh" ? "en" : "zh";
  const name = t(theme === "dark" ? "theme.light" : "theme.dark");
  return (
    <span className="switches">
      <button type="button" className="button plain" onClick={turn} aria-label={name} title={name}>
        {theme === "dark" ? <SunOutlined /> : <MoonOutlined />}
      </button>
      <button type="button" className="button plain" lang={other} onClick={() => void speak(other)}>
        <TranslationOutlined /> {t("language.other")}
      </button>
      {me?.csrf && (
        <button type="button" className="button plain" onClick={() => void logOut()}>
          {t("login.leave", { name: me.name })}
        </button>
      )}
    </span>
  );
}

/** Says that something was missed, since silence would look like nothing happened. */
function Gap() {
  const { t } = useTranslation();
  const { gap, forget } = useLive();
  if (!gap) return null;
  return (
    <div className="notice" role="status">
      {gap.lagged === null ? t("live.gap") : t("live.lagged", { n: gap.lagged })}
      <button type="button" className="button small" onClick={forget}>
        {t("close")}
      </button>
    </div>
  );
}

export function NoPage() {
  const { t } = useTranslation();
  return (
    <div className="nothing">
      <h1>{t("error.page")}</h1>
      <Link to="/">{t("error.home")}</Link>
    </div>
  );
}

/** A page that failed takes no other with it. */
export function Crashed() {
  const { t } = useTranslation();
  const error = useRouteError();
  return (
    <div className="nothing">
      <h1>{t("error.crash")}</h1>
      <Failed error={error} retry={() => location.reload()} />
    </div>
  );
}
