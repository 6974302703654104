// Where this browser's own pages are: it keeps that for this address alone, port and all, for shut.js to lead back here.
// In the page before them, which leads on when this has run: whoever sees the inbox can be led back to it.
"use strict";

try { localStorage.setItem("inbox", document.currentScript.dataset.root); } catch {}
