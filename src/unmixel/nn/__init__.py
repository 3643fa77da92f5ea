"""Network blocks: they know tensors and shapes, and nothing of scenes."""
