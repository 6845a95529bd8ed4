"use strict";

/* Start Swagger UI. If the server requires an API key, ask for one, keep it in memory, and send it with each request. */

const OPENAPI = "/openapi.json";

const access = document.getElementById("access");
const refused = document.getElementById("refused");
const field = document.getElementById("key");
const shown = document.getElementById("swagger-ui");
const dark = window.matchMedia("(prefers-color-scheme: dark)");

let key = "";

function sendKey(request) {
  if (key && !request.headers.Authorization) request.headers.Authorization = `Bearer ${key}`;
  return request;
}

function onResponse(response) {
  if (new URL(response.url, location).pathname === OPENAPI) askForKey(response.status === 401);
  return response;
}

function askForKey(isNeeded) {
  access.hidden = !isNeeded;
  shown.hidden = isNeeded;
  if (!isNeeded) return;
  refused.hidden = key === "";
  key = field.value = "";
  field.focus();
}

function setColors() {
  document.documentElement.classList.toggle("dark-mode", dark.matches);
}

setColors();
dark.addEventListener("change", setColors);

const ui = SwaggerUIBundle({
  url: OPENAPI,
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null, // otherwise a badge would ask a server in the internet
  requestInterceptor: sendKey,
  responseInterceptor: onResponse,
});

access.addEventListener("submit", (event) => {
  event.preventDefault();
  key = field.value;
  ui.specActions.download(OPENAPI);
});
