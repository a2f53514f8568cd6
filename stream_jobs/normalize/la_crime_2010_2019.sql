-- Los Angeles crime reports 2010 to 2019: both legacy tables have the same columns, so they are one file.
{% include 'la_crime_reports.sql' %}
