"""The HTTP API: routes, who may call them, schemas, errors, and the server that runs them."""
