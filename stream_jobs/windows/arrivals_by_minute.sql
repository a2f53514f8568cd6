-- What arrived by source and minute of observation (UTC), and how long after the event.
{% import 'windows.jinja' as windows %}

{{ windows.arrivals('minute', "cast(concat(seen_minute, ':00') as timestamp(3))") }}
