// Keeps the list fresh. The page does all it does without this, too.
"use strict";

const list = () => document.getElementById("list");
const headline = document.getElementById("headline");
const lost = document.getElementById("lost");
const GUARD_MS = 700;
let sending = false;

// Where this browser's own pages are: it keeps that for this address alone, port and all, for shut.js to lead back here.
try { localStorage.setItem("inbox", location.pathname); } catch {}

let guardedUntil = 0;

// What a person may have been about to press: the cards that stand there, in their order and state.
const shape = (node) => [...node.querySelectorAll("article")].map((card) => card.id + card.dataset.version).join();

async function refresh() {
  if (sending) return;
  const answer = await fetch("cards" + location.search);
  if (answer.status === 403) return location.reload();
  if (!answer.ok || sending) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("list");
  const old = list();
  const unfolded = [...old.querySelectorAll("details[open]")].map((fold) => fold.id);
  for (const id of unfolded) fresh.querySelector(`#${CSS.escape(id)}`)?.setAttribute("open", "");
  if (old.innerHTML === fresh.innerHTML) return;
  const focused = document.activeElement?.id;
  const moved = shape(old) !== shape(fresh);
  old.replaceWith(fresh);
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  if (!moved) return;
  // A click that was meant for what stood there a moment ago must not land on another card's button.
  guardedUntil = performance.now() + GUARD_MS;
  if (headline.textContent !== fresh.dataset.headline) headline.textContent = fresh.dataset.headline;
  const needing = fresh.dataset.needing;
  document.title = (needing === "0" ? "" : `(${needing}) `) + "Approval inbox";
}

document.addEventListener("click", (event) => {
  if (event.target.closest("form button") && performance.now() < guardedUntil) event.preventDefault();
}, true);

document.addEventListener("submit", (event) => {
  if (sending) return event.preventDefault();
  sending = true;
  event.target.classList.add("sending");
  event.target.setAttribute("aria-busy", "true");
});

// A page that the browser kept and shows again is not the page that was sent.
window.addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

const events = new EventSource("events");
const clock = setInterval(() => refresh().catch(() => {}), 30_000);  // how long it is until a write expires
events.onmessage = () => refresh().catch(() => {});
events.onerror = () => {
  // The inbox has ended. Whoever gets its port next gets no visits from a page that was left open.
  events.close();
  clearInterval(clock);
  if (sending) return;
  lost.hidden = false;
  for (const button of document.querySelectorAll("form button")) button.disabled = true;
};
