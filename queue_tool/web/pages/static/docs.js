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

/* Return the part of the document that one path needs: the path, and each component to which a reference leads. If a
   reference leads elsewhere, return the whole document. */
function partOf(spec, path) {
  const components = { securitySchemes: spec.components.securitySchemes };
  let isEnough = true;
  const follow = (value) => {
    if (typeof value !== "object" || value === null) return;
    if (typeof value.$ref === "string") {
      const [kind, name] = value.$ref.replace("#/components/", "").split("/");
      const found = spec.components[kind]?.[name];
      components[kind] ??= {};
      if (found === undefined) isEnough = false;
      else if (components[kind][name] === undefined) follow((components[kind][name] = found));
    }
    Object.values(value).forEach(follow);
  };
  follow(spec.paths[path]);
  return isEnough ? { ...spec, paths: { [path]: spec.paths[path] }, components } : spec;
}

/* Swagger UI resolves the references of the whole document when the page is shown, for its security schemes, and again
   for each operation that is opened: this takes seconds. The schemes contain no reference, and an operation needs few. */
const resolveOnlyWhatIsShown = ({ fn: { resolveSubtree } }) => ({
  fn: {
    resolveSubtree: (spec, path, options) =>
      resolveSubtree(path[0] === "paths" ? partOf(spec, path[1]) : spec, path, options),
  },
  statePlugins: {
    spec: {
      wrapActions: {
        requestResolvedSubtree: (request) => (path) =>
          path.join() === "components,securitySchemes" ? undefined : request(path),
      },
    },
  },
});

const ui = SwaggerUIBundle({
  url: OPENAPI,
  dom_id: "#swagger-ui",
  deepLinking: true,
  plugins: [resolveOnlyWhatIsShown],
  validatorUrl: null, // otherwise a badge would ask a server in the internet
  requestInterceptor: sendKey,
  responseInterceptor: onResponse,
});

access.addEventListener("submit", (event) => {
  event.preventDefault();
  key = field.value;
  ui.specActions.download(OPENAPI);
});
