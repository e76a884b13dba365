"use strict";
// The page's script comes in parts, which become one. This part: making elements, and writing numbers.
// Whatever comes from a run becomes text by `textContent` or an attribute by `setAttribute`, and never markup.

const SVG = "http://www.w3.org/2000/svg";

/** The text with characters made visible that show as nothing, or change how others show. */
function visible(text) {
  return text.replace(/[\p{Cc}\u2028-\u202e\u2066-\u2069]/gu, (char) =>
    (char === "\n" || char === "\t" ? char : `\\u{${char.codePointAt(0).toString(16)}}`));
}

function fillIn(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, String(value));
  }
  for (const child of children.flat(3)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(visible(String(child))));
  }
  return element;
}

/** An HTML element with attributes, listeners and children (elements or text). */
function make(tag, attributes, ...children) {
  return fillIn(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
function draw(tag, attributes, ...children) {
  return fillIn(document.createElementNS(SVG, tag), attributes, children);
}

function counted(count, noun, many) {
  return `${whole(count)} ${count === 1 ? noun : many || `${noun}s`}`;
}

function whole(count) {
  return Math.round(count).toString().replace(/\B(?=(\d{3})+$)/g, ",");
}

/** A number with about three digits, without an exponent. */
function short(number) {
  if (number === 0) return "0";
  const size = Math.abs(number);
  if (size >= 1000) return whole(number);
  if (size >= 100) return number.toFixed(0);
  return String(Number(number.toFixed(size >= 10 ? 1 : size >= 0.1 ? 2 : 3)));
}

function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high);
}

const measure = (() => {
  const canvas = document.createElement("canvas").getContext("2d");
  return (text, size, weight) => {
    canvas.font = `${weight || 400} ${size}px system-ui, "Liberation Sans", sans-serif`;
    return canvas.measureText(text).width;
  };
})();

/** As much of the text as fits into so many pixels. */
function fit(text, room, size, weight) {
  if (measure(text, size, weight) <= room) return text;
  let end = Math.min(text.length, Math.ceil(room / 3));
  while (end > 0 && measure(`${text.slice(0, end)}…`, size, weight) > room) end -= 1;
  return end > 0 ? `${text.slice(0, end)}…` : "";
}

/** Steps of 1, 2 or 5 times a power of ten, about so many from 0 to `high`. */
function ticks(high, about) {
  if (!(high > 0)) return [0];
  const rough = high / Math.max(about, 1);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((times) => times * power).find((candidate) => candidate >= rough);
  const marks = [];
  for (let i = 0; i * step <= high * 1.0001; i += 1) marks.push(Number((i * step).toPrecision(12)));
  return marks;
}
