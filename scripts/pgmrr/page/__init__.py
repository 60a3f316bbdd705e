"""The report as a page: what it shows (content), how it is drawn (charts), and the document (html)."""
