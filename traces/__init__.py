"""Floor 0: what happened. Spans, a write-ahead log, content-addressed blobs, and the reader of all three."""
