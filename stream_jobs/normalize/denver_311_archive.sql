-- Denver 311 requests of past years: the same columns as the rolling table, so both are one file.
{% include 'denver_contacts.sql' %}
