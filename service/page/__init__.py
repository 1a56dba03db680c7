"""The Usage page, for people who would rather look than call the API: static files, served from memory.

No answer of the API is computed here, and nothing of any tenant is in the files: the page asks the API with the
credential of whoever looks at it. The entry point is `site.Site`, which knows every file by its path.
"""
