"""Charts as SVG, made on the server: from steps of time to series, and from series to what a template draws."""
