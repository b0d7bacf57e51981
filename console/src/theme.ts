import { theme as antd } from "antd";
import type { ThemeConfig } from "antd";
import { create } from "zustand";
import { remember } from "./i18n";

export type Theme = "dark" | "light";

/** `boot.js` has set it before the first paint. */
const now = (): Theme => (document.documentElement.dataset.theme === "dark" ? "dark" : "light");

export const useTheme = create<{ theme: Theme; turn: () => void }>()((set, get) => ({
  theme: now(),
  turn: () => {
    const theme = get().theme === "dark" ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    remember("hanabi.theme", theme);
    set({ theme });
  },
}));

/** Ant Design's side of the colours in `style.css`. */
export function antdTheme(theme: Theme): ThemeConfig {
  const dark = theme === "dark";
  return {
    algorithm: dark ? antd.darkAlgorithm : antd.defaultAlgorithm,
    token: {
      colorPrimary: dark ? "#3470d8" : "#1d5fc2",
      colorBgBase: dark ? "#12161d" : "#ffffff",
      colorTextBase: dark ? "#e4e8ee" : "#18202c",
      colorTextPlaceholder: dark ? "#949eae" : "#5d6878",
      fontSize: 13,
      borderRadius: 6,
      motion: false,
      fontFamily: "inherit",
    },
  };
}

/** What the page's policy lets styles be made with. */
export const nonce =
  document.querySelector<HTMLMetaElement>("meta[property=csp-nonce]")?.nonce ?? undefined;
