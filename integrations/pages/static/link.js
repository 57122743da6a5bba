// The token of a mail's link comes after the #, which browsers send to nobody: it goes into the form, and out of the address bar.
"use strict";
const token = decodeURIComponent(location.hash.slice(1));
const field = document.querySelector("[data-link-token]");
if (field && token) {
  field.querySelector("input").value = token;
  field.hidden = true;
  history.replaceState(null, "", location.pathname);
}
