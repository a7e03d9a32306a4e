/* Sheets over the holder's page: one at a time, the focus stays inside and returns to where it was.
   Escape and the veil close a sheet, except one that wants an answer (data-answers). */
(function () {
  "use strict";

  const find = (id) => document.getElementById(id);
  let sheet = null;
  let opener = null;
  let after = () => {};

  function open(id) {
    if (sheet && sheet.id === id) {
      return;
    }
    if (sheet) {
      sheet.hidden = true;
    } else {
      opener = document.activeElement;
    }
    sheet = find(id);
    sheet.hidden = false;
    sheet.scrollTop = 0;
    const trouble = sheet.querySelector("[data-trouble]");
    if (trouble) {
      trouble.hidden = true;
    }
    find("veil").hidden = false;
    find("page").setAttribute("aria-hidden", "true");
    sheet.focus();
  }

  function close() {
    if (!sheet) {
      return;
    }
    sheet.hidden = true;
    sheet = null;
    find("veil").hidden = true;
    find("page").removeAttribute("aria-hidden");
    if (opener && opener.focus) {
      opener.focus();
    }
    after();
  }

  function dismiss() {
    if (sheet && !("answers" in sheet.dataset)) {
      close();
    }
  }

  function keepInside(event) {
    const stops = Array.from(sheet.querySelectorAll("button:not([disabled]), input"))
      .filter((stop) => stop.getClientRects().length);
    const first = stops[0];
    const last = stops[stops.length - 1];
    const at = document.activeElement;
    if (!first || !sheet.contains(at)) {
      event.preventDefault();
      (first || sheet).focus();
    } else if (event.shiftKey && (at === first || at === sheet)) {
      event.preventDefault();
      last.focus();
    } else if (!event.shiftKey && at === last) {
      event.preventDefault();
      first.focus();
    }
  }

  document.addEventListener("keydown", (event) => {
    if (sheet && event.key === "Escape") {
      dismiss();
    } else if (sheet && event.key === "Tab") {
      keepInside(event);
    }
  });

  document.addEventListener("DOMContentLoaded", () => {
    if (find("veil")) {
      find("veil").addEventListener("click", dismiss);
    }
    document.querySelectorAll("[data-close]").forEach((button) => {
      button.addEventListener("click", close);
    });
  });

  window.sheets = {
    open: open,
    close: close,
    current: () => (sheet ? sheet.id : ""),
    whenClosed: (callback) => {
      after = callback;
    },
  };
})();
