"""Charts, pictures and colour scales as SVG and PNG."""
