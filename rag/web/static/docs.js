// Shows the OpenAPI document on the page that names it. A script of its own, since the page's policy lets none inline run.
"use strict";

SwaggerUIBundle({
  domNode: document.getElementById("docs"),
  url: document.getElementById("docs").dataset.document,
  validatorUrl: null, // it would send the document's address to a stranger
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
});
