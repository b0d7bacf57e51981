import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app";
import { whoAmI } from "./api/session";
import { preferred, speak } from "./i18n";
import { ALERTS_ONLY, stream } from "./live/store";
import "./styles/index.css";

// After an upgrade the parts of the old console are gone: the new page knows the new ones.
// Once is enough: a part that is missing still is missing for good.
window.addEventListener("vite:preloadError", () => {
  if (sessionStorage.getItem("hanabi.reloaded") === location.pathname) return;
  sessionStorage.setItem("hanabi.reloaded", location.pathname);
  location.reload();
});

const root = document.getElementById("root");
if (root) {
  // Whoever has to log in sees that first, and not an empty page.
  await Promise.all([speak(preferred()), whoAmI()]);
  stream.follow(ALERTS_ONLY);
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
}
