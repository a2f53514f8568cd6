"""The warehouse writer: topics in, BigQuery tables out, each message with exactly one effect."""
