"""A dataset as pages to look at: report.html, one image (preview), a sheet for a native reader (sample). Offline."""
