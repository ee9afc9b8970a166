"use strict";
// Draws the figures in the reader's colours; Okabe and Ito's, told apart by dashes as well.
const errors = [];
window.addEventListener("error", (event) => note(event.message));
window.addEventListener("securitypolicyviolation", (event) => note(event.violatedDirective));
function note(message) {
  errors.push(message);
  document.documentElement.dataset.errors = errors.join("; ");
}

const LIGHT = {
  ink: "#16202b", quiet: "#55616f", line: "#d9dee5", card: "#ffffff",
  repeats: ["#0072b2", "#d55e00", "#009e73", "#b0568c", "#8a6d00", "#2f8fc4", "#444444"],
  MET: "#00664d", NOT_MET: "#b3311c", INCONCLUSIVE: "#7a5200", REFERENCE_ONLY: "#0b5cad",
  NOT_TESTABLE_HERE: "#55616f", CONSISTENT: "#0b5cad", INCONSISTENT: "#8f3f86",
  INCONSISTENT_BOUND: "#8f3f86", claim: "#16202b", tolerance: "rgba(0,114,178,0.16)",
  window: "rgba(0,114,178,0.10)", cliff: "#b3311c",
  heat: [[0, "#f4f8fc"], [1, "#6aa5d9"]],
};
const DARK = {
  ink: "#e8edf3", quiet: "#a3afbd", line: "#323d4a", card: "#1a212a",
  repeats: ["#56b4e9", "#f0a15f", "#3fd1a2", "#e39ac7", "#f0e442", "#9fd4f5", "#cccccc"],
  MET: "#4fd1a5", NOT_MET: "#ff8f73", INCONCLUSIVE: "#f0bf52", REFERENCE_ONLY: "#7cb8f5",
  NOT_TESTABLE_HERE: "#a3afbd", CONSISTENT: "#7cb8f5", INCONSISTENT: "#e39ac7",
  INCONSISTENT_BOUND: "#e39ac7", claim: "#e8edf3", tolerance: "rgba(86,180,233,0.22)",
  window: "rgba(86,180,233,0.14)", cliff: "#ff8f73",
  heat: [[0, "#1b2530"], [1, "#2f6ea5"]],
};
const SYMBOLS = {
  MET: "circle", NOT_MET: "x", INCONCLUSIVE: "diamond", REFERENCE_ONLY: "circle-open",
  NOT_TESTABLE_HERE: "square-open", CONSISTENT: "triangle-up-open",
  INCONSISTENT: "triangle-down-open", INCONSISTENT_BOUND: "triangle-down",
};
const CONFIG = { displayModeBar: false, responsive: true, doubleClick: "reset" };
const figures = JSON.parse(document.getElementById("figures").textContent);
const dark = window.matchMedia("(prefers-color-scheme: dark)");

function painted(trace, theme) {
  const role = trace.role;
  const color = typeof role === "number" ? theme.repeats[role % theme.repeats.length] : theme[role];
  const copy = { type: "scatter", ...trace };
  delete copy.role;
  if (copy.type === "heatmap") {
    return { ...copy, colorscale: theme.heat, textfont: { color: theme.ink, size: 13 } };
  }
  if (copy.line) copy.line = { ...copy.line, color };
  copy.marker = { ...copy.marker, color };
  if (SYMBOLS[role]) copy.marker.symbol = SYMBOLS[role];
  if (copy.error_x) copy.error_x = { ...copy.error_x, color, thickness: 2, width: 6 };
  return copy;
}

function shaped(shape, theme) {
  const copy = { ...shape, xref: "x", layer: "below" };
  delete copy.role;
  if (shape.type === "rect") return { ...copy, fillcolor: theme[shape.role], line: { width: 0 } };
  return { ...copy, line: { color: theme[shape.role], width: 2 } };
}

function axis(given, theme) {
  return {
    automargin: true, gridcolor: theme.line, linecolor: theme.line, zerolinecolor: theme.line,
    fixedrange: false, ...given,
  };
}

function laidOut(given, theme) {
  return {
    height: 300, margin: { l: 60, r: 16, t: 10, b: 44 }, hovermode: "closest",
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: "system-ui, sans-serif", size: 12, color: theme.quiet },
    legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 },
    hoverlabel: { bgcolor: theme.card, font: { color: theme.ink } },
    ...given,
    xaxis: axis(given.xaxis, theme), yaxis: axis(given.yaxis, theme),
    ...(given.yaxis2 ? { yaxis2: axis(given.yaxis2, theme) } : {}),
    shapes: (given.shapes || []).map((shape) => shaped(shape, theme)),
  };
}

// A page of many phases opens at once: a plot is drawn when it comes near the window.
const AHEAD = 400;
const drawn = new Set();

function draw(id, theme) {
  const figure = figures[id];
  drawn.add(id);
  const data = figure.data.map((trace) => painted(trace, theme));
  Plotly.react(id, data, laidOut(figure.layout, theme), CONFIG);
}

function drawEach(ids, theme) {
  document.documentElement.dataset.scheme = theme === DARK ? "dark" : "light";
  for (const id of ids) draw(id, theme);
  document.documentElement.dataset.drawn = drawn.size;
}

function near(id) {
  const place = document.getElementById(id).getBoundingClientRect();
  return place.height > 0 && place.top < window.innerHeight + AHEAD;
}

const current = () => (dark.matches ? DARK : LIGHT);
const coming = new IntersectionObserver((entries) => {
  const here = entries.filter((entry) => entry.isIntersecting).map((entry) => entry.target);
  here.forEach((place) => coming.unobserve(place));
  drawEach(here.map((place) => place.id).filter((id) => !drawn.has(id)), current());
}, { rootMargin: `${AHEAD}px 0px` });

const ids = Object.keys(figures);
document.documentElement.dataset.plots = ids.length;
drawEach(ids.filter(near), current());
ids.filter((id) => !drawn.has(id)).forEach((id) => coming.observe(document.getElementById(id)));
dark.addEventListener("change", () => drawEach([...drawn], current()));
// Paper can't be unfolded: what belongs to a verdict is printed open.
const folded = document.querySelectorAll(".claims details:not([open])");
function unfold(open) {
  folded.forEach((part) => { part.open = open; });
}
window.addEventListener("beforeprint", () => { unfold(true); drawEach(ids, LIGHT); });
window.addEventListener("afterprint", () => { unfold(false); drawEach([...drawn], current()); });
