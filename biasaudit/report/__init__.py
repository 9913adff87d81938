"""Results to HTML, Markdown, CSV and a model card; knows the results only, never torch."""
