// Keeps the list fresh. The page does all it does without this, too; but it cannot tell anybody without being looked at.
"use strict";

const list = () => document.getElementById("list");
const headline = document.getElementById("headline");
const lost = document.getElementById("lost");
const bell = document.getElementById("notify");
const GUARD_MS = 700;
let sending = false;

// As entered.js, in case shut.js has taken this session for over: where another site had led here, it saw no cookie.
try { localStorage.setItem("inbox", location.pathname); } catch {}

let guardedUntil = 0;

// What a person may have been about to press: the cards that stand there, in their order and state.
const shape = (node) => [...node.querySelectorAll("article")].map((card) => card.id + card.dataset.version).join();
// What a page says, whatever the time is, and whatever was unfolded.
const said = (node) => node.innerHTML.replace(/(<time[^>]*>)[^<]*/g, "$1").replace(/(<details[^>]*?) open=""/g, "$1");

async function refresh() {
  if (sending) return;
  const answer = await fetch("cards" + location.search);
  if (answer.status === 403) return location.reload();
  if (!answer.ok || sending) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const before = list().dataset, after = page.getElementById("list").dataset;
  const moved = ["result", "list"].map((id) => renew(document.getElementById(id), page.getElementById(id)));
  if (!moved.includes(true)) return;
  // A click that was meant for what stood there a moment ago must not land on another card's button.
  guardedUntil = performance.now() + GUARD_MS;
  if (headline.textContent !== after.headline) headline.textContent = after.headline;
  document.title = (after.needing === "0" ? "" : `(${after.needing}) `) + "Approval inbox";
  if (Number(after.needing) > Number(before.needing)) notify(after.headline);
}

// Puts what is fresh in the place of what is old; whether a card has come, gone or changed.
function renew(old, fresh) {
  if (said(old) === said(fresh)) {
    const times = fresh.querySelectorAll("time");
    old.querySelectorAll("time").forEach((time, at) => { time.textContent = times[at].textContent; });
    return false;
  }
  const moved = shape(old) !== shape(fresh);
  for (const fold of old.querySelectorAll("details[open]")) same(fresh, fold)?.setAttribute("open", "");
  const typed = [...old.querySelectorAll("input[id]")].filter((field) => field.value);
  for (const field of typed) { const now = same(fresh, field); if (now) now.value = field.value; }
  const focused = old.contains(document.activeElement) ? document.activeElement : null;
  const caret = focused?.selectionStart;
  old.replaceWith(fresh);
  const again = focused?.id ? document.getElementById(focused.id) : null;
  again?.focus({ preventScroll: true });
  if (typeof caret === "number") again?.setSelectionRange(caret, focused.selectionEnd);
  return moved;
}

const same = (within, node) => within.querySelector(`#${CSS.escape(node.id)}`);

// ------------------------------------------------------------------------------------------------- telling who is away

if ("Notification" in window && Notification.permission === "default") bell.hidden = false;
bell.addEventListener("click", async () => {
  await Notification.requestPermission();
  bell.hidden = true;
  headline.tabIndex = -1;
  headline.focus();
});

function notify(words) {
  if (!("Notification" in window) || Notification.permission !== "granted" || document.hasFocus()) return;
  try {
    const notice = new Notification("Approval inbox", { body: words, tag: "fraction-mcp" });
    notice.onclick = () => { window.focus(); notice.close(); };
  } catch {}  // some browsers on phones have it and cannot
}

// --------------------------------------------------------------------------------------------------------- deciding

document.addEventListener("click", (event) => {
  if (event.target.closest("form[method=post] button") && performance.now() < guardedUntil) event.preventDefault();
}, true);

document.addEventListener("submit", (event) => {
  if (event.target.method !== "post") return;
  if (sending) return event.preventDefault();
  sending = true;
  event.target.classList.add("sending");
  event.target.setAttribute("aria-busy", "true");
});

// A page that the browser kept and shows again is not the page that was sent.
window.addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

const clock = setInterval(() => refresh().catch(() => {}), 30_000);  // how long it is until a write expires
const stays = "stays" in document.querySelector("main").dataset;  // under a name of its own, where people sign in
let events;

function listen() {
  events = new EventSource("events");
  events.onmessage = () => refresh().catch(() => {});
  events.onerror = stays ? comeBack : end;
}

// A server that people sign in to begins anew, and so does a proxy. Who is signed out is led to the sign-in.
function comeBack() {
  refresh().catch(() => {});
  if (events.readyState === EventSource.CLOSED) setTimeout(listen, 10_000);
}

// The inbox has ended. Whoever gets its port next gets no visits from a page that was left open.
function end() {
  events.close();
  clearInterval(clock);
  if (sending) return;
  lost.hidden = false;
  for (const control of document.querySelectorAll("form button, form input, form select")) control.disabled = true;
  for (const link of document.querySelectorAll("a")) link.removeAttribute("href");
  bell.hidden = true;
}

listen();
