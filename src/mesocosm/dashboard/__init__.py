"""The dashboard: runs and studies in a browser, live or finished (extra ``dashboard``)."""
