// Before anything is painted: the theme, so that a dark page does not flash, and a word when the
// console's own files do not come (an upgrade has replaced them, or the network failed).
"use strict";
(function () {
  var saved = null;
  try {
    saved = localStorage.getItem("hanabi.theme");
  } catch {
    // Private windows may have no storage.
  }
  var dark = saved ? saved === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  function failed() {
    var boot = document.getElementById("boot");
    if (!boot) return;
    boot.textContent = "The console could not be loaded. / 控制台加载失败。 ";
    var again = document.createElement("button");
    again.textContent = "Reload / 重新加载";
    again.onclick = function () {
      location.reload();
    };
    boot.append(again);
  }
  window.addEventListener("error", failed, true);
  window.addEventListener("unhandledrejection", failed);
})();
