"""The web portal: server-rendered pages over the use cases, each behind its action; a face beside the API, not on it."""
