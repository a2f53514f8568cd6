-- Incidents by source, month of occurrence (civil), area, category and kind.
{% import 'windows.jinja' as windows %}

{{ windows.counts('month', "concat(substring(occurred_local, 1, 7), '-01T00:00:00')") }}
