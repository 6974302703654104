// Leads a browser on that is signed in, to what it keeps for this very address: no server can tell it from a stranger's.
"use strict";

const kept = localStorage.getItem("inbox");
const write = location.pathname.match(/^\/writes\/(w[0-9a-f]{12})$/);
if (location.pathname === kept) localStorage.removeItem("inbox");  // it led here, so that session is over
else if (/^\/s\/[\w-]+\/$/.test(kept)) location.replace(kept + (write ? `?write=${write[1]}` : ""));
