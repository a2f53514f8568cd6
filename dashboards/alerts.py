# ruff: noqa: S608 - the SQL is made of this room's own constants
"""Alert rules: what somebody has to look at. Each has a page in docs/runbooks/ that says what to do.

Rules about feeds ask the warehouse, those about parts ask Prometheus, which scrapes ``civicwire metrics``. A rule
returns its value for every feed or part, and the threshold decides: a query can be tried on data where all is well.

Rules cannot use a dashboard's variables: the data sources are named by the uids of provisioning/datasources/, and the
dataset comes from Grafana's environment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from grafana_foundation_sdk.builders import alerting, bigquery, expr, prometheus
from grafana_foundation_sdk.models import alerting as shapes
from grafana_foundation_sdk.models import bigquery as bigquery_models

from dashboards.feeds import CADENCE_MINUTES

WAREHOUSE = "civicwire-bigquery"
METRICS = "civicwire-prometheus"
RECEIVER = "civicwire"
"""The contact point of dashboards/provisioning/alerting/contact_points.yaml."""
FOLDER_UID, FOLDER_TITLE = "civicwire-folder-feeds", "Feeds and pipeline"
GROUP = "civicwire"
EVERY_SECONDS = 300
DAY_SECONDS = 86_400
MARTS = "${CIVICWIRE_DATASET}_marts"
DOCS = "${CIVICWIRE_DOCS}"
"""Where people read docs/, such as the folder's page at the code's host."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One rule.

    Attributes:
        name: of its runbook page and, behind ``civicwire-``, its uid.
        title: for people.
        summary: what is wrong, with the labels that say where.
        severity: ``page`` for what loses data or stops the line, ``ticket`` for the rest.
        lasting: how long the condition must hold, as Grafana writes spans.
        above: the rule fires above this value; None where ``below`` says it.
        below: the rule fires below this value.
        sql: for the warehouse: text columns are labels, the one number is the value.
        metric: for Prometheus.
        dashboard: uid of the dashboard, and id of its panel, that show it.
        when_silent: what it means that the query returns nothing.
    """

    name: str
    title: str
    summary: str
    severity: Literal["page", "ticket"]
    lasting: str
    above: float | None = None
    below: float | None = None
    sql: str | None = None
    metric: str | None = None
    dashboard: tuple[str, int] = ("civicwire-pipeline", 11)
    when_silent: Literal["OK", "Alerting", "NoData"] = "NoData"

    @property
    def uid(self) -> str:
        """In Grafana; never changes."""
        return f"civicwire-{self.name}"


CADENCES = " ".join(f"when '{source}' then {minutes * 60}" for source, minutes in CADENCE_MINUTES.items())
TRUTH = "civicwire-truth"

ALERTS = (
    Alert(
        name="feed-silent",
        title="A feed is silent beyond its cadence",
        summary="{{ $labels.source }} has not been read without an error for {{ humanize $values.A.Value }} of its "
        "cadences.",
        severity="ticket",
        lasting="15m",
        # A feed of which four polls found nothing is polled half as often, a silent publisher's a quarter as often.
        above=5,
        sql=f"""
select
    source,
    timestamp_diff(current_timestamp(), last_success_at, second)
    / case source {CADENCES} else 86400 end as cadences
from {MARTS}.feed_status
order by source
""",
        dashboard=(TRUTH, 1),
    ),
    Alert(
        name="polls-failing",
        title="A feed's polls fail",
        summary="The last {{ humanize $values.A.Value }} polls of {{ $labels.source }} failed.",
        severity="ticket",
        lasting="0s",
        above=2,
        sql=f"""
select
    source,
    failed_in_a_row
from {MARTS}.feed_status
order by source
""",
        dashboard=("civicwire-pipeline", 31),
    ),
    Alert(
        name="added-lag",
        title="The line adds too much lag",
        summary="Rows of {{ $labels.source }} took {{ humanize $values.A.Value }} s from the poll to the warehouse (95 "
        "%, last day).",
        severity="ticket",
        lasting="15m",
        above=900,
        sql=f"""
select
    status.source,
    coalesce(max(loads.added_lag_p95_seconds), 0) as added_lag
from {MARTS}.feed_status as status
left join {MARTS}.loads_by_hour as loads
    on
        status.source = loads.source
        and loads.hour_start >= timestamp_sub(current_timestamp(), interval 1 day)
group by status.source
order by status.source
""",
        dashboard=("civicwire-pipeline", 12),
    ),
    Alert(
        name="completeness",
        title="Rows are missing in the warehouse",
        summary="{{ $labels.source }}: the share {{ humanize $values.A.Value }} of the rows that exist is not in the "
        "warehouse.",
        severity="page",
        lasting="30m",
        above=0.001,
        sql=f"""
select
    source,
    1 - coalesce(completeness, 0) as missing
from {MARTS}.feed_status
order by source
""",
        dashboard=(TRUTH, 11),
    ),
    Alert(
        name="dead-letters",
        title="Dead letters rise",
        summary="{{ $labels.source }} has {{ humanize $values.A.Value }} dead letters more in two days than the eight "
        "days before suggest.",
        severity="ticket",
        lasting="0s",
        above=10,
        sql=f"""
select
    status.source,
    coalesce(sum(if(letters.day >= date_sub(current_date(), interval 1 day), letters.dead_letters, 0)), 0)
    - coalesce(sum(if(letters.day < date_sub(current_date(), interval 1 day), letters.dead_letters, 0)), 0) / 4
    as risen
