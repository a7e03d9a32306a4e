// The flow figure: drawn by Plotly from what the page carries; a click on a step opens it.
const place = document.getElementById("sankey");
const { data, layout } = JSON.parse(place.dataset.figure);
const dark = matchMedia("(prefers-color-scheme: dark)");

function draw() {
  const style = getComputedStyle(document.documentElement);
  const ink = style.getPropertyValue("--ink").trim();
  for (const trace of data) trace.textfont = { color: ink, shadow: "none" };
  Plotly.react(
    place,
    data,
    {
      ...layout,
      margin: { l: 8, r: 8, t: 8, b: 8 },
      font: { color: ink, family: style.getPropertyValue("--font"), size: 13 },
      paper_bgcolor: "rgba(0,0,0,0)",
    },
    { displayModeBar: false, responsive: true },
  );
}

if (data.length) {
  draw();
  dark.addEventListener("change", draw);
  place.on("plotly_click", ({ points: [point] }) => {
    const step = point.customdata;
    const row = typeof step === "string" && document.querySelector(`tr[data-step="${CSS.escape(step)}"] a.open`);
    if (row) row.click();
  });
} else place.remove();
