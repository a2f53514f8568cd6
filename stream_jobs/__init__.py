"""From raw events to incidents and window counts: Flink SQL, the session that runs it, and the warehouse writer."""