from {MARTS}.feed_status as status
left join {MARTS}.dead_letters_by_reason as letters
    on
        status.source = letters.source
        and letters.day >= date_sub(current_date(), interval 9 day)
group by status.source
order by status.source
""",
        dashboard=(TRUTH, 42),
    ),
    Alert(
        name="drift",
        title="A feed drifted",
        summary="{{ $labels.source }}: {{ humanize $values.A.Value }} columns or codes came, went or changed in the "
        "last day.",
        severity="ticket",
        lasting="0s",
        above=0,
        sql=f"""
select
    status.source,
    count(events.observed_at) as drifted
from {MARTS}.feed_status as status
left join {MARTS}.drift_events as events
    on
        status.source = events.source
        and events.observed_at >= timestamp_sub(current_timestamp(), interval 1 day)
group by status.source
order by status.source
""",
        dashboard=(TRUTH, 41),
    ),
    Alert(
        name="unusual-hour",
        title="An unusual hour",
        summary="{{ $labels.source }}: {{ humanize $values.A.Value }} hours of the last ten days hold far more than "
        "the same hour of the days before.",
        severity="ticket",
        lasting="0s",
        above=0,
        sql=f"""
select
    status.source,
    countif(
        hours.is_unusual
        and hours.hour_start >= datetime_sub(current_datetime(), interval 10 day)
    ) as unusual
from {MARTS}.feed_status as status
left join {MARTS}.unusual_hours as hours
    on
        status.source = hours.source
        and hours.month >= date_sub(date_trunc(current_date(), month), interval 1 month)
group by status.source
order by status.source
""",
        dashboard=(TRUTH, 21),
    ),
    Alert(
        name="job-down",
        title="A stream job is down",
        summary="The job {{ $labels.job }} does not run.",
        severity="page",
        lasting="5m",
        below=1,
        metric='sum by (job) (civicwire_job_tasks_running{state="RUNNING"})',
        dashboard=("civicwire-pipeline", 2),
        when_silent="Alerting",
    ),
    Alert(
        name="job-restarts",
        title="A stream job restarts again and again",
        summary="The job {{ $labels.job }} restarted {{ humanize $values.A.Value }} times within an hour.",
        severity="ticket",
        lasting="0s",
        above=3,
        metric="sum by (job) (increase(civicwire_job_restarts_total[1h]))",
        dashboard=("civicwire-pipeline", 2),
    ),
    Alert(
        name="part-down",
        title="A part is down",
        summary="{{ $labels.process }} is not healthy.",
        severity="page",
        lasting="5m",
        below=1,
        metric="min by (process) (civicwire_part_healthy)",
        dashboard=("civicwire-pipeline", 2),
        when_silent="Alerting",
    ),
    Alert(
        name="falling-behind",
        title="A reader falls behind",
        summary="{{ $labels.group }} has {{ humanize $values.A.Value }} messages to carry on.",
        severity="ticket",
        lasting="30m",
        above=100_000,
        metric="max by (group) (civicwire_lag_messages)",
        dashboard=("civicwire-pipeline", 2),
    ),
)


def group() -> shapes.RuleGroup:
    """Return the rules as one group; placeholders ``${…}`` are those of Grafana's environment."""
    built = alerting.RuleGroup(GROUP).folder_uid(FOLDER_UID).interval(EVERY_SECONDS)
    for alert in ALERTS:
        built.with_rule(_rule(alert))
    return built.build()


def _rule(alert: Alert) -> alerting.Rule:
    uid, panel = alert.dashboard
    return (
        alerting.Rule(alert.title)
        .uid(alert.uid)
        .folder_uid(FOLDER_UID)
        .rule_group(GROUP)
        .condition("B")
        .with_query(_asked(alert))
        .with_query(_threshold(alert))
        .for_val(alert.lasting)
        .no_data_state(alert.when_silent)
        .exec_err_state("Error")
        .is_paused(False)
        .labels({"team": "civicwire", "severity": alert.severity})
        .annotations(
            {
                "summary": alert.summary,
                "runbook_url": f"{DOCS}/runbooks/{alert.name}.md",
                "data_source": "BigQuery" if alert.sql else "Prometheus, which scrapes civicwire metrics",
                "__dashboardUid__": uid,
                "__panelId__": str(panel),
            }
        )
        .notification_settings(alerting.NotificationSettings().receiver(RECEIVER))
    )


def _asked(alert: Alert) -> alerting.Query:
    span = shapes.RelativeTimeRange(from_val=10 * DAY_SECONDS, to=0)
    if alert.sql is not None:
        model = (
            bigquery.Dataquery()
            .ref_id("A")
            .raw_query(True)
            .raw_sql(alert.sql.strip() + "\n")
            .editor_mode(bigquery_models.EditorMode.CODE)
            .format(bigquery_models.QueryFormat.TABLE)
        )
        return alerting.Query("A").datasource_uid(WAREHOUSE).relative_time_range(span).model(model)
    measured = prometheus.Dataquery().ref_id("A").expr(alert.metric or "").instant()
    return alerting.Query("A").datasource_uid(METRICS).relative_time_range(span).model(measured)


def _threshold(alert: Alert) -> alerting.Query:
    evaluator = expr.ExprTypeThresholdConditionsEvaluator()
    if alert.above is not None:
        evaluator.type("gt").params([alert.above])
    else:
        evaluator.type("lt").params([alert.below or 0])
    model = expr.TypeThreshold().ref_id("B").expression("A")
    model.conditions([expr.ExprTypeThresholdConditions().evaluator(evaluator)])
    return alerting.Query("B").datasource_uid("__expr__").model(model)
