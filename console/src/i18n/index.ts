import i18next from "i18next";
import { initReactI18next } from "react-i18next";
import type english from "./en.json";

declare module "i18next" {
  interface CustomTypeOptions {
    defaultNS: "translation";
    resources: { translation: typeof english };
  }
}

export type Language = "en" | "zh";

const LOADERS = { en: () => import("./en.json"), zh: () => import("./zh.json") };

export function remembered(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

export function remember(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // Private windows may have no storage; the choice then lasts as long as the page.
  }
}

/** The language chosen before, else the browser's, else English. */
export function preferred(): Language {
  const word = remembered("hanabi.language") ?? navigator.language;
  return word.startsWith("zh") ? "zh" : "en";
}

/** Loads a language and shows it. */
export async function speak(language: Language): Promise<void> {
  const words = (await LOADERS[language]()).default;
  if (!i18next.isInitialized) {
    await i18next.use(initReactI18next).init({
      lng: language,
      resources: {},
      interpolation: { escapeValue: false },
      returnNull: false,
    });
  }
  i18next.addResourceBundle(language, "translation", words, true, true);
  await i18next.changeLanguage(language);
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  remember("hanabi.language", language);
}
