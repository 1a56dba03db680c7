"""Tables on an object store: immutable objects, and one root that a conditional PUT flips, which is the commit.

Code that knows what happens in a run does not belong here. `contract/object_client` speaks to the store, `probe`
refuses one that cannot keep the promise, `commit` publishes, `lease` keeps a second run away, `sweep` deletes,
`scratch` holds the local copies, `delta` writes the log for other engines.
"""
