// Draws the figures of a page: specifications of plotly as JSON, in the colours of the page, light or dark.

const dark = window.matchMedia("(prefers-color-scheme: dark)");
const COLOURS = ["--stream", "--wait", "--good", "--bad", "--ink-soft"];

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function layoutOf(spec) {
  const axis = { gridcolor: colour("--line"), zerolinecolor: colour("--line-strong"), linecolor: colour("--line"), automargin: true, exponentformat: "none" };
  const given = spec.layout ?? {};
  const axes = Object.fromEntries(
    Object.entries({ xaxis: {}, yaxis: {}, ...given })
      .filter(([name]) => /^[xy]axis\d*$/.test(name))
      .map(([name, value]) => [name, { ...axis, ...value }]),
  );
  return {
    font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: colour("--ink") },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    colorway: COLOURS.map(colour),
    margin: { l: 8, r: 8, t: 8, b: 8 },
    legend: { orientation: "h", y: -0.2 },
    hoverlabel: { bgcolor: colour("--surface"), bordercolor: colour("--line-strong"), font: { color: colour("--ink") } },
    height: 320,
    ...given,
    ...axes,
  };
}

function draw(area) {
  const spec = JSON.parse(document.getElementById(area.dataset.plot).textContent);
  const locale = document.documentElement.lang;
  const separators = locale === "de" ? ",." : ".,";
  const config = { displayModeBar: false, responsive: true, staticPlot: false, showTips: false };
  globalThis.Plotly.react(area, spec.data, { ...layoutOf(spec), separators }, config);
}

function drawAll() {
  for (const area of document.querySelectorAll("[data-plot]")) draw(area);
}

// Plotly makes style elements of its own. The policy lets only those through that carry this page's nonce.
function makeStylesWithNonce() {
  const { nonce } = document.getElementById("plotly.js-style-global");
  const create = document.createElement.bind(document);
  document.createElement = (name, options) => {
    const made = create(name, options);
    if (made instanceof HTMLStyleElement) made.nonce = nonce;
    return made;
  };
}

function loadPlotly() {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = document.querySelector("meta[name=plotly]").content;
    script.addEventListener("load", resolve);
    script.addEventListener("error", reject);
    document.head.append(script);
  });
}

async function start() {
  await loadPlotly(); // the page is there before it: nobody waits for figures to read the rest
  drawAll();
  dark.addEventListener("change", drawAll);
}

makeStylesWithNonce();
if (document.querySelector("[data-plot]")) start();
