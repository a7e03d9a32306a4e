/* The holder's page: a desk would like to compare the holder's face; agree, or be looked at. */
(function () {
  "use strict";

  const find = (id) => document.getElementById(id);
  const card = window.card;
  if (!card) {
    return; // the page without a card
  }
  let asked = null;
  let timer = 0;

  function show(next) {
    clearTimeout(timer);
    if (!next) {
      asked = null;
      if (window.sheets.current() === "compare") {
        window.sheets.close();
      }
      return;
    }
    const fresh = !asked || asked.id !== next.id || asked.agreed !== next.agreed;
    asked = next;
    timer = setTimeout(() => show(null), next.expires_in * 1000);
    if (fresh && window.sheets.current() !== "approval") {
      find("compare-what").innerHTML = next.html;
      find("compare-agree").hidden = next.agreed;
      find("compare-decline").textContent = find("compare").dataset[next.agreed ? "back" : "decline"];
      window.sheets.open("compare");
      find("announce").textContent = find("compare-title").textContent;
      if (navigator.vibrate) {
        navigator.vibrate(80);
      }
    }
  }

  ["agree", "decline"].forEach((answer) => {
    find("compare-" + answer).addEventListener("click", async () => {
      if (asked && (await card.act(find("compare"), "comparisons/" + asked.id, { answer: answer })) && !asked) {
        window.sheets.close();
      }
    });
  });
  document.addEventListener("card-shown", (event) => show(event.detail.compare));
  show(JSON.parse(document.body.dataset.state).compare);
})();
