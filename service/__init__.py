"""The reading side: every workspace's usage over HTTP. It reads what `pipeline` publishes and writes nothing."""
